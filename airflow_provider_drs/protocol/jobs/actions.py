"""How an action is done for jobs: review, send, and where the outcome is not sure, look before sending on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_drs.protocol.core.batches import (
    Answers,
    Build,
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
    make_error,
)
from airflow_provider_drs.protocol.core.job_ids import check_job_ids
from airflow_provider_drs.protocol.core.operations import OPERATIONS, build
from airflow_provider_drs.protocol.core.wire import Conversation, Request
from airflow_provider_drs.protocol.jobs.messages import JobDetails, JobStatus
from airflow_provider_drs.protocol.jobs.operation import get_job_details, get_job_statuses
from airflow_provider_drs.protocol.jobs.outcome import GONE, JobOutcome, parse_outcomes
from airflow_provider_drs.protocol.jobs.preconditions import RULES, Readiness, Rule
from airflow_provider_drs.protocol.jobs.review import review_details
from airflow_provider_drs.protocol.jobs.states import describe_status

#: What a job's row of the request has beside the job's id; it may depend on what the job is.
Row = Callable[[JobDetails], Mapping[str, Any]]
#: Actions that are done when there is no such job any more.
_GONE_IS_DONE = frozenset({"stop", "delete"})


def act(
    limits: Limits,
    action: str,
    job_ids: Iterable[str],
    *rows: Row,
    list_key: str = "jobs",
    id_key: str = "job_id",
    check: bool = True,
    parse: Parse[JobOutcome] = parse_outcomes,
) -> Conversation[Answers[JobOutcome]]:
    """
    Do an action for jobs, with one row for each in the requests.

    A job for which it was done before, as its status shows, is adopted. One for which it cannot be done has
    the reason as its value, and is not in any request; neither holds back the others.

    :param action: the row of the table of rules.
    :param rows: what goes into a job's row. Several are as many rounds of requests, since a request can name
        a job once; a job that is refused is not in the next round.
    :param check: read what the jobs are and review them; else everything is left to the service.
    """
    rule = RULES[action]
    details, answers = yield from review_for(limits, rule, job_ids, check=check)
    pending = [job_id for job_id in details if job_id not in answers]
    # All of them first: what is wrong with an argument is told before anything is sent.
    rounds = [{job_id: {id_key: job_id, **row(details[job_id])} for job_id in pending} for row in rows]
    for round_ in rounds:

        def build_rows(batch: Sequence[str], rows: Mapping[str, Any] = round_) -> Request:
            return build(rule.operation, {list_key: [rows[job_id] for job_id in batch]}, batch)

        if pending:
            answers |= yield from send(limits, rule, pending, build_rows, parse)
            pending = [job_id for job_id in pending if not isinstance(answers[job_id], DrsError)]
    return {job_id: answers[job_id] for job_id in details}


def send(
    limits: Limits, rule: Rule, job_ids: Sequence[str], build_request: Build, parse: Parse[JobOutcome]
) -> Conversation[Answers[JobOutcome]]:
    """Send what was reviewed, in batches."""
    return (yield from write(limits, job_ids, build_request, parse, settle_by_state(limits, rule)))


def review_for(
    limits: Limits, rule: Rule, job_ids: Iterable[str], *, check: bool = True
) -> Conversation[tuple[dict[str, JobDetails], Answers[JobOutcome]]]:
    """
    Return what the jobs are, all in the order asked, and those that need nothing sent, each with its answer.
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
            answers[job_id] = JobOutcome(job_id, adopted=True, status=found.status)
    return jobs, answers


def _unread(job_id: str) -> JobDetails:
    return JobDetails(job_id, "", "", None, None, None, None, False, {})


def _adopt_gone(rule: Rule, job_id: str, error: DrsError) -> JobOutcome | DrsError:
    if rule.name in _GONE_IS_DONE and isinstance(error, DrsJobNotFoundError):
        return JobOutcome(job_id, adopted=True, status=GONE)
    return error


def settle_by_state(limits: Limits, rule: Rule) -> Settle[JobOutcome]:
    """
    Return what reads the state of each job of which it is not sure that it was acted on, or that was refused
    for its state.
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
            if _is_wrong_state(settled.get(job_id)) or (job_id not in settled and not is_repeatable)
        ]
        if doubtful:
            statuses = yield from get_job_statuses(limits, doubtful)
            for job_id, status in statuses.items():
                found = _settle_one(rule, job_id, status, is_refused=job_id in settled)
                settled |= {job_id: found} if found else {}
        return settled

    return settle


def _settle_one(
    rule: Rule, job_id: str, status: JobStatus | DrsError, *, is_refused: bool
) -> JobOutcome | DrsError | None:
    """Return what a job's status says of an action, or ``None`` if it is to be sent again."""
    if isinstance(status, JobStatus):
        if status.status in rule.done:
            return JobOutcome(job_id, adopted=True, status=status.status)
        return _wrong_state_error(rule, status) if is_refused else None
    answer = _adopt_gone(rule, job_id, status)
    return None if isinstance(answer, DrsError) and is_transient(answer) else answer


def _is_wrong_state(answer: object) -> bool:
    return isinstance(answer, DrsError) and answer.error_code == WRONG_STATE_CODE


def _wrong_state_error(rule: Rule, status: JobStatus) -> DrsError:
    return make_error(
        f"DRS refuses job {status.job_id} because of its status, {describe_status(status.status)}",
        operation=rule.operation,
        error_code=WRONG_STATE_CODE,
        job_ids=(status.job_id,),
        error_class=DrsJobStateError,
    )
