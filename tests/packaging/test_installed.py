"""The installed wheel in an environment without other packages, on both Airflow lines."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_provider_drs
from dev import environments
from tests.packaging.conftest import Installation

pytestmark = pytest.mark.system

CONSUMER = Path(__file__).parent / "consumer"

#: Imports what any DAG file needs, then our modules, and prints what only the second step has loaded.
COLD_IMPORT = """
import json, sys
import pendulum
from airflow.providers.common.compat.sdk import (
    DAG, BaseOperator, BaseOperatorLink, BaseSensorOperator, XCom, AirflowFailException, AirflowSkipException,
    conf,
)
before = set(sys.modules)
import airflow_provider_drs.operators.drs, airflow_provider_drs.sensors.drs
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_airflow_lists_the_provider(installation: Installation) -> None:
    listed = json.loads(installation.run("airflow", "providers", "list", "--output", "json"))

    versions = {row["package_name"]: row["version"] for row in listed}
    assert versions["airflow-provider-drs"] == airflow_provider_drs.__version__


def test_connection_type_is_registered(installation: Installation) -> None:
    listed = json.loads(installation.run("airflow", "providers", "hooks", "--output", "json"))

    (row,) = (row for row in listed if row["connection_type"] == "drs")
    assert (row["class"], row["package_name"]) == (
        "airflow_provider_drs.hooks.drs.DrsHook",
        "airflow-provider-drs",
    )


def test_operators_import_no_http_client(installation: Installation) -> None:
    loaded = json.loads(installation.run("python", "-c", COLD_IMPORT).splitlines()[-1])

    heavy = ("requests", "aiohttp", "urllib3", "pydantic", "jsonschema", "drs_emulator")
    assert not [name for name in loaded if name.startswith(heavy)]


@pytest.mark.parametrize("checker", ["mypy", "basedpyright"])
def test_types_reach_a_project_that_uses_the_provider(
    installation: Installation, tmp_path: Path, checker: str
) -> None:
    python = installation.folder / "bin" / "python"
    # Outside of the checkout, whose settings and modules would be found otherwise.
    project = shutil.copytree(CONSUMER, tmp_path / "project")
    mypy = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--python-executable",
        python,
        "--cache-dir",
        os.devnull,
    ]
    pyright = [environments.make("packaging") / checker, "--level", "error", "--pythonpath", python]
    done = subprocess.run(
        [*(mypy if checker == "mypy" else pyright), "uses.py", "misuses.py"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )

    found = {(name, int(line)) for name, line in re.findall(r"(\w+\.py):(\d+)[^\n]* error", done.stdout)}
    marks = ("# wrong", "# wrong in Airflow 3") if "airflow-3" in str(installation.folder) else ("# wrong",)
    lines = (CONSUMER / "misuses.py").read_text().splitlines()
    wrong = {("misuses.py", number) for number, line in enumerate(lines, 1) if line.endswith(marks)}
    assert found == wrong, done.stdout + done.stderr


def test_dependencies_are_consistent(installation: Installation) -> None:
    installation.run("python", "-m", "pip", "check")
