"""The command that lists jobs."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_drs.cli.commands import KINDS
from airflow_provider_drs.cli.screen import Result, Screen, describe_row
from airflow_provider_drs.cli.session import INTERVAL_S, Session, find_jobs
from airflow_provider_drs.protocol import conversations
from airflow_provider_drs.protocol.core.errors import DrsConfigError, label_job, quote
from airflow_provider_drs.protocol.jobs.listing import ListedJob
from airflow_provider_drs.protocol.jobs.messages import JobProgress
from airflow_provider_drs.protocol.jobs.states import RUNNING_PHASES, STATUSES, Phase, words_of

_PHASES = {phase.value: phase for phase in Phase}


def list_jobs(arguments: argparse.Namespace, screen: Screen) -> Result:
    """List the jobs of the project, once or until Ctrl-C."""
    statuses = _read_statuses(arguments.status)
    if arguments.watch and arguments.json:
        raise DrsConfigError("--watch shows a list that changes. Omit --json, or call drs list repeatedly.")
    if arguments.interval and not arguments.watch:
        raise DrsConfigError("--interval applies to --watch. Add --watch, or omit it.")
    with Session(arguments, screen) as session:
        while True:
            result = _list_once(arguments, session, statuses)
            if not arguments.watch:
                return result
            screen.show_table(result)
            time.sleep(arguments.interval or INTERVAL_S)


def _read_statuses(text: str | None) -> frozenset[str] | None:
    """Return the statuses of a filter, which names statuses or phases."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    phases = [_PHASES[word.lower()] for word in words if word.lower() in _PHASES]
    others = [word for word in words if word.lower() not in _PHASES]
    if unknown := [word for word in others if word not in STATUSES]:
        raise DrsConfigError(
            f"--status: unknown status {quote(unknown[0])}. Use a status, or a phase: {', '.join(_PHASES)}."
        )
    return words_of(*phases) | frozenset(others)


def _list_once(arguments: argparse.Namespace, session: Session, statuses: frozenset[str] | None) -> Result:
    kind = KINDS.get(arguments.kind or "", "")
    jobs = session.run(conversations.list_jobs, kind, engine_type=arguments.engine or "")
    if arguments.patterns:
        chosen = {job.job_id for pattern in arguments.patterns for job in find_jobs(pattern, jobs)}
        jobs = [job for job in jobs if job.job_id in chosen]
    if statuses is not None:
        jobs = [job for job in jobs if job.status in statuses]
    progresses = _read_progresses(session, jobs)
    limit_s = arguments.lag_above
    if limit_s is not None:
        jobs = [job for job in jobs if (_lag_of(progresses.get(job.job_id)) or 0) > limit_s]
    rows = [_to_row(job, progresses.get(job.job_id)) for job in jobs]
    return Result(
        0,
        {"jobs": rows},
        ("JOB", "KIND", "ENGINE", "STATUS", "PROGRESS"),
        [_to_line(row) for row in rows],
        text=_count(jobs),
    )


def _read_progresses(session: Session, jobs: Iterable[ListedJob]) -> dict[str, JobProgress]:
    """Read the progress of the jobs whose data moves. Without it, the list has their statuses only."""
    moving = [job.job_id for job in jobs if job.phase in RUNNING_PHASES]
    answers = session.run(conversations.get_job_progresses, moving) if moving else {}
    return {job_id: answer for job_id, answer in answers.items() if isinstance(answer, JobProgress)}


def _lag_of(progress: JobProgress | None) -> int | None:
    return progress.delay_s if progress else None


def _to_row(job: ListedJob, progress: JobProgress | None) -> dict[str, Any]:
    known = {"percent": None, "delay_s": None, "remaining_s": None}
    if progress:
        known = {name: getattr(progress, name) for name in known}
    return {**job.to_dict(), "phase": job.phase.value, **known}


def _to_line(row: Mapping[str, Any]) -> tuple[str, ...]:
    kind = next((name for name, value in KINDS.items() if value == row["db_use_type"]), row["db_use_type"])
    known = STATUSES.get(row["status"])
    state = known.meaning if known else row["status"]
    return (label_job(row["job_id"], row["name"]), kind, row["engine_type"], state, describe_row(row))


def _count(jobs: Sequence[ListedJob]) -> str:
    phases = Counter(job.phase.value for job in jobs)
    counts = ", ".join(f"{count} {phase}" for phase, count in phases.items())
    return f"{len(jobs)} job{'s' * (len(jobs) != 1)}{': ' if counts else ''}{counts}"
