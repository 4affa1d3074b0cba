"""Start comparisons of data and read their results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from airflow_provider_drs.protocol.comparisons.messages import (
    Comparison,
    ComparisonResult,
    ComparisonSpec,
    ComparisonTask,
    build_comparison,
    build_comparison_result,
    parse_comparison,
    parse_comparison_result,
)
from airflow_provider_drs.protocol.core.batches import Answers, Limits, read, write
from airflow_provider_drs.protocol.core.errors import DrsError
from airflow_provider_drs.protocol.core.wire import Conversation, Request
from airflow_provider_drs.protocol.jobs.actions import review_for
from airflow_provider_drs.protocol.jobs.preconditions import RULES


def create_comparisons(
    limits: Limits, job_ids: Iterable[str], spec: ComparisonSpec, *, adopt_running: bool = False
) -> Conversation[Answers[Comparison]]:
    """
    Compare the data of source and destination of MySQL disaster recovery jobs.

    Sends one call per job, after reading the job's comparisons. If only objects are compared, a running
    comparison of objects is adopted: it is used instead of a new one.

    :param job_ids: one or more job IDs.
    :param spec: what to compare.
    :param adopt_running: also adopt a running comparison of data, for example when a task is retried. DRS
        does not return which tables it compares.

    Source: :drs:`public_api_management/creating_a_comparison_task`
    """
    details, refused = yield from review_for(limits, RULES["compare"], job_ids)
    answers: Answers[Comparison] = {}
    for job_id in details:
        error = refused.get(job_id)
        creating = _create(limits, job_id, spec, adopt_running=adopt_running)
        answers[job_id] = error if isinstance(error, DrsError) else (yield from creating)
    return answers


def _create(
    limits: Limits, job_id: str, spec: ComparisonSpec, *, adopt_running: bool
) -> Conversation[Comparison | DrsError]:
    before = yield from _read_tasks(limits, job_id)
    if isinstance(before, DrsError):
        return before
    running = _find(job_id, spec, [task for task in before if not task.is_done])
    if running and (adopt_running or not spec.data):
        return running
    known = {task.task_id for task in before}

    def settle(fresh: Answers[Comparison], requested: Sequence[str]) -> Conversation[Answers[Comparison]]:
        if fresh:
            return fresh
        # The response was lost. If the list has new comparisons, the request was accepted.
        tasks = yield from _read_tasks(limits, job_id)
        if isinstance(tasks, DrsError):
            return {}
        created = _find(job_id, spec, [task for task in tasks if task.task_id not in known])
        return {job_id: created} if created else {}

    def build(batch: Sequence[str]) -> Request:
        return build_comparison(batch[0], spec)

    return (yield from write(limits, [job_id], build, parse_comparison, settle, size=1))[job_id]


def _read_tasks(limits: Limits, job_id: str) -> Conversation[tuple[ComparisonTask, ...] | DrsError]:
    result = (yield from get_comparisons(limits, [Comparison(job_id, {})]))[job_id]
    return result if isinstance(result, DrsError) else result.tasks


def _find(job_id: str, spec: ComparisonSpec, tasks: Sequence[ComparisonTask]) -> Comparison | None:
    """Return the tasks as the comparisons of a spec, if there is one of each kind."""
    ids = {kind: task.task_id for kind in spec.kinds for task in tasks if task.kind == kind}
    return Comparison(job_id, ids, adopted=True) if len(ids) == len(spec.kinds) else None


def get_comparisons(
    limits: Limits, comparisons: Iterable[Comparison | Mapping[str, object]]
) -> Conversation[Answers[ComparisonResult]]:
    """
    Read the results of comparisons so far, with one call per job and page of 100 databases.

    :param comparisons: the values that :meth:`create_comparisons` returned, or their ``to_dict()``.
    :raises DrsConfigError: a comparison is invalid.

    Source: :drs:`public_api_management/querying_comparison_results`
    """
    answers: Answers[ComparisonResult] = {}
    for value in comparisons:
        comparison = value if isinstance(value, Comparison) else Comparison.from_dict(value)
        answers[comparison.job_id] = yield from _read_result(limits, comparison)
    return answers


def _read_result(limits: Limits, comparison: Comparison) -> Conversation[ComparisonResult | DrsError]:
    result: ComparisonResult | None = None
    page = 1

    def build(batch: Sequence[str]) -> Request:
        return build_comparison_result(batch[0], comparison.task_ids, page)

    while True:
        answers = yield from read(limits, [comparison.job_id], build, parse_comparison_result)
        answer = answers[comparison.job_id]
        if isinstance(answer, DrsError):
            return answer
        found, has_more = answer
        if result:
            differences = result.differences + found.differences
            found = replace(result, compared=result.compared + found.compared, differences=differences)
        if not has_more:
            return found
        result = found
        page += 1
