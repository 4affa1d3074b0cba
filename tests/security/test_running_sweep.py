"""
After a run with secrets in every connection, nothing that Airflow stores or shows contains one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.shared_airflow.stack import SharedAirflow
from tests.shared_airflow.sweep import BAD, GOOD, RUN, Api, Swept

pytestmark = pytest.mark.system


@pytest.fixture(scope="session")
def swept(shared_airflow: SharedAirflow) -> Swept:
    """Return the files and records to search."""
    return shared_airflow.swept


def _rows(database: Path) -> Iterator[tuple[str, str]]:
    """Yield the name of a table and a value in it, for every value of the database."""
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'select * from "{table}"'):  # noqa: S608 - values are parameters, names are ours
                for value in row:
                    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                    yield table, text


def test_runs_have_the_expected_states(swept: Swept) -> None:
    states = swept.airflow.task_states(BAD, RUN)

    assert swept.states == {GOOD: "success", BAD: "failed"}, swept.airflow.log(GOOD, RUN, "*")[-3000:]
    assert set(states.values()) == {"failed"}, states
    assert len([name for name in swept.canaries.by_name if name.startswith("issued ")]) >= 2
    done = {entry["operation"] for entry in swept.drs.journal() if entry["applied"]}
    assert {"BatchValidateConnections", "BatchUpdateJob", "BatchCheckResults", "BatchStartJobs"} <= done
    assert all(fault["done"] for fault in swept.drs.faults), swept.drs.faults
    # The service returned secrets, and they were masked.
    for task_id in ("logged", "passwords", "moved"):
        assert "***" in swept.airflow.log(BAD, RUN, task_id)


def test_logs_have_no_secret(swept: Swept) -> None:
    files = [
        file for file in swept.airflow.home.rglob("*") if file.is_file() and "airflow.db" not in file.name
    ]
    names = {file.name for file in files}

    own = {"api-server.out", "dag-processor.out"} if swept.airflow.major == 3 else {"webserver.out"}
    assert {"scheduler.out", "triggerer.out", "lineage.jsonl", *own} <= names
    assert len([file for file in files if "run_id=" in str(file)]) >= 15
    assert swept.canaries.search_files(files) == []


def test_database_has_no_secret(swept: Swept) -> None:
    tables: dict[str, list[str]] = {}
    for table, text in _rows(swept.airflow.home / "airflow.db"):
        tables.setdefault(table, []).append(text)

    assert {
        *("connection", "dag_run", "log", "rendered_task_instance_fields"),
        *("serialized_dag", "task_instance", "xcom"),
    } <= set(tables)
    assert swept.canaries.search({name: "\n".join(texts) for name, texts in tables.items()}) == []
    assert swept.canaries.search({"file": swept.airflow.dump()}) == []


def test_triggers_and_events_have_no_secret(swept: Swept) -> None:
    assert any('"poke_interval"' in text for text in swept.waits)
    assert any("'event'" in text or '"event"' in text for text in swept.waits)
    assert swept.canaries.search({"waits": "\n".join(swept.waits)}) == []


def test_api_has_no_secret(swept: Swept) -> None:
    api = Api(swept.airflow)
    shown = {path: text for dag_id in (GOOD, BAD) for path, text in api.read_all(dag_id)}
    shown["event logs"] = api.get("eventLogs?limit=1000")
    shown["import errors"] = api.get("importErrors")

    assert len(shown) > 60
    assert swept.canaries.search(shown) == []


def test_command_lines_have_no_secret(swept: Swept) -> None:
    assert any(b"airflow" in line and b"scheduler" in line for line in swept.command_lines)
    assert swept.canaries.search({"command lines": b"\n".join(swept.command_lines)}) == []


def test_emulator_stores_no_secret(swept: Swept) -> None:
    assert swept.canaries.search({"journal": json.dumps(swept.drs.journal())}) == []
