"""
Process any number of jobs in batches, and return one value or error per job, in the order given.

A read raises an error that affects all jobs. A write does not, once something may have been changed: the
error is then the value of each job that it affects, so that no partial result is lost.

Batches are sent side by side, at most ``parallel_requests`` of the connection at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeGuard, TypeVar

from airflow_provider_drs.protocol.core.errors import BUSY_CODE, DrsError, DrsRequestError, make_error
from airflow_provider_drs.protocol.core.exchange import Budget, OutcomeUnknown, exchange, exchange_repeatable
from airflow_provider_drs.protocol.core.job_ids import split
from airflow_provider_drs.protocol.core.rows import missing_error
from airflow_provider_drs.protocol.core.wire import Conversation, Group, Pause, Request, Response

T = TypeVar("T")
Answers = dict[str, T | DrsError]
Build = Callable[[Sequence[str]], Request]
Parse = Callable[[Request, Mapping[str, Any], Response], Answers[T]]
#: Returns the results of a write that are final; the other jobs are sent again.
Settle = Callable[[Answers[T], Sequence[str]], Conversation[Answers[T]]]


@dataclass(slots=True)
class Limits:
    """
    The limits of a call. Each hook has its own.

    ``read_batch`` shrinks when the service rejects a batch as too large, ``parallel`` when it rejects a call
    because of too many requests.
    """

    write_batch: int
    read_batch: int
    retry_timeout_s: float
    #: Maximum number of calls that are sent side by side.
    parallel: int = 1
    #: precheck_id by job ID, learned from submissions and results.
    precheck_ids: dict[str, str] = field(default_factory=dict)
    #: ``db_use_type`` of all jobs whose details were read.
    uses: set[str] = field(default_factory=set)
    #: Names by job ID, of all jobs whose details were read.
    names: dict[str, str] = field(default_factory=dict)
    #: Engine, source and destination by job ID, of the same jobs.
    databases: dict[str, dict[str, str]] = field(default_factory=dict)

    def narrow(self) -> None:
        """Send half as many calls side by side from now on."""
        self.parallel = max(1, self.parallel // 2)


def run_together(
    limits: Limits, parts: Iterable[Conversation[T]], count: int
) -> Conversation[list[T | DrsError]]:
    """
    Run conversations side by side, and return their results or errors in the order given.

    After an error that affects more than its own batch, no further conversation is started. Those in progress
    continue, and the list has only the results of the conversations that were started.

    :param count: maximum number of conversations.
    """
    results: dict[int, T | DrsError] = {}
    is_stopped = False

    def run(position: int, part: Conversation[T]) -> Conversation[None]:
        nonlocal is_stopped
        try:
            results[position] = yield from part
        except DrsError as error:
            results[position] = error
            is_stopped = is_stopped or affects_all(error)

    def start() -> Iterator[Conversation[None]]:
        for position, part in enumerate(parts):
            yield run(position, part)
            if is_stopped:
                return

    workers = min(count, limits.parallel)
    if workers > 1:
        yield Group(start(), workers, lambda: limits.parallel)
    else:
        for part in start():
            yield from part
    return [results[position] for position in sorted(results)]


def affects_all(result: object) -> TypeGuard[DrsError]:
    """Whether a result is an error that affects more than its own batch."""
    return isinstance(result, DrsError) and not isinstance(result, DrsRequestError)


def read(
    limits: Limits, job_ids: Sequence[str], build: Build, parse: Parse[T], *, read_alone: bool = False
) -> Conversation[Answers[T]]:
    """
    Read all jobs in batches.

    :param read_alone: read a job that is missing in the response once more, alone.
    """
    answers = yield from _read_batches(limits, job_ids, build, parse, lambda: limits.read_batch)
    missing = [job_id for job_id in job_ids if job_id not in answers]
    if read_alone and len(job_ids) > 1:
        # The row has an ID that is not known yet; read alone, it can only belong to this job.
        answers |= yield from _read_batches(limits, missing, build, parse, lambda: 1)
    for job_id in missing:
        if job_id not in answers:
            answers[job_id] = missing_error(build((job_id,)), job_id)
    return {job_id: answers[job_id] for job_id in job_ids}


def _read_batches(
    limits: Limits, job_ids: Sequence[str], build: Build, parse: Parse[T], size: Callable[[], int]
) -> Conversation[Answers[T]]:
    def cut() -> Iterator[Conversation[Answers[T]]]:
        position = 0
        while position < len(job_ids):
            batch = job_ids[position : position + size()]
            position += len(batch)
            yield _read_batch(limits, batch, build, parse)

    answers: Answers[T] = {}
    for result in (yield from run_together(limits, cut(), -(-len(job_ids) // size()))):
        if isinstance(result, DrsError):
            raise result
        answers |= result
    return answers


def _read_batch(
    limits: Limits, batch: Sequence[str], build: Build, parse: Parse[T]
) -> Conversation[Answers[T]]:
    """
    Read one batch. If it is rejected as a whole, read its halves, down to the single job that causes it.
    """
    budget = Budget(limits.retry_timeout_s, limits.narrow)
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
        # Both halves were accepted, so the batch was too large. Remember the size.
        limits.read_batch = min(limits.read_batch, middle)
    return answers


def _read_until_settled(
    batch: Sequence[str], budget: Budget, build: Build, parse: Parse[T]
) -> Conversation[Answers[T]]:
    """
    Read a batch, and retry jobs with a transient error.

    Busy or throttled jobs, and jobs that are missing in a response that rejects others.
    """
    answers: Answers[T] = {}
    pending = batch
    while True:
        request = build(pending)
        try:
            fresh = yield from exchange_repeatable(request, budget, partial(parse, request))
        except DrsError as refusal:
            if refusal.error_code != BUSY_CODE:
                raise
            # Without rows: all of the jobs are busy.
            fresh = dict.fromkeys(pending, refusal)
        answers |= fresh
        errors = {job_id: answer for job_id, answer in fresh.items() if isinstance(answer, DrsError)}
        transient = [job_id for job_id, error in errors.items() if is_transient(error)]
        missing = [job_id for job_id in pending if job_id not in fresh] if errors else []
        if not transient and not missing:
            return answers
        if transient:
            delay_s = budget.next_backoff_s()
            if delay_s is None:
                return answers
            budget.note((yield Pause(delay_s)))
        pending = [*transient, *missing]


def is_transient(answer: object) -> bool:
    """Whether the result of a job is a transient error."""
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
    Send all batches. After an error that affects more than one batch, send no further ones; batches in
    progress are completed.

    :param job_ids: the jobs, or other keys of the rows.
    :param size: the batch size, if it differs from the connection's.
    """
    batches = list(split(job_ids, size or limits.write_batch))
    parts = (_write_batch(limits, batch, build, parse, settle) for batch in batches)
    results = yield from run_together(limits, parts, len(batches))
    stopped_by = next((result for result in results if affects_all(result)), None)
    if affects_all(stopped_by) and all(map(affects_all, results)):
        raise stopped_by
    answers: Answers[T] = {}
    for batch, result in zip(batches, results, strict=False):
        answers |= dict.fromkeys(batch, result) if isinstance(result, DrsError) else result
    if affects_all(stopped_by):
        for batch in batches[len(results) :]:
            answers |= {job_id: _not_sent_error(build((job_id,)), job_id, stopped_by) for job_id in batch}
    return {job_id: answers[job_id] for job_id in job_ids}


def _write_batch(
    limits: Limits, batch: Sequence[str], build: Build, parse: Parse[T], settle: Settle[T]
) -> Conversation[Answers[T]]:
    """
    Send one batch until each of its jobs has a final result, or the retry budget is spent.

    :raises DrsError: the call failed, and nothing of the batch was changed.
    """
    budget = Budget(limits.retry_timeout_s, limits.narrow)
    answers: Answers[T] = {}
    pending: Sequence[str] = batch
    error: DrsError | None = None
    while True:
        request = build(pending)
        try:
            fresh = yield from exchange(request, budget, partial(parse, request))
        except DrsError as refusal:
            if refusal.error_code == BUSY_CODE:
                # Without rows: all of the jobs are busy.
                fresh = dict.fromkeys(pending, refusal)
            elif len(pending) == len(batch) and error is None:
                raise
            else:
                return answers | dict.fromkeys(pending, refusal)
        # From here on something may have been changed: errors belong to the jobs.
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
            return answers | {
                job_id: reported.get(job_id) or error or missing_error(request, job_id) for job_id in pending
            }
        budget.note((yield Pause(delay_s)))


def _not_sent_error(request: Request, job_id: str, cause: DrsError) -> DrsError:
    return make_error(
        f"{job_id}: {request.operation} was not sent, because an earlier batch failed: {cause}",
        operation=request.operation,
        http_status=cause.http_status,
        error_code=cause.error_code,
        job_ids=(job_id,),
        error_class=type(cause),
        remedy=" ",
    )
