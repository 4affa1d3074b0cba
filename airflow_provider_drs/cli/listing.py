"""The command that lists jobs."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_drs.cli.answers import PASSED, code_of, say_command
from airflow_provider_drs.cli.commands import KINDS
from airflow_provider_drs.cli.screen import Result, Screen, describe_row
from airflow_provider_drs.cli.session import INTERVAL_S, Session, find_jobs, is_name, read_texts, unknown_job
from airflow_provider_drs.protocol import conversations
from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError, label_job, quote
from airflow_provider_drs.protocol.jobs.listing import ListedJob
from airflow_provider_drs.protocol.jobs.messages import JobProgress
from airflow_provider_drs.protocol.jobs.states import RUNNING_PHASES, STATUSES, Phase, words_of

_PHASES = {phase.value: phase for phase in Phase}


def list_jobs(arguments: argparse.Namespace, screen: Screen) -> Result:
    """List the jobs of the project, once or until Ctrl-C."""
    statuses = None if arguments.status is None else read_statuses(arguments.status)
    texts = read_texts(arguments.patterns)
    if arguments.watch and arguments.json:
        raise DrsConfigError("--watch cannot be used with --json. Omit --watch or --json.")
    if arguments.interval and not arguments.watch:
        raise DrsConfigError("--interval applies to --watch. Add --watch, or omit it.")
    with Session(arguments, screen) as session:
        while True:
            result = _list_once(arguments, session, texts, statuses)
            if not arguments.watch:
                return result
            screen.show_table(result)
            time.sleep(arguments.interval or INTERVAL_S)


def read_statuses(text: str, option: str = "--status") -> frozenset[str]:
    """
    Return the statuses of an option, which names statuses or phases.

    :raises DrsConfigError: there are none, or one is unknown.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise DrsConfigError(f"{option} is empty. Specify statuses or phases, or omit the option.")
    phases = [_PHASES[word.lower()] for word in words if word.lower() in _PHASES]
    others = [word for word in words if word.lower() not in _PHASES]
    if unknown := [word for word in others if word.upper() not in STATUSES]:
        raise DrsConfigError(
            f"{option}: unknown status {quote(unknown[0])}. Use a status, or a phase: {', '.join(_PHASES)}."
        )
    return words_of(*phases) | frozenset(word.upper() for word in others)


def _list_once(
    arguments: argparse.Namespace, session: Session, texts: Sequence[str], statuses: frozenset[str] | None
) -> Result:
    kind = KINDS.get(arguments.kind or "", "")
    jobs = session.run(conversations.list_jobs, kind, engine_type=arguments.engine or "")
    if texts:
        chosen = {job.job_id for text in texts for job in _choose(text, jobs)}
        jobs = [each for job in jobs for each in (job, *job.children) if each.job_id in chosen]
    if statuses is not None:
        jobs = [job for job in jobs if job.status in statuses]
    progresses = _read_progresses(session, jobs)
    if arguments.lag_above is not None:
        # A lag that cannot be read may be large.
        jobs = [job for job in jobs if _has_lag(progresses.get(job.job_id), arguments.lag_above)]
    shown = {job.job_id: progresses.get(job.job_id) for job in jobs}
    unread = {job_id: found for job_id, found in shown.items() if isinstance(found, DrsError)}
    rows = [_to_row(job, shown[job.job_id]) for job in jobs]
    names = {job.job_id: job.name for job in jobs}
    notes = [
        f"Progress of {label_job(key, names[key])} unknown: {say_command(str(error))}"
        for key, error in unread.items()
    ]
    text = "\n".join([_count(jobs), *notes])
    headings = ("JOB", "KIND", "ENGINE", "STATUS", "PROGRESS")
    lines = [_to_line(row) for row in rows]
    return Result(code_of(unread.values()) if unread else PASSED, {"jobs": rows}, headings, lines, text=text)


def _choose(text: str, jobs: Sequence[ListedJob]) -> list[ListedJob]:
    found = find_jobs(text, jobs)
    if not found and is_name(text):
        raise unknown_job(text, jobs)
    return found


def _read_progresses(session: Session, jobs: Iterable[ListedJob]) -> dict[str, JobProgress | DrsError]:
    """Read the progress of the jobs whose data moves."""
    moving = [job.job_id for job in jobs if job.phase in RUNNING_PHASES]
    return session.run(conversations.get_job_progresses, moving) if moving else {}


def _has_lag(progress: JobProgress | DrsError | None, limit_s: float) -> bool:
    return isinstance(progress, DrsError) or (progress is not None and (progress.delay_s or 0) > limit_s)


def _to_row(job: ListedJob, progress: JobProgress | DrsError | None) -> dict[str, Any]:
    known = {"percent": None, "delay_s": None, "remaining_s": None}
    if isinstance(progress, JobProgress):
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
