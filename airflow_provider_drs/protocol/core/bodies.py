"""
Read response bodies strictly, and no more of them than is needed.

Verdicts depend on these bytes. A body that two parsers could read differently is rejected: duplicate keys,
NaN, invalid UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from airflow_provider_drs.protocol.core.errors import DrsResponseError
from airflow_provider_drs.protocol.core.redact import redact_text
from airflow_provider_drs.protocol.core.wire import Response

# Before msgspec 0.20, its errors are not ValueErrors.
_INVALID = (ValueError, RecursionError, msgspec.MsgspecError)


def read_json(response: Response) -> dict[str, Any]:
    """
    Read a body as a JSON object.

    :raises DrsResponseError: it is HTML, truncated, ambiguous, or another kind of JSON.
    """
    try:
        document = _read_strictly(response.body)
    except _INVALID as error:
        raise DrsResponseError(_not_json(response, "not JSON"), http_status=response.status) from error
    if not isinstance(document, dict):
        raise DrsResponseError(_not_json(response, "no JSON object"), http_status=response.status)
    return document


def read_token_text(response: Response) -> dict[str, Any]:
    """
    Read a session token of the metadata service, which is plain text.

    :raises DrsResponseError: it is not a single word.
    """
    text = response.body.decode("ascii", errors="replace").strip()
    if not text.isascii() or not text.isprintable() or " " in text or not text:
        raise DrsResponseError(
            "the response of the metadata service is not a token", http_status=response.status
        )
    return {"token": text}


class RunningPrecheck(msgspec.Struct, gc=False):
    """The result of a running pre-check. Its items are skipped without being decoded."""

    id: str | None = None
    job_id: str | None = None
    precheck_id: str | None = None
    process: str = ""
    total_passed_rate: str | None = None
    #: With it, the row is an error and not a running pre-check.
    error_code: Any = None
    status: Any = None
    success: Any = None


class Prechecks(dict[str, Any]):
    """A document with pre-check results: finished ones unchanged, and the running ones separately."""

    running: Sequence[RunningPrecheck] = ()


class _Body(msgspec.Struct):
    results: list[RunningPrecheck]


class _RawBody(msgspec.Struct):
    results: list[msgspec.Raw]


#: The values of ``process`` of a running pre-check.
_RUNNING = frozenset(f"{percent}{sign}" for percent in range(100) for sign in ("", "%"))
_BODY = msgspec.json.Decoder(_Body)
_RAW_BODY = msgspec.json.Decoder(_RawBody)


def read_prechecks(response: Response) -> dict[str, Any]:
    """
    Read a body with pre-check results, without the items of those that are still running.

    This is nearly all that thousands of waits read.

    :raises DrsResponseError: see :func:`read_json`.
    """
    try:
        rows = _BODY.decode(response.body).results
        ended = [
            n
            for n, row in enumerate(rows)
            if row.process not in _RUNNING
            or row.error_code
            or row.status is not None
            or row.success is not None
        ]
        if len(ended) == len(rows) or (ended and response.body.count(b'"results"') != 1):
            return read_json(response)
        raws = _RAW_BODY.decode(response.body).results if ended else ()
        document = Prechecks(results=[_read_strictly(bytes(raws[n])) for n in ended])
    except _INVALID:
        # An error or an unknown body: read all of it for a precise error.
        return read_json(response)
    for n in reversed(ended):
        del rows[n]
    document.running = rows
    return document


#: The readers of operations that do not use :func:`read_json`.
READERS = {"BatchCheckResults": read_prechecks, "GetMetadataToken": read_token_text}


def _read_strictly(body: bytes) -> Any:
    document = msgspec.json.decode(body)
    # A duplicate key is decoded once, so that a colon is missing in the encoded document. Only an escape can
    # hide it.
    if b"\\u" in body or body.count(b":") != msgspec.json.encode(document).count(b":"):
        return json.loads(body.decode("utf-8"), object_pairs_hook=_refuse_twins)
    return document


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it has a duplicate key")
    return found


def _not_json(response: Response, problem: str) -> str:
    kind = response.headers.get("content-type", "no content type")
    if coding := response.headers.get("content-encoding"):
        kind += f", compressed ({coding}) without being requested"
    start = redact_text(response.body[:80].decode("utf-8", "replace"))
    return f"the body is {problem} ({len(response.body)} bytes of {kind}, starting {start!r})"
