"""The responses of the report page as JSON values, independent of FastAPI and Flask."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_drs.protocol.prechecks.checks import explain
from airflow_provider_drs.report import live, stored, tasks
from airflow_provider_drs.report.exports import render_csv, render_markdown
from airflow_provider_drs.report.fields import read_text
from airflow_provider_drs.report.reports import (
    VIEWS,
    Digest,
    Report,
    Unreadable,
    gather_facts,
    rank_items,
)
from airflow_provider_drs.report.stored import Address, Entry
from airflow_provider_drs.report.tasks import Task

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: Jobs on one page, and reports on one page of the overview.
PAGE_SIZE, OVERVIEW_SIZE = 25, 25
#: Runs and check items of the history plot.
_RUNS, _PLOTTED_ITEMS = 30, 12
#: Check items in the ranking.
_RANKED = 8
#: Other reports of the same run that the page links to.
_NEIGHBORS = 200
#: Seconds between two refreshes of a task that is waiting, and of one that has not started.
_REFRESH_S, _IDLE_REFRESH_S = 5, 15

#: Shared by all users of this process.
LIVE = live.LiveReports()


@dataclass(frozen=True, slots=True)
class Choice:
    """The filter of a report."""

    view: str = "all"
    text: str = ""
    offset: int = 0


def read_choice(view: str, text: str, offset: str) -> Choice:
    """Return the filter; invalid values are ignored."""
    return Choice(view if view in VIEWS else "all", text[:200], _read_count(offset))


def read_address(dag_id: str, run_id: str, task_id: str, map_index: str) -> Address:
    """Return the task instance; Airflow sends its placeholder for map_index if a task is not mapped."""
    return Address(dag_id, run_id, task_id, _read_count(map_index, -1))


def get_report(session: Session, address: Address, choice: Choice) -> dict[str, Any]:
    """Return a page of the jobs of a report with the totals; or why there is no report."""
    task, entry = tasks.find_task(session, address), stored.find_entry(session, address)
    found = _Found(kind="nothing")
    if entry is not None:
        found = _read_stored(session, entry)
    elif task is not None:
        found = _find_other(session, task)
    response: dict[str, Any] = {
        "task": _describe(address, task),
        "kind": found.kind,
        "at": found.at,
        "live": found.live,
        "reason": found.reason,
        "submissions": found.submissions[:1000],
        "refresh_s": _choose_refresh(task, entry),
        "neighbors": [
            {"task_id": neighbor.address.task_id, "map_index": neighbor.address.map_index}
            for neighbor in stored.find_of_run(session, address, _NEIGHBORS)
        ],
    }
    if found.report is not None:
        response |= _get_page(found.report, choice)
        _add_databases(response["jobs"], stored.find_submissions(session, address))
    return response


def _add_databases(jobs: Iterable[dict[str, Any]], submissions: Iterable[Mapping[str, Any]]) -> None:
    """Add what the task that started the pre-checks has read about the jobs."""
    by_id = {row.get("job_id"): row for row in submissions}
    for job in jobs:
        row = by_id.get(job["job_id"], {})
        job["name"] = job["name"] or read_text(row.get("name"))
        job |= {key: read_text(row.get(key)) for key in ("engine", "source", "destination")}


def get_history(session: Session, address: Address) -> dict[str, Any]:
    """Return the failed and alarming check items of a task's latest runs, oldest first."""
    entries = stored.find_of_task(session, address, _RUNS)[::-1]
    digests = stored.read_digests(session, entries)
    known = [report for report in digests if report is not None]
    names = rank_items(known, _PLOTTED_ITEMS)
    runs = []
    for entry, run in zip(entries, digests, strict=True):
        hits = {name: [failed, alarmed] for name, failed, alarmed in run.items} if run else {}
        runs.append(
            {
                "run_id": entry.address.run_id,
                "at": _format(entry.at),
                "outcome": run.outcome if run else "unreadable",
                "jobs": run.jobs if run else 0,
                "failed": run.failed if run else 0,
                "hits": [hits.get(name, [0, 0]) for name in names],
            }
        )
    return {
        "items": names,
        "titles": {name: explain(name).title for name in names},
        "more_items": len({name for report in known for name, _, _ in report.items}) - len(names),
        "runs": runs,
    }


def get_overview(
    session: Session, may_see: Callable[[Collection[str]], set[str]], offset: str
) -> dict[str, Any]:
    """
    Return the latest reports, and the waiting tasks, of the Dags that the user may see.

    :param may_see: returns the visible ones of some Dags.
    """
    first = _read_count(offset)
    dag_ids = may_see(stored.find_dags(session) | tasks.find_dags(session))
    entries = stored.find_latest(session, dag_ids, limit=OVERVIEW_SIZE + 1, offset=first)
    shown = entries[:OVERVIEW_SIZE]
    rows = []
    for entry, report in zip(shown, stored.read_digests(session, shown), strict=True):
        row: dict[str, Any] = {**entry.address._asdict(), "at": _format(entry.at)}
        row |= {"outcome": report.outcome if report else "unreadable"}
        row |= {"jobs": report.jobs if report else 0, "failed": report.failed if report else 0}
        rows.append(row | {"items": _list_titles(report) if report else []})
    waiting = tasks.find_waiting(session, dag_ids, OVERVIEW_SIZE) if first == 0 else []
    return {
        "waiting": [_describe(task.address, task) for task in waiting],
        "reports": rows,
        "offset": first,
        "has_more": len(entries) > len(shown),
    }


def get_export(session: Session, address: Address, choice: Choice, form: str) -> tuple[str, str, str]:
    """
    Return a filtered report as a file: text, media type and file name.

    :param form: ``csv``, else Markdown.
    :raises Unreadable: there is no report.
    """
    entry, task = stored.find_entry(session, address), tasks.find_task(session, address)
    if entry is not None:
        report: Report | None = stored.read_report(session, entry)
    else:
        report = _find_other(session, task).report if task is not None else None
    if report is None:
        raise Unreadable("there is no report yet")
    jobs = report.select(choice.view, choice.text)
    if form == "csv":
        return render_csv(jobs), "text/csv", "precheck.csv"
    title = f"DRS pre-check {address.dag_id}, {address.run_id}, {address.task_id}: {_count(report)}"
    passed = [job for job in jobs if job.verdict == "passed" and not job.marks and not job.error]
    return render_markdown(title, jobs, passed=len(passed)), "text/markdown", "precheck.md"


@dataclass(slots=True)
class _Found:
    kind: str
    report: Report | None = None
    at: str | None = None
    live: str | None = None
    reason: str = ""
    submissions: tuple[dict[str, Any], ...] = ()


def _read_stored(session: Session, entry: Entry) -> _Found:
    try:
        return _Found("report", stored.read_report(session, entry), at=_format(entry.at))
    except Unreadable as error:
        return _Found("unreadable", at=_format(entry.at), reason=str(error))


def _find_other(session: Session, task: Task) -> _Found:
    """Return what is known of a task without a report: its submissions, and the live results from DRS."""
    rows = stored.read_submissions(session, task.address)
    found = _Found("submissions" if rows else "nothing", submissions=tuple(_clean(row) for row in rows))
    if not task.is_waiting:
        return found
    jobs = stored.name_accepted(rows) or stored.name_accepted(stored.find_submissions(session, task.address))
    fields = tasks.read_rendered_fields(session, task.address)
    query = live.create_query(tasks.read_trigger(session, task.trigger_id), fields, jobs)
    if query is None:
        return found
    found.kind = "waiting"
    if not live.is_enabled():
        found.live = "off"
        return found
    result = LIVE.get_result(query)
    found.report, found.reason = result.report, result.reason
    found.live = "unreachable" if result.reason else "on" if result.report else "loading"
    found.at = _format(datetime.datetime.fromtimestamp(result.at_s, datetime.UTC)) if result.report else None
    return found


def _get_page(report: Report, choice: Choice) -> dict[str, Any]:
    chosen = report.select(choice.view, choice.text)
    offset = choice.offset if choice.offset < len(chosen) else 0
    jobs = [job.to_dict() for job in chosen[offset : offset + PAGE_SIZE]]
    facts = gather_facts(jobs)
    hits = sorted(report.digest.items, key=lambda item: (-item[1], -item[2], item[0]))
    return {
        "summary": report.summary,
        "ranking": hits[:_RANKED],
        "titles": {name: explain(name).title for name, _, _ in hits[:_RANKED]},
        "jobs": jobs,
        "facts": facts,
        "page": {"found": len(chosen), "offset": offset, "size": PAGE_SIZE},
    }


def _list_titles(report: Digest) -> list[str]:
    return [explain(name).title for name in rank_items([report], 3)]


def _choose_refresh(task: Task | None, entry: Entry | None) -> int | None:
    if task is None or entry is not None or task.state in tasks.ENDED:
        return None
    return _REFRESH_S if task.is_waiting else _IDLE_REFRESH_S


def _describe(address: Address, task: Task | None) -> dict[str, Any]:
    return {
        **address._asdict(),
        "state": task.state if task else None,
        "exists": task is not None,
        "page": tasks.find_page(address),
        "start": _format(task.start) if task and task.start else None,
    }


def _clean(row: dict[str, Any]) -> dict[str, Any]:
    error = row.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return {
        "job_id": read_text(row.get("job_id")),
        "name": read_text(row.get("name")),
        "status": read_text(row.get("status")),
        "error": read_text(message),
    }


def _count(report: Report) -> str:
    verdicts = report.summary["verdicts"]
    counts = ", ".join(f"{count} {name}" for name, count in verdicts.items() if count)
    return f"{len(report.jobs)} {'job' if len(report.jobs) == 1 else 'jobs'}, {counts or 'none checked'}"


def _read_count(text: str, default: int = 0) -> int:
    # Databases reject numbers with a thousand digits.
    return int(text[:9]) if text.isdecimal() else default


def _format(at: datetime.datetime) -> str:
    return at.astimezone(datetime.UTC).isoformat()
