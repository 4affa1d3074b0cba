"""The preconditions of a start: the job's status allows it, and its pre-check has passed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_provider_drs.protocol.core.batches import Answers, Limits
from airflow_provider_drs.protocol.core.errors import DrsError
from airflow_provider_drs.protocol.core.wire import Conversation
from airflow_provider_drs.protocol.jobs.actions import review_for
from airflow_provider_drs.protocol.jobs.outcome import JobOutcome
from airflow_provider_drs.protocol.jobs.preconditions import RULES
from airflow_provider_drs.protocol.lifecycle.operation import START_REMEDY, compare_start
from airflow_provider_drs.protocol.prechecks.report import unchecked_error
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict
from airflow_provider_drs.protocol.prechecks.watch import PrecheckWatch


def admit_starts(
    limits: Limits, job_ids: Iterable[str], alarms: AlarmPolicy | None, start_time_ms: int | None = None
) -> Conversation[Answers[JobOutcome]]:
    """
    Return the jobs that must not be started: those that were started before, and those whose start is
    refused.

    A job that was started before is adopted, unless it is scheduled for another time or was started before
    the requested time. Such a job, and one whose status does not allow the start or whose pre-check has not
    passed, has an error as its value. The other jobs can be started.

    :param job_ids: any number of job IDs, at least one.
    :param alarms: which alarms are accepted, with the time set; ``None`` requires no pre-check.
    :param start_time_ms: the requested start time in epoch milliseconds; ``None`` for now.

    Source: :drs:`public_api_management/starting_tasks_in_batches`
    """
    compare = compare_start(start_time_ms)
    details, answers = yield from review_for(
        limits, RULES["start"], job_ids, compare=compare, remedy=START_REMEDY
    )
    ready = [job_id for job_id in details if job_id not in answers]
    if ready and alarms is not None:
        answers |= yield from _refuse_unchecked(limits, ready, alarms)
    return answers


def _refuse_unchecked(
    limits: Limits, job_ids: Sequence[str], alarms: AlarmPolicy
) -> Conversation[dict[str, DrsError]]:
    watch = PrecheckWatch(job_ids, alarms)
    yield from watch.poll(limits)
    return {
        report.job_id: unchecked_error(report, alarms)
        for report in watch.reports
        if report.verdict is not Verdict.PASSED
    }
