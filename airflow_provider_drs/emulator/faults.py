"""
Faults on demand: what to do to which requests, how often.

Kinds that act instead of the service (nothing is done): ``reset_before``, ``hang``, ``status``, ``redirect``,
``too_frequent``, ``expire_token``, ``gateway_401``, ``no_permission``, ``refuse_batch``. With ``apply=True``,
``hang`` and ``status`` come after the service has done what was asked.
Kinds that always do: ``reset_after``, ``html``, ``truncated``, ``drip``, ``drip_headers``, ``wrong_shape``,
``drop_job``, ``batch_400``, ``top_level_error``.
Kinds that act on one job of a request, for which nothing is done: ``busy``, ``job_error``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_drs.emulator.api.schemas import load_operations

#: Every kind of fault, with the options that it takes beside those of :class:`Fault`.
KINDS: Mapping[str, frozenset[str]] = {
    "reset_before": frozenset(),
    "reset_after": frozenset(),
    "hang": frozenset({"apply"}),
    "status": frozenset({"status", "body", "headers", "apply"}),
    "html": frozenset({"status", "content_type"}),
    "truncated": frozenset({"clean"}),
    "drip": frozenset(),
    "drip_headers": frozenset(),
    "wrong_shape": frozenset({"body"}),
    "drop_job": frozenset(),
    "batch_400": frozenset(),
    "top_level_error": frozenset({"code"}),
    "busy": frozenset({"message"}),
    "job_error": frozenset({"code", "message"}),
    "redirect": frozenset({"location"}),
    "too_frequent": frozenset(),
    "expire_token": frozenset(),
    "gateway_401": frozenset(),
    "no_permission": frozenset(),
    "refuse_batch": frozenset({"max_jobs"}),
}
_OPTION_TYPES: Mapping[str, type] = {
    "status": int,
    "headers": dict,
    "apply": bool,
    "content_type": str,
    "clean": bool,
    "code": str,
    "message": str,
    "location": str,
    "max_jobs": int,
}
_OWN = ("operation", "times", "after", "every", "job_id")

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
    :param options: what else its kind takes.
    :raises ValueError: something of this makes no sense, so that a misspelt fault never passes for none.
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

    def __post_init__(self) -> None:
        """Refuse what would strike nothing, or only fail later."""
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; there are {', '.join(sorted(KINDS))}")
        if self.kind in JOB_KINDS and not self.job_id:
            raise ValueError(f"fault {self.kind!r} needs a job_id")
        if self.operation not in {None, *(each.name for each in load_operations())}:
            raise ValueError(f"there is no operation {self.operation!r}")
        for name, least, is_optional in (("times", 1, True), ("after", 0, False), ("every", 1, False)):
            value = getattr(self, name)
            if not (is_optional and value is None) and (type(value) is not int or value < least):
                raise ValueError(f"{name} must be a whole number from {least} on, not {value!r}")
        for name, value in self.options.items():
            if name not in KINDS[self.kind]:
                known = ", ".join((*_OWN, *sorted(KINDS[self.kind])))
                raise ValueError(f"fault {self.kind!r} takes no {name!r}; it takes {known}")
            if not isinstance(value, _OPTION_TYPES.get(name, object)):
                raise ValueError(f"{name} must not be {value!r}")

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

        :raises ValueError: there is no such kind, or it takes no such option.
        """
        own = {name: details.pop(name) for name in _OWN if name in details}
        fault = Fault(self._next_id, kind, **own, options=details)
        self._next_id += 1
        self._faults.append(fault)
        return fault.id

    def remove(self, fault_id: int) -> None:
        """
        Remove a fault.

        :raises ValueError: there is none of this id.
        """
        kept = [fault for fault in self._faults if fault.id != fault_id]
        if len(kept) == len(self._faults):
            raise ValueError(f"there is no fault {fault_id!r}")
        self._faults = kept

    def describe(self) -> list[dict[str, Any]]:
        """Return each fault, with how many requests it has spoiled."""
        return [
            {"id": fault.id, "kind": fault.kind, "done": fault.done}
            | {name: getattr(fault, name) for name in _OWN}
            | {"options": dict(fault.options)}
            for fault in self._faults
        ]

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
