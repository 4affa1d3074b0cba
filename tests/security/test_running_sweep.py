"""
A whole Airflow, run with secrets in every connection: afterwards, nothing that it keeps or shows has one.

All it logs is logged, at level DEBUG; the connections are in its database, where Airflow encrypts them.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet

from airflow_provider_drs.emulator import Emulator
from airflow_provider_drs.emulator.iam import Iam
from tests.airflow.conftest import AirflowStack, environments
from tests.security.canaries import Canaries

# Beside the tests of the line that is done sooner.
pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow-2")]

RUN = "swept"
GOOD, BAD = "swept_success", "swept_failures"
_SAMPLE_S = 0.05


@dataclass
class Swept:
    """An Airflow in which both DAGs have run, and what was seen meanwhile."""

    airflow: AirflowStack
    drs: Emulator
    canaries: Canaries
    #: How each run has ended.
    states: dict[str, str] = field(default_factory=dict)
    #: Every command line that any process had.
    command_lines: set[bytes] = field(default_factory=set)
    #: What the database had of triggers, decrypted, and of events; both are deleted when a task has gone on.
    waits: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swept]:
    """Run both DAGs, and return what there is to search."""
    home = tmp_path_factory.mktemp("swept")
    dags = home / "dags"
    shutil.copytree(Path(__file__).parent / "dags", dags)
    bin_folder = environments.make("airflow-3")
    canaries = Canaries()
    environment = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}
    with pytest.MonkeyPatch.context() as patch, Emulator(precheck_s=1) as drs:
        _listen_for_tokens(canaries, patch)
        with AirflowStack(bin_folder, home, dags, environment) as airflow:
            found = Swept(airflow, drs, canaries)
            with _Samples(found):
                _run(found)
            yield found


def _listen_for_tokens(canaries: Canaries, patch: pytest.MonkeyPatch) -> None:
    issue = Iam.issue

    def listen(self: Iam, *arguments: Any, **options: Any) -> Any:
        token, document = issue(self, *arguments, **options)
        canaries.add(f"token {len(canaries.by_name)}", token)
        return token, document

    patch.setattr(Iam, "issue", listen)


class _Samples:
    """Collect what is soon gone, over and over: command lines of processes, and rows about waits."""

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
                    # It has ended meanwhile.
                    continue
            query = self._swept.airflow.query
            for (kwargs,) in query("select kwargs from trigger"):
                # Airflow encrypts those that are not a task's.
                is_clear = kwargs.startswith("{")
                self._swept.waits.add(kwargs if is_clear else self._key.decrypt(kwargs.encode()).decode())
            for (kwargs,) in query("select next_kwargs from task_instance where next_kwargs is not null"):
                self._swept.waits.add(str(kwargs))


def _run(swept: Swept) -> None:
    drs, airflow, make = swept.drs, swept.airflow, swept.canaries.make
    drs.set_speed(20)
    drs.set_iam(password=make("password", awkward=True))
    api = Api(airflow.url)
    for connection_id, connection in _connections(drs, make).items():
        api.add_connection(connection_id, connection)
    _inject(drs, swept.canaries)
    for dag_id in (GOOD, BAD):
        airflow.unpause(dag_id)
        airflow.trigger(dag_id, RUN)
    for dag_id in (GOOD, BAD):
        swept.states[dag_id] = airflow.wait(dag_id, RUN, timeout_s=300)


def _connections(drs: Emulator, make: Callable[..., str]) -> dict[str, dict[str, Any]]:
    right, keys = drs.connection, drs.connection_with_keys
    proxy = f"http://user:{make('proxy')}@127.0.0.1:9"
    return {
        "drs_default": {**right, "password": _of(make, "password")},
        "wrong_password": {**right, "password": make("wrong-password", awkward=True)},
        "wrong_token": {**keys, "password": make("given-token"), "extra": {**keys["extra"], "auth": "token"}},
        "wrong_keys": {**keys, "password": make("secret-key")},
        "no_proxy": {
            **right,
            "password": make("password-behind-proxy"),
            "extra": {**right["extra"], "proxy": proxy, "retry_timeout": 1},
        },
        "there": _database("there", make),
        "here": _database("here", make),
    }


def _of(make: Callable[..., str], name: str) -> str:
    """Return a secret that was made before."""
    known: Canaries = make.__self__  # type: ignore[attr-defined]
    return known.by_name[name]


def _database(name: str, make: Callable[..., str]) -> dict[str, Any]:
    certificate = make(f"{name}-certificate")
    return {
        "conn_type": "mysql",
        "host": "192.0.2.1",
        "port": 3306,
        "login": "root",
        "password": make(f"{name}-password", awkward=True),
        "extra": {
            "inst_id": "in01",
            "region": "eu-de",
            "ssl_cert": f"-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n",
            "ssl_cert_password": make(f"{name}-certificate-password"),
        },
    }


def _inject(drs: Emulator, canaries: Canaries) -> None:
    secret = canaries.by_name
    told = {
        "db_password": secret["there-password"],
        "ssl_cert_password": secret["here-certificate-password"],
        "X-Auth-Token": secret["given-token"],
    }
    text = f"cannot connect with {json.dumps(told)} to http://root:{secret['here-password']}@192.0.2.1"
    ids = drs.job_ids
    drs.inject("gateway_401", operation="BatchStopJobs", times=None)
    drs.inject("expire_token", operation="BatchCheckResults", job_id=ids[1], after=1, times=None)
    drs.inject("job_error", operation="BatchValidateConnections", job_id=ids[2], message=text, times=None)
    body = json.dumps({"error_code": "DRS.M09999", "error_msg": text})
    drs.inject("status", operation="BatchResetPassword", status=400, body=body, times=None)
    moved = f"http://root:{secret['there-password']}@192.0.2.1/?token={secret['given-token']}"
    drs.inject("redirect", operation="BatchDeleteJobs", job_id=ids[4], location=moved, times=None)
    drs.set_verdict(ids[1], "pass", duration_s=10_000)
    # Only a job that is there already is paused, given a new password, or deleted.
    for job_id, status in ((ids[0], "INCRE_TRANSFER_STARTED"), (ids[3], "INCRE_TRANSFER_STARTED")):
        drs.set_job(job_id, status=status)
    drs.set_job(ids[4], status="RELEASE_RESOURCE_COMPLETE")


class Api:
    """Airflow's public REST API."""

    def __init__(self, url: str) -> None:
        from airflow_settings import PASSWORD, USER

        self._url = url
        login = requests.post(f"{url}/auth/token", json={"username": USER, "password": PASSWORD}, timeout=10)
        self._headers = {"Authorization": f"Bearer {login.json()['access_token']}"}

    def add_connection(self, connection_id: str, connection: dict[str, Any]) -> None:
        """Put a connection into the database."""
        body = {**connection, "connection_id": connection_id, "extra": json.dumps(connection["extra"])}
        answer = requests.post(
            f"{self._url}/api/v2/connections", json=body, headers=self._headers, timeout=30
        )
        assert answer.ok, answer.text

    def get(self, path: str) -> str:
        """Return an answer as it came."""
        answer = requests.get(f"{self._url}/api/v2/{path}", headers=self._headers, timeout=30)
        assert answer.ok, (path, answer.text)
        return answer.text

    def read_all(self, dag_id: str) -> Iterator[tuple[str, str]]:
        """Yield everything that it tells of a run, and where."""
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


def _rows(database: Path) -> Iterator[tuple[str, str]]:
    """Yield each table of the database, with all that is in it."""
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'select * from "{table}"'):  # noqa: S608
                for value in row:
                    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                    yield table, text


def test_the_runs_went_as_they_should(swept: Swept) -> None:
    """What was never used cannot leak, so all of it was."""
    states = swept.airflow.task_states(BAD, RUN)

    assert swept.states == {GOOD: "success", BAD: "failed"}, swept.airflow.log(GOOD, RUN, "*")[-3000:]
    assert set(states.values()) == {"failed"}, states
    assert len([name for name in swept.canaries.by_name if name.startswith("token ")]) >= 2
    done = {entry["operation"] for entry in swept.drs.journal() if entry["applied"]}
    assert {"BatchValidateConnections", "BatchUpdateJob", "BatchCheckResults", "BatchStartJobs"} <= done
    assert all(fault["done"] for fault in swept.drs.faults), swept.drs.faults
    # The service has told secrets, and they were taken out.
    for task_id in ("told", "told_more", "moved"):
        assert "***" in swept.airflow.log(BAD, RUN, task_id)


def test_no_log_has_a_secret(swept: Swept) -> None:
    """Of tasks and of components, and whatever else Airflow has written into its home."""
    files = [
        file for file in swept.airflow.home.rglob("*") if file.is_file() and "airflow.db" not in file.name
    ]
    names = {file.name for file in files}

    assert {"scheduler.out", "triggerer.out", "api-server.out", "dag-processor.out"} <= names
    assert len([file for file in files if "run_id=" in str(file)]) >= 15
    assert swept.canaries.search_files(files) == []


def test_no_table_has_a_secret(swept: Swept) -> None:
    """Not one column of one row; and the file of the database has none in a row that was deleted."""
    tables: dict[str, list[str]] = {}
    for table, text in _rows(swept.airflow.home / "airflow.db"):
        tables.setdefault(table, []).append(text)

    assert {
        *("connection", "dag_run", "log", "rendered_task_instance_fields"),
        *("serialized_dag", "task_instance", "xcom"),
    } <= set(tables)
    assert swept.canaries.search({name: "\n".join(texts) for name, texts in tables.items()}) == []
    assert swept.canaries.search({"file": swept.airflow.dump()}) == []


def test_no_trigger_and_no_event_has_a_secret(swept: Swept) -> None:
    """Not even where Airflow encrypts them."""
    assert any('"poke_interval"' in text for text in swept.waits)
    assert any("'event'" in text or '"event"' in text for text in swept.waits)
    assert swept.canaries.search({"waits": "\n".join(swept.waits)}) == []


def test_the_api_shows_no_secret(swept: Swept) -> None:
    """Task instances with their rendered fields, tries, logs and XComs, and who did what."""
    api = Api(swept.airflow.url)
    told = {path: text for dag_id in (GOOD, BAD) for path, text in api.read_all(dag_id)}
    told["event logs"] = api.get("eventLogs?limit=1000")
    told["import errors"] = api.get("importErrors")

    assert len(told) > 60
    assert swept.canaries.search(told) == []


def test_no_command_line_has_a_secret(swept: Swept) -> None:
    """Everybody on a machine can read those of all processes."""
    assert any(b"airflow" in line and b"scheduler" in line for line in swept.command_lines)
    assert swept.canaries.search({"command lines": b"\n".join(swept.command_lines)}) == []


def test_the_emulator_has_kept_no_secret(swept: Swept) -> None:
    """What it writes down of a request."""
    assert swept.canaries.search({"journal": json.dumps(swept.drs.journal())}) == []
