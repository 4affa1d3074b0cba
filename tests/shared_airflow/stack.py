"""The shared Airflow, and the order in which its DAGs run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drs_emulator import Emulator

from dev import environments
from dev.stacks import airflow_settings
from dev.stacks.airflow_stack import ROOT, AirflowStack
from tests.shared_airflow import main_job, sweep
from tests.shared_airflow.statsd import Statsd

TESTS = ROOT / "tests"
AUTH = TESTS / "report" / "running" / "auth"
#: A path prefix, as behind a reverse proxy.
PREFIX = "/team/airflow"
USERS = ("admin", "viewer", "stranger", "blind")
_SETTINGS = {
    # Let Airflow 3 distinguish the permissions of users and DAGs, as Airflow 2 does.
    "airflow-3": {
        "AIRFLOW__CORE__AUTH_MANAGER": "picky_auth.PickyAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer,stranger:viewer,blind:viewer",
        "PYTHONPATH": str(AUTH),
    },
    # Scripts log in to Airflow 2 with a password.
    "airflow-2": {
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.providers.fab.auth_manager.api.auth.backend.basic_auth"
    },
}


@dataclass
class SharedAirflow:
    """
    A running Airflow, and what was recorded while its DAGs ran.

    :param drs: the DRS of the main example.
    :param passwords: by user.
    """

    airflow: AirflowStack
    drs: Emulator
    passwords: dict[str, str]
    story: main_job.Story
    swept: sweep.Swept


def run(line: str, home: Path) -> Iterator[SharedAirflow]:
    """Start an Airflow, and run everything in it."""
    dags = home / "dags"
    dags.mkdir()
    shutil.copy(ROOT / "dags" / f"{main_job.DAG_ID}.py", dags)
    shutil.copy(TESTS / "security" / "dags" / "swept.py", dags)
    bin_folder = _find_bin(line)
    lineage, statsd = home / "lineage.jsonl", Statsd()
    lineage.touch()
    with Emulator(precheck_s=main_job.LONG_S) as drs, Emulator(precheck_s=1) as swept_drs:
        environment = {
            "AIRFLOW_CONN_DRS_DEFAULT": drs.connection_json,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
            # Enables the Test button.
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            **_SETTINGS[line],
            **_describe(lineage, statsd),
        }
        with AirflowStack(bin_folder, home, dags, environment, prefix=PREFIX) as airflow:
            passwords = _make_users(airflow, bin_folder)
            # First, and without other runs, because all calls to DRS are counted.
            story = main_job.run(airflow, drs, lineage, statsd)
            main_job.begin_to_wait(airflow, drs)
            with sweep.run(airflow, swept_drs) as swept:
                yield SharedAirflow(airflow, drs, passwords, story, swept)
    statsd.close()


def _find_bin(line: str) -> Path:
    other = os.environ.get("TESTED_AIRFLOW_3")
    return environments.VENVS / other / "bin" if other and line == "airflow-3" else environments.make(line)


def _describe(lineage: Path, statsd: Statsd) -> dict[str, str]:
    file = {"type": "file", "log_file_path": str(lineage), "append": True}
    return {
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(file),
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
        "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
    }


def _make_users(airflow: AirflowStack, bin_folder: Path) -> dict[str, str]:
    if airflow.major == 3:
        # The auth manager has generated the missing passwords.
        found: dict[str, str] = json.loads((airflow.home / "passwords.json").read_text())
        return found
    command = [bin_folder / "python", AUTH / "add_users.py", airflow_settings.PASSWORD]
    done = subprocess.run(command, env=airflow.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    airflow.start("webserver")
    airflow.wait_for_url("/health")
    return dict.fromkeys(USERS, airflow_settings.PASSWORD)
