"""Create jobs. Retries and repeated calls never create a second job with the same name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from os.path import commonprefix
from typing import Any

from msgspec.structs import replace

from airflow_provider_drs.protocol.core.batches import Answers, Limits, write
from airflow_provider_drs.protocol.core.errors import (
    NAME_TAKEN_CODE,
    DrsConfigError,
    DrsError,
    DrsRequestError,
    has_code,
    make_error,
)
from airflow_provider_drs.protocol.core.wire import Conversation
from airflow_provider_drs.protocol.creation.messages import (
    CreatedJob,
    build_creation,
    check_names,
    find_difference,
    parse_creation,
    read_spec,
)
from airflow_provider_drs.protocol.jobs.databases import Endpoints, endpoint_of
from airflow_provider_drs.protocol.jobs.listing import ListedJob
from airflow_provider_drs.protocol.jobs.messages import JobDetails
from airflow_provider_drs.protocol.jobs.operation import get_job_details, list_jobs
from airflow_provider_drs.protocol.jobs.states import STOPPED_PHASES, describe_status

_Rows = Mapping[str, Mapping[str, Any]]


def create_jobs(
    limits: Limits,
    jobs: Iterable[Mapping[str, Any]],
    *,
    source: Endpoints | None = None,
    target: Endpoints | None = None,
) -> Conversation[Answers[CreatedJob]]:
    """
    Create jobs.

    A job that already exists with the same name and configuration is adopted: it is used instead of a new
    one, so that retries and repeated calls create each job once. An existing job with another configuration,
    or one that is stopped, is an error.

    :param jobs: the fields of the page for each job, without passwords. ``subnet_id`` is an alias of the
        misspelled ``customize_sutnet_id``. Optional are ``job_direction`` (default ``up``), ``net_type``
        (``eip``), ``node_type`` (``high``), ``task_type`` (``FULL_INCR_TRANS``), and fields that follow from
        others.
    :param source: the location of the source databases (region, instance and so on) without credentials, for
        all jobs or by job name.
    :param target: the same for the destinations.
    :return: by job name, the created job or an error.
    :raises DrsConfigError: jobs is empty, or a field is missing, unknown or invalid; nothing was sent.

    Source: :drs:`public_api_management/creating_tasks_in_batches`
    """
    rows: dict[str, Mapping[str, Any]] = {}
    listed = [jobs] if isinstance(jobs, Mapping) else list(jobs)
    names = [str(job.get("name")) if isinstance(job, Mapping) else "" for job in listed]
    check_names(names)
    for name, job in zip(names, listed, strict=True):
        ends = [endpoint_of(endpoints, name) if endpoints else None for endpoints in (source, target)]
        rows[name] = read_spec(job, *ends)
    if not rows:
        raise DrsConfigError("jobs is empty: expected one or more jobs to create.")
    answers = yield from _find_existing(limits, rows, list(rows))
    missing = [name for name in rows if name not in answers]
    if missing:
        settle = partial(_settle, limits, rows)
        answers |= yield from write(limits, missing, partial(build_creation, rows), parse_creation, settle)
    return (yield from _add_pair_ids(limits, rows, {name: answers[name] for name in rows}))


def _settle(
    limits: Limits, rows: _Rows, fresh: Answers[CreatedJob], requested: Sequence[str]
) -> Conversation[Answers[CreatedJob]]:
    """Look up the jobs whose name is taken or whose outcome is unknown."""
    taken = [name for name, answer in fresh.items() if has_code(answer, NAME_TAKEN_CODE)]
    to_find = [*taken, *(name for name in requested if name not in fresh)]
    return fresh | (yield from _find_existing(limits, rows, to_find)) if to_find else fresh


def _find_existing(limits: Limits, rows: _Rows, names: Sequence[str]) -> Conversation[Answers[CreatedJob]]:
    """Return the jobs that already exist: adopted, or the reason why they cannot be adopted."""
    listed = yield from _list_by_name(limits, rows, names)
    if not listed:
        return {}
    details = yield from get_job_details(limits, [job.job_id for job in listed.values()])
    return {name: _adopt(rows[name], job, details[job.job_id]) for name, job in listed.items()}


def _list_by_name(limits: Limits, rows: _Rows, names: Sequence[str]) -> Conversation[dict[str, ListedJob]]:
    found: dict[str, ListedJob] = {}
    for use in dict.fromkeys(rows[name]["db_use_type"] for name in names):
        wanted = [name for name in names if rows[name]["db_use_type"] == use]
        # DRS filters by a part of the name, so the common prefix finds all of them in one list.
        listed = yield from list_jobs(limits, use, name=commonprefix(wanted))  # noqa: RUF071
        found |= {job.name: job for job in listed if job.name in wanted}
    return found


def _adopt(row: Mapping[str, Any], job: ListedJob, details: JobDetails | DrsError) -> CreatedJob | DrsError:
    if isinstance(details, DrsError):
        return details
    difference = find_difference(row, details)
    if difference:
        problem = f"already exists with another configuration: {difference}"
        remedy = "Choose another name, or delete that job if it is not needed."
    elif job.phase in STOPPED_PHASES or job.status == "CREATE_FAILED":
        problem = f"already exists, {describe_status(job.status)}"
        remedy = "Delete it (DrsDeleteJobsOperator), or choose another name."
    else:
        child_ids = tuple(child.job_id for child in job.children)
        return CreatedJob(job.name, job.job_id, job.status, adopted=True, child_ids=child_ids)
    return make_error(
        f"{job.name} ({job.job_id}): {problem}",
        operation="BatchCreateJobs",
        job_ids=(job.job_id,),
        error_class=DrsRequestError,
        remedy=remedy,
    )


def _add_pair_ids(
    limits: Limits, rows: _Rows, answers: Answers[CreatedJob]
) -> Conversation[Answers[CreatedJob]]:
    """Add the IDs of the forward and backward jobs of dual-active pairs."""
    pairs = {
        name: answer
        for name, answer in answers.items()
        if isinstance(answer, CreatedJob) and answer.child_ids and rows[name].get("multi_write")
    }
    listed = (yield from _list_by_name(limits, rows, list(pairs))) if pairs else {}
    completed = dict(answers)
    for name, job in listed.items():
        forward, backward = (job.child(direction) for direction in ("up", "down"))
        completed[name] = replace(
            pairs[name],
            forward_id=forward.job_id if forward else None,
            backward_id=backward.job_id if backward else None,
        )
    return completed
