"""The tables that the documentation makes of the code are whole."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "dev"))

import coverage_table
import state_diagram

from airflow_provider_drs.operators import drs as operators
from airflow_provider_drs.protocol.catalog import OPERATIONS
from airflow_provider_drs.protocol.states import NEXT
from airflow_provider_drs.sensors import drs as sensors
from tests.contract.openapi import load_operations


def test_every_documented_operation_is_known_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Hook, operator or sensor, emulator, SDK: 26 of 26."""
    assert coverage_table.main() == 0
    assert capsys.readouterr().out.count("  26  ") == 4


def test_the_catalogue_calls_operations_as_the_document_says() -> None:
    """Method, path and page of each."""
    documented = {name: row for name, row in load_operations().items() if not name.startswith("Keystone")}

    assert OPERATIONS.keys() == documented.keys()
    for name, (method, path, facts) in documented.items():
        operation = OPERATIONS[name]
        assert (operation.method, operation.path, operation.page) == (method, path, facts["x-doc"])


def test_the_diagram_has_every_status_and_every_way() -> None:
    """As boxes and arrows that an SVG reader understands."""
    # Drawn by our own code a moment ago.
    root = ElementTree.fromstring(state_diagram.draw())  # noqa: S314
    texts = {"".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")}
    titles = {element.text for element in root.iter("{http://www.w3.org/2000/svg}title")}

    assert NEXT.keys() <= texts
    assert {f"{start} to {end}" for start, ends in NEXT.items() for end in ends} <= titles


@pytest.mark.parametrize(
    "face",
    [
        face
        for module in (operators, sensors)
        for name, face in vars(module).items()
        if name.startswith("Drs") and isinstance(face, type)
    ],
)
def test_every_parameter_is_documented(face: type) -> None:
    """In the class or in one above it, from where the reference takes it."""
    ours = [each for each in face.__mro__ if each.__module__.startswith("airflow_provider_drs")]
    taken = {name for each in ours for name in inspect.signature(each.__init__).parameters}
    text = "\n".join(each.__doc__ or "" for each in ours)

    assert not {name for name in taken - {"self", "kwargs"} if f":param {name}:" not in text}


def test_the_code_of_the_readme_makes_dags() -> None:
    """As it stands there, one block after the other."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}

    for block in blocks:
        # A reader does the same with it.
        exec(block.replace("):\n    ", ") as dag:\n    "), names)  # noqa: S102
        names.setdefault("dags", []).append(names["dag"])

    assert [len(dag.tasks) for dag in names["dags"]] == [3, 10]
