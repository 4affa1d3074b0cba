"""
Checks request bodies against the API's own schemas.

``openapi.json`` holds what the documents of DRS and IAM say of each operation: method, path, the documented
code of success, and the schema of the request. It lists every documented operation; those without a schema
are not emulated.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from airflow_provider_drs.emulator.errors import ApiError

_DEFINITIONS = "$defs"


@dataclass(frozen=True)
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
    text = resources.files(__package__).joinpath("openapi.json").read_text("utf-8")
    document = json.loads(text)
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


def _make_validator(schema_name: str | None, definitions: dict[str, Any]) -> Draft202012Validator | None:
    if schema_name is None:
        return None
    return Draft202012Validator({"$ref": f"#/{_DEFINITIONS}/{schema_name}", _DEFINITIONS: definitions})


def read_body(operation: Operation, raw: bytes) -> dict[str, Any]:
    """
    Return the checked body of a request.

    :raises ApiError: no JSON object, a missing parameter, or a value that is not allowed.
    """
    try:
        body = json.loads(raw)
    except ValueError:
        raise ApiError("DRS.M00007") from None
    if operation.validator is None or not isinstance(body, dict):
        raise ApiError("DRS.M00007")
    # The first fault in the order of the document, so that equal requests get equal answers.
    fault = min(
        operation.validator.iter_errors(body),
        key=lambda error: [str(step) for step in error.path],
        default=None,
    )
    if fault is not None:
        raise _explain(fault)
    _refuse_duplicates(body)
    return body


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


def _refuse_duplicates(body: dict[str, Any]) -> None:
    jobs = body.get("jobs")
    if jobs is None:
        return
    if not jobs:
        raise ApiError("DRS.M00201", "jobs")
    # Testing both endpoints of a job in one call names it twice, which is allowed; nothing else is.
    ids = [job if isinstance(job, str) else (job.get("job_id"), job.get("name")) for job in jobs]
    named = [each for each in ids if each not in ((None, None), None)]
    if len(set(named)) != len(named):
        raise ApiError("DRS.M00301", "jobs")
