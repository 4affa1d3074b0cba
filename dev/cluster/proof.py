"""What must hold after a run, according to the emulator's journal and jobs; not according to Airflow."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Jobs that are listed when a line does not hold.
_LISTED = 3


@dataclass(frozen=True)
class Line:
    """
    One line of the proof.

    :param count: what was found.
    :param job_ids: the jobs for which it does not hold.
    """

    text: str
    holds: bool
    count: str
    job_ids: Sequence[str] = ()

    def __str__(self) -> str:
        listed = f"  {', '.join(self.job_ids[:_LISTED])}" if self.job_ids else ""
        return f"{self.text:<58} {self.count:>11}  {'OK' if self.holds else 'FAIL'}{listed}"


@dataclass
class _History:
    """What the journal contains about a job."""

    prechecks: int = 0
    passes_at_s: float | None = None
    starts: int = 0
    is_early: bool = False


def prove(
    durations_s: Mapping[str, float],
    jobs: Sequence[Mapping[str, Any]],
    journal: Sequence[Mapping[str, Any]],
) -> list[Line]:
    """
    Return the lines of the proof.

    :param durations_s: the duration of the pre-check of each initial job.
    :param jobs: the jobs that the emulator has after the run.
    :param journal: the requests that reached it; ``applied`` marks those that it carried out.
    """
    world = {job["id"]: job for job in jobs}
    history = _replay(durations_s, journal)
    ids = list(durations_s)

    def count(job_id: str, name: str) -> int:
        return int(world[job_id][name]) if job_id in world else 0

    def line(text: str, job_ids: Sequence[str], *, all_but: bool = False) -> Line:
        found, total = (len(ids) - len(set(job_ids)), len(ids)) if all_but else (len(job_ids), 0)
        return Line(text, found == total, f"{found} of {total}" if all_but else str(found), job_ids)

    lost = [job_id for job_id in ids if not (history[job_id].starts and count(job_id, "starts"))]
    twice = [job_id for job_id in ids if count(job_id, "starts") > 1]
    return [
        line("jobs pre-checked", [job_id for job_id in ids if not history[job_id].prechecks], all_but=True),
        line("jobs started exactly once", [*lost, *twice], all_but=True),
        line("jobs never started", lost),
        line("jobs started twice", twice),
        # Stricter: DRS would reject the second start, but it must not even be requested.
        line("jobs whose start was requested again", [j for j in ids if history[j].starts > 1]),
        line("jobs started before their pre-check passed", [j for j in ids if history[j].is_early]),
        line(
            "jobs changed that are not part of the run",
            sorted(set(history) - set(ids) | set(world) - set(ids)),
        ),
        line(
            "jobs whose journal and state differ",
            [
                job_id
                for job_id in ids
                if (min(history[job_id].starts, 1), history[job_id].prechecks)
                != (count(job_id, "starts"), count(job_id, "prechecks"))
            ],
        ),
    ]


def _replay(
    durations_s: Mapping[str, float], journal: Sequence[Mapping[str, Any]]
) -> defaultdict[str, _History]:
    """Return the history of each job, with the rules of the service applied to the journal."""
    history: defaultdict[str, _History] = defaultdict(_History)
    for entry in journal:
        for job_id in entry["job_ids"] if entry["applied"] else ():
            job, at_s = history[job_id], entry["at"]
            if entry["operation"] == "BatchCheckJobs":
                # A running pre-check is not restarted, and a started job is not pre-checked.
                is_running = job.passes_at_s is not None and at_s < job.passes_at_s
                if not is_running and not job.starts:
                    job.prechecks += 1
                    job.passes_at_s = at_s + durations_s.get(job_id, 0.0)
            elif entry["operation"] == "BatchStartJobs":
                job.is_early |= job.passes_at_s is None or at_s < job.passes_at_s
                job.starts += 1
    return history


@dataclass(frozen=True)
class Calls:
    """How often an operation was called, and with which results."""

    operation: str
    count: int
    applied: int
    faulty: int
    statuses: Mapping[str, int] = field(default_factory=dict)


def count_calls(journal: Sequence[Mapping[str, Any]]) -> list[Calls]:
    by_operation: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for entry in journal:
        by_operation[entry["operation"] or "?"].append(entry)
    return [
        Calls(
            operation,
            len(entries),
            sum(entry["applied"] for entry in entries),
            sum(bool(entry["faults"]) for entry in entries),
            Counter(str(entry["status"] or "closed") for entry in entries),
        )
        for operation, entries in sorted(by_operation.items())
    ]
