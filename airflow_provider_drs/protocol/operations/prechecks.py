"""Starting pre-checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from airflow_provider_drs.protocol.batches import Answers, Limits, is_passing, write
from airflow_provider_drs.protocol.batching import check_job_ids
from airflow_provider_drs.protocol.errors import BUSY_CODE, DrsError
from airflow_provider_drs.protocol.operations.reads import get_precheck_results
from airflow_provider_drs.protocol.prechecks import (
    PrecheckResult,
    Submission,
    build_prechecks,
    check_precheck_mode,
    parse_prechecks,
)
from airflow_provider_drs.protocol.wire import Conversation


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
    settled = {job_id: answer for job_id, answer in fresh.items() if not is_passing(answer)}
    if busy:
        results = yield from get_precheck_results(limits, busy)
        for job_id, result in results.items():
            if isinstance(result, PrecheckResult) and not result.is_complete:
                settled[job_id] = Submission(job_id, result.precheck_id, adopted=True)
    return settled


def _is_busy(error: DrsError) -> bool:
    return error.error_code == BUSY_CODE
