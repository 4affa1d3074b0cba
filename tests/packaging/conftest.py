"""The wheel, and environments that contain only Airflow and the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev import environments

ROOT = environments.ROOT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of the provider."""
    return _build(ROOT, "airflow_provider_drs", tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="session")
def emulator_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build(ROOT / "emulator", "drs_emulator", tmp_path_factory.mktemp("source"))


def _build(project: Path, package: str, source: Path) -> Path:
    """Return a wheel that was built from a package and its metadata only."""
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(project / name, source)
    unwanted = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(project / package, source / package, ignore=unwanted)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    (built,) = (source / "dist").glob("*.whl")
    return built


@dataclass
class Installation:
    """An environment into which the wheel was installed, and an Airflow home of its own."""

    folder: Path

    def run(self, command: str, *arguments: str) -> str:
        """Return what a command of the environment prints."""
        home = self.folder / "home"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        environment = {**inherited, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        environment["PATH"] = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [self.folder / "bin" / command, *arguments],
            env=environment,
            # Not the checkout, or its package would be imported instead.
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command} {arguments}:\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session", params=["airflow-2", "airflow-3"])
def installation(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Return a bare Airflow 2.11, then a 3.x, with the wheel; removed afterwards, as it is large."""
    folder = tmp_path_factory.mktemp(request.param) / "venv"
    constraints = ROOT / ".ci" / f"constraints-{request.param}.txt"
    environments.install(folder, "-c", str(constraints), "apache-airflow", "pip", str(wheel))
    yield Installation(folder)
    shutil.rmtree(folder)
