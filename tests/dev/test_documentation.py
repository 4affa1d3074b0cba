"""The tables that the documentation makes of the code are whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

ROOT = Path(__file__).parents[2]

from airflow_provider_drs.protocol.core.operations import OPERATIONS
from airflow_provider_drs.protocol.jobs.states import NEXT
from dev.docs import coverage_table, state_diagram
from tests.contract.openapi import load_operations


def test_every_operation_is_covered(capsys: pytest.CaptureFixture[str]) -> None:
    assert coverage_table.main() == 0
    assert capsys.readouterr().out.count("  26  ") == 4


def test_operations_match_the_api_document() -> None:
    documented = {name: row for name, row in load_operations().items() if not name.startswith("Keystone")}

    assert OPERATIONS.keys() == documented.keys()
    for name, (method, path, facts) in documented.items():
        operation = OPERATIONS[name]
        assert (operation.method, operation.path, operation.page) == (method, path, facts["x-doc"])


def test_diagram_has_every_status_and_transition() -> None:
    # Drawn by our own code a moment ago.
    root = ElementTree.fromstring(state_diagram.draw())  # noqa: S314
    texts = {"".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")}
    titles = {element.text for element in root.iter("{http://www.w3.org/2000/svg}title")}

    assert NEXT.keys() <= texts
    assert {f"{start} to {end}" for start, ends in NEXT.items() for end in ends} <= titles


def test_readme_code_creates_dags() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}

    for block in blocks:
        # A reader does the same with it.
        exec(block.replace("):\n    ", ") as dag:\n    "), names)  # noqa: S102
        names.setdefault("dags", []).append(names["dag"])

    assert [len(dag.tasks) for dag in names["dags"]] == [3, 10]


@pytest.mark.system
def test_ci_example_passes(tmp_path: Path) -> None:
    examples = ROOT / "docs" / "examples"
    github = yaml.safe_load((examples / "github-actions.yml").read_text("utf-8"))["jobs"]["test"]
    gitlab = yaml.safe_load((examples / "gitlab-ci.yml").read_text("utf-8"))["test-dags"]
    install, *commands = [step["run"] for step in github["steps"] if "run" in step]
    assert [install, *commands] == gitlab["script"]
    assert github["env"].keys() == gitlab["variables"].keys()
    shutil.copytree(ROOT / "dags", tmp_path / "dags")
    (tmp_path / "tests").mkdir()
    shutil.copy(examples / "test_dags.py", tmp_path / "tests")
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for name, value in github["env"].items():
        environment[name] = value.replace("${{ github.workspace }}", str(tmp_path))

    for command in commands:
        done = subprocess.run(
            command.split(), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"

    assert "2 passed" in done.stdout
