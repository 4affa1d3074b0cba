"""
Shows which documented operations the hook, the operators and sensors, the emulator and the vendor's SDK
cover.

    .venvs/airflow-3/bin/python -m dev.docs.coverage_table

The documentation has the same table. protocol/core/operations.py lists the methods, operators and sensors,
and tests call each of them.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

from drs_emulator.http.handlers import HANDLERS

from airflow_provider_drs.hooks.drs import DrsAsyncHook, DrsHook
from airflow_provider_drs.protocol.core.operations import OPERATIONS

ROOT = Path(__file__).resolve().parents[2]
_SDK_TESTS = ROOT / "tests" / "peers" / "test_vendor_sdk_coverage.py"
_CONTRACT = ROOT / "tests" / "contract" / "drs-v3.openapi.yaml"


@dataclass(frozen=True)
class Coverage:
    """An operation. ``sdk`` is empty if the vendor's SDK does not test it."""

    operation: str
    address: str
    methods: tuple[str, ...]
    faces: tuple[str, ...]
    is_emulated: bool
    sdk: str


def read_coverage() -> list[Coverage]:
    """Return a row for each operation."""
    called, without_method = _read_sdk_tests()
    rows = []
    for operation in OPERATIONS.values():
        methods = tuple(
            name for name in operation.methods if hasattr(DrsHook, name) and hasattr(DrsAsyncHook, name)
        )
        name = operation.name
        sdk = ("HTTP stack" if name in without_method else "method") if name in called else ""
        rows.append(Coverage(name, operation.address, methods, operation.faces, name in HANDLERS, sdk))
    return rows


def count_documented() -> int:
    """Return the number of documented DRS operations."""
    lines = _CONTRACT.read_text("utf-8").splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.strip().startswith("operationId:")]
    return sum(not name.startswith("Keystone") for name in names)


def _read_sdk_tests() -> tuple[set[str], set[str]]:
    """Return the operations that tests call with the SDK, and those for which it has no method."""
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
    return found["CALLS"], found["WITHOUT_METHOD"]


def main() -> int:
    """Print the counts, and return 0 only if all operations are covered."""
    rows = read_coverage()
    total = count_documented()
    counts = {
        "hook, sync and async": sum(bool(row.methods) for row in rows),
        "operator or sensor": sum(bool(row.faces) for row in rows),
        "emulator": sum(row.is_emulated for row in rows),
        "tested with the vendor's SDK": sum(bool(row.sdk) for row in rows),
    }
    print(f"{total} operations are documented.")
    for what, count in counts.items():
        print(f"  {count:>3}  {what}")
    return 0 if set(counts.values()) == {total} else 1


if __name__ == "__main__":
    sys.exit(main())
