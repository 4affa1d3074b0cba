"""
Adopt jobs on which an action was performed before, if the result is what the caller requests.

A job is adopted only if it has the requested values, as far as DRS returns them. Nothing that was requested
is dropped in silence: a value that differs is an error, and one that DRS does not return is reported.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_drs.protocol.core.errors import DrsError, DrsJobStateError, label_job, make_error, quote
from airflow_provider_drs.protocol.jobs.messages import JobDetails
from airflow_provider_drs.protocol.jobs.outcome import JobOutcome
from airflow_provider_drs.protocol.jobs.preconditions import Rule
from airflow_provider_drs.protocol.jobs.states import describe_status

#: The key in an outcome's details with the fields that DRS does not return.
NOT_COMPARED = "not_compared"
#: The number of names that an error lists.
_SHOWN_NAMES = 5


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    What the caller requests, compared with what a job has.

    :param differences: the fields that differ, each with both values.
    :param not_compared: the fields that DRS does not return.
    """

    differences: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()


Compare = Callable[[JobDetails], Comparison]


def adopt(rule: Rule, job: JobDetails, compare: Compare | None, remedy: str = "") -> JobOutcome | DrsError:
    """
    Return the outcome of an adopted job, or a ``DrsJobStateError`` if it differs from what is requested.

    :param compare: compares the request with the job; ``None`` if there is nothing to compare.
    :param remedy: how to change a started job, for the error.
    """
    found = compare(job) if compare else Comparison()
    if not found.differences:
        details = {NOT_COMPARED: list(found.not_compared)} if found.not_compared else {}
        return JobOutcome(job.job_id, adopted=True, status=job.status, details=details)
    return make_error(
        f"{label_job(job.job_id, job.name)}: cannot be {rule.does} in status {describe_status(job.status)}: "
        f"{'; '.join(found.differences)}",
        operation=rule.operation,
        job_ids=(job.job_id,),
        error_class=DrsJobStateError,
        remedy=f"{remedy or 'Request the values that the job has, or create another job.'} ({rule.page})",
    )


def compare_fields(requested: Mapping[str, Any], actual: Mapping[str, Any], prefix: str = "") -> Comparison:
    """Compare the fields of a request that are set with those of a job's details."""
    differences: list[str] = []
    unknown: list[str] = []
    for name, value in requested.items():
        if value is None or value == "":
            continue
        current = actual.get(name)
        if current is None or current == "":
            unknown.append(f"{prefix}{name}")
        elif isinstance(value, Mapping) and isinstance(current, Mapping):
            nested = compare_fields(value, current, f"{prefix}{name}.")
            differences += nested.differences
            unknown += nested.not_compared
        elif _normalize(value) != _normalize(current):
            differences.append(describe_difference(f"{prefix}{name}", quote(value), quote(current)))
    return Comparison(tuple(differences), tuple(unknown))


def join(comparisons: Iterable[Comparison]) -> Comparison:
    """Return all differences, and all fields that were not compared."""
    found = list(comparisons)
    return Comparison(
        tuple(text for part in found for text in part.differences),
        tuple(name for part in found for name in part.not_compared),
    )


def compare_names(
    field: str, requested: Mapping[str, object], actual: Mapping[str, object] | None
) -> Comparison:
    """
    Compare a selection of names, each with its value.

    :param actual: what the job has; ``None`` if DRS does not return it.
    """
    if actual is None:
        return Comparison(not_compared=(field,))
    if requested == actual:
        return Comparison()
    added = [name for name in requested if name not in actual]
    removed = [name for name in actual if name not in requested]
    changed = [
        f"{name} ({quote(requested[name])} instead of {quote(actual[name])})"
        for name in requested
        if name in actual and requested[name] != actual[name]
    ]
    parts = {"only requested": added, "only in the job": removed, "changed": changed}
    text = ", ".join(f"{what}: {_list_names(names)}" for what, names in parts.items() if names)
    return Comparison((f"{field} ({text})",))


def describe_difference(field: str, requested: str, actual: str) -> str:
    """Return a field with both values."""
    return f"{field} is {actual} in the job, {requested} was requested"


def describe_instant(moment_ms: int) -> str:
    """Return epoch milliseconds as a UTC time."""
    return datetime.datetime.fromtimestamp(moment_ms / 1000, datetime.UTC).isoformat(timespec="seconds")


def _list_names(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _normalize(value: object) -> str:
    # DRS returns some flags and numbers as strings.
    return str(value).lower() if isinstance(value, bool) or str(value) in ("True", "False") else str(value)
