"""
Who speaks which of the documented operations: hook, operators and sensors, emulator, the vendor's SDK.

    .venvs/airflow-3/bin/python -m dev.docs.coverage_table

The documentation shows the same table. Methods, operators and sensors are listed in
protocol/core/operations.py; the tests call each.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_drs.emulator.http.handlers import HANDLERS
from airflow_provider_drs.hooks.drs import DrsAsyncHook, DrsHook
from airflow_provider_drs.protocol.core.operations import OPERATIONS

ROOT = Path(__file__).resolve().parents[2]
_SDK_TESTS = ROOT / "tests" / "peers" / "test_vendor_sdk_coverage.py"
_CONTRACT = ROOT / "tests" / "contract" / "drs-v3.openapi.yaml"


@dataclass(frozen=True)
class Coverage:
    """One operation. ``sdk`` is empty where the vendor's SDK does not check it."""

    operation: str
    address: str
    methods: tuple[str, ...]
    faces: tuple[str, ...]
    is_emulated: bool
    sdk: str


def read_coverage() -> list[Coverage]:
    """Return a row for each operation."""
    driven, without_method = _read_sdk_tests()
    rows = []
    for operation in OPERATIONS.values():
        methods = tuple(
            name for name in operation.methods if hasattr(DrsHook, name) and hasattr(DrsAsyncHook, name)
        )
        sdk = (
            ("HTTP stack" if operation.name in without_method else "method")
            if operation.name in driven
            else ""
        )
        rows.append(
            Coverage(
                operation.name,
                operation.address,
                methods,
                operation.faces,
                operation.name in HANDLERS,
                sdk,
            )
        )
    return rows


def count_documented() -> int:
    """Return how many operations of DRS the document has."""
    lines = _CONTRACT.read_text("utf-8").splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.strip().startswith("operationId:")]
    return sum(not name.startswith("Keystone") for name in names)


def _read_sdk_tests() -> tuple[set[str], set[str]]:
    """Return what the tests drive with the SDK, and what it has no method of its own for."""
    tree = ast.parse(_SDK_TESTS.read_text("utf-8"))
    found: dict[str, set[str]] = {}
    for node in tree.body:
        target = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign):
            target = node.targets[0]
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Dict | ast.Set):
            entries = value.keys if isinstance(value, ast.Dict) else value.elts
            found[target.id] = {entry.value for entry in entries if isinstance(entry, ast.Constant)}
    return found["CALLS"], found["WITHOUT_A_METHOD"]


def main() -> int:
    """Print the counts; 0 only if nothing is missing."""
    rows = read_coverage()
    total = count_documented()
    counts = {
        "hook, sync and async": sum(bool(row.methods) for row in rows),
        "operator or sensor": sum(bool(row.faces) for row in rows),
        "emulator": sum(row.is_emulated for row in rows),
        "checked by the vendor's SDK": sum(bool(row.sdk) for row in rows),
    }
    print(f"{total} operations are documented.")
    for what, count in counts.items():
        print(f"  {count:>3}  {what}")
    return 0 if set(counts.values()) == {total} else 1


if __name__ == "__main__":
    sys.exit(main())
