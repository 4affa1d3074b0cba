"""Find and read the reports that Airflow has stored."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cachetools import LRUCache
from sqlalchemy import and_, select, tuple_

from airflow_provider_drs.operators.results import REPORT_KEY, SUBMISSIONS_KEY
from airflow_provider_drs.report.reports import Digest, Report, Unreadable, digest
from airflow_provider_drs.report.xcoms import VALUE, XCom, read_json

if TYPE_CHECKING:
    import datetime

    from sqlalchemy.orm import Session

_COLUMNS = (XCom.dag_id, XCom.run_id, XCom.task_id, XCom.map_index)
#: The status of an accepted pre-check in ``precheck_submissions``.
_ACCEPTED = ("submitted", "adopted", "not needed")


class Address(NamedTuple):
    """The task instance of a report."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    def is_in(self, table: Any) -> Any:
        """Return the condition that selects its row in a table."""
        return and_(*(getattr(table, name) == value for name, value in self._asdict().items()))


class Entry(NamedTuple):
    """A report in the database, and when it was written. Another run of the task writes another one."""

    address: Address
    at: datetime.datetime


#: The cached bytes of reports, and the number of cached digests, of one process.
_REPORTS: LRUCache[Entry, Report] = LRUCache(64 * 1024 * 1024, getsizeof=lambda report: report.size)
_DIGESTS: LRUCache[Entry, Digest] = LRUCache(5000)
_lock = threading.Lock()


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

    :raises Unreadable: the XCom is not a report, or this process cannot read it.
    """
    with _lock:
        report = _REPORTS.get(entry)
    if report is None:
        report = Report(_read(session, entry.address, REPORT_KEY))
        # A report that is larger than the cache is not cached.
        with _lock, contextlib.suppress(ValueError):
            _REPORTS[entry] = report
    return report


def read_digests(session: Session, entries: Sequence[Entry]) -> list[Digest | None]:
    """
    Return the digests of reports; ``None`` for unreadable ones.

    Those that are not cached are read with one query, row by row: together they may not fit in memory.
    """
    with _lock:
        found = {entry: digest for entry in entries if (digest := _DIGESTS.get(entry))}
    missing = {tuple(entry.address): entry for entry in entries if entry not in found}
    if missing:
        rows = session.execute(
            select(*_COLUMNS, VALUE)
            .where(XCom.key == REPORT_KEY, tuple_(*_COLUMNS).in_(list(missing)))
            .execution_options(yield_per=1)
        )
        for *place, text in rows:
            # Not cached if unreadable: it may be readable later.
            if (digest := _digest(text, Address(*place))) is not None:
                found[missing[tuple(place)]] = digest
        with _lock:
            _DIGESTS.update(found)
    return [found.get(entry) for entry in entries]


def read_submissions(session: Session, address: Address) -> list[dict[str, Any]]:
    """Return the rows of the XCom ``precheck_submissions`` of a task instance; empty if there are none."""
    try:
        rows = json.loads(_read(session, address, SUBMISSIONS_KEY))
    except ValueError:
        return []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def find_submissions(session: Session, address: Address) -> list[dict[str, Any]]:
    """
    Return the submissions of the run that a task instance belongs to, if only one task has submitted any.

    It must have the same map index.
    """
    entries = _find(session, _is_in_run(address), limit=1000, key=SUBMISSIONS_KEY)
    alike = [entry.address for entry in entries if entry.address.map_index == address.map_index]
    return read_submissions(session, alike[0]) if len(alike) == 1 else []


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
