"""The reports that Airflow has stored: found, and read once."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, select, tuple_

from airflow_provider_drs.operators.results import REPORT_KEY, SUBMISSIONS_KEY
from airflow_provider_drs.report.kept import Kept
from airflow_provider_drs.report.reports import Digest, Report, Unreadable, digest
from airflow_provider_drs.report.xcoms import VALUE, XCom, read_json

if TYPE_CHECKING:
    import datetime

    from sqlalchemy.orm import Session

_COLUMNS = (XCom.dag_id, XCom.run_id, XCom.task_id, XCom.map_index)
#: Bytes of reports, and number of digests, that one process keeps.
_REPORTS: Kept[Report] = Kept(64 * 1024 * 1024)
_DIGESTS: Kept[Digest] = Kept(5000)
#: What a pre-check that goes on, or was not needed, is called in ``precheck_submissions``.
_ACCEPTED = ("submitted", "adopted", "not needed")


class Address(NamedTuple):
    """Where a report belongs: a task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    def is_in(self, table: Any) -> Any:
        """Return the condition for its row in a table."""
        return and_(*(getattr(table, name) == value for name, value in self._asdict().items()))


class Entry(NamedTuple):
    """A report that there is, and when it was written. A task that runs again writes another."""

    address: Address
    at: datetime.datetime


def find_dags(session: Session) -> set[str]:
    """Return the DAGs that have written reports."""
    return set(session.execute(select(XCom.dag_id).where(XCom.key == REPORT_KEY).distinct()).scalars())


def find_entry(session: Session, address: Address) -> Entry | None:
    """Return the report of a task instance, without reading it."""
    found = _find(session, address.is_in(XCom), limit=1)
    return found[0] if found else None


def find_latest(session: Session, dag_ids: Collection[str], *, limit: int, offset: int) -> list[Entry]:
    """Return the reports of some DAGs, the latest first."""
    return _find(session, XCom.dag_id.in_(dag_ids), limit=limit, offset=offset)


def find_of_run(session: Session, address: Address, limit: int) -> list[Entry]:
    """Return all reports of the run that a task instance belongs to."""
    return _find(session, _is_in_run(address), limit=limit)


def find_of_task(session: Session, address: Address, limit: int) -> list[Entry]:
    """Return the reports of a task in all its runs, the latest first."""
    dag_id, _, task_id, map_index = address
    return _find(
        session, XCom.dag_id == dag_id, XCom.task_id == task_id, XCom.map_index == map_index, limit=limit
    )


def read_report(session: Session, entry: Entry) -> Report:
    """
    Return a report.

    :raises Unreadable: what is stored there is none, or this process cannot get at it.
    """
    report = _REPORTS.get(entry)
    if report is None:
        report = Report(_read(session, entry.address, REPORT_KEY))
        _REPORTS.put(entry, report, report.size)
    return report


def read_digests(session: Session, entries: Sequence[Entry]) -> list[Digest | None]:
    """
    Return reports in numbers; ``None`` for what cannot be read.

    All that were not read before come with one query, one at a time: together they may be too large.
    """
    missing = {tuple(entry.address): entry for entry in entries if entry not in _DIGESTS}
    if missing:
        rows = session.execute(
            select(*_COLUMNS, VALUE)
            .where(XCom.key == REPORT_KEY, tuple_(*_COLUMNS).in_(list(missing)))
            .execution_options(yield_per=1)
        )
        for *place, text in rows:
            # What cannot be read now may be readable later, and is not kept.
            if (found := _digest(text, Address(*place))) is not None:
                _DIGESTS.put(missing[tuple(place)], found, 1)
    return [_DIGESTS.get(entry) for entry in entries]


def read_submissions(session: Session, address: Address) -> list[dict[str, Any]]:
    """Return the rows of the XCom ``precheck_submissions`` of a task instance; none if there are none."""
    try:
        rows = json.loads(_read(session, address, SUBMISSIONS_KEY))
    except ValueError:
        return []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def find_submitted_jobs(session: Session, address: Address) -> list[str]:
    """
    Return the jobs whose pre-checks the run has started, as far as it is clear which a task waits for.

    That is: those of the one task with the same map index that has started any.
    """
    entries = _find(session, _is_in_run(address), limit=1000, key=SUBMISSIONS_KEY)
    alike = [each.address for each in entries if each.address.map_index == address.map_index]
    return name_accepted(read_submissions(session, alike[0])) if len(alike) == 1 else []


def name_accepted(submissions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the jobs whose pre-check DRS has accepted."""
    return [str(row.get("job_id")) for row in submissions if row.get("status") in _ACCEPTED]


def _find(
    session: Session, *conditions: Any, limit: int, offset: int = 0, key: str = REPORT_KEY
) -> list[Entry]:
    rows = session.execute(
        select(*_COLUMNS, XCom.timestamp)
        .where(XCom.key == key, *conditions)
        .order_by(XCom.timestamp.desc(), XCom.task_id, XCom.map_index)
        .limit(limit)
        .offset(offset)
    )
    return [Entry(Address(*place), at) for *place, at in rows]


def _is_in_run(address: Address) -> Any:
    return and_(XCom.dag_id == address.dag_id, XCom.run_id == address.run_id)


def _read(session: Session, address: Address, key: str) -> str | bytes:
    text = session.execute(select(VALUE).where(XCom.key == key, address.is_in(XCom))).scalar()
    return read_json(text, key, address._asdict())


def _digest(text: str | bytes, address: Address) -> Digest | None:
    try:
        return digest(read_json(text, REPORT_KEY, address._asdict()))
    except Unreadable:
        return None
