"""
Runs a whole Airflow on loopback: scheduler, triggerer and, on Airflow 3, Dag processor and API server.

Its files are in one folder, and all its processes end with it.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import requests

from dev import environments
from dev.stacks.airflow_control import ConsoleControl, RestControl
from dev.stacks.airflow_database import make_database
from dev.stacks.airflow_settings import free_port, shorten_lock_timeout, write_settings
from dev.stacks.processes import Processes

ROOT = environments.ROOT

_FINISHED = frozenset({"success", "failed"})
#: Seconds that a component may take to start.
_START_S = 300.0
#: Default timeout of waits in seconds. Long, because tests must not fail on a busy machine.
_TIMEOUT_S = 600.0
_POLL_S = 0.2
#: States of tasks that run in no process and are resumed by another component.
_SUSPENDED = frozenset({"deferred", "awaiting_input"})


class AirflowStack:
    """
    A running Airflow, in a ``with`` statement.

    :param bin_folder: the bin folder of an environment with Airflow 2.11 or 3.x and this package.
    :param home: an empty folder for all its files.
    :param dags: the folder of the DAGs.
    :param environment: variables for every component, such as connections.
    :param prefix: a path before those of Airflow, as behind a reverse proxy.
    """

    def __init__(
        self, bin_folder: Path, home: Path, dags: Path, environment: Mapping[str, str], *, prefix: str = ""
    ) -> None:
        self.home = home
        self.major = int(_version(bin_folder).split(".")[0])
        self._bin_folder = bin_folder
        self._port = free_port()
        self._prefix = prefix
        self._control: RestControl | ConsoleControl | None = None
        home.mkdir(parents=True, exist_ok=True)
        path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
        settings = write_settings(home, dags, major=self.major, url=self.url)
        self.environment = {**settings, "PATH": path, **environment}
        self._processes = Processes(home)
        #: Ends the processes of another session with this Airflow, even if this process is killed.
        self.adopt = self._processes.adopt
        #: Kills a component and its children, as a machine that fails would.
        self.kill, self.terminate = self._processes.kill, self._processes.terminate

    @property
    def url(self) -> str:
        """The URL of the API server and the UI; in Airflow 2, of the webserver if it was started."""
        return f"http://127.0.0.1:{self._port}{self._prefix}"

    @property
    def components(self) -> tuple[str, ...]:
        return ("scheduler", "triggerer", *(("api-server", "dag-processor") if self.major == 3 else ()))

    def __enter__(self) -> AirflowStack:
        """Start everything, and return when it is up."""
        try:
            self._make_database()
            for component in self.components:
                self.start(component)
            self._connect()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Kill all components. Their last output is not needed, and some take 15 s to end on SIGTERM."""
        if self._control is not None:
            self._control.close()
            self._control = None
        self._processes.kill_all()

    def start(self, component: str) -> None:
        is_server = component == "api-server"
        self._processes.start(
            component,
            [self._airflow, *self._arguments(component)],
            environment=shorten_lock_timeout(self.environment) if is_server else self.environment,
            append=True,
        )

    def run(self, *arguments: str, check: bool = True) -> str:
        """
        Run an ``airflow`` command and return its output.

        :param check: raise if it fails.
        """
        done = subprocess.run(
            [self._airflow, *arguments], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode and check:
            output = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            raise RuntimeError(f"airflow {' '.join(arguments)} failed:\n{output}")
        return done.stdout

    def unpause(self, dag_id: str) -> None:
        """Unpause a DAG when it has been parsed."""
        self.until(lambda: self._is_parsed(dag_id), f"{dag_id} is not parsed", _START_S)
        self.control.unpause(dag_id)

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> str:
        self.control.trigger(dag_id, run_id, conf or {})
        return run_id

    def first_run(self, dag_id: str, timeout_s: float = _TIMEOUT_S) -> str:
        """
        Return the run that was scheduled after the DAG was unpaused.

        :raises TimeoutError: there is none in time.
        """
        self.until(lambda: bool(self.run_ids(dag_id)), f"no run of {dag_id} was scheduled", timeout_s)
        return self.run_ids(dag_id)[0]

    def clear(self, dag_id: str, run_id: str, *task_ids: str) -> None:
        """Clear tasks of a run and their downstream tasks."""
        self.control.clear(dag_id, run_id, task_ids)

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1
    ) -> Any:
        """Return an XCom; ``None`` if it does not exist."""
        return self.control.xcom(dag_id, run_id, task_id, key, map_index)

    def links(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """Return the URLs of the extra links of a task, by name, as the UI gets them."""
        return self.control.links(dag_id, run_id, task_id, map_index)

    def wait(self, dag_id: str, run_id: str, timeout_s: float = _TIMEOUT_S) -> str:
        """
        Return the final state of a run.

        :raises TimeoutError: it does not finish in time.
        """
        self.until_in_run(
            dag_id,
            run_id,
            lambda: self.state(dag_id, run_id) in _FINISHED,
            f"{dag_id} {run_id} has not finished",
            timeout_s,
        )
        return str(self.state(dag_id, run_id))

    def wait_for_task(
        self, dag_id: str, run_id: str, task_id: str, states: Sequence[str], timeout_s: float = _TIMEOUT_S
    ) -> None:
        """
        Return when a task is in one of some states.

        A deferred task can then be resumed: Airflow fails one that resumes before its scheduler has processed
        that it was deferred.

        :raises RuntimeError: the run has ended in another state.
        :raises TimeoutError: it does not reach one in time.
        """

        def has_state() -> bool:
            state = self.task_states(dag_id, run_id).get(task_id)
            is_suspended = state in _SUSPENDED
            return state in states and (
                not is_suspended or self._has_processed_event(dag_id, run_id, task_id)
            )

        complaint = f"{dag_id} {run_id} {task_id} is not {' or '.join(states)}"
        self.until_in_run(dag_id, run_id, has_state, complaint, timeout_s)

    def until_in_run(
        self,
        dag_id: str,
        run_id: str,
        is_done: Callable[[], bool],
        complaint: str,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        """
        Return when *is_done* is true in a run; an error describes the run.

        :raises RuntimeError: the run has ended before.
        :raises TimeoutError: it is not true in time.
        """

        def is_done_before_end() -> bool:
            # The run's state is read first: a task that ends its run has its last state by then.
            is_over = self.state(dag_id, run_id) in _FINISHED
            if is_done():
                return True
            if is_over:
                raise RuntimeError(f"{complaint}. {self._describe(dag_id, run_id)}")
            return False

        try:
            self.until(is_done_before_end, complaint, timeout_s)
        except TimeoutError as error:
            raise TimeoutError(f"{error} {self._describe(dag_id, run_id)}") from None

    def until(self, is_done: Callable[[], bool], complaint: str, timeout_s: float = _TIMEOUT_S) -> None:
        """
        Return when *is_done* is true.

        :param complaint: the message if it is not true in time.
        :raises TimeoutError: it is not true in time.
        """
        deadline_s = time.monotonic() + timeout_s
        while not is_done():
            self.check()
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{complaint} after {timeout_s:.0f} seconds. See the logs in {self.home}.")
            time.sleep(_POLL_S)

    def wait_for_url(self, path: str) -> None:
        """
        Return when a path of the API server, or the webserver, can be opened.

        :raises TimeoutError: it cannot be opened in time.
        """
        self.until(lambda: _can_open(f"{self.url}{path}"), f"{path} cannot be opened", _START_S)

    def state(self, dag_id: str, run_id: str) -> str | None:
        rows = self.query("select state from dag_run where dag_id = ? and run_id = ?", dag_id, run_id)
        return rows[0][0] if rows else None

    def run_ids(self, dag_id: str) -> list[str]:
        rows = self.query("select run_id from dag_run where dag_id = ? order by id", dag_id)
        return [run_id for (run_id,) in rows]

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Return the state of each task of a run; mapped tasks as ``task[index]``."""
        rows = self._task_rows("state", dag_id, run_id)
        return {task_id if index < 0 else f"{task_id}[{index}]": state for task_id, index, state in rows}

    def task_pid(self, dag_id: str, run_id: str, task_id: str) -> int:
        return next(int(pid) for found, _, pid in self._task_rows("pid", dag_id, run_id) if found == task_id)

    def try_number(self, dag_id: str, run_id: str, task_id: str) -> int:
        rows = self._task_rows("try_number", dag_id, run_id)
        return next(int(number) for found, _, number in rows if found == task_id)

    def log(self, dag_id: str, run_id: str, task_id: str) -> str:
        """Return the log messages of all attempts of a task, and of its trigger."""
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        files = sorted(file for found in folder.parent.glob(folder.name) for file in found.rglob("*.log*"))
        return "\n".join(_read_log_line(line) for file in files for line in file.read_text().splitlines())

    def query(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """Query Airflow's database."""
        with self._open_database() as database:
            return database.execute(statement, values).fetchall()

    def dump(self) -> bytes:
        """Return Airflow's whole database file."""
        with self._open_database() as database:
            return database.serialize()

    def check(self) -> None:
        """
        Check that all components are running.

        :raises RuntimeError: a component has ended.
        """
        self._processes.check()

    @property
    def control(self) -> RestControl | ConsoleControl:
        if self._control is None:
            raise RuntimeError("this Airflow is not running")
        return self._control

    @property
    def _airflow(self) -> str:
        return str(self._bin_folder / "airflow")

    def _arguments(self, component: str) -> list[str]:
        host = {"api-server": "--host", "webserver": "--hostname"}.get(component)
        return [
            component,
            *((host, "127.0.0.1", "--port", str(self._port), "--workers", "1") if host else ()),
        ]

    def _make_database(self) -> None:
        make_database(self.home / "airflow.db", self._bin_folder, lambda: self.run("db", "migrate"))
        with self._open_database() as database:
            # Readers and the writer do not block each other. The setting is stored in the file.
            database.execute("pragma journal_mode = wal")

    def _connect(self) -> None:
        if self.major == 3:
            rest = self._control = RestControl(self.url)
            self.until(rest.is_ready, "the API server does not respond", _START_S)
        else:
            python = self._bin_folder / "python"
            self._control = ConsoleControl(python, self.environment, self.home / "console.out")
        wanted = {"SchedulerJob", "TriggererJob"}
        self.until(lambda: wanted <= self._running_jobs(), "scheduler or triggerer is not running", _START_S)

    def _running_jobs(self) -> set[str]:
        return {row[0] for row in self.query("select job_type from job where state = 'running'")}

    def _is_parsed(self, dag_id: str) -> bool:
        for file, trace in self.query("select filename, stacktrace from import_error"):
            raise RuntimeError(f"{file} cannot be imported:\n{trace}")
        # Airflow writes both rows, but in separate transactions.
        join = "select 1 from serialized_dag join dag using (dag_id) where dag_id = ?"
        return bool(self.query(join, dag_id))

    def _has_processed_event(self, dag_id: str, run_id: str, task_id: str) -> bool:
        """Return whether the scheduler has processed the end of a task's process; only its log shows that."""
        name, _, index = task_id.rstrip("]").partition("[")
        key = re.compile(
            rf"Received executor event .*\(dag_id='{re.escape(dag_id)}', task_id='{re.escape(name)}', "
            rf"run_id='{re.escape(run_id)}', try_number=\d+, map_index={index or -1}\)"
        )
        return bool(key.search((self.home / "scheduler.out").read_text(errors="replace")))

    def _describe(self, dag_id: str, run_id: str) -> str:
        """Return the states of a run, and the last lines of its log and of the scheduler's about it."""
        lines = (self.home / "scheduler.out").read_text(errors="replace").splitlines()
        about = [line[:300] for line in lines if run_id in line]
        tail = "\n".join([*about[-15:], *self.log(dag_id, run_id, "*")[-3000:].splitlines()])
        return f"The run is {self.state(dag_id, run_id)}: {self.task_states(dag_id, run_id)}\n{tail}"

    def _task_rows(self, column: str, dag_id: str, run_id: str) -> list[tuple[Any, ...]]:
        return self.query(
            f"select task_id, map_index, {column} from task_instance "  # noqa: S608 - values are parameters, names are ours
            "where dag_id = ? and run_id = ? order by start_date",
            dag_id,
            run_id,
        )

    def _open_database(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self.home / "airflow.db", timeout=60))


def _can_open(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).ok
    except requests.RequestException:
        return False


def _read_log_line(line: str) -> str:
    """Return the message of a log line; Airflow 3 writes JSON."""
    try:
        entry = json.loads(line)
    except ValueError:
        return re.sub(r"^\[[^\]]+\] \{[^}]*\} \w+ - ", "", line)
    if not isinstance(entry, dict):
        return line
    details = [detail for detail in entry.get("error_detail") or [] if isinstance(detail, dict)]
    errors = [f"{detail.get('exc_type')}: {detail.get('exc_value')}" for detail in details]
    return "\n".join([str(entry.get("event", "")), *errors])


def _version(bin_folder: Path) -> str:
    code = "import importlib.metadata as m; print(m.version('apache-airflow'))"
    return subprocess.check_output([bin_folder / "python", "-c", code], text=True)
