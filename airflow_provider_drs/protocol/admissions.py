"""The two steps of the gate: a pre-check that is seen to be a new one, and a start of what has passed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from airflow_provider_drs.protocol.batches import Answers, Limits
from airflow_provider_drs.protocol.batching import check_job_ids
from airflow_provider_drs.protocol.errors import DrsError
from airflow_provider_drs.protocol.operations import get_precheck_results, precheck_jobs, review_jobs
from airflow_provider_drs.protocol.outcomes import JobOutcome
from airflow_provider_drs.protocol.prechecks import (
    PRECHECK_MODES,
    AlarmPolicy,
    PrecheckResult,
    Submission,
    Verdict,
    check_precheck_mode,
    is_new_run,
)
from airflow_provider_drs.protocol.reports import unchecked_error
from airflow_provider_drs.protocol.rules import Standing
from airflow_provider_drs.protocol.watches import PrecheckWatch
from airflow_provider_drs.protocol.wire import Conversation, Pause

#: How long to look for the new run of a pre-check, in seconds.
SETTLE_S = 20.0
# The first pause between two looks at results that still are those of an earlier run; doubled from look to
# look.
_FIRST_PAUSE_S = 1.0


def begin_prechecks(
    limits: Limits,
    job_ids: Iterable[str],
    precheck_mode: str = "forStartJob",
    *,
    check_preconditions: bool = True,
    settle_time: float = SETTLE_S,
) -> Conversation[Answers[Submission]]:
    """
    Start new pre-checks, and see each begin, so that nobody takes the last verdict for this one.

    A pre-check that is running already is waited for instead of being started again; one that has ended is
    never taken over, since somebody may have mended the source since. DRS does not say which run a result
    belongs to; a new one shows by its progress, or by another answer than the one before.

    :param job_ids: any number of job ids; none at all is an error.
    :param precheck_mode: ``forStartJob``, or ``forRetryJob`` where the service knows it.
    :param check_preconditions: read what the jobs are, and refuse what the service would refuse. A backward
        job whose forward job is replicating needs no pre-check.
    :param settle_time: seconds after which to go on although DRS shows no new run; a repeated verdict looks
        like the last one.
    :raises DrsConfigError: an unknown mode; nothing was sent.

    Source: :drs:`public_api_management/performing_a_batch_pre-check`
    """
    checked = check_job_ids(job_ids)
    check_precheck_mode(precheck_mode)
    answers: Answers[Submission] = {}
    if check_preconditions:
        action = "precheck" if precheck_mode == PRECHECK_MODES[0] else "recheck"
        reviews = yield from review_jobs(limits, checked, action)
        for job_id, each in reviews.items():
            if isinstance(each, DrsError):
                answers[job_id] = each
            elif each.standing is Standing.NOT_NEEDED:
                answers[job_id] = Submission(job_id, "", needed=False)
    ready = [job_id for job_id in checked if job_id not in answers]
    if ready:
        answers |= yield from _submit(limits, ready, precheck_mode, settle_time)
    return {job_id: answers[job_id] for job_id in checked}


def _submit(
    limits: Limits, job_ids: Sequence[str], precheck_mode: str, settle_time: float
) -> Conversation[Answers[Submission]]:
    before = yield from get_precheck_results(limits, job_ids)
    answers: Answers[Submission] = {
        job_id: Submission(job_id, result.precheck_id, adopted=True)
        for job_id, result in before.items()
        if isinstance(result, PrecheckResult) and not result.is_complete
    }
    to_submit = [job_id for job_id in job_ids if job_id not in answers]
    if to_submit:
        answers |= yield from precheck_jobs(limits, to_submit, precheck_mode)
    new = {
        job_id: each for job_id, each in answers.items() if isinstance(each, Submission) and not each.adopted
    }
    hidden = yield from _settle(limits, tuple(new), before, settle_time)
    return answers | {job_id: replace(new[job_id], is_shown=False) for job_id in hidden}


def _settle(
    limits: Limits, job_ids: Sequence[str], before: Answers[PrecheckResult], settle_time: float
) -> Conversation[Sequence[str]]:
    """Read results until they are new ones, and return the jobs whose are not when the time is up."""
    left_s, pause_s = settle_time, _FIRST_PAUSE_S
    while job_ids:
        results = yield from get_precheck_results(limits, job_ids)
        job_ids = [job_id for job_id in job_ids if not is_new_run(results[job_id], before[job_id])]
        if not job_ids or left_s <= 0:
            break
        seen = yield Pause(min(pause_s, left_s))
        left_s, pause_s = left_s - (seen.now_s - seen.started_s), pause_s * 2
    return job_ids


def admit_starts(
    limits: Limits, job_ids: Iterable[str], alarms: AlarmPolicy | None
) -> Conversation[Answers[JobOutcome]]:
    """
    Say for which jobs there is nothing to start, or no leave to. The jobs that are left out may start.

    A job that has been started already is adopted. One whose status does not allow it, or whose pre-check has
    not passed as DRS says just now, has an error for its value.

    :param job_ids: any number of job ids; none at all is an error.
    :param alarms: what an ALARM item does, with the time set; ``None`` asks for no pre-check at all.

    Source: :drs:`public_api_management/starting_tasks_in_batches`
    """
    reviews = yield from review_jobs(limits, job_ids, "start")
    answers: Answers[JobOutcome] = {}
    for job_id, each in reviews.items():
        if isinstance(each, DrsError):
            answers[job_id] = each
        elif each.standing is Standing.DONE:
            answers[job_id] = JobOutcome(job_id, adopted=True, status=each.status)
    ready = [job_id for job_id in reviews if job_id not in answers]
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
