"""
Any number of jobs in, batches out, one value or error per job back, in the order asked.

Reads raise what stops them as a whole. Writes do not, once something may have been done: the error then
stands at each job that it kept from being done, so that nothing half-done is hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from airflow_provider_drs.protocol.core.errors import BUSY_CODE, DrsError, DrsRequestError, make_error
from airflow_provider_drs.protocol.core.exchange import Budget, OutcomeUnknown, exchange, exchange_repeatable
from airflow_provider_drs.protocol.core.job_ids import split
from airflow_provider_drs.protocol.core.rows import missing_error
from airflow_provider_drs.protocol.core.wire import Conversation, Pause, Request, Response

T = TypeVar("T")
Answers = dict[str, T | DrsError]
Build = Callable[[Sequence[str]], Request]
Parse = Callable[[Request, Mapping[str, Any], Response], Answers[T]]
#: Sorts the answers to one writing request into what is settled; a job left out is sent again.
Settle = Callable[[Answers[T], Sequence[str]], Conversation[Answers[T]]]


@dataclass(slots=True)
class Limits:
    """
    How much goes into one call, and how long it may take. A hook owns one.

    ``read_batch`` shrinks when the service refuses a batch that is too large for it.
    """

    write_batch: int
    read_batch: int
    retry_timeout_s: float
    #: precheck_id by job id, as far as submissions and results have told.
    precheck_ids: dict[str, str] = field(default_factory=dict)
    #: ``db_use_type`` of all jobs whose details were read.
    uses: set[str] = field(default_factory=set)


def read(
    limits: Limits, job_ids: Sequence[str], build: Build, parse: Parse[T], *, ask_alone: bool = False
) -> Conversation[Answers[T]]:
    """
    Read all jobs, in batches.

    :param ask_alone: a job that nothing was said of is asked for once more, alone.
    """
    answers: Answers[T] = {}
    position = 0
    while position < len(job_ids):
        batch = job_ids[position : position + limits.read_batch]
        answers |= yield from _read_batch(limits, batch, build, parse)
        position += len(batch)
    for job_id in [job_id for job_id in job_ids if job_id not in answers]:
        if ask_alone and len(job_ids) > 1:
            # The row carries an id that we have not learned yet; asked alone, it can only be this job's.
            answers |= yield from _read_batch(limits, (job_id,), build, parse)
        if job_id not in answers:
            answers[job_id] = missing_error(build((job_id,)), job_id)
    return {job_id: answers[job_id] for job_id in job_ids}


def _read_batch(
    limits: Limits, batch: Sequence[str], build: Build, parse: Parse[T]
) -> Conversation[Answers[T]]:
    """
    Read one batch; where it is refused as a whole, read its halves, down to the one job that is to blame.
    """
    budget = Budget(limits.retry_timeout_s)
    try:
        answers = yield from _read_until_settled(batch, budget, build, parse)
    except DrsRequestError as error:
        if len(batch) == 1:
            return {batch[0]: error}
    else:
        return answers
    middle = (len(batch) + 1) // 2
    answers = {}
    for half in (batch[:middle], batch[middle:]):
        answers |= yield from _read_batch(limits, half, build, parse)
    if not any(isinstance(answer, DrsRequestError) for answer in answers.values()):
        # Both halves went through, so it was the size that was refused. Remember it.
        limits.read_batch = min(limits.read_batch, middle)
    return answers


def _read_until_settled(
    batch: Sequence[str], budget: Budget, build: Build, parse: Parse[T]
) -> Conversation[Answers[T]]:
    """
    Read, and read again what is only passing.

    a busy or throttled job, or the silent rest beside refused jobs.
    """
    answers: Answers[T] = {}
    pending = batch
    while True:
        request = build(pending)
        fresh = yield from exchange_repeatable(request, budget, partial(parse, request))
        answers |= fresh
        errors = {job_id: answer for job_id, answer in fresh.items() if isinstance(answer, DrsError)}
        passing = [job_id for job_id, error in errors.items() if is_transient(error)]
        silent = [job_id for job_id in pending if job_id not in fresh] if errors else []
        if not passing and not silent:
            return answers
        if passing:
            delay_s = budget.next_backoff_s()
            if delay_s is None:
                return answers
            budget.note((yield Pause(delay_s)))
        pending = [*passing, *silent]


def is_transient(answer: object) -> bool:
    """Whether a job's answer is an error that goes away by itself."""
    return isinstance(answer, DrsError) and (answer.is_transient or answer.error_code == BUSY_CODE)


def write(
    limits: Limits,
    job_ids: Sequence[str],
    build: Build,
    parse: Parse[T],
    settle: Settle[T],
    *,
    size: int | None = None,
) -> Conversation[Answers[T]]:
    """
    Send every batch; after an error that concerns more than its own batch, send nothing more.

    :param job_ids: the jobs, or whatever else the rows of the answers are known by.
    :param size: of a batch, where it is not the connection's.
    """
    answers: Answers[T] = {}
    stopped_by: DrsError | None = None
    for batch in split(job_ids, size or limits.write_batch):
        if stopped_by is not None:
            answers |= {job_id: _not_sent_error(build((job_id,)), job_id, stopped_by) for job_id in batch}
            continue
        try:
            answers |= yield from _write_batch(limits, batch, build, parse, settle)
        except DrsError as error:
            is_about_more = not isinstance(error, DrsRequestError)
            if is_about_more and not answers:
                raise
            answers |= dict.fromkeys(batch, error)
            stopped_by = error if is_about_more else None
    return {job_id: answers[job_id] for job_id in job_ids}


def _write_batch(
    limits: Limits, batch: Sequence[str], build: Build, parse: Parse[T], settle: Settle[T]
) -> Conversation[Answers[T]]:
    """
    Send one batch until each job of it is settled or the time is up.

    :raises DrsError: the call failed as a whole, and nothing of the batch was or may have been done.
    """
    budget = Budget(limits.retry_timeout_s)
    answers: Answers[T] = {}
    pending: Sequence[str] = batch
    error: DrsError | None = None
    while True:
        request = build(pending)
        try:
            fresh = yield from exchange(request, budget, partial(parse, request))
        except DrsError as refusal:
            if len(pending) == len(batch) and error is None:
                raise
            return answers | dict.fromkeys(pending, refusal)
        # From here on something may have been done: errors go to the jobs.
        reported: Answers[T] = {} if isinstance(fresh, OutcomeUnknown) else fresh
        error = fresh.error if isinstance(fresh, OutcomeUnknown) else None
        try:
            answers |= yield from settle(reported, pending)
        except DrsError as failure:
            delay_s, error = None, error or failure
        else:
            delay_s = budget.next_backoff_s()
        pending = [job_id for job_id in pending if job_id not in answers]
        if not pending:
            return answers
        if delay_s is None:
            rest = {
                job_id: reported.get(job_id) or error or missing_error(request, job_id) for job_id in pending
            }
            return answers | rest
        budget.note((yield Pause(delay_s)))


def _not_sent_error(request: Request, job_id: str, cause: DrsError) -> DrsError:
    return make_error(
        f"{request.operation} was not sent for job {job_id}, because the batch before it failed: {cause}",
        operation=request.operation,
        http_status=cause.http_status,
        error_code=cause.error_code,
        job_ids=(job_id,),
        error_class=type(cause),
        remedy=" ",
    )
