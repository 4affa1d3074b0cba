"""
Checks request bodies against the API's schemas.

``openapi.json`` holds the documented facts of each DRS and IAM operation: method, path, success code, and the
request schema. It is an extract of the OpenAPI document of the contract tests (``tests/contract``), where
each fact names its page. Conditional requirements are ``if`` and ``then``. All documented operations are
listed; DRS operations without a schema are not emulated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from drs_emulator.api.errors import ApiError

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
    # Importing it takes most of the start-up time; the first request is early enough.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(_inline(definitions[schema_name], definitions))


def _inline(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a schema without references, because resolving one per job takes most of a request's time."""
    if isinstance(schema, list):
        return [_inline(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {key: _inline(value, definitions) for key, value in schema.items()}


def read_body(operation: Operation, raw: bytes) -> Mapping[str, Any]:
    """
    Return the checked body of a request.

    :raises ApiError: the body is not a JSON object, lacks a parameter, or has an invalid value.
    """
    if operation.method == "GET":
        return {}
    return _read_again(operation, raw) if operation.name in POLLS else _read(operation, raw)


def check_job_id(text: str) -> str:
    """
    Return the job ID of a path.

    :raises ApiError: it is not a valid job ID.
    """
    if not re.fullmatch(_load_document()[_DEFINITIONS]["JobId"]["pattern"], text):
        raise ApiError("DRS.M00202", "job_id")
    return text


def read_cluster_ends(text: str) -> list[dict[str, Any]]:
    """
    Return the checked endpoints of a cluster, sent as a JSON array within a string (drs_03_0106).

    :raises ApiError: the text is not such an array, or an endpoint is incomplete.
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
    """Return the cached result for identical bytes: polls repeat the same body."""
    return _read(operation, raw)


def _read(operation: Operation, raw: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise ApiError("DRS.M00007") from None
    if operation.validator is None or not isinstance(body, dict):
        raise ApiError("DRS.M00007")
    # Report the first error in request order, so that equal requests get equal responses.
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
        # New jobs have no IDs yet; duplicate names have their own error code.
        return
    ids = [job if isinstance(job, str) else _name_row(job) for job in jobs]
    if len(set(ids)) != len(ids):
        raise ApiError("DRS.M00301", key)


def _name_row(job: Mapping[str, Any]) -> str:
    # One call can contain both endpoints of a job, which names the job twice.
    return f"{job.get('id') or job.get('job_id')} {job.get('end_point_type', '')}"
