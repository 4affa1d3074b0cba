"""The tables that the documentation makes of the code are whole."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "dev"))

import coverage_table
import state_diagram

from airflow_provider_drs.protocol.catalog import OPERATIONS
from airflow_provider_drs.protocol.states import NEXT
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
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    titles = {element.text for element in root.iter("{http://www.w3.org/2000/svg}title")}

    assert NEXT.keys() <= texts
    assert {f"{start} to {end}" for start, ends in NEXT.items() for end in ends} <= titles
