"""
What Airflow's metrics tell of DRS: calls, retries, how long waits take, and what pre-checks find.

Nothing here holds a job's id, neither in a name nor in a tag: what is told is a rate, not a story.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.providers.common.compat.sdk import Stats

from airflow_provider_drs.protocol.prechecks.checks import CHECKS
from airflow_provider_drs.protocol.prechecks.messages import ALARM_WORD, PASSED_WORD
from airflow_provider_drs.protocol.prechecks.verdict import Verdict

if TYPE_CHECKING:
    from airflow_provider_drs.protocol.prechecks.report import JobReport
    from airflow_provider_drs.transport.calls import Call

__all__ = ["METRICS", "Metric"]


class Metric(NamedTuple):
    """
    One metric.

    :param kind: ``counter`` or ``timer``.
    :param tags: what it can be split by, where Airflow's metrics have tags.
    """

    kind: str
    tags: tuple[str, ...]
    meaning: str


METRICS: dict[str, Metric] = {
    "drs.calls": Metric(
        "counter",
        ("operation", "outcome"),
        "Requests to IAM and DRS. The outcome is ``ok``, an HTTP status, or why there was no answer.",
    ),
    "drs.retries": Metric("counter", ("operation",), "Those of them that were sent once more."),
    "drs.call.duration": Metric("timer", ("operation",), "From a request to the end of its answer."),
    "drs.wait.duration": Metric(
        "timer", ("kind", "outcome"), "What a task has waited for its jobs: to the end, or in vain."
    ),
    "drs.precheck.duration": Metric("timer", (), "The same, of waits for the verdicts of pre-checks alone."),
    "drs.precheck.jobs": Metric("counter", ("verdict",), "Jobs whose pre-checks were judged."),
    "drs.precheck.failed_items": Metric(
        "counter", ("item",), "Check items that did not pass, and are no mere alarm."
    ),
    "drs.precheck.alarms": Metric("counter", ("item",), "Check items with an alarm, accepted or not."),
}

#: What a check item is called that this version does not know: what DRS says must not make new series.
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
        # Those of tasks are silent in the triggerer of Airflow 3, which has its own.
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
    Tell how long a task has waited.

    :param kind: of the watch: what was waited for.
    :param is_done: whether it came, for better or worse; else the time was up.
    """
    span = datetime.timedelta(seconds=seconds)
    outcome = "done" if is_done else "timed_out"
    Stats.timing("drs.wait.duration", span, tags={"kind": kind, "outcome": outcome})
    if kind == "precheck" and is_done:
        Stats.timing("drs.precheck.duration", span)


def count_prechecks(reports: Iterable[JobReport]) -> None:
    """Count what pre-checks have found."""
    for report in reports:
        if report.verdict is not Verdict.PENDING:
            Stats.incr("drs.precheck.jobs", tags={"verdict": report.verdict.value})
        for item in report.result.items if report.result else ():
            name = "drs.precheck.alarms" if item.result == ALARM_WORD else "drs.precheck.failed_items"
            if item.result != PASSED_WORD:
                Stats.incr(name, tags={"item": item.item if item.item in CHECKS else _OTHER})
