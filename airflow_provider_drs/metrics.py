"""
Metrics: calls, retries, durations of waits, and results of pre-checks.

No metric contains a job ID, neither in its name nor in its tags.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_drs.compat import Stats
from airflow_provider_drs.protocol.prechecks.checks import CHECKS
from airflow_provider_drs.protocol.prechecks.messages import ALARM_WORD, PASSED_WORD
from airflow_provider_drs.protocol.prechecks.verdict import Verdict

if TYPE_CHECKING:
    from airflow_provider_drs.protocol.prechecks.report import JobReport
    from airflow_provider_drs.transport.client import Call

__all__ = ["METRICS", "Metric"]


class Metric(NamedTuple):
    """
    One metric.

    :param kind: ``counter`` or ``timer``.
    :param tags: its tags, where Airflow's metrics support them.
    """

    kind: str
    tags: tuple[str, ...]
    meaning: str


METRICS: dict[str, Metric] = {
    "drs.calls": Metric(
        "counter",
        ("operation", "outcome"),
        "Requests to IAM and DRS, including retries. The outcome is ``ok``, an HTTP "
        "status, or the reason for a missing response.",
    ),
    "drs.retries": Metric("counter", ("operation",), "Retried requests."),
    "drs.call.duration": Metric("timer", ("operation",), "From a request to the end of its response."),
    "drs.wait.duration": Metric(
        "timer",
        ("kind", "outcome"),
        "How long a task waited for its jobs, by outcome ``done`` or ``timed_out``.",
    ),
    "drs.precheck.duration": Metric("timer", (), "How long a task waited for the verdicts of pre-checks."),
    "drs.precheck.jobs": Metric("counter", ("verdict",), "Jobs with a verdict."),
    "drs.precheck.failed_items": Metric("counter", ("item",), "Failed check items."),
    "drs.precheck.alarms": Metric("counter", ("item",), "Check items with an alarm, accepted or not."),
}

#: The tag of unknown check items: responses of DRS must not create new time series.
_OTHER = "other"


def count_call(call: Call) -> None:
    """Count a call of a task."""
    _count_call(Stats, call)


def count_call_of_triggerer(call: Call) -> None:
    """Count a call of the triggerer."""
    _count_call(_find_triggerer_stats(), call)


@functools.cache
def _find_triggerer_stats() -> Any:
    try:
        # In the triggerer of Airflow 3 the Stats of tasks are disabled; it has its own.
        from airflow.observability.stats import Stats as own
    except ImportError:
        return Stats
    return own


def _count_call(stats: Any, call: Call) -> None:
    tags = {"operation": call.operation}
    stats.incr("drs.calls", tags=tags | {"outcome": call.outcome})
    if call.is_retry:
        stats.incr("drs.retries", tags=tags)
    stats.timing("drs.call.duration", datetime.timedelta(seconds=call.seconds), tags=tags)


def time_wait(kind: str, seconds: float, *, is_done: bool) -> None:
    """
    Record the duration of a wait.

    :param kind: of the watch.
    :param is_done: whether the wait ended before its deadline.
    """
    span = datetime.timedelta(seconds=seconds)
    outcome = "done" if is_done else "timed_out"
    Stats.timing("drs.wait.duration", span, tags={"kind": kind, "outcome": outcome})
    if kind == "precheck" and is_done:
        Stats.timing("drs.precheck.duration", span)


def count_prechecks(reports: Iterable[JobReport]) -> None:
    """Count the results of pre-checks."""
    for report in reports:
        if report.verdict is not Verdict.PENDING:
            Stats.incr("drs.precheck.jobs", tags={"verdict": report.verdict.value})
        for item in report.result.items if report.result else ():
            name = "drs.precheck.alarms" if item.result == ALARM_WORD else "drs.precheck.failed_items"
            if item.result != PASSED_WORD:
                Stats.incr(name, tags={"item": item.item if item.item in CHECKS else _OTHER})
