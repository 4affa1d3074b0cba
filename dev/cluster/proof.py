"""What must be true after a run, from the emulator's journal and its jobs; nothing that Airflow says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: So many jobs are named where a line is broken.
_NAMED = 3


@dataclass(frozen=True)
class Line:
    """
    One line of the proof.

    :param counted: what was found.
    :param named: jobs that break it.
    """

    text: str
    is_true: bool
    counted: str
    named: Sequence[str] = ()

    def __str__(self) -> str:
        names = f"  {', '.join(self.named[:_NAMED])}" if self.named else ""
        return f"{self.text:<58} {self.counted:>11}  {'good' if self.is_true else 'BROKEN'}{names}"


@dataclass
class _Told:
    """What the journal tells of one job."""

    checks: int = 0
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

    :param durations_s: how long the pre-check of each job takes that there was at the beginning.
    :param jobs: what the emulator says of its jobs in the end.
    :param journal: the requests that reached it; ``applied`` are those that the service acted on.
    """
    world = {job["id"]: job for job in jobs}
    told = _replay(durations_s, journal)
    ids = list(durations_s)
    unchecked = [job_id for job_id in ids if not told[job_id].checks]
    never = [job_id for job_id in ids if not (told[job_id].starts and _count(world, job_id, "starts"))]
    again = [job_id for job_id in ids if _count(world, job_id, "starts") > 1]
    # Stricter than the line before: DRS would refuse the second, but nobody may ask for it either.
    asked_again = [job_id for job_id in ids if told[job_id].starts > 1]
    early = [job_id for job_id in ids if told[job_id].is_early]
    strangers = sorted(set(told) - set(ids) | set(world) - set(ids))
    torn = [
        job_id
        for job_id in ids
        if (min(told[job_id].starts, 1), told[job_id].checks)
        != (_count(world, job_id, "starts"), _count(world, job_id, "prechecks"))
    ]
    total = len(ids)
    once = total - len({*never, *again})
    return [
        _line("jobs that were pre-checked", total - len(unchecked), total, unchecked),
        _line("jobs that were started exactly once", once, total, [*never, *again]),
        _line("jobs that were lost: never started", len(never), 0, never),
        _line("jobs that were started twice", len(again), 0, again),
        _line("jobs whose start was asked for again after it was done", len(asked_again), 0, asked_again),
        _line("jobs whose start was asked for before their check passed", len(early), 0, early),
        _line("jobs that nobody should have touched", len(strangers), 0, strangers),
        _line("jobs of which journal and service tell different things", len(torn), 0, torn),
    ]


def _replay(
    durations_s: Mapping[str, float], journal: Sequence[Mapping[str, Any]]
) -> defaultdict[str, _Told]:
    """Return what becomes of each job if one does what the journal says, as the service would."""
    told: defaultdict[str, _Told] = defaultdict(_Told)
    for entry in journal:
        if not entry["applied"]:
            continue
        for job_id in entry["job_ids"]:
            job, at_s = told[job_id], entry["at"]
            if entry["operation"] == "BatchCheckJobs":
                # One that runs is not begun anew, and one for a job that runs is refused.
                is_running = job.passes_at_s is not None and at_s < job.passes_at_s
                if not is_running and not job.starts:
                    job.checks += 1
                    job.passes_at_s = at_s + durations_s.get(job_id, 0.0)
            elif entry["operation"] == "BatchStartJobs":
                if job.passes_at_s is None or at_s < job.passes_at_s:
                    job.is_early = True
                job.starts += 1
    return told


def _count(world: Mapping[str, Mapping[str, Any]], job_id: str, name: str) -> int:
    return int(world[job_id][name]) if job_id in world else 0


def _line(text: str, found: int, wanted: int, named: Sequence[str]) -> Line:
    return Line(text, found == wanted, f"{found} of {wanted}" if wanted else str(found), named)


@dataclass(frozen=True)
class Calls:
    """How often an operation was called, and what came of it."""

    operation: str
    count: int
    applied: int
    spoiled: int
    statuses: Mapping[str, int] = field(default_factory=dict)


def count_calls(journal: Sequence[Mapping[str, Any]]) -> list[Calls]:
    """Return the calls of each operation."""
    by_operation: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for entry in journal:
        by_operation[entry["operation"] or "?"].append(entry)
    return [
        Calls(
            operation,
            len(entries),
            sum(entry["applied"] for entry in entries),
            sum(bool(entry["faults"]) for entry in entries),
            Counter(str(entry["status"] or "cut") for entry in entries),
        )
        for operation, entries in sorted(by_operation.items())
    ]
