"""Read statuses, details and progress of jobs, and list them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_drs.protocol.core.batches import Answers, Limits, read, run_together
from airflow_provider_drs.protocol.core.errors import DrsError, DrsUnavailableError, make_error
from airflow_provider_drs.protocol.core.exchange import Budget, exchange_repeatable
from airflow_provider_drs.protocol.core.job_ids import check_job_ids
from airflow_provider_drs.protocol.core.wire import Conversation
from airflow_provider_drs.protocol.jobs.listing import (
    DB_USE_TYPES,
    ListedJob,
    ListPage,
    build_job_list,
    check_db_use_type,
    parse_job_list,
)
from airflow_provider_drs.protocol.jobs.messages import (
    DISASTER_RECOVERY,
    JobDetails,
    JobProgress,
    JobStatus,
    build_job_details,
    build_job_progresses,
    build_job_statuses,
    parse_job_details,
    parse_job_progresses,
    parse_job_statuses,
)
from airflow_provider_drs.protocol.jobs.states import Phase, phase_of

#: How the statuses of the subtasks of an edited job begin.
_EDITING = ("CHILD_TRANSFER_", "RELEASE_CHILD_TRANSFER_")


def get_job_statuses(limits: Limits, job_ids: Iterable[str]) -> Conversation[Answers[JobStatus]]:
    """
    Read the statuses of jobs.

    :param job_ids: any number of job IDs, at least one.

    Source: :drs:`public_api_management/querying_task_statuses_in_batches`
    """
    return (yield from read(limits, check_job_ids(job_ids), build_job_statuses, parse_job_statuses))


def get_job_details(limits: Limits, job_ids: Iterable[str]) -> Conversation[Answers[JobDetails]]:
    """
    Read the details of jobs. Passwords and certificate keys in the response are masked.

    :param job_ids: any number of job IDs, at least one.

    Source: :drs:`public_api_management/querying_task_details_in_batches`
    """
    details = yield from read(limits, check_job_ids(job_ids), build_job_details, parse_job_details)
    for job in details.values():
        if isinstance(job, JobDetails):
            limits.names[job.job_id] = job.name
            limits.databases[job.job_id] = job.describe()
            if job.db_use_type and isinstance(job.db_use_type, str):
                limits.uses.add(job.db_use_type)
    return details


def get_job_progresses(limits: Limits, job_ids: Iterable[str]) -> Conversation[Answers[JobProgress]]:
    """
    Read the progress of jobs: percent of the full copy, and the lag of the incremental replication in
    seconds.

    :param job_ids: any number of job IDs, at least one.

    Source: :drs:`public_api_management/querying_task_progress_in_batches`
    """
    return (yield from read(limits, check_job_ids(job_ids), build_job_progresses, parse_job_progresses))


def list_jobs(
    limits: Limits,
    db_use_type: str = "",
    *,
    name: str = "",
    engine_type: str = "",
    status: str = "",
    net_type: str = "",
    enterprise_project_id: str = "",
    tags: Sequence[Mapping[str, str]] = (),
) -> Conversation[list[ListedJob]]:
    """
    List the jobs of the project.

    :param db_use_type: ``migration``, ``sync`` or ``cloudDataGuard`` (disaster recovery); empty for all
        kinds, each with its own requests.
    :param name: part of the name; empty, like all other filters, for any.
    :param engine_type: such as ``mysql``, ``mongodb``, ``postgresql``, ``mysql-to-taurus``,
        ``cloudDataGuard-mysql``.
    :param status: a job status. The service has no filter for paused jobs.
    :param net_type: ``eip``, ``vpn`` or ``vpc``.
    :param enterprise_project_id: the enterprise project of the jobs.
    :param tags: tags of the jobs, each with ``key`` and ``value``.
    :raises DrsConfigError: an unknown db_use_type; nothing was sent.

    Source: :drs:`public_api_management/querying_tasks_of_a_tenant`
    """
    chosen: dict[str, Any] = {
        "name": name,
        "engine_type": engine_type,
        "status": status,
        "net_type": net_type,
        "enterprise_project_id": enterprise_project_id,
        "tags": [dict(tag) for tag in tags],
    }
    filters = {key: value for key, value in chosen.items() if value}
    found: dict[str, ListedJob] = {}
    for kind in (check_db_use_type(db_use_type),) if db_use_type else DB_USE_TYPES:
        found |= yield from _list_kind(limits, filters | {"db_use_type": kind})
    return list(found.values())


def _list_kind(limits: Limits, filters: Mapping[str, Any]) -> Conversation[dict[str, ListedJob]]:
    first = yield from _read_page(limits, filters, 1)
    size = len(first.jobs) or 1
    pages = [first]
    while pages[-1].jobs and sum(len(page.jobs) for page in pages) < pages[-1].total:
        # The first page has the number of jobs; later ones can report that there are more.
        count = max(-(-pages[-1].total // size), len(pages) + 1)
        numbers = range(len(pages) + 1, count + 1)
        parts = (_read_page(limits, filters, number) for number in numbers)
        for page in (yield from run_together(limits, parts, len(numbers))):
            if isinstance(page, DrsError):
                raise page
            pages.append(page)
    # Jobs that are created or deleted while the pages are read move others between pages: each is listed
    # once.
    return {job.job_id: job for page in pages for job in page.jobs}


def _read_page(limits: Limits, filters: Mapping[str, Any], number: int) -> Conversation[ListPage]:
    budget = Budget(limits.retry_timeout_s, limits.narrow)
    return (yield from exchange_repeatable(build_job_list(filters, number), budget, parse_job_list))


def get_edit_statuses(limits: Limits, job_ids: Iterable[str]) -> Conversation[Answers[JobStatus]]:
    """
    Read the statuses of edited synchronization jobs: those of the subtasks that copy their new objects.

    :param job_ids: any number of job IDs. A job without a running or failed subtask has its own status.

    Source: :drs:`public_api_management/querying_tasks_of_a_tenant`
    """
    listed = {job.job_id: job for job in (yield from list_jobs(limits, "sync"))}
    return {
        job_id: JobStatus(job_id, _find_edit_status(listed[job_id]))
        if job_id in listed
        else make_error(
            f"{job_id}: DRS does not list the job",
            operation="ShowJobList",
            job_ids=(job_id,),
            error_class=DrsUnavailableError,
        )
        for job_id in job_ids
    }


def _find_edit_status(job: ListedJob) -> str:
    statuses = (child.status for child in job.children)
    editing = (word for word in statuses if word.startswith(_EDITING) and phase_of(word) is not Phase.ENDED)
    return next(editing, job.status)


def get_forward_jobs(limits: Limits, parent_ids: Iterable[str]) -> Conversation[dict[str, JobStatus]]:
    """
    Return the forward jobs of dual-active pairs by parent ID.

    Details of a job have its parent, but not its siblings; the list of disaster recovery jobs has the
    children of each parent. A parent that is not listed is missing in the result.

    :param parent_ids: any number of parent job IDs.

    Source: :drs:`public_api_management/querying_tasks_of_a_tenant`
    """
    wanted = set(parent_ids)
    listed = yield from list_jobs(limits, DISASTER_RECOVERY)
    forward = {job.job_id: job.child("up") for job in listed if job.job_id in wanted}
    return {parent: JobStatus(job.job_id, job.status) for parent, job in forward.items() if job}
