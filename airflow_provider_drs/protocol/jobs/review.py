"""Review jobs: whether their details allow an action."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from airflow_provider_drs.protocol.core.batches import Answers, Limits
from airflow_provider_drs.protocol.core.errors import DrsError, check_choice
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
    Return for which jobs an action can be performed, for which it was performed before, and which do not need
    it.

    The value of a job has ``readiness``: ``Readiness.READY``; ``Readiness.DONE`` if its status shows that the
    action was performed before; ``Readiness.NOT_NEEDED`` for the pre-check of a backward job whose forward
    job is replicating. If the action cannot be performed, the value is a ``DrsJobStateError`` with the reason
    and the fix.

    :param job_ids: any number of job IDs, at least one.
    :param action: ``precheck``, ``start``, ``pause``, ``retry``, ``stop``, ``delete``, ``test``,
        ``configure``, ``select``, ``compare``, ...
    :raises DrsConfigError: an unknown action; nothing was sent.

    Source: :drs:`public_api_management/index`
    """
    check_choice("action", action, RULES)
    details = yield from get_job_details(limits, job_ids)
    return (yield from review_details(limits, RULES[action], details))


def review_details(limits: Limits, rule: Rule, details: Answers[JobDetails]) -> Conversation[Answers[Review]]:
    """Review jobs whose details are known; see :func:`review_jobs`."""
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
                reviews[job_id] = Review(standing, answer.status, answer.name)
    return reviews


def _find_forward(
    limits: Limits, rule: Rule, backward: Iterable[JobDetails], known: Mapping[str, JobDetails]
) -> Conversation[dict[str, Forward]]:
    """Return the forward jobs by parent ID: from the given jobs, else from the list of all jobs."""
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
