"""
Faults on demand: what to do to which requests, how often.

Kinds that act instead of the service (nothing is done): ``reset_before``, ``hang``, ``status`` with ``apply``
false, ``redirect``, ``too_frequent``, ``expire_token``, ``gateway_401``, ``no_permission``, ``refuse_batch``.
Kinds that act after the service has done what was asked: ``reset_after``, ``status`` with ``apply``,
``html``, ``truncated``, ``drip``, ``drip_headers``, ``wrong_shape``, ``drop_job``, ``batch_400``,
``top_level_error``. Kinds that act on one job of a request, for which nothing is done: ``busy``,
``job_error``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = frozenset(
    {
        "reset_before",
        "reset_after",
        "hang",
        "status",
        "html",
        "truncated",
        "drip",
        "drip_headers",
        "wrong_shape",
        "drop_job",
        "batch_400",
        "top_level_error",
        "busy",
        "job_error",
        "redirect",
        "too_frequent",
        "expire_token",
        "gateway_401",
        "no_permission",
        "refuse_batch",
    }
)

#: Kinds that single out a job of the request; the others take the request as a whole.
JOB_KINDS = frozenset({"busy", "job_error", "drop_job"})


@dataclass
class Fault:
    """
    One fault.

    :param kind: one of :data:`KINDS`.
    :param operation: the operation it waits for; any, if not given.
    :param times: how many requests it spoils; for ever, if ``None``.
    :param after: how many matching requests it lets through first.
    :param every: of those that follow, it spoils every so-manieth.
    :param job_id: only requests about this job; and for job kinds, the job.
    :param options: ``status``, ``body``, ``headers``, ``apply``, ``code``, ``message``, ``max_jobs``,
        ``location``.
    """

    id: int
    kind: str
    operation: str | None = None
    times: int | None = 1
    after: int = 0
    every: int = 1
    job_id: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seen: int = 0
    done: int = 0

    def strikes(self, operation: str, job_ids: list[str]) -> bool:
        """Count a request, and say whether this is one to spoil."""
        is_other = self.operation not in (None, operation) or (self.job_id and self.job_id not in job_ids)
        if is_other or (self.times is not None and self.done >= self.times):
            return False
        if self.kind == "refuse_batch" and len(job_ids) <= self.options.get("max_jobs", 1):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.seen - self.after) % self.every:
            return False
        self.done += 1
        return True


class Faults:
    """The faults of one emulator, oldest first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._next_id = 1

    def add(self, kind: str, **details: Any) -> int:
        """
        Add a fault and return its id.

        :raises ValueError: there is no such kind, or it lacks its job.
        """
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}; there are {', '.join(sorted(KINDS))}")
        if kind in JOB_KINDS and not details.get("job_id"):
            raise ValueError(f"fault {kind!r} needs a job_id")
        own = {
            name: details.pop(name)
            for name in ("operation", "times", "after", "every", "job_id")
            if name in details
        }
        fault = Fault(self._next_id, kind, **own, options=details)
        self._next_id += 1
        self._faults.append(fault)
        return fault.id

    def strike(self, operation: str, job_ids: list[str]) -> list[Fault]:
        """Return the faults that spoil a request: all that single out jobs, and at most one of the others."""
        struck: list[Fault] = []
        for fault in self._faults:
            has_whole = any(each.kind not in JOB_KINDS for each in struck)
            if not (has_whole and fault.kind not in JOB_KINDS) and fault.strikes(operation, job_ids):
                struck.append(fault)
        return struck

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()
