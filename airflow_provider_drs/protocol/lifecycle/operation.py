"""Start, pause, resume, stop and delete jobs, and change their passwords."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from airflow_provider_drs.protocol.core.batches import Answers, Limits
from airflow_provider_drs.protocol.core.errors import DrsConfigError, check_choice
from airflow_provider_drs.protocol.core.wire import Conversation
from airflow_provider_drs.protocol.jobs.actions import act
from airflow_provider_drs.protocol.jobs.databases import ENDS
from airflow_provider_drs.protocol.jobs.messages import JobDetails
from airflow_provider_drs.protocol.jobs.outcome import JobOutcome

PAUSE_MODES = ("target", "all")


def start_jobs(
    limits: Limits,
    job_ids: Iterable[str],
    start_time_ms: int | None = None,
    *,
    check_preconditions: bool = True,
) -> Conversation[Answers[JobOutcome]]:
    """
    Start jobs, now or later. Idempotent: a job that was started before is adopted.

    :param start_time_ms: epoch milliseconds; ``None`` starts now.
    :param check_preconditions: read the jobs first, and reject what DRS would reject.
    """
    # Epoch milliseconds as a string; without it DRS starts the job immediately.
    when = {} if start_time_ms is None else {"start_time": str(start_time_ms)}
    return (yield from act(limits, "start", job_ids, lambda job: when, check=check_preconditions))


def pause_jobs(
    limits: Limits, job_ids: Iterable[str], pause_mode: str = "target"
) -> Conversation[Answers[JobOutcome]]:
    """
    Pause jobs. Idempotent: a paused job is adopted.

    DRS has one status, PAUSING, for a job that is being paused and for one that is paused. DRS recommends to
    resume a job within 24 hours, while the source still has its logs.

    :param job_ids: any number of job IDs, at least one.
    :param pause_mode: ``target`` stops the replay on the destination, ``all`` also stops reading the logs of
        the source.
    :raises DrsConfigError: an unknown mode; nothing was sent.

    Source: :drs:`public_api_management/pausing_tasks_in_batches`
    """
    check_choice("pause_mode", pause_mode, PAUSE_MODES)
    return (yield from act(limits, "pause", job_ids, lambda job: {"pause_mode": pause_mode}))


def retry_jobs(
    limits: Limits, job_ids: Iterable[str], is_sync_re_edit: bool | None = None
) -> Conversation[Answers[JobOutcome]]:
    """
    Resume paused jobs and retry failed ones. Idempotent: a running job is adopted.

    :param job_ids: any number of job IDs, at least one.
    :param is_sync_re_edit: ``True`` to restart a synchronization job after its objects were edited; ``None``
        does not send it, as in the documentation's example.

    Source: :drs:`public_api_management/resuming_or_retrying_tasks_in_batches`
    """
    how = {} if is_sync_re_edit is None else {"is_sync_re_edit": is_sync_re_edit}
    return (yield from act(limits, "retry", job_ids, lambda job: how))


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
        raise DrsConfigError("source_password and target_password are both None: give at least one.")

    def row(end: str, password: str | Mapping[str, str], job: JobDetails) -> Mapping[str, Any]:
        chosen = password if isinstance(password, str) else password.get(job.job_id)
        if not chosen:
            raise DrsConfigError(f"{end}_password has no entry for job {job.job_id}.")
        return {"db_password": chosen, "end_point_type": ENDS[end]}

    rows = [partial(row, end, password) for end, password in given.items()]
    return (yield from act(limits, "change_passwords", job_ids, *rows))
