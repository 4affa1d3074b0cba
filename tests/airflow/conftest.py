"""A whole Airflow of each line, with the emulator as its DRS."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_drs.emulator import Emulator

ROOT = Path(__file__).parents[2]

import environments
from airflow_stack import AirflowStack
from example_databases import make_environment


@dataclass
class Site:
    """A running Airflow and its DRS."""

    airflow: AirflowStack
    drs: Emulator
    bin_folder: Path


# Each line is a group of its own, so that the two run side by side.
LINES = [pytest.param(line, marks=pytest.mark.xdist_group(line)) for line in ("airflow-2", "airflow-3")]


@pytest.fixture(scope="session", params=LINES)
def running_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a running Airflow 2.11, then a 3.x."""
    home = tmp_path_factory.mktemp(request.param)
    dags = home / "dags"
    shutil.copytree(ROOT / "dags", dags)
    shutil.copytree(Path(__file__).parent / "dags", dags, dirs_exist_ok=True)
    bin_folder = environments.make(request.param)
    with Emulator(precheck_s=3) as drs:
        environment = {"AIRFLOW_CONN_DRS_DEFAULT": drs.connection_json, **make_environment()}
        with AirflowStack(bin_folder, home, dags, environment) as airflow:
            yield Site(airflow, drs, bin_folder)


@pytest.fixture
def site(running_site: Site) -> Site:
    """Return the running Airflow, with a DRS as if it had just been started."""
    running_site.drs.reset()
    running_site.drs.set_speed(1.0)
    return running_site
