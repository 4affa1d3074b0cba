"""
Checks request bodies against the API's own schemas.

``openapi.json`` holds what the documents of DRS and IAM say of each operation: method, path, the documented
code of success, and the schema of the request. It was cut out of the OpenAPI document that the contract tests
keep (``tests/contract``), where each fact names its page, and has its conditional demands as ``if`` and
``then``. It lists every documented operation; those of DRS without a schema are not emulated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from airflow_provider_drs.emulator.api.errors import ApiError

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_DEFINITIONS = "$defs"

#: Operations that only read jobs.
POLLS = frozenset({"BatchListJobStatus", "BatchListJobDetails", "BatchListProgresses", "BatchCheckResults"})


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation of the API. ``validator`` is ``None`` where it is not emulated."""

    name: str
    method: str
    path: re.Pattern[str]
    success: int
    validator: Draft202012Validator | None


@lru_cache(maxsize=1)
def load_operations() -> tuple[Operation, ...]:
    """Return every documented operation."""
    document = _load_document()
    definitions = document[_DEFINITIONS]
    return tuple(
        Operation(
            name=name,
            method=facts["method"],
            path=re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", facts["path"]) + "$"),
            success=facts["success"],
            validator=_make_validator(facts.get("request"), definitions),
        )
        for name, facts in document["operations"].items()
    )


@lru_cache(maxsize=1)
def _load_document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        resources.files(__package__).joinpath("openapi.json").read_text("utf-8")
    )
    return document


def _make_validator(schema_name: str | None, definitions: Mapping[str, Any]) -> Draft202012Validator | None:
    if schema_name is None:
        return None
    # Loading it takes longer than all the rest of the start, and the first request is early enough.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(_inline(definitions[schema_name], definitions))


def _inline(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a schema without references: to follow one for each job of a request takes most of the time."""
    if isinstance(schema, list):
        return [_inline(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {key: _inline(value, definitions) for key, value in schema.items()}


def read_body(operation: Operation, raw: bytes) -> Mapping[str, Any]:
    """
    Return the checked body of a request.

    :raises ApiError: no JSON object, a missing parameter, or a value that is not allowed.
    """
    if operation.method == "GET":
        return {}
    return _read_again(operation, raw) if operation.name in POLLS else _read(operation, raw)


def check_job_id(text: str) -> str:
    """
    Return the id of a job that a path names.

    :raises ApiError: it does not look like one.
    """
    if not re.fullmatch(_load_document()[_DEFINITIONS]["JobId"]["pattern"], text):
        raise ApiError("DRS.M00202", "job_id")
    return text


def read_cluster_ends(text: str) -> list[dict[str, Any]]:
    """
    Return the checked ends of a cluster, which travel as a JSON array within a string (drs_03_0106).

    :raises ApiError: no such array, or an end that is not described in full.
    """
    try:
        ends: list[dict[str, Any]] = json.loads(text)
    except (ValueError, RecursionError):
        raise ApiError("DRS.M00202", "property") from None
    fault = min(_load_ends_validator().iter_errors(ends), key=_place, default=None)
    if fault is not None:
        raise _explain(fault)
    return ends


@lru_cache(maxsize=1)
def _load_ends_validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    definitions = _load_document()[_DEFINITIONS]
    items = _inline(definitions["ClusterConnectionProperty"], definitions)
    return Draft202012Validator({"type": "array", "minItems": 1, "items": items})


@lru_cache(maxsize=512)
def _read_again(operation: Operation, raw: bytes) -> Mapping[str, Any]:
    """Return what the same bytes were read as before: polls are many, and all alike."""
    return _read(operation, raw)


def _read(operation: Operation, raw: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise ApiError("DRS.M00007") from None
    if operation.validator is None or not isinstance(body, dict):
        raise ApiError("DRS.M00007")
    # The first fault in the order of the request, so that equal requests get equal answers.
    fault = min(operation.validator.iter_errors(body), key=_place, default=None)
    if fault is not None:
        raise _explain(fault)
    for key in ("jobs", "speed_limits"):
        if key in body:
            _refuse_duplicates(operation.name, body[key], key)
    return body


def _place(fault: ValidationError) -> list[str]:
    return [f"{step:09}" if isinstance(step, int) else step for step in fault.path]


def _explain(fault: ValidationError) -> ApiError:
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault.path).lstrip(".")
    if fault.validator == "required":
        required: list[str] = fault.schema["required"]  # type: ignore[index]
        instance: dict[str, Any] = fault.instance  # type: ignore[assignment]
        missing = next(name for name in required if name not in instance)
        return ApiError("DRS.M00201", f"{where}.{missing}".lstrip("."))
    if fault.validator == "minItems":
        return ApiError("DRS.M00201", where)
    if fault.validator == "uniqueItems":
        return ApiError("DRS.M00301", where)
    return ApiError("DRS.M00202", where)


def _refuse_duplicates(operation: str, jobs: list[Any], key: str) -> None:
    if not jobs:
        raise ApiError("DRS.M00201", key)
    if operation == "BatchCreateJobs":
        # They have no ids yet; a name that is taken is an error of its own.
        return
    ids = [job if isinstance(job, str) else _name_row(job) for job in jobs]
    if len(set(ids)) != len(ids):
        raise ApiError("DRS.M00301", key)


def _name_row(job: Mapping[str, Any]) -> str:
    # Both ends of a job can stand in one call, which names it twice.
    return f"{job.get('id') or job.get('job_id')} {job.get('end_point_type', '')}"
