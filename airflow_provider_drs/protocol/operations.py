"""
The calls of the hook as conversations: any number of jobs in, one value or error per job out, in the order
asked.

Reads raise what stops them as a whole. Writes do not, once something may have been done: the error then
stands at each job that it kept from being done, so that nothing half-done is hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, TypeVar

from airflow_provider_drs.protocol.batching import check_job_ids, split
from airflow_provider_drs.protocol.errors import (
    BUSY_CODE,
    WRONG_STATE_CODE,
    DrsError,
    DrsJobStateError,
    DrsRequestError,
    make_error,
)
from airflow_provider_drs.protocol.exchange import Budget, OutcomeUnknown, exchange, exchange_repeatable
from airflow_provider_drs.protocol.jobs import (
    JobDetails,
    JobProgress,
    JobStart,
    JobStatus,
    JobStop,
    build_disaster_recovery_jobs,
    build_job_details,
    build_job_progresses,
    build_job_statuses,
    build_start_jobs,
    build_stop_jobs,
    parse_disaster_recovery_jobs,
    parse_job_details,
    parse_job_progresses,
    parse_job_statuses,
    parse_start_jobs,
    parse_stop_jobs,
)
from airflow_provider_drs.protocol.prechecks import (
    PRECHECK_MODES,
    PrecheckResult,
    Submission,
    build_precheck_results,
    build_prechecks,
    check_precheck_mode,
    parse_precheck_results,
    parse_prechecks,
)
from airflow_provider_drs.protocol.rows import missing_error
from airflow_provider_drs.protocol.states import (
    CONFIGURATION,
    INCRE_TRANSFER_STARTED,
    STARTED_PHASES,
    STOPPED_PHASES,
    Phase,
    describe_status,
)
from airflow_provider_drs.protocol.wire import Conversation, Pause, Request, Response

T = TypeVar("T")
Answers = dict[str, T | DrsError]
_Build = Callable[[Sequence[str]], Request]
_Parse = Callable[[Request, Mapping[str, Any], Response], Answers[T]]
#: Sorts the answers to one writing request into what is settled; a job left out is sent again.
_Settle = Callable[[Answers[T], Sequence[str]], Conversation[Answers[T]]]


@dataclass(slots=True)
class Limits:
    """
    How much goes into one call, and how long it may take. A hook owns one.

    ``read_batch`` shrinks when the service refuses a batch that is too large for it.
    """

    write_batch: int
    read_batch: int
    retry_timeout_s: float


# --- reads
# -----------------------------------------------------------------------------------------------------------


def get_job_statuses(limits: Limits, job_ids: Iterable[str]) -> Conversation[Answers[JobStatus]]:
    """Read where jobs stand."""
    return (yield from _read(limits, job_ids, build_job_statuses, parse_job_statuses))


def get_job_details(limits: Limits, job_ids: Iterable[str]) -> Conversation[Answers[JobDetails]]:
    """Read what jobs are; secrets are masked."""
    return (yield from _read(limits, job_ids, build_job_details, parse_job_details))


def get_job_progresses(limits: Limits, job_ids: Iterable[str]) -> Conversation[Answers[JobProgress]]:
    """Read how far jobs are."""
    return (yield from _read(limits, job_ids, build_job_progresses, parse_job_progresses))


def get_precheck_results(
    limits: Limits, job_ids: Iterable[str], precheck_ids: Mapping[str, str]
) -> Conversation[Answers[PrecheckResult]]:
    """
    Read how far the pre-checks of jobs are, and their results.

    :param precheck_ids: precheck_id by job id, as far as they are known from the submission or an earlier
        read.
    """
    parse = partial(parse_precheck_results, precheck_ids=precheck_ids)
    return (yield from _read(limits, job_ids, build_precheck_results, parse, ask_alone=True))


def get_forward_jobs(limits: Limits, parent_ids: Iterable[str]) -> Conversation[dict[str, JobStatus]]:
    """
    Find the forward jobs of dual-active pairs by their parents' ids.

    Job details name a job's parent and no siblings; the list of disaster recovery jobs has the children of
    each parent. A parent that is not listed is not in the result.
    """
    wanted = set(parent_ids)
    found: dict[str, JobStatus] = {}
    page, listed = 1, 0
    while True:
        answer = yield from exchange_repeatable(
            build_disaster_recovery_jobs(page), Budget(limits.retry_timeout_s), parse_disaster_recovery_jobs
        )
        found |= {parent: job for parent, job in answer.forward_by_parent.items() if parent in wanted}
        page, listed = page + 1, listed + answer.listed
        if len(found) == len(wanted) or not answer.listed or listed >= answer.total:
            return found


class Readiness(Enum):
    """Whether a job can be pre-checked."""

    READY = "ready"
    #: A backward job of a dual-active pair, whose forward job is replicating already.
    NOT_NEEDED = "not needed"


def review_jobs(
    limits: Limits, job_ids: Iterable[str], precheck_mode: str
) -> Conversation[Answers[Readiness]]:
    """
    Say which jobs can be pre-checked, and which need none (drs_03_0110).

    A job that can not has a ``DrsJobStateError`` as its value: a dual-active parent, or one in the wrong
    status.
    """
    details = yield from get_job_details(limits, job_ids)
    found = {job_id: job for job_id, job in details.items() if isinstance(job, JobDetails)}
    backward = [job for job in found.values() if job.is_dual_active_backward]
    forward = (yield from _find_forward_jobs(limits, backward, found)) if backward else {}
    reviewed: Answers[Readiness] = {}
    for job_id, answer in details.items():
        if isinstance(answer, DrsError):
            reviewed[job_id] = answer
        else:
            reviewed[job_id] = _review(answer, forward.get(answer.parent_id or ""), precheck_mode)
    return reviewed


def _find_forward_jobs(
    limits: Limits, backward: Sequence[JobDetails], known: Mapping[str, JobDetails]
) -> Conversation[dict[str, str]]:
    """Return the status of the forward job by parent id: from the jobs at hand, else from the list of all."""
    statuses = {
        job.parent_id: job.status for job in known.values() if job.parent_id and job.job_direction == "up"
    }
    missing = {job.parent_id for job in backward if job.parent_id} - statuses.keys()
    if missing:
        listed = yield from get_forward_jobs(limits, missing)
        statuses |= {parent_id: job.status for parent_id, job in listed.items()}
    return statuses


def _review(job: JobDetails, forward_status: str | None, precheck_mode: str) -> Readiness | DrsError:
    if job.is_dual_active_parent:
        return make_error(
            f"Job {job.job_id} is the parent of a dual-active pair, which cannot be pre-checked or started",
            job_ids=(job.job_id,),
            error_class=DrsJobStateError,
            remedy="Use the ids of its forward and backward jobs.",
        )
    if job.is_dual_active_backward and forward_status == INCRE_TRANSFER_STARTED:
        return Readiness.NOT_NEEDED
    if precheck_mode == PRECHECK_MODES[0] and job.status != CONFIGURATION:
        return make_error(
            f"Job {job.job_id} cannot be pre-checked in status {describe_status(job.status)}",
            job_ids=(job.job_id,),
            error_class=DrsJobStateError,
            remedy=f"A pre-check before the start needs status {CONFIGURATION}; leave the job out.",
        )
    return Readiness.READY


def _read(
    limits: Limits, job_ids: Iterable[str], build: _Build, parse: _Parse[T], *, ask_alone: bool = False
) -> Conversation[Answers[T]]:
    checked = check_job_ids(job_ids)
    answers: Answers[T] = {}
    position = 0
    while position < len(checked):
        batch = checked[position : position + limits.read_batch]
        answers |= yield from _read_batch(limits, batch, build, parse)
        position += len(batch)
    for job_id in checked:
        if job_id not in answers and ask_alone and len(checked) > 1:
            # The row carries an id that we have not learned yet; asked alone, it can only be this job's.
            answers |= yield from _read_batch(limits, (job_id,), build, parse)
    return {job_id: answers.get(job_id) or missing_error(build((job_id,)), job_id) for job_id in checked}


def _read_batch(
    limits: Limits, batch: Sequence[str], build: _Build, parse: _Parse[T]
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
    batch: Sequence[str], budget: Budget, build: _Build, parse: _Parse[T]
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
        passing = [job_id for job_id, answer in fresh.items() if is_passing(answer)]
        refused = any(isinstance(answer, DrsError) for answer in fresh.values())
        silent = [job_id for job_id in pending if job_id not in fresh] if refused else []
        if not passing and not silent:
            return answers
        if passing:
            delay_s = budget.next_backoff_s()
            if delay_s is None:
                return answers
            budget.note((yield Pause(delay_s)))
        pending = [*passing, *silent]


def is_passing(answer: object) -> bool:
    """Whether a job's answer is an error that goes away by itself."""
    return isinstance(answer, DrsError) and (answer.passing or answer.error_code == BUSY_CODE)


# --- writes
# ----------------------------------------------------------------------------------------------------------


def precheck_jobs(
    limits: Limits, job_ids: Iterable[str], precheck_mode: str
) -> Conversation[Answers[Submission]]:
    """
    Start the pre-checks of jobs. One that is running already is adopted.

    :raises DrsConfigError: bad job ids, or an unknown mode; nothing was sent.
    """
    build = partial(build_prechecks, precheck_mode=check_precheck_mode(precheck_mode))
    settle = partial(_settle_prechecks, limits)
    return (yield from _write(limits, job_ids, build, parse_prechecks, settle))


def _settle_prechecks(
    limits: Limits, fresh: Answers[Submission], asked: Sequence[str]
) -> Conversation[Answers[Submission]]:
    """Adopt the pre-check of a busy job if that is what keeps it busy."""
    busy = [job_id for job_id, answer in fresh.items() if _has_code(answer, BUSY_CODE)]
    settled = {job_id: answer for job_id, answer in fresh.items() if not is_passing(answer)}
    if busy:
        results = yield from get_precheck_results(limits, busy, {})
        for job_id, result in results.items():
            if isinstance(result, PrecheckResult) and not result.is_complete:
                settled[job_id] = Submission(job_id, result.precheck_id, adopted=True)
    return settled


def start_jobs(
    limits: Limits, job_ids: Iterable[str], start_time_ms: int | None
) -> Conversation[Answers[JobStart]]:
    """
    Start jobs. One that has been started already is adopted, so that calling twice never starts twice.

    :raises DrsConfigError: bad job ids; nothing was sent.
    """
    build = partial(build_start_jobs, start_time_ms=start_time_ms)
    settle = partial(_settle_by_state, limits, _adopt_start)
    return (yield from _write(limits, job_ids, build, parse_start_jobs, settle))


def _adopt_start(status: JobStatus) -> JobStart | None:
    is_started = status.phase in STARTED_PHASES
    return JobStart(status.job_id, adopted=True, status=status.status) if is_started else None


@dataclass(frozen=True, slots=True)
class StartPlan:
    """What to do with jobs that shall be running: start some, adopt those that are, refuse the rest."""

    to_start: tuple[str, ...]
    adopted: Mapping[str, JobStart]
    errors: Mapping[str, DrsError]


def plan_starts(statuses: Answers[JobStatus]) -> StartPlan:
    """Sort jobs by what their status allows; a status word that we do not know allows nothing."""
    to_start: list[str] = []
    adopted: dict[str, JobStart] = {}
    errors: dict[str, DrsError] = {}
    for job_id, status in statuses.items():
        if isinstance(status, DrsError):
            errors[job_id] = status
        elif status.phase is Phase.CONFIGURING:
            to_start.append(job_id)
        else:
            start = _adopt_start(status)
            adopted |= {job_id: start} if start else {}
            errors |= {} if start else {job_id: _wrong_state_error(status)}
    return StartPlan(tuple(to_start), adopted, errors)


def stop_jobs(limits: Limits, job_ids: Iterable[str]) -> Conversation[Answers[JobStop]]:
    """
    Stop jobs for good; DRS releases their resources.

    One that is stopped, or on its way there, counts as stopped.
    """
    settle = partial(_settle_by_state, limits, _adopt_stop)
    return (yield from _write(limits, job_ids, build_stop_jobs, parse_stop_jobs, settle))


def _adopt_stop(status: JobStatus) -> JobStop | None:
    return JobStop(status.job_id, adopted=True) if status.phase in STOPPED_PHASES else None


def _settle_by_state(
    limits: Limits, adopt: Callable[[JobStatus], T | None], fresh: Answers[T], asked: Sequence[str]
) -> Conversation[Answers[T]]:
    """
    Read the state of each job of which it is not sure that it was acted on, or that was refused for its
    state.

    :param adopt: what the write would have brought, for a job whose state shows that it took effect.
    """
    settled = {job_id: answer for job_id, answer in fresh.items() if not is_passing(answer)}
    doubtful = [
        job_id for job_id in asked if job_id not in settled or _has_code(settled[job_id], WRONG_STATE_CODE)
    ]
    if not doubtful:
        return settled
    statuses = yield from get_job_statuses(limits, doubtful)
    for job_id, status in statuses.items():
        adopted = adopt(status) if isinstance(status, JobStatus) else None
        if adopted is not None:
            settled[job_id] = adopted
        elif isinstance(status, JobStatus) and job_id in settled:
            settled[job_id] = _wrong_state_error(status)
        elif isinstance(status, DrsError) and job_id not in settled and not is_passing(status):
            settled[job_id] = status
    return settled


def _wrong_state_error(status: JobStatus) -> DrsError:
    return make_error(
        f"DRS refuses job {status.job_id} because of its status, {describe_status(status.status)}",
        error_code=WRONG_STATE_CODE,
        job_ids=(status.job_id,),
        error_class=DrsJobStateError,
    )


def _has_code(answer: object, code: str) -> bool:
    return isinstance(answer, DrsError) and answer.error_code == code


def _write(
    limits: Limits, job_ids: Iterable[str], build: _Build, parse: _Parse[T], settle: _Settle[T]
) -> Conversation[Answers[T]]:
    """Send every batch; after an error that concerns more than its own batch, send nothing more."""
    checked = check_job_ids(job_ids)
    answers: Answers[T] = {}
    stopped_by: DrsError | None = None
    for batch in split(checked, limits.write_batch):
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
    return {job_id: answers[job_id] for job_id in checked}


def _write_batch(
    limits: Limits, batch: Sequence[str], build: _Build, parse: _Parse[T], settle: _Settle[T]
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
