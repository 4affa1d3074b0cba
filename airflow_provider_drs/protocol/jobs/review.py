"""Whether an operation can be done for jobs, by what DRS says of them now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from airflow_provider_drs.protocol.core.batches import Answers, Limits
from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError
from airflow_provider_drs.protocol.core.wire import Conversation
from airflow_provider_drs.protocol.jobs.messages import JobDetails, JobProgress
from airflow_provider_drs.protocol.jobs.operation import (
    get_forward_jobs,
    get_job_details,
    get_job_progresses,
)
from airflow_provider_drs.protocol.jobs.preconditions import (
    RULES,
    Backward,
    Forward,
    Review,
    Rule,
    needs_forward,
    review,
)


def review_jobs(
    limits: Limits, job_ids: Iterable[str], action: str = "precheck"
) -> Conversation[Answers[Review]]:
    """
    Say for which jobs an action can be done, for which it is done, and which do not need it.

    The ``standing`` of the value is ``Readiness.READY``; ``Readiness.DONE`` where the job's status shows that
    it was done before; ``Readiness.NOT_NEEDED`` for the pre-check of a backward job whose forward job is
    replicating. Else the value is a ``DrsJobStateError`` that says why not, and what to do.

    :param job_ids: any number of job ids; none at all is an error.
    :param action: a row of the table of rules: ``precheck``, ``start``, ``pause``, ``retry``, ``stop``,
        ``delete``, ``test``, ``configure``, ``select``, ``compare``, ...
    :raises DrsConfigError: there is no such action; nothing was sent.

    Source: :drs:`public_api_management/index`
    """
    if action not in RULES:
        raise DrsConfigError(f"action: expected one of {', '.join(RULES)}, not {action!r}.")
    details = yield from get_job_details(limits, job_ids)
    return (yield from review_details(limits, RULES[action], details))


def review_details(limits: Limits, rule: Rule, details: Answers[JobDetails]) -> Conversation[Answers[Review]]:
    """Return what a rule says of jobs whose details are known; see :func:`review_jobs`."""
    found = {job_id: job for job_id, job in details.items() if isinstance(job, JobDetails)}
    backward = [job for job in found.values() if needs_forward(rule, job)]
    forward = (yield from _find_forward(limits, rule, backward, found)) if backward else {}
    reviews: Answers[Review] = {}
    for job_id, answer in details.items():
        if isinstance(answer, DrsError):
            reviews[job_id] = answer
        else:
            standing = review(rule, answer, forward.get(answer.parent_id or ""))
            if isinstance(standing, DrsError):
                reviews[job_id] = standing
            else:
                reviews[job_id] = Review(standing, answer.status)
    return reviews


def _find_forward(
    limits: Limits, rule: Rule, backward: Iterable[JobDetails], known: Mapping[str, JobDetails]
) -> Conversation[dict[str, Forward]]:
    """Return where the forward job stands, by parent id: from the jobs at hand, else from the list of all."""
    jobs = {job.parent_id: job for job in known.values() if job.parent_id and job.job_direction == "up"}
    ids = {parent_id: job.job_id for parent_id, job in jobs.items()}
    found = {parent_id: Forward(job.status) for parent_id, job in jobs.items()}
    missing = {job.parent_id for job in backward if job.parent_id} - found.keys()
    if missing:
        listed = yield from get_forward_jobs(limits, missing)
        ids |= {parent_id: job.job_id for parent_id, job in listed.items()}
        found |= {parent_id: Forward(job.status) for parent_id, job in listed.items()}
    if rule.backward is Backward.ALLOWED_IN_STEP and ids:
        progresses = yield from get_job_progresses(limits, ids.values())
        for parent_id, job_id in ids.items():
            progress = progresses[job_id]
            if isinstance(progress, JobProgress):
                found[parent_id] = replace(found[parent_id], delay_s=progress.delay_s)
    return found
