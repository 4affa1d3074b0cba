"""
Runs a whole Airflow on loopback: scheduler, triggerer, dag processor and, on Airflow 3, the API server.

Everything it knows is in one folder, and everything it started is stopped with it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
USER, PASSWORD = "admin", "admin-not-secret"

_FINISHED = frozenset({"success", "failed"})
#: Seconds after which a component that does not come up is given up.
_START_S = 180.0


class AirflowStack:
    """
    One Airflow, in a ``with`` statement.

    :param bin_folder: the bin folder of an environment with Airflow 2.11 or 3.x and this package.
    :param home: an empty folder for everything it keeps.
    :param dags: the folder of the DAGs.
    :param environment: variables for every component, e.g. connections.
    """

    def __init__(self, bin_folder: Path, home: Path, dags: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self._airflow = str(bin_folder / "airflow")
        self._dags = dags
        self._port = _free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        self.major = 3 if _version(bin_folder).startswith("3") else 2
        self._environment = {**os.environ, **self._settings(bin_folder), **environment}

    @property
    def url(self) -> str:
        """Where the API server and the UI are (Airflow 3)."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> AirflowStack:
        """Start everything, and return when tasks can run."""
        self.home.mkdir(parents=True, exist_ok=True)
        passwords = self.home / "passwords.json"
        passwords.write_text(json.dumps({USER: PASSWORD}))
        passwords.chmod(0o600)
        self.run("db", "migrate")
        components = [["scheduler"], ["triggerer"], ["dag-processor"]]
        if self.major == 3:
            components.append(["api-server", "--host", "127.0.0.1", "--port", str(self._port), "--workers", "1"])
        try:
            for component in components:
                self._start(component)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self.stop()

    def stop(self) -> None:
        """Stop every component with all its children."""
        for process in self._processes:
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + 20
        for process in self._processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
            _signal_group(process, signal.SIGKILL)
            process.wait()
        self._processes.clear()

    def run(self, *arguments: str) -> str:
        """Run an ``airflow`` command and return what it prints."""
        done = subprocess.run(
            [self._airflow, *arguments], env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run."""
        self.run("dags", "unpause", dag_id)

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Trigger a run and return its id."""
        self.run("dags", "trigger", dag_id, "--run-id", run_id, "--conf", json.dumps(conf or {}))
        return run_id

    def first_run(self, dag_id: str, timeout_s: float = 60.0) -> str:
        """
        Return the run that the schedule has made after the DAG was unpaused.

        :raises TimeoutError: it has made none.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if run_ids := self.run_ids(dag_id):
                return run_ids[0]
            self.check()
            time.sleep(0.3)
        raise TimeoutError(f"the schedule has made no run of {dag_id}")

    def clear(self, dag_id: str, task_id: str) -> None:
        """Clear a task and what comes after it, in all runs."""
        self.run("tasks", "clear", dag_id, "--task-regex", f"^{task_id}$", "--downstream", "--yes")

    def wait(self, dag_id: str, run_id: str, timeout_s: float = 300.0) -> str:
        """
        Return the state of a run when it has ended.

        :raises TimeoutError: it has not.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            state = self.state(dag_id, run_id)
            if state in _FINISHED:
                return str(state)
            self.check()
            time.sleep(0.5)
        raise TimeoutError(f"{dag_id} {run_id} has not ended: {self.task_states(dag_id, run_id)}")

    def state(self, dag_id: str, run_id: str) -> str | None:
        """Return the state of a run."""
        rows = self.query("select state from dag_run where dag_id = ? and run_id = ?", dag_id, run_id)
        return rows[0][0] if rows else None

    def run_ids(self, dag_id: str) -> list[str]:
        """Return the ids of all runs of a DAG."""
        return [row[0] for row in self.query("select run_id from dag_run where dag_id = ? order by id", dag_id)]

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Return the state of each task of a run; mapped ones as ``task[index]``."""
        rows = self.query(
            "select task_id, map_index, state from task_instance where dag_id = ? and run_id = ? order by start_date",
            dag_id,
            run_id,
        )
        return {task_id if index < 0 else f"{task_id}[{index}]": state for task_id, index, state in rows}

    def log(self, dag_id: str, run_id: str, task_id: str) -> str:
        """Return the messages of all tries of a task, and of its trigger."""
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        files = sorted(folder.rglob("*.log*"))
        return "\n".join(_read_log_line(line) for file in files for line in file.read_text().splitlines())

    def query(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """Read from Airflow's database."""
        with closing(sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(statement, values).fetchall()

    def check(self) -> None:
        """
        Look whether every component is alive.

        :raises RuntimeError: one is not.
        """
        for process in self._processes:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args!r} ended with {process.returncode}; see {self.home}/*.out")

    def _settings(self, bin_folder: Path) -> dict[str, str]:
        own = {
            "AIRFLOW_HOME": self.home,
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": "",
            "NO_PROXY": "127.0.0.1,localhost",
            "CORE__DAGS_FOLDER": self._dags,
            "CORE__LOAD_EXAMPLES": False,
            "CORE__EXECUTOR": "LocalExecutor" if self.major == 3 else "SequentialExecutor",
            "CORE__FERNET_KEY": "Zm9yLXRlc3RzLW9ubHktLS0tLS0tLS0tLS0tLS0tLS0=",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": self.home / "passwords.json",
            "CORE__PARALLELISM": 4,
            "API__BASE_URL": self.url,
            "API_AUTH__JWT_SECRET": "for-tests-only-and-long-enough-for-a-signature-0123456789abcdef",
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
            "LOGGING__BASE_LOG_FOLDER": self.home / "logs",
            "LOGGING__WORKER_LOG_SERVER_PORT": _free_port(),
            "LOGGING__TRIGGER_LOG_SERVER_PORT": _free_port(),
            "SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": _free_port(),
            "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": 1,
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 0.3,
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 15,
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 3,
            "SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC": 2,
            "SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": 15,
            "SCHEDULER__ZOMBIE_DETECTION_INTERVAL": 3,
            "SCHEDULER__ENABLE_TRACEMALLOC": False,
            "SCHEDULER__STANDALONE_DAG_PROCESSOR": True,
            "SCHEDULER__MIN_FILE_PROCESS_INTERVAL": 5,
            "SCHEDULER__DAG_DIR_LIST_INTERVAL": 5,
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 5,
            "DAG_PROCESSOR__REFRESH_INTERVAL": 5,
            "USAGE_DATA_COLLECTION__ENABLED": False,
        }
        plain = ("AIRFLOW_HOME", "PATH", "PYTHONPATH", "NO_PROXY")
        return {name if name in plain else f"AIRFLOW__{name}": str(value) for name, value in own.items()}

    def _start(self, component: list[str]) -> None:
        with (self.home / f"{component[0]}.out").open("wb") as output:
            process = subprocess.Popen(
                [self._airflow, *component],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own, so that its children are stopped with it and nobody else is.
                start_new_session=True,
            )
        self._processes.append(process)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            self.check()
            jobs = {row[0] for row in self.query("select job_type from job where state = 'running'")}
            has_dags = bool(self.query("select 1 from serialized_dag"))
            if {"SchedulerJob", "TriggererJob"} <= jobs and has_dags and self._answers():
                return
            time.sleep(0.3)
        raise TimeoutError(f"Airflow did not come up; see {self.home}/*.out")

    def _answers(self) -> bool:
        if self.major == 2:
            return True
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


def _read_log_line(line: str) -> str:
    """Return the message of a line; Airflow 3 writes JSON."""
    try:
        entry = json.loads(line)
    except ValueError:
        return re.sub(r"^\[[^\]]+\] \{[^}]*\} \w+ - ", "", line)
    if not isinstance(entry, dict):
        return line
    details = entry.get("error_detail") or []
    errors = [f"{each.get('exc_type')}: {each.get('exc_value')}" for each in details if isinstance(each, dict)]
    return "\n".join([str(entry.get("event", "")), *errors])


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _version(bin_folder: Path) -> str:
    code = "import importlib.metadata as m; print(m.version('apache-airflow'))"
    return subprocess.run([bin_folder / "python", "-c", code], capture_output=True, text=True, check=True).stdout
