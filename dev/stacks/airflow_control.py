"""What a person does with a running Airflow: unpause, trigger, clear, look at an XCom. One class a line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import requests

from dev.stacks.airflow_settings import ANSWER_S, PASSWORD, USER

#: How often Airflow is asked for something that it fails at.
_TRIES = 5


class Control(Protocol):
    """What both lines can be asked to do."""

    def add_connection(self, connection_id: str, connection: Mapping[str, Any]) -> None:
        """Put a connection into the database; its extra is an object."""

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run."""

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """Begin a run."""

    def clear(self, dag_id: str, run_id: str, task_ids: Sequence[str]) -> None:
        """Clear tasks of a run, and what comes after them, so that they run again."""

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str, map_index: int) -> Any:
        """Return an XCom; ``None`` if there is none."""

    def links(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, str | None]:
        """Return the links of a task as the UI gets them, by their names."""

    def close(self) -> None:
        """Let go."""


class RestControl:
    """
    Airflow 3, through the public REST API.

    :param url: where the API server is.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def is_ready(self) -> bool:
        """Log in, and return whether that has worked."""
        try:
            answer = self._session.post(
                f"{self._url}/auth/token", json={"username": USER, "password": PASSWORD}, timeout=10
            )
            answer.raise_for_status()
        except requests.RequestException:
            return False
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return True

    def add_connection(self, connection_id: str, connection: Mapping[str, Any]) -> None:
        """Put a connection into the database; its extra is an object."""
        body = {**connection, "connection_id": connection_id, "extra": json.dumps(connection["extra"])}
        self._call("POST", "connections", body)

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run."""
        self._call("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """Begin a run."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        self._call("POST", f"dags/{dag_id}/dagRuns", body)

    def clear(self, dag_id: str, run_id: str, task_ids: Sequence[str]) -> None:
        """Clear tasks of a run, and what comes after them, so that they run again."""
        body = {"dag_run_id": run_id, "task_ids": list(task_ids), "dry_run": False, "only_failed": False}
        self._call("POST", f"dags/{dag_id}/clearTaskInstances", {**body, "include_downstream": True})

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str, map_index: int) -> Any:
        """Return an XCom; ``None`` if there is none."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        found = self._session.get(
            f"{self._url}/api/v2/{path}",
            params={"map_index": map_index, "stringify": "false"},
            timeout=ANSWER_S,
        )
        return None if found.status_code == 404 else found.json()["value"]

    def links(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, str | None]:
        """Return the links of a task as the UI gets them, by their names."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/links"
        found: dict[str, str | None] = self._call("GET", path, params={"map_index": map_index})["extra_links"]
        return found

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """Answer a task that asks a person."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        self._call("PATCH", path, {"chosen_options": [option]})

    def question(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """Return what a task asks a person."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        asked: dict[str, Any] = self._call("GET", path)
        return asked

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        for _ in range(_TRIES):
            answer = self._session.request(
                method, f"{self._url}/api/v2/{path}", json=body, params=params, timeout=ANSWER_S
            )
            # With SQLite, Airflow's server can lock itself out, and has done nothing then.
            if answer.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
                break
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:1000]}")
        return answer.json()


class ConsoleControl:
    """
    Airflow 2, through its own functions in one process that stays: a command each would cost ten seconds.

    :param python: the interpreter of the environment that has it.
    :param environment: variables of the stack.
    :param output: a file for what it logs.
    """

    def __init__(self, python: Path, environment: Mapping[str, str], output: Path) -> None:
        with output.open("wb") as errors:
            self._process = subprocess.Popen(
                [str(python), "-P", str(Path(__file__).with_name("airflow2_console.py"))],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def add_connection(self, connection_id: str, connection: Mapping[str, Any]) -> None:
        """Put a connection into the database; its extra is an object."""
        # Not through the API: that writes what it is sent, extras too, into the log of who did what.
        self._call("add_connection", connection_id=connection_id, connection=dict(connection))

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run."""
        self._call("unpause", dag_id=dag_id)

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """Begin a run."""
        self._call("trigger", dag_id=dag_id, run_id=run_id, conf=conf)

    def clear(self, dag_id: str, run_id: str, task_ids: Sequence[str]) -> None:
        """Clear tasks of a run, and what comes after them, so that they run again."""
        self._call("clear", dag_id=dag_id, run_id=run_id, task_ids=task_ids)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str, map_index: int) -> Any:
        """Return an XCom; ``None`` if there is none."""
        return self._call("xcom", dag_id=dag_id, run_id=run_id, task_id=task_id, key=key, map_index=map_index)

    def links(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, str | None]:
        """Return the links of a task as the UI gets them, by their names."""
        found: dict[str, str | None] = self._call(
            "links", dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index
        )
        return found

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _call(self, action: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write(json.dumps([action, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the console of Airflow 2 ended with {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{action}: {answer['error']}")
        return answer["value"]
