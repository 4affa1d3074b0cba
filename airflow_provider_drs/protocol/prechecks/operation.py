"""Start pre-checks and read their results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from msgspec.structs import replace

from airflow_provider_drs.protocol.core.batches import Answers, Limits, is_transient, read, write
from airflow_provider_drs.protocol.core.errors import BUSY_CODE, DrsError, check_choice, has_code
from airflow_provider_drs.protocol.core.job_ids import check_job_ids
from airflow_provider_drs.protocol.core.wire import Conversation, Pause
from airflow_provider_drs.protocol.jobs.operation import get_job_details
from airflow_provider_drs.protocol.jobs.preconditions import Readiness, find_rule
from airflow_provider_drs.protocol.jobs.review import review_details
from airflow_provider_drs.protocol.jobs.states import describe_status
from airflow_provider_drs.protocol.prechecks.messages import (
    PRECHECK_MODES,
    PrecheckResult,
    Submission,
    build_precheck_results,
    build_prechecks,
    is_new_run,
    parse_precheck_results,
    parse_prechecks,
)
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict, judge

#: Which jobs to check again: all, or those that have not passed.
RECHECKS = ("all", "failed")
#: Default for how long to wait until DRS returns the new pre-check, in seconds.
SETTLE_S = 20.0

# The first pause while DRS still returns an earlier pre-check; it doubles with each read.
_FIRST_PAUSE_S = 1.0


#: Why a job is not pre-checked again.
_PASSED_BEFORE = "its latest pre-check has passed; what was changed since then is not checked"


def precheck_jobs(
    limits: Limits, job_ids: Iterable[str], precheck_mode: str = "forStartJob"
) -> Conversation[Answers[Submission]]:
    """
    Start the pre-checks of jobs.

    A pre-check that is already running is adopted: it is used instead of a new one. Once a batch was sent,
    errors are returned for the jobs concerned instead of being raised. Call :meth:`review_jobs` first to find
    out which jobs can be pre-checked.

    :param job_ids: one or more job IDs.
    :param precheck_mode: ``forStartJob``, or ``forRetryJob`` in clouds that support it.
    :raises DrsConfigError: precheck_mode is invalid; nothing was sent.

    Source: :drs:`public_api_management/performing_a_batch_pre-check`
    """
    check_choice("precheck_mode", precheck_mode, PRECHECK_MODES)
    build = partial(build_prechecks, precheck_mode=precheck_mode)
    settle = partial(_adopt_running, limits)
    answers = yield from write(limits, check_job_ids(job_ids), build, parse_prechecks, settle)
    store_precheck_ids(limits, answers)
    return answers


def _adopt_running(
    limits: Limits, fresh: Answers[Submission], requested: Sequence[str]
) -> Conversation[Answers[Submission]]:
    """Adopt the pre-checks of busy jobs if these are busy with a pre-check."""
    busy = [job_id for job_id, answer in fresh.items() if has_code(answer, BUSY_CODE)]
    settled = {job_id: answer for job_id, answer in fresh.items() if not is_transient(answer)}
    return settled | _adopt((yield from get_precheck_results(limits, busy))) if busy else settled


def _adopt(results: Answers[PrecheckResult]) -> Answers[Submission]:
    """Return the running pre-checks among results, as adopted ones."""
    return {
        job_id: Submission(job_id, result.precheck_id, adopted=True)
        for job_id, result in results.items()
        if isinstance(result, PrecheckResult) and not result.is_complete
    }


def get_precheck_results(limits: Limits, job_ids: Iterable[str]) -> Conversation[Answers[PrecheckResult]]:
    """
    Read the progress of pre-checks, and their results once they have finished.

    DRS does not return which run a result belongs to. Immediately after a pre-check was started, the result
    can still be that of the previous one.

    :param job_ids: one or more job IDs.

    Source: :drs:`public_api_management/querying_pre-check_results_in_batches`
    """
    parse = partial(parse_precheck_results, precheck_ids=limits.precheck_ids)
    answers = yield from read(limits, check_job_ids(job_ids), build_precheck_results, parse, read_alone=True)
    store_precheck_ids(limits, answers)
    return answers


def store_precheck_ids(limits: Limits, answers: Answers[Submission] | Answers[PrecheckResult]) -> None:
    """Store the IDs of pre-checks, by which their results are recognized."""
    for job_id, answer in answers.items():
        if not isinstance(answer, DrsError):
            limits.precheck_ids[job_id] = answer.precheck_id


def begin_prechecks(
    limits: Limits,
    job_ids: Iterable[str],
    precheck_mode: str = "forStartJob",
    *,
    check_preconditions: bool = True,
    if_started: str = "adopt",
    recheck: str = "all",
    alarms: AlarmPolicy | None = None,
    settle_time: float = SETTLE_S,
) -> Conversation[Answers[Submission]]:
    """
    Start new pre-checks, and wait until DRS returns them instead of the previous ones.

    A pre-check that is already running is adopted: it is used instead of a new one. A finished pre-check is
    never adopted, because the databases may have changed since. DRS does not return which run a result
    belongs to; a new run is recognized by its progress, or by a result that differs from the previous one.

    :param job_ids: one or more job IDs.
    :param precheck_mode: ``forStartJob``, or ``forRetryJob`` in clouds that support it.
    :param check_preconditions: read the jobs' details, and reject jobs that DRS would reject. A backward job
        whose forward job is replicating needs no pre-check.
    :param if_started: ``adopt`` needs no pre-check for jobs that were started before; ``fail`` refuses
        them.
    :param recheck: ``all`` checks all jobs; ``failed`` only those whose latest pre-check has not passed, as
        DRS reports it now.
    :param alarms: which alarms *recheck* accepts; ``None`` for all.
    :param settle_time: maximum seconds to wait until DRS returns the new pre-check. A new result that equals
        the previous one is not recognized as new, so the wait takes this long.
    :return: by job ID, the submission or an error. ``is_shown`` is ``False`` if DRS still returned the
        previous pre-check after ``settle_time``, or could not be read.
    :raises DrsConfigError: precheck_mode is invalid; nothing was sent.

    Source: :drs:`public_api_management/performing_a_batch_pre-check`
    """
    checked = check_job_ids(job_ids)
    check_choice("precheck_mode", precheck_mode, PRECHECK_MODES)
    check_choice("recheck", recheck, RECHECKS)
    passed_by = (alarms or AlarmPolicy()) if recheck == "failed" else None
    answers: Answers[Submission] = {}
    if check_preconditions:
        action = "precheck" if precheck_mode == PRECHECK_MODES[0] else "recheck"
        details = yield from get_job_details(limits, checked)
        reviews = yield from review_details(limits, find_rule(action, if_started), details)
        for job_id, review in reviews.items():
            if isinstance(review, DrsError):
                answers[job_id] = review
            elif review.readiness is not Readiness.READY:
                is_backward = review.readiness is Readiness.NOT_NEEDED
                reason = "its forward job is replicating" if is_backward else describe_status(review.status)
                answers[job_id] = Submission(job_id, "", needed=False, reason=reason)
    ready = [job_id for job_id in checked if job_id not in answers]
    if ready:
        answers |= yield from _submit(limits, ready, precheck_mode, settle_time, passed_by)
    return {job_id: answers[job_id] for job_id in checked}


def _submit(
    limits: Limits,
    job_ids: Sequence[str],
    precheck_mode: str,
    settle_time: float,
    passed_by: AlarmPolicy | None,
) -> Conversation[Answers[Submission]]:
    before = yield from get_precheck_results(limits, job_ids)
    answers = _adopt(before)
    if passed_by is not None:
        answers |= {
            job_id: Submission(job_id, result.precheck_id, needed=False, reason=_PASSED_BEFORE)
            for job_id, result in before.items()
            if isinstance(result, PrecheckResult) and judge(result, passed_by) is Verdict.PASSED
        }
    to_submit = [job_id for job_id in job_ids if job_id not in answers]
    if to_submit:
        answers |= yield from precheck_jobs(limits, to_submit, precheck_mode)
    started = {
        job_id: answer
        for job_id, answer in answers.items()
        if isinstance(answer, Submission) and answer.needed and not answer.adopted
    }
    hidden = yield from _settle(limits, tuple(started), before, settle_time)
    return answers | {job_id: replace(started[job_id], is_shown=False) for job_id in hidden}


def _settle(
    limits: Limits, job_ids: Sequence[str], before: Answers[PrecheckResult], settle_time: float
) -> Conversation[Sequence[str]]:
    """Poll until DRS returns the new results, and return the jobs whose result is still the previous one."""
    left_s, pause_s = settle_time, _FIRST_PAUSE_S
    while job_ids:
        try:
            results = yield from get_precheck_results(limits, job_ids)
        except DrsError as error:
            if not error.is_transient:
                raise
            # DRS works on the pre-checks that it has accepted: a wait for them can continue.
            break
        job_ids = [job_id for job_id in job_ids if not is_new_run(results[job_id], before[job_id])]
        if not job_ids or left_s <= 0:
            break
        observation = yield Pause(min(pause_s, left_s))
        left_s, pause_s = left_s - (observation.now_s - observation.started_s), pause_s * 2
    return job_ids
