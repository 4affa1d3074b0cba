"""An Airflow whose components could be on different machines: Celery workers, a broker, a database server."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dev.cluster.services import Services
from dev.stacks.airflow_stack import AirflowStack
from dev.stacks.processes import find

WORKERS = ("worker-1", "worker-2")
TRIGGERERS = ("triggerer-1", "triggerer-2")
SCHEDULER = "scheduler"
_CONCURRENCY = 4

#: Settings of both Airflow lines, as section__option, in addition to those of a small Airflow.
_COMMON = {
    "CORE__EXECUTOR": "CeleryExecutor",
    # More than the workers can run, so that some tasks are always queued in the broker.
    "CORE__PARALLELISM": 2 * _CONCURRENCY + 4,
    "CELERY__WORKER_CONCURRENCY": _CONCURRENCY,
    # On a busy machine, the default of 1 s is too short to send a message to the broker.
    "CELERY__OPERATION_TIMEOUT": 10,
    # Seconds until a message that a killed worker has received is delivered to another one.
    "CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": 60,
    "SCHEDULER__TASK_QUEUED_TIMEOUT": 45,
    "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": 5,
    # Seconds until a new scheduler adopts the tasks of a killed one.
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": 10,
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 5,
    "SCHEDULER__JOB_HEARTBEAT_SEC": 2,
    # Longer than in a small Airflow: on two cores, heartbeats of a running triggerer may be late.
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": 10,
}
_AIRFLOW_3 = {"SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 20, "WORKERS__MIN_HEARTBEAT_INTERVAL": 3}
_AIRFLOW_2 = {"SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": 20}


class ClusterStack(AirflowStack):
    """
    An Airflow with two workers and two triggerers, in a ``with`` statement.

    :param bin_folder: the bin folder of an environment with Airflow, Celery and this package.
    :param services: its database and its broker.
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
        servers = ("api-server", "dag-processor") if self.major == 3 else ()
        return (*servers, SCHEDULER, *TRIGGERERS, *WORKERS)

    def is_up(self, component: str) -> bool:
        """Return whether a component was started and not killed since."""
        return self._processes.session(component) is not None

    def count_running(self, worker: str) -> int:
        """Return how many tasks a worker runs now."""
        rows = self.query("select pid from task_instance where state = 'running'")
        return sum(self._is_run_by(worker, pid) for (pid,) in rows)

    def count_deferred(self) -> int:
        """Return how many tasks are deferred."""
        return int(self.query("select count(*) as n from task_instance where state = 'deferred'")[0][0])

    def find_worker(self, task_id: str, map_index: int) -> str | None:
        """Return the worker that runs a mapped task now."""
        rows = self.query(
            "select pid from task_instance where state = 'running' and task_id = ? and map_index::text = ?",
            task_id,
            str(map_index),
        )
        return next((worker for worker in WORKERS for (pid,) in rows if self._is_run_by(worker, pid)), None)

    def count_reported(self, dag_id: str, run_id: str, task_id: str) -> int:
        """Return how many jobs of a run the report page shows as passed, according to its own queries."""
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
        """Query Airflow's database."""
        return self._services.query(statement, *values)

    def _make_database(self) -> None:
        self.run("db", "migrate")

    def _is_run_by(self, worker: str, pid: int | None) -> bool:
        session = self._processes.session(worker)
        return session is not None and pid is not None and int(pid) in find({session})

    def _arguments(self, component: str) -> list[str]:
        if component in WORKERS:
            # Each has its own name and pid file; the file of a killed worker is replaced.
            own = ["--celery-hostname", f"{component}@%h", "--pid", str(self.home / f"{component}.pid")]
            return ["celery", "worker", *own, "--skip-serve-logs"]
        if component in TRIGGERERS:
            return ["triggerer", "--skip-serve-logs"]
        return super()._arguments(component)
