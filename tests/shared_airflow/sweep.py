"""
A DAG that succeeds and one whose tasks fail, with secrets in every connection, and everything that could
expose them.

Logging is at level DEBUG; the connections are in Airflow's database, where it encrypts them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet
from drs_emulator import Emulator

from dev.stacks.airflow_settings import PASSWORD, RESPONSE_S, USER
from dev.stacks.airflow_stack import AirflowStack
from tests.security.canaries import Canaries
from tests.security.planted import listen_for_tokens, make_database

RUN = "swept"
GOOD, BAD = "swept_success", "swept_failures"
_SAMPLE_S = 0.05


@dataclass
class Swept:
    """
    What is searched after both DAGs have run.

    :param states: the final state of each run.
    :param command_lines: the command lines of all processes.
    :param waits: the triggers, decrypted, and events that were in the database; both are deleted when a task
        resumes.
    """

    airflow: AirflowStack
    drs: Emulator
    canaries: Canaries
    states: dict[str, str] = field(default_factory=dict)
    command_lines: set[bytes] = field(default_factory=set)
    waits: set[str] = field(default_factory=set)


@contextmanager
def run(airflow: AirflowStack, drs: Emulator) -> Iterator[Swept]:
    """Run both DAGs, and return what is to be searched."""
    swept = Swept(airflow, drs, Canaries())
    with pytest.MonkeyPatch.context() as patch:
        listen_for_tokens(swept.canaries, patch)
        with _Samples(swept):
            _run(swept)
        yield swept


class _Samples:
    """Record what is deleted soon, repeatedly: command lines of processes, and rows of deferred tasks."""

    def __init__(self, swept: Swept) -> None:
        self._swept = swept
        self._key = Fernet(swept.airflow.environment["AIRFLOW__CORE__FERNET_KEY"])
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(_SAMPLE_S):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self._swept.command_lines.add(file.read_bytes())
                except OSError:
                    # The process has ended.
                    continue
            query = self._swept.airflow.query
            for (kwargs,) in query("select kwargs from trigger"):
                # Airflow encrypts those of deferred tasks.
                is_clear = kwargs.startswith("{")
                self._swept.waits.add(kwargs if is_clear else self._key.decrypt(kwargs.encode()).decode())
            for (kwargs,) in query("select next_kwargs from task_instance where next_kwargs is not null"):
                self._swept.waits.add(str(kwargs))


def _run(swept: Swept) -> None:
    drs, airflow = swept.drs, swept.airflow
    drs.set_speed(20)
    drs.set_iam(password=swept.canaries.make("password", awkward=True))
    for connection_id, connection in _connections(drs, swept.canaries).items():
        airflow.control.set_connection(connection_id, connection)
    _inject(drs, swept.canaries)
    for dag_id in (GOOD, BAD):
        airflow.unpause(dag_id)
        airflow.trigger(dag_id, RUN)
    for dag_id in (GOOD, BAD):
        swept.states[dag_id] = airflow.wait(dag_id, RUN, timeout_s=600)


def _connections(drs: Emulator, canaries: Canaries) -> dict[str, dict[str, Any]]:
    right, keys, make = drs.connection, drs.connection_with_keys, canaries.make
    proxy = f"http://user:{make('proxy')}@127.0.0.1:9"
    return {
        "swept": {**right, "password": canaries.by_name["password"]},
        "wrong_password": {**right, "password": make("wrong-password", awkward=True)},
        "wrong_token": {**keys, "password": make("given-token"), "extra": {**keys["extra"], "auth": "token"}},
        "wrong_keys": {**keys, "password": make("secret-key")},
        "no_proxy": {
            **right,
            "password": make("password-behind-proxy"),
            "extra": {**right["extra"], "proxy": proxy, "retry_timeout": 1},
        },
        "there": make_database("there", canaries),
        "here": make_database("here", canaries),
    }


def _inject(drs: Emulator, canaries: Canaries) -> None:
    secret = canaries.by_name
    fields = {
        "db_password": secret["there-password"],
        "ssl_cert_password": secret["here-certificate-password"],
        "X-Auth-Token": secret["given-token"],
    }
    text = f"cannot connect with {json.dumps(fields)} to http://root:{secret['here-password']}@192.0.2.1"
    ids = drs.job_ids
    drs.inject("gateway_401", operation="BatchStopJobs", times=None)
    drs.inject("expire_token", operation="BatchCheckResults", job_id=ids[1], after=1, times=None)
    drs.inject("job_error", operation="BatchValidateConnections", job_id=ids[2], message=text, times=None)
    body = json.dumps({"error_code": "DRS.M09999", "error_msg": text})
    drs.inject("status", operation="BatchResetPassword", status=400, body=body, times=None)
    moved = f"http://root:{secret['there-password']}@192.0.2.1/?token={secret['given-token']}"
    drs.inject("redirect", operation="BatchDeleteJobs", job_id=ids[4], location=moved, times=None)
    drs.set_verdict(ids[1], "pass", duration_s=10_000)
    # Only existing jobs can be paused, get a new password, or be deleted.
    for job_id, status in ((ids[0], "INCRE_TRANSFER_STARTED"), (ids[3], "INCRE_TRANSFER_STARTED")):
        drs.set_job(job_id, status=status)
    drs.set_job(ids[4], status="RELEASE_RESOURCE_COMPLETE")


class Api:
    """Airflow's public REST API, on both lines."""

    def __init__(self, airflow: AirflowStack) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        if airflow.major == 3:
            body = {"username": USER, "password": PASSWORD}
            login = self._session.post(f"{airflow.url}/auth/token", json=body, timeout=RESPONSE_S)
            self._session.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
            self._url = f"{airflow.url}/api/v2"
        else:
            self._session.auth = (USER, PASSWORD)
            self._url = f"{airflow.url}/api/v1"

    def get(self, path: str) -> str:
        """Return an unparsed response."""
        answer = self._session.get(f"{self._url}/{path}", timeout=RESPONSE_S)
        assert answer.ok, (path, answer.text)
        return answer.text

    def read_all(self, dag_id: str) -> Iterator[tuple[str, str]]:
        """Yield everything that it returns about a run, with its path."""
        run = f"dags/{dag_id}/dagRuns/{RUN}"
        instances = self.get(f"{run}/taskInstances")
        yield run, self.get(run)
        yield f"{run}/taskInstances", instances
        yield dag_id, self.get(f"dags/{dag_id}/details")
        for instance in json.loads(instances)["task_instances"]:
            task = f"{run}/taskInstances/{instance['task_id']}"
            yield task, self.get(task)
            yield f"{task}/tries", self.get(f"{task}/tries")
            if instance["try_number"]:
                yield f"{task}/logs", self.get(f"{task}/logs/{instance['try_number']}")
            entries = self.get(f"{task}/xcomEntries")
            yield f"{task}/xcomEntries", entries
            for entry in json.loads(entries)["xcom_entries"]:
                path = f"{task}/xcomEntries/{entry['key']}"
                yield path, self.get(path)
