"""What the page asks for, as JSON values. Neither FastAPI nor Flask is known here."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_drs.report import live, stored, tasks
from airflow_provider_drs.report.exports import render_csv, render_markdown
from airflow_provider_drs.report.fields import read_text
from airflow_provider_drs.report.reports import (
    VIEWS,
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
#: Runs and items of the plot.
_RUNS, _PLOTTED_ITEMS = 30, 12
#: Items of the list of what hit most jobs.
_RANKED = 8
#: Other reports of the same run that the page offers.
_NEIGHBOURS = 200
#: Seconds after which the page asks again: of a task that waits, and of one that has yet to begin.
_REFRESH_S, _IDLE_REFRESH_S = 5, 15

#: Asked by all viewers of this process.
LIVE = live.LiveReports()


@dataclass(frozen=True, slots=True)
class Choice:
    """What a viewer wants to see of a report."""

    view: str = "all"
    text: str = ""
    offset: int = 0


def read_choice(view: str, text: str, offset: str) -> Choice:
    """Return what a viewer wants; nonsense is taken for nothing."""
    return Choice(view if view in VIEWS else "all", text[:200], _read_count(offset))


def read_address(dag_id: str, run_id: str, task_id: str, map_index: str) -> Address:
    """Return which task instance is meant; Airflow leaves its placeholder in where a task is not mapped."""
    return Address(dag_id, run_id, task_id, _read_count(map_index, -1))


def answer_report(session: Session, address: Address, choice: Choice) -> dict[str, Any]:
    """Return a page of jobs of a report, with the counts of all; or what there is instead, and why."""
    task, entry = tasks.find_task(session, address), stored.find_entry(session, address)
    found = _Found(kind="nothing")
    if entry is not None:
        found = _read_stored(session, entry)
    elif task is not None:
        found = _find_other(session, task)
    answer: dict[str, Any] = {
        "task": _describe(address, task),
        "kind": found.kind,
        "at": found.at,
        "live": found.live,
        "trouble": found.trouble,
        "submissions": found.submissions[:1000],
        "refresh_s": _choose_refresh(task, entry),
        "neighbours": [
            {"task_id": each.address.task_id, "map_index": each.address.map_index}
            for each in stored.find_of_run(session, address, _NEIGHBOURS)
        ],
    }
    if found.report is not None:
        answer |= _cut_page(found.report, choice)
    return answer


def answer_history(session: Session, address: Address) -> dict[str, Any]:
    """Return which items hit a task's jobs in its latest runs, oldest first."""
    entries = stored.find_of_task(session, address, _RUNS)[::-1]
    digests = stored.read_digests(session, entries)
    known = [each for each in digests if each is not None]
    names = rank_items(known, _PLOTTED_ITEMS)
    runs = []
    for entry, each in zip(entries, digests, strict=True):
        hits = {name: [failed, alarmed] for name, failed, alarmed in each.items} if each else {}
        runs.append(
            {
                "run_id": entry.address.run_id,
                "at": _format(entry.at),
                "outcome": each.outcome if each else "unreadable",
                "jobs": each.jobs if each else 0,
                "failed": each.failed if each else 0,
                "hits": [hits.get(name, [0, 0]) for name in names],
            }
        )
    return {
        "items": names,
        "more_items": len({name for each in known for name, _, _ in each.items}) - len(names),
        "runs": runs,
    }


def answer_overview(
    session: Session, may_see: Callable[[Collection[str]], set[str]], offset: str
) -> dict[str, Any]:
    """
    Return the latest reports, and the tasks that wait for one, of the DAGs that a viewer may see.

    :param may_see: returns which of some DAGs those are.
    """
    first = _read_count(offset)
    dag_ids = may_see(stored.find_dags(session) | tasks.find_dags(session))
    entries = stored.find_latest(session, dag_ids, limit=OVERVIEW_SIZE + 1, offset=first)
    shown = entries[:OVERVIEW_SIZE]
    rows = []
    for entry, each in zip(shown, stored.read_digests(session, shown), strict=True):
        row: dict[str, Any] = {**entry.address._asdict(), "at": _format(entry.at)}
        row |= {"outcome": each.outcome if each else "unreadable"}
        row |= {"jobs": each.jobs if each else 0, "failed": each.failed if each else 0}
        rows.append(row | {"items": rank_items([each], 3) if each else []})
    waiting = tasks.find_waiting(session, dag_ids, OVERVIEW_SIZE) if first == 0 else []
    return {
        "waiting": [_describe(task.address, task) for task in waiting],
        "reports": rows,
        "offset": first,
        "has_more": len(entries) > len(shown),
    }


def answer_export(session: Session, address: Address, choice: Choice, form: str) -> tuple[str, str, str]:
    """
    Return a report, as the viewer has filtered it, to take away: text, media type, and name of the file.

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
    silent = [job for job in jobs if job.verdict == "passed" and not job.marks and not job.error]
    return render_markdown(title, jobs, passed=len(silent)), "text/markdown", "precheck.md"


@dataclass(slots=True)
class _Found:
    kind: str
    report: Report | None = None
    at: str | None = None
    live: str | None = None
    trouble: str = ""
    submissions: tuple[dict[str, Any], ...] = ()


def _read_stored(session: Session, entry: Entry) -> _Found:
    try:
        return _Found("report", stored.read_report(session, entry), at=_format(entry.at))
    except Unreadable as error:
        return _Found("unreadable", at=_format(entry.at), trouble=str(error))


def _find_other(session: Session, task: Task) -> _Found:
    """Return what there is of a task that has no report: what it has submitted, and where DRS is with it."""
    rows = stored.read_submissions(session, task.address)
    found = _Found("submissions" if rows else "nothing", submissions=tuple(_clean(row) for row in rows))
    if not task.is_waiting:
        return found
    jobs = stored.name_accepted(rows) or stored.find_submitted_jobs(session, task.address)
    fields = tasks.read_rendered_fields(session, task.address)
    question = live.make_question(tasks.read_trigger(session, task.trigger_id), fields, jobs)
    if question is None:
        return found
    found.kind = "waiting"
    if not live.is_switched_on():
        found.live = "off"
        return found
    look = LIVE.look(question)
    found.report, found.trouble = look.report, look.trouble
    found.live = "unreachable" if look.trouble else "on" if look.report else "asking"
    found.at = _format(datetime.datetime.fromtimestamp(look.at_s, datetime.UTC)) if look.report else None
    return found


def _cut_page(report: Report, choice: Choice) -> dict[str, Any]:
    chosen = report.select(choice.view, choice.text)
    offset = choice.offset if choice.offset < len(chosen) else 0
    jobs = [job.to_dict() for job in chosen[offset : offset + PAGE_SIZE]]
    facts = gather_facts(jobs)
    hits = sorted(report.digest.items, key=lambda item: (-item[1], -item[2], item[0]))
    return {
        "summary": report.summary,
        "ranking": hits[:_RANKED],
        "jobs": jobs,
        "facts": facts,
        "page": {"found": len(chosen), "offset": offset, "size": PAGE_SIZE},
    }


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
        "status": read_text(row.get("status")),
        "error": read_text(message),
    }


def _count(report: Report) -> str:
    verdicts = report.summary["verdicts"]
    said = ", ".join(f"{count} {name}" for name, count in verdicts.items() if count)
    return f"{len(report.jobs)} {'job' if len(report.jobs) == 1 else 'jobs'}, {said or 'none checked'}"


def _read_count(text: str, otherwise: int = 0) -> int:
    # Databases know no numbers of a thousand digits.
    return int(text[:9]) if text.isdecimal() else otherwise


def _format(at: datetime.datetime) -> str:
    return at.astimezone(datetime.UTC).isoformat()
