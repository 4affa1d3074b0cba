"""
Runs a whole Airflow on loopback: scheduler, triggerer and, on Airflow 3, dag processor and API server.

Everything it knows is in one folder, and everything it started is stopped with it.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

from dev import environments
from dev.stacks import reaper
from dev.stacks.airflow_control import ConsoleControl, Control, RestControl
from dev.stacks.airflow_database import make_database
from dev.stacks.airflow_settings import free_port, hurry, write_settings

ROOT = environments.ROOT

_FINISHED = frozenset({"success", "failed"})
#: Seconds after which a component that does not come up is given up.
_START_S = 300.0
#: Seconds after which what a test waits for is given up. Long: a busy machine is no failure.
_PATIENCE_S = 600.0
_POLL_S = 0.2
#: States in which no process of a task is left, and somebody else wakes it.
_ASLEEP = frozenset({"deferred", "awaiting_input"})


class AirflowStack:
    """
    One Airflow, in a ``with`` statement.

    :param bin_folder: the bin folder of an environment with Airflow 2.11 or 3.x and this package.
    :param home: an empty folder for everything it keeps.
    :param dags: the folder of the DAGs.
    :param environment: variables for every component, e.g. connections.
    :param prefix: a path before all of Airflow's, as a reverse proxy may want it.
    """

    def __init__(
        self, bin_folder: Path, home: Path, dags: Path, environment: Mapping[str, str], *, prefix: str = ""
    ) -> None:
        self.home = home
        self.major = int(_version(bin_folder).split(".")[0])
        self._bin_folder = bin_folder
        self._port = free_port()
        self._prefix = prefix
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._control: Control | None = None
        home.mkdir(parents=True, exist_ok=True)
        path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
        settings = write_settings(home, dags, major=self.major, url=self.url)
        self.environment = {**settings, "PATH": path, **environment}
        self._sessions: set[int] = set()
        # Ends what is left if this process is killed and cannot do it.
        self._reaper = subprocess.Popen(
            [sys.executable, "-P", reaper.__file__], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    @property
    def url(self) -> str:
        """Where the API server and the UI are; in Airflow 2 the webserver, if it was started."""
        return f"http://127.0.0.1:{self._port}{self._prefix}"

    def __enter__(self) -> AirflowStack:
        """Start everything, and return when it is up."""
        try:
            make_database(self.home / "airflow.db", self._bin_folder, lambda: self.run("db", "migrate"))
            with self._database() as database:
                # Readers and the writer do not lock each other out. The setting stays with the file.
                database.execute("pragma journal_mode = wal")
            components = ["scheduler", "triggerer"]
            for component in [*components, "api-server", "dag-processor"] if self.major == 3 else components:
                self.start(component)
            self._connect()
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
        if self._control is not None:
            self._control.close()
            self._control = None
        # Nobody needs what they would still write down; asked politely, some take a quarter of a minute.
        reaper.kill(self._sessions)
        for process in self._processes.values():
            process.wait()
        self._processes.clear()
        self._reaper.communicate()

    def start(self, component: str) -> None:
        """Start one component."""
        place = ["--port", str(self._port), "--workers", "1"]
        arguments = {
            "api-server": ["--host", "127.0.0.1", *place],
            "webserver": ["--hostname", "127.0.0.1", *place],
        }
        with (self.home / f"{component}.out").open("ab") as output:
            self._processes[component] = subprocess.Popen(
                [self._airflow, component, *arguments.get(component, [])],
                env=hurry(self.environment) if component == "api-server" else self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Its children share it. And Ctrl-C is for whoever started all this, who stops it in order.
                start_new_session=True,
            )
        self.adopt(self._processes[component].pid)

    def adopt(self, session: int) -> None:
        """End the processes of one more session when this stops, or is killed."""
        assert self._reaper.stdin is not None  # noqa: S101
        self._sessions.add(session)
        self._reaper.stdin.write(f"{session}\n")
        self._reaper.stdin.flush()

    def kill(self, component: str) -> None:
        """Kill one component and all its children, as a machine that fails does."""
        process = self._processes.pop(component)
        reaper.kill({process.pid})
        process.wait()

    def run(self, *arguments: str, check: bool = True) -> str:
        """
        Run an ``airflow`` command and return what it prints.

        :param check: raise if it fails.
        """
        done = subprocess.run(
            [self._airflow, *arguments], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode and check:
            said = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            raise RuntimeError(f"airflow {' '.join(arguments)} failed:\n{said}")
        return done.stdout

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run, as soon as it is known."""
        self.until(lambda: self._is_known(dag_id), f"{dag_id} is not known", _START_S)
        self.control.unpause(dag_id)

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Trigger a run and return its id."""
        self.control.trigger(dag_id, run_id, conf or {})
        return run_id

    def first_run(self, dag_id: str, timeout_s: float = _PATIENCE_S) -> str:
        """
        Return the run that the schedule has made after the DAG was unpaused.

        :raises TimeoutError: it has made none.
        """
        self.until(lambda: bool(self.run_ids(dag_id)), f"the schedule has made no run of {dag_id}", timeout_s)
        return self.run_ids(dag_id)[0]

    def clear(self, dag_id: str, run_id: str, *task_ids: str) -> None:
        """Clear tasks of a run and what comes after them."""
        self.control.clear(dag_id, run_id, task_ids)

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1
    ) -> Any:
        """Return an XCom; ``None`` if there is none."""
        return self.control.xcom(dag_id, run_id, task_id, key, map_index)

    def links(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """Return the links of a task as the UI gets them, by their names."""
        return self.control.links(dag_id, run_id, task_id, map_index)

    def wait(self, dag_id: str, run_id: str, timeout_s: float = _PATIENCE_S) -> str:
        """
        Return the state of a run when it has ended.

        :raises TimeoutError: it has not.
        """
        self.until(lambda: self.state(dag_id, run_id) in _FINISHED, f"{dag_id} {run_id} goes on", timeout_s)
        return str(self.state(dag_id, run_id))

    def wait_for_task(
        self, dag_id: str, run_id: str, task_id: str, states: Sequence[str], timeout_s: float = _PATIENCE_S
    ) -> None:
        """
        Return when a task is in one of some states.

        One that sleeps can be woken then: Airflow fails a task that goes on before its scheduler has noticed
        that it went to sleep.

        :raises TimeoutError: it does not get there.
        """

        def is_there() -> bool:
            state = self.task_states(dag_id, run_id).get(task_id)
            return state in states and (state not in _ASLEEP or self._has_noticed(dag_id, run_id, task_id))

        self.until(is_there, f"{dag_id} {run_id} {task_id} is not {' or '.join(states)}", timeout_s)

    def until(self, is_so: Callable[[], bool], complaint: str, timeout_s: float = _PATIENCE_S) -> None:
        """
        Return when something is so.

        :param complaint: what is wrong if it does not come to be.
        :raises TimeoutError: it does not.
        """
        deadline_s = time.monotonic() + timeout_s
        while not is_so():
            self.check()
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{complaint} after {timeout_s:.0f} seconds; see {self.home}")
            time.sleep(_POLL_S)

    def wait_for_url(self, path: str) -> None:
        """
        Return when something answers at a path of the API server, or the webserver.

        :raises TimeoutError: nothing does.
        """
        self.until(lambda: _answers(f"{self.url}{path}"), f"{path} does not answer", _START_S)

    def state(self, dag_id: str, run_id: str) -> str | None:
        """Return the state of a run."""
        rows = self.query("select state from dag_run where dag_id = ? and run_id = ?", dag_id, run_id)
        return rows[0][0] if rows else None

    def run_ids(self, dag_id: str) -> list[str]:
        """Return the ids of all runs of a DAG."""
        return [
            row[0] for row in self.query("select run_id from dag_run where dag_id = ? order by id", dag_id)
        ]

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Return the state of each task of a run; mapped ones as ``task[index]``."""
        rows = self._task_rows("state", dag_id, run_id)
        return {task_id if index < 0 else f"{task_id}[{index}]": state for task_id, index, state in rows}

    def task_pid(self, dag_id: str, run_id: str, task_id: str) -> int:
        """Return the process that runs a task."""
        return next(int(pid) for found, _, pid in self._task_rows("pid", dag_id, run_id) if found == task_id)

    def tries(self, dag_id: str, run_id: str, task_id: str) -> int:
        """Return how often a task was tried."""
        return next(
            int(n) for found, _, n in self._task_rows("try_number", dag_id, run_id) if found == task_id
        )

    def log(self, dag_id: str, run_id: str, task_id: str) -> str:
        """Return the messages of all tries of a task, and of its trigger."""
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        files = sorted(file for each in folder.parent.glob(folder.name) for file in each.rglob("*.log*"))
        return "\n".join(_read_log_line(line) for file in files for line in file.read_text().splitlines())

    def query(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """Read from Airflow's database."""
        with self._database() as database:
            return database.execute(statement, values).fetchall()

    def dump(self) -> bytes:
        """Return Airflow's whole database as it lies on disk."""
        with self._database() as database:
            return database.serialize()

    def check(self) -> None:
        """
        Look whether every component is alive.

        :raises RuntimeError: one is not.
        """
        for component, process in self._processes.items():
            if reaper.has_ended(process):
                said = (self.home / f"{component}.out").read_text(errors="replace")[-3000:]
                raise RuntimeError(f"the {component} ended with {process.wait()}:\n{said}")

    @property
    def control(self) -> Control:
        """What steers it."""
        if self._control is None:
            raise RuntimeError("this Airflow is not running")
        return self._control

    @property
    def _airflow(self) -> str:
        return str(self._bin_folder / "airflow")

    def _connect(self) -> None:
        if self.major == 3:
            rest = self._control = RestControl(self.url)
            self.until(rest.is_ready, "the API server does not answer", _START_S)
        else:
            self._control = ConsoleControl(
                self._bin_folder / "python", self.environment, self.home / "console.out"
            )
        wanted = {"SchedulerJob", "TriggererJob"}
        self.until(lambda: wanted <= self._running_jobs(), "scheduler or triggerer is not running", _START_S)

    def _running_jobs(self) -> set[str]:
        return {row[0] for row in self.query("select job_type from job where state = 'running'")}

    def _is_known(self, dag_id: str) -> bool:
        for file, trace in self.query("select filename, stacktrace from import_error"):
            raise RuntimeError(f"{file} cannot be imported:\n{trace}")
        return bool(self.query("select 1 from serialized_dag where dag_id = ?", dag_id))

    def _has_noticed(self, dag_id: str, run_id: str, task_id: str) -> bool:
        """Tell whether the scheduler knows that a process of a task has ended; that is in its log alone."""
        name, _, index = task_id.rstrip("]").partition("[")
        key = re.compile(
            rf"Received executor event .*\(dag_id='{re.escape(dag_id)}', task_id='{re.escape(name)}', "
            rf"run_id='{re.escape(run_id)}', try_number=\d+, map_index={index or -1}\)"
        )
        return bool(key.search((self.home / "scheduler.out").read_text(errors="replace")))

    def _task_rows(self, column: str, dag_id: str, run_id: str) -> list[tuple[Any, ...]]:
        return self.query(
            f"select task_id, map_index, {column} from task_instance "  # noqa: S608
            "where dag_id = ? and run_id = ? order by start_date",
            dag_id,
            run_id,
        )

    def _database(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self.home / "airflow.db", timeout=60))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except OSError:
        return False


def _read_log_line(line: str) -> str:
    """Return the message of a line; Airflow 3 writes JSON."""
    try:
        entry = json.loads(line)
    except ValueError:
        return re.sub(r"^\[[^\]]+\] \{[^}]*\} \w+ - ", "", line)
    if not isinstance(entry, dict):
        return line
    details = entry.get("error_detail") or []
    errors = [
        f"{each.get('exc_type')}: {each.get('exc_value')}" for each in details if isinstance(each, dict)
    ]
    return "\n".join([str(entry.get("event", "")), *errors])


def _version(bin_folder: Path) -> str:
    code = "import importlib.metadata as m; print(m.version('apache-airflow'))"
    return subprocess.run(
        [bin_folder / "python", "-c", code], capture_output=True, text=True, check=True
    ).stdout
