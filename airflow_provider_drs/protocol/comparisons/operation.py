"""Ordering comparisons of data, and reading what they have found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from airflow_provider_drs.protocol.comparisons.messages import (
    Comparison,
    ComparisonResult,
    ComparisonTask,
    Order,
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
    limits: Limits, job_ids: Iterable[str], order: Order, *, adopt_running: bool = False
) -> Conversation[Answers[Comparison]]:
    """
    Compare the data of MySQL disaster recovery jobs; a comparison of objects that is running is adopted.

    One call a job, after one that asks which comparisons it has.

    :param job_ids: any number of job ids; none at all is an error.
    :param order: what to compare.
    :param adopt_running: a comparison of data that is running counts as this one, e.g. when a task is tried
        again. DRS does not tell which tables it compares.

    Source: :drs:`public_api_management/creating_a_comparison_task`
    """
    details, refused = yield from review_for(limits, RULES["compare"], job_ids)
    answers: Answers[Comparison] = {
        job_id: answer for job_id, answer in refused.items() if isinstance(answer, DrsError)
    }
    for job_id in details:
        if job_id not in answers:
            answers[job_id] = yield from _create(limits, job_id, order, adopt_running=adopt_running)
    return {job_id: answers[job_id] for job_id in details}


def _create(
    limits: Limits, job_id: str, order: Order, *, adopt_running: bool
) -> Conversation[Comparison | DrsError]:
    before = yield from _read_tasks(limits, job_id)
    if isinstance(before, DrsError):
        return before
    adopted = _find(job_id, order, [task for task in before if not task.is_done])
    if adopted and (adopt_running or not order.data):
        return adopted
    known = {task.task_id for task in before}

    def settle(fresh: Answers[Comparison], asked: Sequence[str]) -> Conversation[Answers[Comparison]]:
        if fresh:
            return fresh
        # Nobody knows whether the order arrived; a comparison that was not there before says that it did.
        tasks = yield from _read_tasks(limits, job_id)
        if isinstance(tasks, DrsError):
            return {}
        found = _find(job_id, order, [task for task in tasks if task.task_id not in known])
        return {job_id: found} if found else {}

    def build(batch: Sequence[str]) -> Request:
        return build_comparison(batch[0], order)

    return (yield from write(limits, [job_id], build, parse_comparison, settle, size=1))[job_id]


def _read_tasks(limits: Limits, job_id: str) -> Conversation[tuple[ComparisonTask, ...] | DrsError]:
    result = (yield from get_comparisons(limits, [Comparison(job_id, {})]))[job_id]
    return result if isinstance(result, DrsError) else result.tasks


def _find(job_id: str, order: Order, tasks: Sequence[ComparisonTask]) -> Comparison | None:
    """Return the comparisons that an order asks for, if there is one of each kind."""
    ids = {kind: task.task_id for kind in order.kinds for task in tasks if task.kind == kind}
    return Comparison(job_id, ids, adopted=True) if len(ids) == len(order.kinds) else None


def get_comparisons(
    limits: Limits, comparisons: Iterable[Comparison | Mapping[str, object]]
) -> Conversation[Answers[ComparisonResult]]:
    """
    Read what comparisons have found so far, one call a job and page of a hundred databases.

    :param comparisons: what :meth:`create_comparisons` has returned, or its ``to_dict``.

    Source: :drs:`public_api_management/querying_comparison_results`
    """
    answers: Answers[ComparisonResult] = {}
    for each in comparisons:
        comparison = each if isinstance(each, Comparison) else Comparison.from_dict(each)
        answers[comparison.job_id] = yield from _read_result(limits, comparison)
    return answers


def _build_page(comparison: Comparison, page: int, batch: Sequence[str]) -> Request:
    return build_comparison_result(batch[0], comparison.task_ids, page)


def _read_result(limits: Limits, comparison: Comparison) -> Conversation[ComparisonResult | DrsError]:
    whole: ComparisonResult | None = None
    page = 1
    while True:
        build = partial(_build_page, comparison, page)
        answers = yield from read(limits, [comparison.job_id], build, parse_comparison_result)
        answer = answers[comparison.job_id]
        if isinstance(answer, DrsError):
            return answer
        whole = answer.result if whole is None else whole.merge(answer.result)
        if not answer.has_more:
            return whole
        page += 1
