"""The emulator without Airflow: its wheel in an environment of its own, and its container file."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import drs_emulator
import pytest

from dev import environments

pytestmark = pytest.mark.system

ROOT = environments.ROOT


@pytest.fixture(scope="module")
def bin_folder(emulator_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("emulator") / "venv"
    constraints = ROOT / ".ci" / "constraints-airflow-3.txt"
    environments.install(folder, "-c", str(constraints), "pip", "pytest", str(emulator_wheel))
    return folder / "bin"


@pytest.fixture
def address(bin_folder: Path) -> Iterator[str]:
    """Run the command, and return the address that it prints."""
    command = [bin_folder / "drs-emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        assert process.stdout is not None
        yield process.stdout.readline().split(" at ")[1].split(". ")[0]
        process.terminate()


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_airflow_is_not_installed(bin_folder: Path) -> None:
    packages = {row["name"] for row in json.loads(_run(bin_folder / "pip", "list", "--format", "json"))}

    assert "drs-emulator" in packages
    assert not [name for name in packages if "airflow" in name]
    _run(bin_folder / "pip", "check")


def test_command_serves(bin_folder: Path, address: str) -> None:
    code = "import sys, drs_emulator; print(len(drs_emulator.EmulatorClient(sys.argv[1]).jobs))"

    assert _run(bin_folder / "python", "-c", code, address).strip() == "10"


def test_fixture_is_found_by_pytest(bin_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "test_jobs.py").write_text("def test_jobs(drs_emulator): assert drs_emulator.jobs\n")

    assert "1 passed" in _run(bin_folder / "python", "-m", "pytest", tmp_path)


def test_wheel_has_the_emulator_only(emulator_wheel: Path) -> None:
    with ZipFile(emulator_wheel) as archive:
        names = set(archive.namelist())

    package = Path(drs_emulator.__file__).parent
    files = {*package.rglob("*.py"), *package.rglob("*.json"), package / "py.typed"}
    assert {file.relative_to(package.parent).as_posix() for file in files} <= names
    assert {name.split("/")[0] for name in names} == {
        "drs_emulator",
        f"drs_emulator-{drs_emulator.__version__}.dist-info",
    }


def test_container_file_is_valid() -> None:
    hadolint = environments.make("packaging") / "hadolint"

    _run(hadolint, "--failure-threshold", "style", ROOT / "emulator" / "Dockerfile")


def test_license_is_that_of_the_provider() -> None:
    assert (ROOT / "emulator" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
