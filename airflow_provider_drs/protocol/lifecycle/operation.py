"""Start, pause, resume, stop and delete jobs, and change their passwords."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from airflow_provider_drs.protocol.core.batches import Answers, Limits
from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError, check_choice
from airflow_provider_drs.protocol.core.wire import Conversation, Pause
from airflow_provider_drs.protocol.jobs.actions import act
from airflow_provider_drs.protocol.jobs.adoption import (
    Compare,
    Comparison,
    describe_difference,
    describe_instant,
)
from airflow_provider_drs.protocol.jobs.databases import ENDS
from airflow_provider_drs.protocol.jobs.messages import JobDetails, JobStatus
from airflow_provider_drs.protocol.jobs.operation import get_job_statuses
from airflow_provider_drs.protocol.jobs.outcome import JobOutcome
from airflow_provider_drs.protocol.jobs.states import INCRE_TRANSFER_STARTED, WAITING_FOR_START

PAUSE_MODES = ("target", "all")
#: How long to wait until DRS returns that it changes a job, in seconds.
SETTLE_S = 20.0
#: How to change the start of a scheduled or started job.
START_REMEDY = (
    "The v3 API of DRS cannot reschedule a job. Request the job's start time, or start it in the DRS "
    "console if it must start earlier."
)
#: DRS may round a start time; a job starts some time after it.
_ROUNDING_MS = 60_000


def start_jobs(
    limits: Limits,
    job_ids: Iterable[str],
    start_time_ms: int | None = None,
    *,
    check_preconditions: bool = True,
) -> Conversation[Answers[JobOutcome]]:
    """
    Start jobs, now or later. Idempotent: a job that was started before is adopted, unless it is scheduled for
    another time.

    :param start_time_ms: epoch milliseconds; ``None`` starts now.
    :param check_preconditions: read the jobs first, and reject what DRS would reject.
    """
    # Epoch milliseconds as a string; without it DRS starts the job immediately.
    when = {} if start_time_ms is None else {"start_time": str(start_time_ms)}
    return (
        yield from act(
            limits,
            "start",
            job_ids,
            lambda job: when,
            check=check_preconditions,
            compare=compare_start(start_time_ms),
            remedy=START_REMEDY,
        )
    )


def compare_start(start_time_ms: int | None) -> Compare:
    """
    Return the function that compares a requested start with that of a started job.

    :param start_time_ms: epoch milliseconds; ``None`` for now.
    """

    def compare(job: JobDetails) -> Comparison:
        is_scheduled = job.status == WAITING_FOR_START
        if start_time_ms is None:
            if not is_scheduled:
                return Comparison()
            actual = describe_instant(job.scheduled_ms) if job.scheduled_ms else "a later time"
            return Comparison((describe_difference("start_time", "now", actual),))
        actual_ms = job.scheduled_ms if is_scheduled else job.started_ms
        if actual_ms is None:
            return Comparison(not_compared=("start_time",))
        late_ms = actual_ms - start_time_ms
        # A rerun can find a started job, which began at the requested time or later.
        if late_ms >= -_ROUNDING_MS and (late_ms <= _ROUNDING_MS or not is_scheduled):
            return Comparison()
        requested, actual = describe_instant(start_time_ms), describe_instant(actual_ms)
        return Comparison((describe_difference("start_time", requested, actual),))

    return compare


def pause_jobs(
    limits: Limits, job_ids: Iterable[str], pause_mode: str = "target"
) -> Conversation[Answers[JobOutcome]]:
    """
    Pause jobs. Idempotent: a paused job is adopted. DRS does not return in which mode it was paused.

    DRS has one status, PAUSING, for a job that is being paused and for one that is paused. DRS recommends to
    resume a job within 24 hours, while the source still has its logs.

    :param job_ids: any number of job IDs, at least one.
    :param pause_mode: ``target`` stops the replay on the destination, ``all`` also stops reading the logs of
        the source.
    :raises DrsConfigError: an unknown mode; nothing was sent.

    Source: :drs:`public_api_management/pausing_tasks_in_batches`
    """
    check_choice("pause_mode", pause_mode, PAUSE_MODES)
    how = {"pause_mode": pause_mode}
    found = Comparison(not_compared=() if pause_mode == PAUSE_MODES[0] else ("pause_mode",))
    return (yield from act(limits, "pause", job_ids, lambda job: how, compare=lambda job: found))


def retry_jobs(
    limits: Limits, job_ids: Iterable[str], is_sync_re_edit: bool | None = None
) -> Conversation[Answers[JobOutcome]]:
    """
    Resume paused jobs and retry failed ones. Idempotent: a running job is adopted.

    With *is_sync_re_edit*, restart running synchronization jobs whose objects were edited. A job whose
    objects are being changed is adopted.

    :param job_ids: any number of job IDs, at least one.
    :param is_sync_re_edit: ``True`` to restart a synchronization job after its objects were edited; ``None``
        does not send it, as in the documentation's example.

    Source: :drs:`public_api_management/resuming_or_retrying_tasks_in_batches`
    """
    how = {} if is_sync_re_edit is None else {"is_sync_re_edit": is_sync_re_edit}
    replicating: list[str] = []

    def make_row(job: JobDetails) -> Mapping[str, Any]:
        if job.status == INCRE_TRANSFER_STARTED:
            replicating.append(job.job_id)
        return how

    answers = yield from act(limits, "restart" if is_sync_re_edit else "retry", job_ids, make_row)
    yield from _wait_for_change(
        limits, [job_id for job_id in replicating if isinstance(answers[job_id], JobOutcome)]
    )
    return answers


def _wait_for_change(limits: Limits, job_ids: Sequence[str]) -> Conversation[None]:
    """Wait until DRS changes the jobs: directly after the restart it may still return the status before."""
    left_s, pause_s = SETTLE_S, 1.0
    while job_ids:
        try:
            statuses = yield from get_job_statuses(limits, job_ids)
        except DrsError:
            # The restarts were accepted: their results must not be lost.
            return
        job_ids = [
            job_id
            for job_id, answer in statuses.items()
            if isinstance(answer, JobStatus) and answer.status == INCRE_TRANSFER_STARTED
        ]
        if not job_ids or left_s <= 0:
            return
        observation = yield Pause(min(pause_s, left_s))
        left_s, pause_s = left_s - (observation.now_s - observation.started_s), pause_s * 2


def stop_jobs(
    limits: Limits, job_ids: Iterable[str], *, force: bool = False
) -> Conversation[Answers[JobOutcome]]:
    """
    Stop jobs. DRS releases their resources; they cannot be started again.

    Idempotent: a job that is stopping, stopped or deleted is adopted.

    :param job_ids: any number of job IDs, at least one. The parent of a dual-active pair stops both jobs.
    :param force: stop even if DRS cannot end the replication cleanly.

    Source: :drs:`public_api_management/stopping_or_deleting_tasks_in_batches`
    """
    how = {"delete_type": "force_terminate" if force else "terminate"}
    return (yield from act(limits, "stop", job_ids, lambda job: how))


def delete_jobs(limits: Limits, job_ids: Iterable[str]) -> Conversation[Answers[JobOutcome]]:
    """
    Delete jobs that are stopped or whose creation failed. Idempotent: a deleted job is adopted.

    :param job_ids: any number of job IDs, at least one.

    Source: :drs:`public_api_management/stopping_or_deleting_tasks_in_batches`
    """
    return (yield from act(limits, "delete", job_ids, lambda job: {"delete_type": "delete"}))


def change_passwords(
    limits: Limits,
    job_ids: Iterable[str],
    *,
    source_password: str | Mapping[str, str] | None = None,
    target_password: str | Mapping[str, str] | None = None,
) -> Conversation[Answers[JobOutcome]]:
    """
    Give running jobs the new passwords of their databases.

    :param job_ids: any number of job IDs, at least one.
    :param source_password: of the source, or one per job ID; ``None`` does not change it.
    :param target_password: of the destination, or one per job ID.
    :raises DrsConfigError: neither is given; nothing was sent.

    Source: :drs:`public_api_management/changing_the_passwords_of_the_sources_and_destinations`
    """
    passwords = {"source": source_password, "target": target_password}
    given = {end: password for end, password in passwords.items() if password}
    if not given:
        raise DrsConfigError("source_password and target_password are both None: set at least one.")

    def row(end: str, password: str | Mapping[str, str], job: JobDetails) -> Mapping[str, Any]:
        chosen = password if isinstance(password, str) else password.get(job.job_id)
        if not chosen:
            raise DrsConfigError(f"{end}_password has no entry for job {job.job_id}.")
        return {"db_password": chosen, "end_point_type": ENDS[end]}

    rows = [partial(row, end, password) for end, password in given.items()]
    return (yield from act(limits, "change_passwords", job_ids, *rows))
