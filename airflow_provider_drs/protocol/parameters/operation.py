"""Comparing and changing database parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from airflow_provider_drs.protocol.core.batches import Answers, Limits, read
from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError, DrsRequestError, make_error
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.rows import read_flag, row_error
from airflow_provider_drs.protocol.core.wire import Conversation, Request, Response
from airflow_provider_drs.protocol.jobs.actions import review_for
from airflow_provider_drs.protocol.jobs.outcome import JobOutcome
from airflow_provider_drs.protocol.jobs.preconditions import RULES
from airflow_provider_drs.protocol.parameters.messages import (
    Parameter,
    ParameterComparison,
    build_parameters,
    parse_parameters,
)


def compare_parameters(
    limits: Limits, job_ids: Iterable[str], *, refresh: bool = True
) -> Conversation[Answers[ParameterComparison]]:
    """
    Compare the parameters of source and destination of MySQL jobs, one call a job.

    :param job_ids: any number of job ids; none at all is an error.
    :param refresh: ask the databases; ``False`` takes what DRS has kept from the last time.

    Source: :drs:`public_api_management/obtaining_database_parameters_in_batches`
    """
    details, refused = yield from review_for(limits, RULES["compare_parameters"], job_ids)
    answers: Answers[ParameterComparison] = {
        job_id: answer for job_id, answer in refused.items() if isinstance(answer, DrsError)
    }
    for job_id in details:
        if job_id not in answers:
            answers |= yield from _read_parameters(limits, job_id, refresh=refresh)
    return {job_id: answers[job_id] for job_id in details}


def _read_parameters(
    limits: Limits, job_id: str, *, refresh: bool
) -> Conversation[Answers[ParameterComparison]]:
    return (
        yield from read(
            limits, [job_id], lambda batch: build_parameters(batch[0], refresh=refresh), parse_parameters
        )
    )


def modify_parameters(
    limits: Limits, job_ids: Iterable[str], values: Mapping[str, str | int | None]
) -> Conversation[Answers[JobOutcome]]:
    """
    Change parameters of the destination; those that are as wanted already are left alone.

    :param job_ids: any number of job ids; none at all is an error.
    :param values: by the parameter's name; ``None`` takes the source's value. DRS advises to keep
        ``innodb_buffer_pool_size`` at 70% of the destination's memory or less.
    :return: with ``changed`` and ``should_restart`` in the details: the names, and whether the destination
        has to be restarted.
    :raises DrsConfigError: there is none; nothing was sent.

    Source: :drs:`public_api_management/modifying_database_parameters`
    """
    if not isinstance(values, Mapping) or not values:
        raise DrsConfigError("values: give the new value of at least one parameter, by its name.")
    details, answers = yield from review_for(limits, RULES["modify_parameters"], job_ids)
    for job_id in details:
        if job_id not in answers:
            answers[job_id] = yield from _modify(limits, job_id, values)
    return {job_id: answers[job_id] for job_id in details}


def _modify(
    limits: Limits, job_id: str, values: Mapping[str, str | int | None]
) -> Conversation[JobOutcome | DrsError]:
    # The page wants them to be read first; and it is the answer that knows the group of each.
    found = (yield from _read_parameters(limits, job_id, refresh=True))[job_id]
    if isinstance(found, DrsError):
        return found
    known = {parameter.key: parameter for parameter in found.parameters}
    unknown = [name for name in values if name not in known]
    if unknown:
        return make_error(
            f"Job {job_id} has no parameter {', '.join(unknown)}",
            operation="UpdateParams",
            job_ids=(job_id,),
            error_class=DrsRequestError,
            remedy=f"It has {', '.join(sorted(known))}.",
        )
    changes: dict[str, list[dict[str, str]]] = {}
    for name, value in values.items():
        wanted = _wanted(known[name], value)
        if wanted != known[name].target_value:
            changes.setdefault(known[name].group, []).append({"key": name, "target_value": wanted})
    should_restart = False
    for group, params in changes.items():
        build_change = partial(_build_change, group, params)
        answer = (yield from read(limits, [job_id], build_change, _parse_change))[job_id]
        if isinstance(answer, DrsError):
            return answer
        should_restart = should_restart or answer
    changed = [param["key"] for params in changes.values() for param in params]
    return JobOutcome(
        job_id, adopted=not changed, details={"changed": changed, "should_restart": should_restart}
    )


def _wanted(parameter: Parameter, value: str | int | None) -> str:
    return str(parameter.source_value or "") if value is None else str(value)


def _build_change(group: str, params: list[dict[str, str]], batch: Any) -> Request:
    return build("UpdateParams", {"group": group, "params": params}, batch)


def _parse_change(
    request: Request, document: Mapping[str, Any], response: Response
) -> dict[str, bool | DrsError]:
    (job_id,) = request.job_ids
    error = row_error(document, request, response, job_id)
    return {job_id: error or bool(read_flag(document, "should_restart"))}
