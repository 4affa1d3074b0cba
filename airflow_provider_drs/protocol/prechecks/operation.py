"""Start pre-checks and read their results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from airflow_provider_drs.protocol.core.batches import Answers, Limits, is_transient, read, write
from airflow_provider_drs.protocol.core.errors import BUSY_CODE, DrsError
from airflow_provider_drs.protocol.core.job_ids import check_job_ids
from airflow_provider_drs.protocol.core.wire import Conversation, Pause
from airflow_provider_drs.protocol.jobs.preconditions import Readiness
from airflow_provider_drs.protocol.jobs.review import review_jobs
from airflow_provider_drs.protocol.prechecks.messages import (
    PRECHECK_MODES,
    PrecheckResult,
    Submission,
    build_precheck_results,
    build_prechecks,
    check_precheck_mode,
    is_new_run,
    parse_precheck_results,
    parse_prechecks,
)


def precheck_jobs(
    limits: Limits, job_ids: Iterable[str], precheck_mode: str = "forStartJob"
) -> Conversation[Answers[Submission]]:
    """
    Start the pre-checks of jobs; one that is running already is adopted.

    Never returns less than it did: once a batch was sent, what goes wrong stands at the jobs concerned. Which
    jobs can be pre-checked at all, :meth:`review_jobs` tells.

    :param job_ids: any number of job ids; none at all is an error.
    :param precheck_mode: ``forStartJob``, or ``forRetryJob`` where the service knows it.
    :raises DrsConfigError: an unknown mode; nothing was sent.

    Source: :drs:`public_api_management/performing_a_batch_pre-check`
    """
    build = partial(build_prechecks, precheck_mode=check_precheck_mode(precheck_mode))
    settle = partial(_adopt_running, limits)
    answers = yield from write(limits, check_job_ids(job_ids), build, parse_prechecks, settle)
    for job_id, answer in answers.items():
        if isinstance(answer, Submission):
            limits.precheck_ids[job_id] = answer.precheck_id
    return answers


def _adopt_running(
    limits: Limits, fresh: Answers[Submission], asked: Sequence[str]
) -> Conversation[Answers[Submission]]:
    """Adopt the pre-check of a busy job if that is what keeps it busy."""
    busy = [job_id for job_id, each in fresh.items() if isinstance(each, DrsError) and _is_busy(each)]
    settled = {job_id: answer for job_id, answer in fresh.items() if not is_transient(answer)}
    if busy:
        results = yield from get_precheck_results(limits, busy)
        for job_id, result in results.items():
            if isinstance(result, PrecheckResult) and not result.is_complete:
                settled[job_id] = Submission(job_id, result.precheck_id, adopted=True)
    return settled


def _is_busy(error: DrsError) -> bool:
    return error.error_code == BUSY_CODE


def get_precheck_results(limits: Limits, job_ids: Iterable[str]) -> Conversation[Answers[PrecheckResult]]:
    """
    Read how far the pre-checks of jobs are, and what they have found.

    The service's answer does not say which run it belongs to: right after a new pre-check was started it can
    still be that of the one before.

    :param job_ids: any number of job ids; none at all is an error.

    Source: :drs:`public_api_management/querying_pre-check_results_in_batches`
    """
    parse = partial(parse_precheck_results, precheck_ids=limits.precheck_ids)
    checked = check_job_ids(job_ids)
    answers = yield from read(limits, checked, build_precheck_results, parse, read_alone=True)
    for job_id, answer in answers.items():
        if isinstance(answer, PrecheckResult):
            limits.precheck_ids[job_id] = answer.precheck_id
    return answers


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
            elif each.readiness is Readiness.NOT_NEEDED:
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
