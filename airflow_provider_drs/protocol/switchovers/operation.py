"""Switching over, and seeing whether it is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from airflow_provider_drs.protocol.core.batches import Answers, Limits, read, write
from airflow_provider_drs.protocol.core.errors import EMPTY_RESULT_CODE, DrsError, DrsRequestError, make_error
from airflow_provider_drs.protocol.core.job_ids import check_job_ids
from airflow_provider_drs.protocol.core.wire import Conversation, Request
from airflow_provider_drs.protocol.jobs.actions import review_for
from airflow_provider_drs.protocol.jobs.preconditions import RULES
from airflow_provider_drs.protocol.switchovers.messages import (
    COMPLETE,
    STARTED,
    SwitchOver,
    build_switch_over,
    build_switch_over_status,
    check_mode,
    parse_switch_over,
    parse_switch_over_status,
)


def switch_over(
    limits: Limits, job_ids: Iterable[str], mode: str = "target", *, adopt_complete: bool = False
) -> Conversation[Answers[SwitchOver]]:
    """
    Switch the virtual IP addresses of synchronization jobs over; a switch-over that is running is adopted.

    One call a job, after one that asks where its last switch-over stands. A request whose outcome stays
    unknown is not sent again, since a second switch-over would undo the first.

    :param job_ids: any number of job ids, those of parents for jobs across zones; none at all is an error.
    :param mode: whose address: that of the ``source`` or the ``target``.
    :param adopt_complete: a switch-over that is complete counts as this one, e.g. when a task is tried again.
    :raises DrsConfigError: an unknown mode; nothing was sent.

    Source: :drs:`real-time_synchronization_management/performing_a_switchover`
    """
    check_mode(mode)
    details, refused = yield from review_for(limits, RULES["switch_over"], job_ids)
    answers: Answers[SwitchOver] = {
        job_id: answer for job_id, answer in refused.items() if isinstance(answer, DrsError)
    }
    for job_id in details:
        if job_id not in answers:
            answers[job_id] = yield from _switch(limits, job_id, mode, adopt_complete=adopt_complete)
    return {job_id: answers[job_id] for job_id in details}


def _switch(
    limits: Limits, job_id: str, mode: str, *, adopt_complete: bool
) -> Conversation[SwitchOver | DrsError]:
    before = (yield from get_switch_overs(limits, [job_id]))[job_id]
    if isinstance(before, SwitchOver):
        if before.status == STARTED or (before.status == COMPLETE and adopt_complete):
            return replace(before, adopted=True)
    elif before.error_code != EMPTY_RESULT_CODE:
        return before

    def settle(fresh: Answers[SwitchOver], asked: Sequence[str]) -> Conversation[Answers[SwitchOver]]:
        if fresh:
            return fresh
        now = (yield from get_switch_overs(limits, [job_id]))[job_id]
        if isinstance(now, SwitchOver) and now != before:
            return {job_id: now}
        if isinstance(before, SwitchOver):
            # It stands where it stood: either nothing arrived, or a whole switch-over has gone by.
            return {job_id: _unknown_outcome(job_id)}
        return {}

    def build(batch: Sequence[str]) -> Request:
        return build_switch_over(batch[0], mode)

    return (yield from write(limits, [job_id], build, parse_switch_over, settle, size=1))[job_id]


def _unknown_outcome(job_id: str) -> DrsError:
    return make_error(
        f"Nobody knows whether job {job_id} was switched over: the answer was lost",
        operation="SwitchVip",
        job_ids=(job_id,),
        error_class=DrsRequestError,
        remedy="Look at the virtual IP address before switching over again.",
    )


def get_switch_overs(limits: Limits, job_ids: Iterable[str]) -> Conversation[Answers[SwitchOver]]:
    """
    Read where the last switch-over of each job stands, one call a job.

    :param job_ids: any number of job ids; none at all is an error.

    Source: :drs:`real-time_synchronization_management/querying_the_switchover_result`
    """
    answers: Answers[SwitchOver] = {}
    for job_id in check_job_ids(job_ids):
        answers |= yield from read(
            limits, [job_id], lambda batch: build_switch_over_status(batch[0]), parse_switch_over_status
        )
    return answers
