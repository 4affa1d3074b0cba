"""Creating jobs, each once, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from airflow_provider_drs.protocol.core.batches import Answers, Limits, write
from airflow_provider_drs.protocol.core.errors import (
    NAME_TAKEN_CODE,
    DrsConfigError,
    DrsError,
    DrsRequestError,
    make_error,
)
from airflow_provider_drs.protocol.core.wire import Conversation
from airflow_provider_drs.protocol.creation.messages import (
    CreatedJob,
    build_creation,
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
    Create jobs. One that exists already under its name with the same configuration is adopted.

    So a lost answer, a retry or a second call never leaves two jobs of one name; a job of that name with
    another configuration, or one that has ended, is an error.

    :param jobs: the fields of the service's page for each; ``subnet_id`` may stand for its misspelt
        ``customize_sutnet_id``, and what has one sensible value may be left out. Passwords do not belong
        here.
    :param source: adds where the source databases are (region, instance, ...); or one by job name.
    :param target: the same for the destinations.
    :return: by name.
    :raises DrsConfigError: a field is missing, unknown or cannot be so; nothing was sent.

    Source: :drs:`public_api_management/creating_tasks_in_batches`
    """
    if isinstance(jobs, Mapping):
        jobs = [jobs]
    rows: dict[str, Mapping[str, Any]] = {}
    for job in jobs:
        name = str(job.get("name")) if isinstance(job, Mapping) else ""
        ends = [endpoint_of(each, name) if each else None for each in (source, target)]
        if name in rows:
            raise DrsConfigError(f"jobs: there are two of the name {name!r}; DRS takes a name once.")
        rows[name] = read_spec(job, *ends)
    if not rows:
        raise DrsConfigError("jobs is empty; give at least one job to create.")
    answers = yield from _look_up(limits, rows, list(rows))
    missing = [name for name in rows if name not in answers]
    if missing:
        settle = partial(_settle, limits, rows)
        answers |= yield from write(limits, missing, partial(build_creation, rows), parse_creation, settle)
    return (yield from _name_children(limits, rows, {name: answers[name] for name in rows}))


def _settle(
    limits: Limits, rows: _Rows, fresh: Answers[CreatedJob], asked: Sequence[str]
) -> Conversation[Answers[CreatedJob]]:
    """Look up by its name each job of which it is not sure that it was created."""
    taken = [name for name, each in fresh.items() if isinstance(each, DrsError) and _is_taken(each)]
    doubtful = [*taken, *(name for name in asked if name not in fresh)]
    found = (yield from _look_up(limits, rows, doubtful)) if doubtful else {}
    return fresh | found


def _is_taken(error: DrsError) -> bool:
    return error.error_code == NAME_TAKEN_CODE


def _look_up(limits: Limits, rows: _Rows, names: Sequence[str]) -> Conversation[Answers[CreatedJob]]:
    """Return the jobs that there are under some names: adopted, or the reason why they cannot be."""
    listed = yield from _list_named(limits, rows, names)
    if not listed:
        return {}
    details = yield from get_job_details(limits, [job.job_id for job in listed.values()])
    return {name: _adopt(rows[name], job, details[job.job_id]) for name, job in listed.items()}


def _list_named(limits: Limits, rows: _Rows, names: Sequence[str]) -> Conversation[dict[str, ListedJob]]:
    found: dict[str, ListedJob] = {}
    for use in dict.fromkeys(rows[name]["db_use_type"] for name in names):
        same = [name for name in names if rows[name]["db_use_type"] == use]
        # The service's filter takes a part of the name; what all of them begin with finds all of them.
        listed = yield from list_jobs(limits, use, name=_common_start(same))
        found |= {job.name: job for job in listed if job.name in same}
    return found


def _common_start(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    same = next(
        (n for n, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first)
    )
    return first[:same]


def _adopt(row: Mapping[str, Any], job: ListedJob, details: JobDetails | DrsError) -> CreatedJob | DrsError:
    if isinstance(details, DrsError):
        return details
    difference = find_difference(row, details)
    if difference:
        problem = f"exists already, and its {difference}"
        remedy = "Choose another name, or delete that job if nobody needs it."
    elif job.phase in STOPPED_PHASES or job.status == "CREATE_FAILED":
        problem = f"exists already, {describe_status(job.status)}"
        remedy = "Delete it (DrsDeleteJobsOperator), or choose another name."
    else:
        return CreatedJob(job.name, job.job_id, job.status, adopted=True, child_ids=_ids(job))
    return make_error(
        f"Job {job.job_id} of the name {job.name!r} {problem}",
        operation="BatchCreateJobs",
        job_ids=(job.job_id,),
        error_class=DrsRequestError,
        remedy=remedy,
    )


def _ids(job: ListedJob) -> tuple[str, ...]:
    return tuple(child.job_id for child in job.children)


def _name_children(
    limits: Limits, rows: _Rows, answers: Answers[CreatedJob]
) -> Conversation[Answers[CreatedJob]]:
    """Add which child of a dual-active pair leads forward, and which back."""
    pairs = {
        name: each
        for name, each in answers.items()
        if isinstance(each, CreatedJob) and each.child_ids and rows[name].get("multi_write")
    }
    listed = (yield from _list_named(limits, rows, list(pairs))) if pairs else {}
    named = dict(answers)
    for name, job in listed.items():
        forward, backward = job.child("up"), job.child("down")
        named[name] = replace(
            pairs[name],
            forward_id=forward.job_id if forward else None,
            backward_id=backward.job_id if backward else None,
        )
    return named
