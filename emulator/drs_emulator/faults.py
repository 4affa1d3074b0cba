"""
Faults to inject: which kind, into which requests, how often.

Kinds that replace the service's processing: ``reset_before``, ``hang``, ``status``, ``redirect``,
``too_frequent``, ``expire_token``, ``gateway_401``, ``no_permission``, ``refuse_batch``. With ``apply=True``,
``hang`` and ``status`` take effect after the service has processed the request.

Kinds that always take effect after processing: ``reset_after``, ``html``, ``truncated``, ``drip``,
``drip_headers``, ``wrong_shape``, ``drop_job``, ``batch_400``, ``top_level_error``.

Kinds that replace the processing of one job of a request: ``busy``, ``job_error``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drs_emulator.api.schemas import load_operations

#: Every kind of fault, with its options in addition to those of :class:`Fault`.
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

#: Kinds that affect one job of a request; the others affect the whole request.
JOB_KINDS = frozenset({"busy", "job_error", "drop_job"})


@dataclass
class Fault:
    """
    One fault.

    :param kind: one of :data:`KINDS`.
    :param operation: the operation to affect; any, if not given.
    :param times: number of requests to affect; unlimited, if ``None``.
    :param after: number of matching requests to skip first.
    :param every: of the remaining requests, affect every n-th.
    :param job_id: affect only requests about this job; for job kinds, the job.
    :param options: the options of the kind.
    :raises ValueError: an argument is invalid, so that a typo never disables a fault.
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
        """Reject invalid arguments early."""
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; expected one of {', '.join(sorted(KINDS))}")
        if self.kind in JOB_KINDS and not self.job_id:
            raise ValueError(f"fault {self.kind!r} requires a job_id")
        if self.operation not in {None, *(operation.name for operation in load_operations())}:
            raise ValueError(f"unknown operation {self.operation!r}")
        for name, least, is_optional in (("times", 1, True), ("after", 0, False), ("every", 1, False)):
            value = getattr(self, name)
            if not (is_optional and value is None) and (type(value) is not int or value < least):
                raise ValueError(f"{name} must be an integer of at least {least}, not {value!r}")
        for name, value in self.options.items():
            if name not in KINDS[self.kind]:
                known = ", ".join((*_OWN, *sorted(KINDS[self.kind])))
                raise ValueError(f"fault {self.kind!r} does not accept {name!r}; expected one of {known}")
            if not isinstance(value, _OPTION_TYPES.get(name, object)):
                raise ValueError(f"{name} has the wrong type: {value!r}")

    def affects(self, operation: str, job_ids: list[str]) -> bool:
        """Count a request and return whether the fault affects it."""
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


@dataclass
class Faults:
    """The faults of one emulator, oldest first."""

    faults: list[Fault] = field(default_factory=list)
    next_id: int = 1

    def add(self, kind: str, **details: Any) -> int:
        """
        Add a fault and return its ID.

        :raises ValueError: the kind is unknown or does not accept an option.
        """
        own = {name: details.pop(name) for name in _OWN if name in details}
        fault = Fault(self.next_id, kind, **own, options=details)
        self.next_id += 1
        self.faults.append(fault)
        return fault.id

    def remove(self, fault_id: int) -> None:
        """
        Remove a fault.

        :raises ValueError: no fault has this ID.
        """
        remaining = [fault for fault in self.faults if fault.id != fault_id]
        if len(remaining) == len(self.faults):
            raise ValueError(f"unknown fault ID {fault_id!r}")
        self.faults = remaining

    def describe(self) -> list[dict[str, Any]]:
        """Return each fault, with the number of requests that it has affected."""
        return [
            {"id": fault.id, "kind": fault.kind, "done": fault.done}
            | {name: getattr(fault, name) for name in _OWN}
            | {"options": dict(fault.options)}
            for fault in self.faults
        ]

    def match(self, operation: str, job_ids: list[str]) -> list[Fault]:
        """Return the faults that affect a request: all job kinds that match, and at most one other."""
        matching: list[Fault] = []
        for fault in self.faults:
            has_request_fault = any(fault.kind not in JOB_KINDS for fault in matching)
            if not (has_request_fault and fault.kind not in JOB_KINDS) and fault.affects(operation, job_ids):
                matching.append(fault)
        return matching

    def clear(self) -> None:
        """Remove all faults."""
        self.faults.clear()
