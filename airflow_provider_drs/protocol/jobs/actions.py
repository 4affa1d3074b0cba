"""How an action is performed for jobs: review, send, and read the state if the outcome is not known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow_provider_drs.protocol.core.batches import (
    Answers,
    Limits,
    Parse,
    Settle,
    is_transient,
    write,
)
from airflow_provider_drs.protocol.core.errors import (
    WRONG_STATE_CODE,
    DrsError,
    DrsJobNotFoundError,
    DrsJobStateError,
    has_code,
    make_error,
)
from airflow_provider_drs.protocol.core.job_ids import check_job_ids
from airflow_provider_drs.protocol.core.operations import OPERATIONS, build
from airflow_provider_drs.protocol.core.wire import Conversation, Request
from airflow_provider_drs.protocol.jobs.adoption import Compare, Comparison, adopt
from airflow_provider_drs.protocol.jobs.messages import JobDetails, JobStatus
from airflow_provider_drs.protocol.jobs.operation import get_job_details, get_job_statuses
from airflow_provider_drs.protocol.jobs.outcome import GONE, JobOutcome, parse_outcomes
from airflow_provider_drs.protocol.jobs.preconditions import Readiness, Rule, find_rule, is_done
from airflow_provider_drs.protocol.jobs.review import review_details
from airflow_provider_drs.protocol.jobs.states import describe_status

#: The fields of a job's row in the request in addition to its ID; they may depend on the job's details.
Row = Callable[[JobDetails], Mapping[str, Any]]
#: Actions that are complete if the job does not exist.
_GONE_IS_DONE = frozenset({"stop", "delete"})


def act(
    limits: Limits,
    action: str,
    job_ids: Iterable[str],
    *rows: Row,
    list_key: str = "jobs",
    id_key: str = "job_id",
    check: bool = True,
    if_started: str = "adopt",
    compare: Compare | None = None,
    remedy: str = "",
    parse: Parse[JobOutcome] = parse_outcomes,
) -> Conversation[Answers[JobOutcome]]:
    """
    Perform an action for jobs, with one row per job in the requests.

    A job for which it was performed before, as its status shows, is adopted if it has what is requested. A
    job that differs, or does not allow the action, has the error as its value, and is not in any request;
    other jobs are not affected.

    :param action: the precondition rule of the action.
    :param rows: the rows of a job. Several rows are sent in several rounds, because a request can contain a
        job once; a rejected job is not in the next round.
    :param check: read and review the jobs first; otherwise DRS decides.
    :param if_started: see :func:`~airflow_provider_drs.protocol.jobs.preconditions.find_rule`.
    :param compare: compares what is requested with an adopted job.
    :param remedy: how to change a job that was adopted if it differed, for the error.
    """
    rule = find_rule(action, if_started)
    details, answers = yield from review_for(
        limits, rule, job_ids, check=check, compare=compare, remedy=remedy
    )
    pending = [job_id for job_id in details if job_id not in answers]
    # Build all rows first: an invalid argument is reported before anything is sent.
    rounds = [{job_id: {id_key: job_id, **row(details[job_id])} for job_id in pending} for row in rows]
    for round_ in rounds:

        def build_rows(batch: Sequence[str], rows: Mapping[str, Any] = round_) -> Request:
            return build(rule.operation, {list_key: [rows[job_id] for job_id in batch]}, batch)

        if pending:
            settle = settle_by_state(limits, rule, details, compare, remedy)
            answers |= yield from write(limits, pending, build_rows, parse, settle)
            pending = [job_id for job_id in pending if not isinstance(answers[job_id], DrsError)]
    return {job_id: answers[job_id] for job_id in details}


def review_for(
    limits: Limits,
    rule: Rule,
    job_ids: Iterable[str],
    *,
    check: bool = True,
    compare: Compare | None = None,
    remedy: str = "",
) -> Conversation[tuple[dict[str, JobDetails], Answers[JobOutcome]]]:
    """
    Return the details of the jobs in the order given, and the results of those for which nothing is sent.
    """
    checked = check_job_ids(job_ids)
    if not check:
        return {job_id: _unread(job_id) for job_id in checked}, {}
    details = yield from get_job_details(limits, checked)
    reviews = yield from review_details(limits, rule, details)
    jobs: dict[str, JobDetails] = {}
    answers: Answers[JobOutcome] = {}
    for job_id, found in reviews.items():
        job = details[job_id]
        jobs[job_id] = job if isinstance(job, JobDetails) else _unread(job_id)
        if isinstance(found, DrsError):
            answers[job_id] = _adopt_gone(rule, job_id, found)
        elif found.readiness is not Readiness.READY:
            answers[job_id] = adopt(rule, jobs[job_id], compare, remedy)
    return jobs, answers


def _unread(job_id: str) -> JobDetails:
    return JobDetails(job_id, "", "", None, None, None, None, False, {})


def _adopt_gone(rule: Rule, job_id: str, error: DrsError) -> JobOutcome | DrsError:
    if rule.name in _GONE_IS_DONE and isinstance(error, DrsJobNotFoundError):
        return JobOutcome(job_id, adopted=True, status=GONE)
    return error


def settle_by_state(
    limits: Limits, rule: Rule, details: Mapping[str, JobDetails], compare: Compare | None, remedy: str
) -> Settle[JobOutcome]:
    """
    Return the function that reads the states of jobs whose outcome is not known, or that were rejected
    because of their status.
    """
    is_repeatable = OPERATIONS[rule.operation].repeatable

    def settle(fresh: Answers[JobOutcome], asked: Sequence[str]) -> Conversation[Answers[JobOutcome]]:
        settled = {
            job_id: _adopt_gone(rule, job_id, answer) if isinstance(answer, DrsError) else answer
            for job_id, answer in fresh.items()
            if not is_transient(answer)
        }
        doubtful = [
            job_id
            for job_id in asked
            if has_code(settled.get(job_id), WRONG_STATE_CODE)
            or (job_id not in settled and not is_repeatable)
        ]
        lost = set(doubtful).difference(settled)
        if doubtful:
            statuses = yield from get_job_statuses(limits, doubtful)
            for job_id, status in statuses.items():
                found = _settle_one(rule, details[job_id], status, is_refused=job_id in settled)
                settled |= {job_id: found} if found else {}
            to_compare = _find_uncertain(settled, doubtful, compare) if compare else []
            if compare and to_compare:
                current = yield from get_job_details(limits, to_compare)
                settled |= {
                    job_id: adopt(rule, job, compare, remedy) if isinstance(job, JobDetails) else job
                    for job_id, job in current.items()
                }
        return {
            job_id: replace(answer, in_doubt=True)
            if job_id in lost and isinstance(answer, JobOutcome)
            else answer
            for job_id, answer in settled.items()
        }

    return settle


def _find_uncertain(settled: Answers[JobOutcome], job_ids: Iterable[str], compare: Compare) -> list[str]:
    """Return the jobs adopted by their status that may differ from what is requested."""
    return [
        job_id
        for job_id in job_ids
        if isinstance(answer := settled.get(job_id), JobOutcome)
        and answer.adopted
        and answer.status != GONE
        # A start without a time, for example, can be compared with the status alone.
        and compare(replace(_unread(job_id), status=answer.status or "")) != Comparison()
    ]


def _settle_one(
    rule: Rule, job: JobDetails, status: JobStatus | DrsError, *, is_refused: bool
) -> JobOutcome | DrsError | None:
    """Return the result that a job's status shows, or ``None`` if the action must be sent again."""
    if isinstance(status, JobStatus):
        if is_done(rule, job, status.status):
            return JobOutcome(job.job_id, adopted=True, status=status.status)
        return _wrong_state_error(rule, status) if is_refused else None
    answer = _adopt_gone(rule, job.job_id, status)
    return None if isinstance(answer, DrsError) and is_transient(answer) else answer


def _wrong_state_error(rule: Rule, status: JobStatus) -> DrsError:
    return make_error(
        f"{status.job_id}: DRS rejected the action in status {describe_status(status.status)}",
        operation=rule.operation,
        error_code=WRONG_STATE_CODE,
        job_ids=(status.job_id,),
        error_class=DrsJobStateError,
    )
