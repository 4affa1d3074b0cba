"""Controls a running Airflow: unpause, trigger, clear, read XComs. One class for each Airflow line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests

from dev.stacks.airflow_settings import PASSWORD, RESPONSE_S, USER

#: Attempts of a request that Airflow's server answers with an error.
_ATTEMPTS = 5


class RestControl:
    """
    Controls Airflow 3 through the public REST API.

    :param url: the URL of the API server.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def is_ready(self) -> bool:
        """Log in, and return whether that succeeded."""
        try:
            response = self._session.post(
                f"{self._url}/auth/token", json={"username": USER, "password": PASSWORD}, timeout=10
            )
            response.raise_for_status()
        except requests.RequestException:
            return False
        self._session.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
        return True

    def set_connection(self, connection_id: str, connection: Mapping[str, Any]) -> None:
        """Add or replace a connection; its extra is an object."""
        body = {**connection, "connection_id": connection_id, "extra": json.dumps(connection["extra"])}
        is_new = not self._session.get(
            f"{self._url}/api/v2/connections/{connection_id}", timeout=RESPONSE_S
        ).ok
        self._call(*(("POST", "connections") if is_new else ("PATCH", f"connections/{connection_id}")), body)

    def unpause(self, dag_id: str) -> None:
        self._call("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        self._call("POST", f"dags/{dag_id}/dagRuns", body)

    def clear(self, dag_id: str, run_id: str, task_ids: Sequence[str]) -> None:
        body = {"dag_run_id": run_id, "task_ids": list(task_ids), "dry_run": False, "only_failed": False}
        self._call("POST", f"dags/{dag_id}/clearTaskInstances", {**body, "include_downstream": True})

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str, map_index: int) -> Any:
        """Return an XCom; ``None`` if it does not exist."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        found = self._session.get(
            f"{self._url}/api/v2/{path}",
            params={"map_index": map_index, "stringify": "false"},
            timeout=RESPONSE_S,
        )
        return None if found.status_code == 404 else found.json()["value"]

    def links(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, str | None]:
        """Return the URLs of the extra links of a task, by name, as the UI gets them."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/links"
        found: dict[str, str | None] = self._call("GET", path, params={"map_index": map_index})["extra_links"]
        return found

    def respond(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """Choose an option of a human-in-the-loop task."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        self._call("PATCH", path, {"chosen_options": [option]})

    def read_request(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """Return the details of a human-in-the-loop task."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        details: dict[str, Any] = self._call("GET", path)
        return details

    def close(self) -> None:
        self._session.close()

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        for _ in range(_ATTEMPTS):
            response = self._session.request(
                method, f"{self._url}/api/v2/{path}", json=body, params=params, timeout=RESPONSE_S
            )
            # With SQLite, Airflow's server can wait for its own lock; the request then had no effect.
            if response.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
                break
        if not response.ok:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text[:1000]}")
        return response.json()


class ConsoleControl:
    """
    Controls Airflow 2 through its own functions in one process, since each command would take 10 seconds.

    :param python: the interpreter of the environment.
    :param environment: the variables of the stack.
    :param output: a file for its log.
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

    def set_connection(self, connection_id: str, connection: Mapping[str, Any]) -> None:
        # Not through the API, which writes the request with all extras into the audit log.
        self._call("set_connection", connection_id=connection_id, connection=dict(connection))

    def unpause(self, dag_id: str) -> None:
        self._call("unpause", dag_id=dag_id)

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        self._call("trigger", dag_id=dag_id, run_id=run_id, conf=conf)

    def clear(self, dag_id: str, run_id: str, task_ids: Sequence[str]) -> None:
        self._call("clear", dag_id=dag_id, run_id=run_id, task_ids=task_ids)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str, map_index: int) -> Any:
        return self._call("xcom", dag_id=dag_id, run_id=run_id, task_id=task_id, key=key, map_index=map_index)

    def links(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, str | None]:
        found: dict[str, str | None] = self._call(
            "links", dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index
        )
        return found

    def close(self) -> None:
        self._process.communicate()

    def _call(self, action: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None  # noqa: S101 - narrows the type
        assert self._process.stdout is not None  # noqa: S101 - narrows the type
        self._process.stdin.write(json.dumps([action, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the console of Airflow 2 ended with {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{action}: {answer['error']}")
        return answer["value"]
