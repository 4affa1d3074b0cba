"""
Adds runs with reports of any size and number to the database of a running Airflow.

30 real pre-checks of 1,000 jobs would take hours. So the rows of one real run are copied, and each copy gets
a report of its own.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_drs.protocol.prechecks.checks import CHECKS
from airflow_provider_drs.protocol.prechecks.messages import CheckItem, PrecheckResult
from airflow_provider_drs.protocol.prechecks.report import report_job
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
from dev.stacks.airflow_stack import AirflowStack

DAG_ID, TASK_ID = "drs_batch_precheck", "wait_until_passed"

#: Columns in which a copy has its own time; other unique columns get new values.
_DAG_RUN_DATES = ("logical_date", "execution_date", "run_after", "queued_at", "start_date", "end_date")


def make_report(jobs: int, items: int, *, failed: int = 0, alarmed: int = 0) -> list[dict[str, Any]]:
    """
    Return a report as the sensor writes it.

    :param jobs: how many jobs it has.
    :param items: how many checks each job has.
    :param failed: how many of them fail in each job of the first half; in all jobs, if all of them fail.
    :param alarmed: how many have an alarm in each job.
    """
    names = [*CHECKS, *(f"checkOfAnotherVersion{n}" for n in range(items))][:items]
    rows = []
    for n in range(jobs):
        fails = failed if failed == items or n < (jobs + 1) // 2 else 0
        found = [
            CheckItem(
                name,
                "FAILED" if m < fails else "ALARM",
                group="Source database",
                failed_reason=f"{name.upper()}_NOT_MET",
                raw_error="ERROR 1227 (42000): Access denied; you need the privilege for this operation",
                data=f"shop.orders_{n}, shop.customers_{n}",
            )
            for m, name in enumerate(names[: fails + alarmed])
        ]
        result = PrecheckResult(
            job_id=f"{n:08x}-d0c5-4a11-8a11-{n:07x}jb{100 + n % 900}",
            precheck_id="",
            percent=100,
            result=not fails,
            total_passed_rate=round(100 * (items - len(found)) / items),
            passed_items=items - len(found),
            items=tuple(found),
        )
        rows.append(report_job(result.job_id, result, AlarmPolicy()).to_dict())
    return rows


#: The format of times in the database.
_AT = "%Y-%m-%d %H:%M:%S.%f"


class Seeds:
    """
    Copies a finished run.

    :param run_id: the run.
    """

    def __init__(self, airflow: AirflowStack, run_id: str) -> None:
        self._file = airflow.home / "airflow.db"
        self._is_text = airflow.major == 3
        self._run_id = run_id

    def set_state(self, run_id: str, state: str | None) -> None:
        """Change the state of the task in a run."""
        statement = "update task_instance set state = ? where dag_id = ? and run_id = ? and task_id = ?"
        with self._open() as database, database:
            database.execute(statement, (state, DAG_ID, run_id, TASK_ID))

    def add(
        self,
        run_id: str,
        report: Any,
        *,
        days_ago: float = 0.0,
        state: str = "success",
        key: str = "precheck_report",
        dag_id: str | None = None,
    ) -> str:
        """
        Add a run whose task has a report, and return its id.

        :param report: the value of the XCom, which can also be invalid; ``None`` for no XCom.
        :param days_ago: the time of the run.
        :param state: the state of the task.
        :param dag_id: another DAG, which exists only in these rows.
        """
        at = (datetime.now(UTC) - timedelta(days=days_ago)).strftime(_AT)
        own = dag_id or DAG_ID
        of_task = ("run_id = ? and task_id = ?", (self._run_id, TASK_ID))
        with self._open() as database, database:
            number = database.execute("select max(id) + 1 from dag_run").fetchone()[0]
            changes = {"id": number, "run_id": run_id, "dag_id": own, **dict.fromkeys(_DAG_RUN_DATES, at)}
            self._copy(database, "dag_run", changes, "run_id = ?", (self._run_id,))
            self._copy(
                database,
                "task_instance",
                {"id": str(uuid.uuid4()), "run_id": run_id, "dag_id": own, "state": state, "start_date": at},
                *of_task,
            )
            place = {"run_id": run_id, "dag_id": own}
            self._copy(database, "rendered_task_instance_fields", place, *of_task)
            if report is not None:
                row = {"dag_run_id": number, "run_id": run_id, "dag_id": own, "task_id": TASK_ID}
                row |= {"map_index": -1, "key": key, "timestamp": at, "value": self._encode(report)}
                _insert(database, "xcom", row)
        return run_id

    def replace(self, run_id: str, report: Any) -> None:
        """Replace the report of a run, as a cleared task does."""
        at = datetime.now(UTC).strftime(_AT)
        condition = "dag_id = ? and run_id = ? and task_id = ? and key = 'precheck_report'"
        with self._open() as database, database:
            database.execute(
                f"update xcom set value = ?, timestamp = ? where {condition}",  # noqa: S608 - values are parameters, names are ours
                (self._encode(report), at, DAG_ID, run_id, TASK_ID),
            )

    def _copy(
        self,
        database: sqlite3.Connection,
        table: str,
        changes: Mapping[str, Any],
        condition: str,
        values: Sequence[str],
    ) -> None:
        database.row_factory = sqlite3.Row
        found = database.execute(
            f"select * from {table} where dag_id = ? and {condition}",  # noqa: S608 - values are parameters, names are ours
            (DAG_ID, *values),
        ).fetchone()
        database.row_factory = None
        row = {name: changes.get(name, found[name]) for name in found.keys()}  # noqa: SIM118
        _insert(database, table, row)

    def _encode(self, report: Any) -> str | bytes:
        # The column is JSON in Airflow 3, and binary in Airflow 2.
        text = json.dumps(report)
        return text if self._is_text else text.encode()

    def _open(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self._file, timeout=60))


def _insert(database: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    database.execute(f"insert into {table} ({names}) values ({marks})", [*row.values()])  # noqa: S608 - values are parameters, names are ours
