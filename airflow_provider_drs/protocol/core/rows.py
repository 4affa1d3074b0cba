"""
The rows of a batch response, matched to jobs by ID.

The documentation is not consistent: most lists are ``results``, most IDs ``id``, most error messages
``error_msg``. The caller passes what an operation uses; a row is never matched by its position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from airflow_provider_drs.protocol.core.errors import DrsError, DrsResponseError, make_error
from airflow_provider_drs.protocol.core.redact import redact_text
from airflow_provider_drs.protocol.core.wire import Request, Response

T = TypeVar("T")


def read_rows(document: Mapping[str, Any], key: str = "results") -> list[Mapping[str, Any]]:
    """
    Return the rows of a response.

    :raises DrsResponseError: there is no list under *key*, or its items are not objects.
    """
    rows = document.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise DrsResponseError(f"the body has no list of objects under {key!r}")
    return rows


def row_error(row: Mapping[str, Any], request: Request, response: Response, job_id: str) -> DrsError | None:
    """Return the error of a row, or ``None`` if it reports success."""
    code = row.get("error_code")
    # Selecting objects returns false, the cluster's connection test "false", all others "failed".
    is_failed = row.get("status") in ("failed", "false", False) or row.get("success") is False
    if not code and not is_failed:
        return None
    message = row.get("error_msg") or row.get("error_message")
    return make_error(
        f"{request.operation} for job {job_id} failed",
        operation=request.operation,
        http_status=None if response.is_success else response.status,
        error_code=str(code) if code else None,
        error_msg=redact_text(str(message)) if message else None,
        request_id=response.request_id,
        job_ids=(job_id,),
    )


def parse_rows(
    request: Request,
    document: Mapping[str, Any],
    response: Response,
    parse_row: Callable[[str, Mapping[str, Any]], T],
    *,
    id_keys: Sequence[str] = ("id", "job_id"),
) -> dict[str, T | DrsError]:
    """
    Return the result of *parse_row* for each successful row and an error for each failed one, by job ID in
    the order requested.

    Jobs without a row are missing in the result. Rows of other jobs are ignored.

    :raises DrsResponseError: the response, or a successful row, is not as documented.
    """
    found: dict[str, T | DrsError] = {}
    for row in read_rows(document):
        job_id = next((str(row[key]) for key in id_keys if row.get(key)), None)
        if job_id is None or job_id not in request.job_ids:
            continue
        error = row_error(row, request, response, job_id)
        found[job_id] = error if error else parse_row(job_id, row)
    return {job_id: found[job_id] for job_id in request.job_ids if job_id in found}


def missing_error(request: Request, job_id: str) -> DrsError:
    """Return the error of a job that is missing in a valid response."""
    return make_error(
        f"{job_id}: DRS returned no row for {request.operation}",
        operation=request.operation,
        job_ids=(job_id,),
        error_class=DrsResponseError,
        remedy="Check the job in the DRS console, then run the task again.",
    )


def read_text(row: Mapping[str, Any], key: str) -> str:
    """
    Return a required string of a row.

    :raises DrsResponseError: it is missing, or not a string.
    """
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise DrsResponseError(f"a row has no text under {key!r}")
    return value


def read_percent(row: Mapping[str, Any], key: str) -> int | None:
    """
    Return a percentage as an integer: "100%" in pre-checks, "100" in progress; ``None`` if it is missing.

    :raises DrsResponseError: it is not a percentage.
    """
    value = row.get(key)
    if value is None or value == "":
        return None
    digits = str(value).strip().removesuffix("%").strip()
    try:
        return int(float(digits))
    except (ValueError, OverflowError):
        raise DrsResponseError(f"{key!r} is {str(value)[:20]!r}, not a percentage") from None


def read_flag(row: Mapping[str, Any], key: str) -> bool | None:
    """
    Return a flag; some operations return "true" as a string. ``None`` if it is missing.

    :raises DrsResponseError: it is not a flag.
    """
    value = row.get(key)
    if value is None or isinstance(value, bool):
        return value
    flags = {"true": True, "false": False}
    if isinstance(value, str) and value.lower() in flags:
        return flags[value.lower()]
    raise DrsResponseError(f"{key!r} is {str(value)[:20]!r}, not true or false")
