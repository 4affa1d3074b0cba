"""
All queries of the report page, in the database of an Airflow: SQLite, PostgreSQL, and MySQL or MariaDB.

    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=... python -m tests.report.queries

The database must be migrated and empty. dev/checks/databases.py runs it.
"""

from __future__ import annotations

import datetime
import json
import re
import uuid
from typing import Any

from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow.utils.session import create_session
from sqlalchemy import JSON, Boolean, DateTime, Integer, insert, select, text

from airflow_provider_drs.operators.results import REPORT_KEY, SUBMISSIONS_KEY
from airflow_provider_drs.protocol.prechecks.messages import PrecheckResult
from airflow_provider_drs.protocol.prechecks.report import report_job
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
from airflow_provider_drs.report import stored, tasks
from airflow_provider_drs.report.stored import Address
from airflow_provider_drs.report.xcoms import XCom

NOON = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
#: Characters outside of the basic plane, quotes and a backslash.
TEXT = 'naïve "Zürich" \\ 数据库 🚚 %s :name'
REPORT = [report_job("a", PrecheckResult("a", "a", 100, True, 100), AlarmPolicy(), TEXT).to_dict()]
SUBMISSIONS = [{"job_id": "a", "status": "submitted"}, {"job_id": "b", "status": "rejected"}]
_NAMES = {"postgresql": "PostgreSQL", "mysql": "MariaDB", "sqlite": "SQLite"}
_NO_CHECKS = {
    "postgresql": "set session_replication_role = replica",
    "mysql": "set foreign_key_checks = 0",
    "sqlite": "pragma foreign_keys = off",
}


def _add(session: Any, model: Any, **values: Any) -> None:
    """Add a row to a table, with some value in each other column that needs one."""
    for column in model.__table__.columns:
        has_value = column.key in values or column.nullable or column.default or column.server_default
        is_counted = column.autoincrement is True or (column.primary_key and column.name == "id")
        if not has_value and not (is_counted and isinstance(column.type, Integer)):
            values[column.key] = _invent(column.type)
    session.execute(insert(model.__table__).values(**values))


def _invent(kind: Any) -> Any:
    kinds = {Integer: 0, Boolean: False, JSON: {}, DateTime: NOON}
    kind = getattr(kind, "impl", kind)
    # SQLAlchemy 1.4, of Airflow 2.11, has no such type.
    other = uuid.uuid4() if "uuid" in type(kind).__name__.lower() else "x"
    return next((value for each, value in kinds.items() if isinstance(kind, each)), other)


def _add_run(session: Any, number: int, state: str) -> Address:
    # Airflow stores IDs without characters outside of the basic plane in MySQL.
    address = Address("nightly", f"run {number} {TEXT.replace('🚚', '')}", "wait_until_passed")
    at = NOON + datetime.timedelta(days=number)
    place = address._asdict()
    _add(session, TaskInstance, **place, state=state, operator="DrsPrecheckSensor", start_date=at)
    for key, value in ((REPORT_KEY, REPORT), (SUBMISSIONS_KEY, SUBMISSIONS)):
        stored_value: Any = value if AIRFLOW_V_3_0_PLUS else json.dumps(value).encode()
        _add(session, XCom, **place, key=key, value=stored_value, timestamp=at, dag_run_id=number)
    return address


def main() -> None:
    with create_session() as session:
        dialect = session.get_bind().dialect.name
        session.execute(text(_NO_CHECKS[dialect]))
        ended, waiting = (_add_run(session, n, state) for n, state in ((1, "success"), (2, "deferred")))
        fields = {"job_ids": ["a"], "note": TEXT}
        _add(session, RenderedTaskInstanceFields, **ended._asdict(), rendered_fields=fields)
        trigger = Trigger(
            classpath="airflow_provider_drs.triggers.drs.DrsWatchTrigger", kwargs={"note": TEXT}
        )
        session.add(trigger)
        session.flush()

        assert stored.find_dags(session) == {"nightly"}
        entry = stored.find_entry(session, ended)
        assert entry is not None
        assert entry.address == ended
        assert [each.address for each in stored.find_latest(session, ["nightly"], limit=5, offset=0)] == [
            waiting,
            ended,
        ]
        assert [each.address for each in stored.find_latest(session, ["nightly"], limit=5, offset=1)] == [
            ended
        ]
        assert [each.address for each in stored.find_of_run(session, ended, 5)] == [ended]
        entries = stored.find_of_task(session, ended, 5)
        assert [each.address for each in entries] == [waiting, ended]
        digests = stored.read_digests(session, entries)
        assert None not in digests
        assert len(digests) == 2
        assert [job.name for job in stored.read_report(session, entry).jobs] == [TEXT]
        assert stored.name_accepted(stored.find_submissions(session, ended)) == ["a"]

        assert tasks.find_dags(session) == {"nightly"}
        assert [task.address for task in tasks.find_waiting(session, ["nightly"], 5)] == [waiting]
        found = tasks.find_task(session, ended)
        assert found is not None
        assert (found.state, found.is_waiting) == ("success", False)
        assert tasks.read_rendered_fields(session, ended) == fields
        assert tasks.read_trigger(session, trigger.id) == {"note": TEXT}
        assert session.execute(select(TaskInstance.dag_id).limit(1)).scalar() == "nightly"
        version = session.execute(
            text("select sqlite_version()" if dialect == "sqlite" else "select version()")
        )
        number = re.findall(r"[\d.]+", str(version.scalar()))[0]
        print(_NAMES[dialect], number)


if __name__ == "__main__":
    main()
