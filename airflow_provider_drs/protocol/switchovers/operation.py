"""Switch virtual IP addresses over, and read the status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from airflow_provider_drs.protocol.core.batches import Answers, Limits, read, write
from airflow_provider_drs.protocol.core.errors import (
    EMPTY_RESULT_CODE,
    DrsError,
    DrsRequestError,
    check_choice,
    make_error,
)
from airflow_provider_drs.protocol.core.job_ids import check_job_ids
from airflow_provider_drs.protocol.core.wire import Conversation, Request
from airflow_provider_drs.protocol.jobs.actions import review_for
from airflow_provider_drs.protocol.jobs.preconditions import RULES
from airflow_provider_drs.protocol.switchovers.messages import (
    COMPLETE,
    MODES,
    STARTED,
    SwitchOver,
    build_switch_over,
    build_switch_over_status,
    parse_switch_over,
    parse_switch_over_status,
)


def switch_over(
    limits: Limits, job_ids: Iterable[str], mode: str = "target", *, adopt_complete: bool = False
) -> Conversation[Answers[SwitchOver]]:
    """
    Switch the virtual IP addresses of synchronization jobs over.

    Sends one call per job, after reading the job's latest switchover. A switchover that is in progress is
    adopted: it is used instead of a new one. A request whose outcome is unknown is not sent again, because a
    second switchover would undo the first.

    :param job_ids: one or more job IDs; for jobs across zones those of the parent jobs.
    :param mode: whose address to switch: ``source`` or ``target``.
    :param adopt_complete: also adopt a complete switchover, for example when a task is retried.
    :raises DrsConfigError: mode is invalid; nothing was sent.

    Source: :drs:`real-time_synchronization_management/performing_a_switchover`
    """
    check_choice("mode", mode, MODES)
    details, refused = yield from review_for(limits, RULES["switch_over"], job_ids)
    answers: Answers[SwitchOver] = {}
    for job_id in details:
        error = refused.get(job_id)
        switching = _switch(limits, job_id, mode, adopt_complete=adopt_complete)
        answers[job_id] = error if isinstance(error, DrsError) else (yield from switching)
    return answers


def _switch(
    limits: Limits, job_id: str, mode: str, *, adopt_complete: bool
) -> Conversation[SwitchOver | DrsError]:
    before = (yield from get_switch_overs(limits, [job_id]))[job_id]
    if isinstance(before, SwitchOver):
        if before.status == STARTED or (before.status == COMPLETE and adopt_complete):
            return replace(before, adopted=True)
    elif before.error_code != EMPTY_RESULT_CODE:
        return before

    def settle(fresh: Answers[SwitchOver], requested: Sequence[str]) -> Conversation[Answers[SwitchOver]]:
        if fresh:
            return fresh
        after = (yield from get_switch_overs(limits, [job_id]))[job_id]
        if isinstance(after, SwitchOver) and after != before:
            return {job_id: after}
        if isinstance(before, DrsError):
            return {}
        # The request was lost, or a whole switchover has been completed since.
        error = make_error(
            f"{job_id}: the outcome of the switchover is unknown, because the response was lost",
            operation="SwitchVip",
            job_ids=(job_id,),
            error_class=DrsRequestError,
            remedy="Check the virtual IP address before switching over again.",
        )
        return {job_id: error}

    def build(batch: Sequence[str]) -> Request:
        return build_switch_over(batch[0], mode)

    return (yield from write(limits, [job_id], build, parse_switch_over, settle, size=1))[job_id]


def get_switch_overs(limits: Limits, job_ids: Iterable[str]) -> Conversation[Answers[SwitchOver]]:
    """
    Read the status of each job's latest switchover, with one call per job.

    :param job_ids: one or more job IDs.

    Source: :drs:`real-time_synchronization_management/querying_the_switchover_result`
    """
    answers: Answers[SwitchOver] = {}
    for job_id in check_job_ids(job_ids):
        answers |= yield from read(
            limits, [job_id], lambda batch: build_switch_over_status(batch[0]), parse_switch_over_status
        )
    return answers
