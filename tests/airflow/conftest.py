"""An Airflow of each line, with the emulator as its DRS."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from drs_emulator import Emulator

ROOT = Path(__file__).parents[2]

from dev import environments
from dev.demos.example_databases import make_environment
from dev.stacks.airflow_stack import AirflowStack


@dataclass
class Stack:
    """A running Airflow and its DRS."""

    airflow: AirflowStack
    drs: Emulator

    def run(self, dag_id: str, run_id: str, job_ids: Sequence[str], **conf: str) -> Run:
        """Trigger a run of a DAG whose job IDs are a parameter."""
        self.airflow.unpause(dag_id)
        self.airflow.trigger(dag_id, run_id, {"job_ids": list(job_ids), **conf})
        return Run(self, dag_id, run_id, tuple(job_ids))


@dataclass
class Run:
    """
    A run among other concurrent runs.

    :param job_ids: jobs that no other run uses.
    """

    stack: Stack
    dag_id: str
    run_id: str
    job_ids: tuple[str, ...]

    @property
    def starts(self) -> list[int]:
        """How often each of its jobs was started."""
        return [job["starts"] for job in self.stack.drs.jobs if job["id"] in self.job_ids]

    @property
    def calls(self) -> Counter[str]:
        """The number of requests about its jobs, by operation."""
        journal = self.stack.drs.journal()
        return Counter(entry["operation"] for entry in journal if set(self.job_ids) & set(entry["job_ids"]))

    @property
    def tasks(self) -> dict[str, str]:
        return self.stack.airflow.task_states(self.dag_id, self.run_id)

    def wait(self) -> str:
        """Return its final state."""
        return self.stack.airflow.wait(self.dag_id, self.run_id)

    def until(self, is_done: Callable[[], bool], complaint: str) -> None:
        """Return when *is_done* is true, which must be before the run ends."""
        self.stack.airflow.until_in_run(self.dag_id, self.run_id, is_done, complaint)

    def wait_for_poll(self, operation: str = "BatchCheckResults") -> None:
        """Return when its jobs were polled again."""
        polls = self.calls[operation]
        self.until(lambda: self.calls[operation] > polls, f"{self.run_id}: {operation} was not sent")

    def log(self, task_id: str = "*") -> str:
        return self.stack.airflow.log(self.dag_id, self.run_id, task_id)


# Each line is a group, so that both run concurrently.
LINES = [pytest.param(line, marks=pytest.mark.xdist_group(line)) for line in ("airflow-2", "airflow-3")]


@pytest.fixture(scope="session", params=LINES)
def running_stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Return a running Airflow 2.11, then a 3.x."""
    home = tmp_path_factory.mktemp(request.param)
    dags = home / "dags"
    shutil.copytree(ROOT / "dags", dags)
    shutil.copytree(Path(__file__).parent / "dags", dags, dirs_exist_ok=True)
    bin_folder = environments.make(request.param)
    with Emulator(precheck_s=3) as drs:
        environment = {"AIRFLOW_CONN_DRS_DEFAULT": drs.connection_json, **make_environment()}
        with AirflowStack(bin_folder, home, dags, environment) as airflow:
            yield Stack(airflow, drs)


@pytest.fixture
def stack(running_stack: Stack) -> Stack:
    """Return the running Airflow, with a new DRS."""
    running_stack.drs.reset()
    running_stack.drs.set_speed(1.0)
    return running_stack
