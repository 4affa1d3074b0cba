"""An Airflow whose parts could be on machines of their own: Celery workers, a broker, a database server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from dev.cluster.services import Services
from dev.stacks.airflow_stack import AirflowStack

WORKERS = ("worker-1", "worker-2")
TRIGGERERS = ("triggerer-1", "triggerer-2")
SCHEDULER = "scheduler"
_CONCURRENCY = 4

#: Settings of both Airflow lines, as section__option, beside those of a small Airflow.
_COMMON = {
    "CORE__EXECUTOR": "CeleryExecutor",
    # A few more than the workers can run at once, so that some always wait in the broker.
    "CORE__PARALLELISM": 2 * _CONCURRENCY + 4,
    "CELERY__WORKER_CONCURRENCY": _CONCURRENCY,
    # On a busy machine a second is too short to hand a message to the broker.
    "CELERY__OPERATION_TIMEOUT": 10,
    # A message that a dead worker has taken is given to another one after so many seconds.
    "CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": 60,
    "SCHEDULER__TASK_QUEUED_TIMEOUT": 45,
    "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": 5,
    # What a dead scheduler had in hand is its successor's after so many seconds.
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": 10,
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 5,
    "SCHEDULER__JOB_HEARTBEAT_SEC": 2,
    # Longer than in a small Airflow: on two cores a living part may be late, too.
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": 10,
}
_AIRFLOW_3 = {"SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 20, "WORKERS__MIN_HEARTBEAT_INTERVAL": 3}
_AIRFLOW_2 = {"SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": 20}


class ClusterStack(AirflowStack):
    """
    One Airflow with two workers and two triggerers, in a ``with`` statement.

    :param bin_folder: the bin folder of an environment with Airflow, Celery and this package.
    :param home: an empty folder for everything it keeps.
    :param dags: the folder of the DAGs.
    :param services: its database and its broker.
    :param environment: variables for every component, e.g. connections.
    """

    def __init__(
        self, bin_folder: Path, home: Path, dags: Path, services: Services, environment: Mapping[str, str]
    ) -> None:
        super().__init__(bin_folder, home, dags, environment)
        self._services = services
        settings = _COMMON | (_AIRFLOW_3 if self.major == 3 else _AIRFLOW_2)
        settings |= {
            "DATABASE__SQL_ALCHEMY_CONN": services.database_url,
            "CELERY__BROKER_URL": services.broker_url,
            "CELERY__RESULT_BACKEND": f"db+{services.database_url}",
        }
        self.environment |= {f"AIRFLOW__{name}": str(value) for name, value in settings.items()}

    @property
    def components(self) -> tuple[str, ...]:
        """What there is to start."""
        own = ("api-server", "dag-processor") if self.major == 3 else ()
        return (*own, SCHEDULER, *TRIGGERERS, *WORKERS)

    def __enter__(self) -> ClusterStack:
        """Start everything, and return when it is up."""
        try:
            self.run("db", "migrate")
            for component in self.components:
                self.start(component)
            self._connect()
        except BaseException:
            self.stop()
            raise
        return self

    def start(self, component: str) -> None:
        """Start one component: a name of :attr:`components`."""
        with (self.home / f"{component}.out").open("ab") as output:
            self._processes[component] = subprocess.Popen(
                [self._airflow, *self._arguments(component)],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.adopt(self._processes[component].pid)

    def is_up(self, component: str) -> bool:
        """Whether one was started, and not killed since."""
        return component in self._processes

    def count_tasks(self, worker: str) -> int:
        """Return how many tasks a worker runs just now."""
        rows = self.query("select pid from task_instance where state = 'running'")
        return sum(self._is_run_by(worker, pid) for (pid,) in rows)

    def count_waiting(self) -> int:
        """Return how many tasks wait in a triggerer, or for one."""
        return int(self.query("select count(*) as n from task_instance where state = 'deferred'")[0][0])

    def find_worker(self, task_id: str, map_index: int) -> str | None:
        """Return the worker that runs a mapped task just now."""
        rows = self.query(
            "select pid from task_instance where state = 'running' and task_id = ? and map_index::text = ?",
            task_id,
            str(map_index),
        )
        return next((each for each in WORKERS for (pid,) in rows if self._is_run_by(each, pid)), None)

    def count_reported(self, dag_id: str, run_id: str, task_id: str) -> int:
        """Return how many jobs of a run the report page shows as passed, as it reads them here."""
        script = Path(__file__).with_name("reports.py")
        done = subprocess.run(
            [self._bin_folder / "python", script, dag_id, run_id, task_id],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"the reports cannot be read:\n{done.stderr[-3000:]}")
        return int(done.stdout.split()[-1])

    def query(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """Read from Airflow's database."""
        return self._services.query(statement, *values)

    def _is_run_by(self, worker: str, pid: int | None) -> bool:
        process = self._processes.get(worker)
        return process is not None and pid is not None and _is_in(int(pid), process.pid)

    def _arguments(self, component: str) -> list[str]:
        if component in WORKERS:
            # Each has a name and a file for its process id; what a dead one has left there is taken over.
            own = ["--celery-hostname", f"{component}@%h", "--pid", str(self.home / f"{component}.pid")]
            return ["celery", "worker", *own, "--skip-serve-logs"]
        if component in TRIGGERERS:
            return ["triggerer", "--skip-serve-logs"]
        if component == "api-server":
            return [component, "--host", "127.0.0.1", "--port", str(self._port), "--workers", "1"]
        return [component]


def _is_in(pid: int, session: int) -> bool:
    try:
        return os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (OSError, psutil.Error):
        return False
