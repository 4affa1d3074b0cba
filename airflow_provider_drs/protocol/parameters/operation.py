"""Compare and modify database parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from airflow_provider_drs.protocol.core.batches import Answers, Limits, read
from airflow_provider_drs.protocol.core.errors import DrsError, DrsRequestError, make_error
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.rows import read_flag, row_error
from airflow_provider_drs.protocol.core.wire import Conversation, Document, Request, Response
from airflow_provider_drs.protocol.jobs.actions import review_for
from airflow_provider_drs.protocol.jobs.adoption import Comparison
from airflow_provider_drs.protocol.jobs.outcome import JobOutcome
from airflow_provider_drs.protocol.jobs.preconditions import find_rule
from airflow_provider_drs.protocol.parameters.messages import (
    ParameterComparison,
    build_parameters,
    check_values,
    parse_parameters,
)


def compare_parameters(
    limits: Limits, job_ids: Iterable[str], *, refresh: bool = True, if_started: str = "adopt"
) -> Conversation[Answers[ParameterComparison | JobOutcome]]:
    """
    Compare the parameters of source and destination of MySQL jobs, with one call per job.

    :param job_ids: one or more job IDs.
    :param refresh: read the parameters from the databases; ``False`` returns what DRS stored the last time.
    :param if_started: ``adopt`` does not compare jobs that were started before; ``fail`` refuses them.

    Source: :drs:`public_api_management/obtaining_database_parameters_in_batches`
    """
    rule = find_rule("compare_parameters", if_started)
    details, known = yield from review_for(limits, rule, job_ids)
    answers: Answers[ParameterComparison | JobOutcome] = {}
    for job_id in details:
        reading = _read_parameters(limits, job_id, refresh=refresh)
        answers[job_id] = known[job_id] if job_id in known else (yield from reading)
    return answers


def _read_parameters(
    limits: Limits, job_id: str, *, refresh: bool
) -> Conversation[ParameterComparison | DrsError]:
    request = build_parameters(job_id, refresh=refresh)
    return (yield from read(limits, [job_id], lambda batch: request, parse_parameters))[job_id]


def modify_parameters(
    limits: Limits,
    job_ids: Iterable[str],
    values: Mapping[str, str | int | None],
    *,
    if_started: str = "adopt",
) -> Conversation[Answers[JobOutcome]]:
    """
    Change parameters of the destination. Parameters that already have the requested value are not changed.

    :param job_ids: one or more job IDs.
    :param values: the new values by parameter name; ``None`` uses the value of the source. DRS recommends to
        set ``innodb_buffer_pool_size`` to at most 70% of the destination's memory.
    :param if_started: ``adopt`` leaves jobs unchanged that were started before; ``fail`` refuses them.
    :return: by job ID, the outcome or an error. ``details`` of the outcome contains ``changed``, the names of
        the changed parameters, and ``should_restart``, whether the destination must be restarted.
    :raises DrsConfigError: values is empty or invalid; nothing was sent.

    Source: :drs:`public_api_management/modifying_database_parameters`
    """
    check_values(values)
    # DRS returns the parameters of a job before its start only.
    found = Comparison(not_compared=tuple(values))
    rule = find_rule("modify_parameters", if_started)
    details, answers = yield from review_for(limits, rule, job_ids, compare=lambda job: found)
    for job_id in details:
        if job_id not in answers:
            answers[job_id] = yield from _modify(limits, job_id, values)
    return {job_id: answers[job_id] for job_id in details}


def _modify(
    limits: Limits, job_id: str, values: Mapping[str, str | int | None]
) -> Conversation[JobOutcome | DrsError]:
    # Required by the page; the response also contains the group of each parameter.
    comparison = yield from _read_parameters(limits, job_id, refresh=True)
    if isinstance(comparison, DrsError):
        return comparison
    known = {parameter.key: parameter for parameter in comparison.parameters}
    unknown = [name for name in values if name not in known]
    if unknown:
        return make_error(
            f"{job_id}: unknown parameter {', '.join(unknown)}",
            operation="UpdateParams",
            job_ids=(job_id,),
            error_class=DrsRequestError,
            remedy=f"Use one of {', '.join(sorted(known))}.",
        )
    changes: dict[str, list[dict[str, str]]] = {}
    for name, value in values.items():
        parameter = known[name]
        new_value = str(parameter.source_value or "") if value is None else str(value)
        if new_value != parameter.target_value:
            changes.setdefault(parameter.group, []).append({"key": name, "target_value": new_value})
    should_restart = False
    for group, params in changes.items():
        build_change = partial(build, "UpdateParams", {"group": group, "params": params})
        answer = (yield from read(limits, [job_id], build_change, _parse_change))[job_id]
        if isinstance(answer, DrsError):
            return answer
        should_restart = should_restart or answer
    changed = [param["key"] for params in changes.values() for param in params]
    return JobOutcome(
        job_id, adopted=not changed, details={"changed": changed, "should_restart": should_restart}
    )


def _parse_change(request: Request, document: Document, response: Response) -> Answers[bool]:
    (job_id,) = request.job_ids
    error = row_error(document, request, response, job_id)
    return {job_id: error or bool(read_flag(document, "should_restart"))}
