"""The life of a job from its start on: start, pause, resume, stop, delete, and new passwords on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from airflow_provider_drs.protocol.core.batches import Answers, Limits
from airflow_provider_drs.protocol.core.errors import DrsConfigError
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
    Start jobs, now or later. A job that has been started already is adopted; none is ever started twice.

    :param start_time_ms: epoch milliseconds; ``None`` starts now.
    :param check_preconditions: read what the jobs are, and refuse what the service would refuse.
    """
    # Times are epoch milliseconds in a string; absent starts at once.
    when = {} if start_time_ms is None else {"start_time": str(start_time_ms)}
    return (yield from act(limits, "start", job_ids, lambda job: when, check=check_preconditions))


def pause_jobs(
    limits: Limits, job_ids: Iterable[str], pause_mode: str = "target"
) -> Conversation[Answers[JobOutcome]]:
    """
    Pause jobs; one that is paused already is adopted.

    DRS has one status, PAUSING, for being paused and for having been. A job should not stay paused for longer
    than the source keeps its logs; DRS advises 24 hours at most.

    :param job_ids: any number of job ids; none at all is an error.
    :param pause_mode: ``target`` stops the replay on the destination, ``all`` the capture of logs as well.
    :raises DrsConfigError: an unknown mode; nothing was sent.

    Source: :drs:`public_api_management/pausing_tasks_in_batches`
    """
    if pause_mode not in PAUSE_MODES:
        raise DrsConfigError(f"pause_mode: expected one of {', '.join(PAUSE_MODES)}, not {pause_mode!r}.")
    return (yield from act(limits, "pause", job_ids, lambda job: {"pause_mode": pause_mode}))


def retry_jobs(
    limits: Limits, job_ids: Iterable[str], is_sync_re_edit: bool | None = None
) -> Conversation[Answers[JobOutcome]]:
    """
    Resume paused jobs and retry failed ones; one that is running is adopted.

    :param job_ids: any number of job ids; none at all is an error.
    :param is_sync_re_edit: ``True`` when a synchronization job is restarted after its objects were edited;
        the page's own example leaves it out.

    Source: :drs:`public_api_management/resuming_or_retrying_tasks_in_batches`
    """
    how = {} if is_sync_re_edit is None else {"is_sync_re_edit": is_sync_re_edit}
    return (yield from act(limits, "retry", job_ids, lambda job: how))


def stop_jobs(
    limits: Limits, job_ids: Iterable[str], *, force: bool = False
) -> Conversation[Answers[JobOutcome]]:
    """
    Stop jobs for good; DRS releases their resources, and they cannot be started again.

    A job that is stopped already, on its way there, or gone counts as stopped.

    :param job_ids: any number of job ids; none at all is an error. The parent of a dual-active pair stops
        both of its jobs.
    :param force: stop even if DRS cannot end the replication in order.

    Source: :drs:`public_api_management/stopping_or_deleting_tasks_in_batches`
    """
    how = {"delete_type": "force_terminate" if force else "terminate"}
    return (yield from act(limits, "stop", job_ids, lambda job: how))


def delete_jobs(limits: Limits, job_ids: Iterable[str]) -> Conversation[Answers[JobOutcome]]:
    """
    Delete jobs that are stopped, or whose creation failed; one that is gone counts as deleted.

    :param job_ids: any number of job ids; none at all is an error.

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
    Tell jobs that run the new passwords of their databases.

    :param job_ids: any number of job ids; none at all is an error.
    :param source_password: that of the source, or one by job id; ``None`` leaves it.
    :param target_password: the same for the destination.
    :raises DrsConfigError: neither is given; nothing was sent.

    Source: :drs:`public_api_management/changing_the_passwords_of_the_sources_and_destinations`
    """
    passwords = {"source": source_password, "target": target_password}
    given = {end: password for end, password in passwords.items() if password}
    if not given:
        raise DrsConfigError("source_password, target_password: give at least one of them.")

    def row(end: str, password: str | Mapping[str, str], job: JobDetails) -> Mapping[str, Any]:
        chosen = password if isinstance(password, str) else password.get(job.job_id)
        if not chosen:
            raise DrsConfigError(f"{end}_password: there is none for job {job.job_id}.")
        return {"db_password": chosen, "end_point_type": ENDS[end]}

    rows = [partial(row, end, password) for end, password in given.items()]
    return (yield from act(limits, "change_passwords", job_ids, *rows))
