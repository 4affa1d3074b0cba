"""
Bodies of answers: read strictly, whatever a server sends, and no more of them than is needed.

A verdict hangs on these bytes. So what two readers could read in two ways is no document: a key that is
there twice, NaN, text that is no UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from airflow_provider_drs.protocol.core.errors import DrsResponseError
from airflow_provider_drs.protocol.core.redact import redact_text
from airflow_provider_drs.protocol.core.wire import Response


def read_json(response: Response) -> dict[str, Any]:
    """
    Read a body as a JSON object.

    :raises DrsResponseError: it is HTML, cut short, ambiguous, or JSON of another kind.
    """
    try:
        document = _read_strictly(response.body)
    except (ValueError, RecursionError) as error:
        raise DrsResponseError(_not_json(response, "not JSON"), http_status=response.status) from error
    if not isinstance(document, dict):
        raise DrsResponseError(_not_json(response, "no JSON object"), http_status=response.status)
    return document


class RunningPrecheck(msgspec.Struct, gc=False):
    """The result of a pre-check that still runs. Its items are skipped without being decoded."""

    id: str | None = None
    job_id: str | None = None
    precheck_id: str | None = None
    process: str = ""
    total_passed_rate: str | None = None
    #: What makes it another row than that of a check that runs.
    error_code: Any = None
    status: Any = None
    success: Any = None


class Prechecks(dict[str, Any]):
    """
    A document with pre-check results: those that have ended as they came, and beside them the running ones.
    """

    running: Sequence[RunningPrecheck] = ()


class _Body(msgspec.Struct):
    results: list[RunningPrecheck]


class _RawBody(msgspec.Struct):
    results: list[msgspec.Raw]


#: What a pre-check that still runs says of how far it is.
_UNDER_WAY = frozenset(f"{percent}{sign}" for percent in range(100) for sign in ("", "%"))
_BODY = msgspec.json.Decoder(_Body)
_RAW_BODY = msgspec.json.Decoder(_RawBody)


def read_prechecks(response: Response) -> dict[str, Any]:
    """
    Read a body with pre-check results, without the items of those that are still running.

    Thousands of waits read little else, and nearly all that they read is about jobs that are still checked.

    :raises DrsResponseError: see :func:`read_json`.
    """
    try:
        rows = _BODY.decode(response.body).results
        ended = [
            n
            for n, row in enumerate(rows)
            if row.process not in _UNDER_WAY
            or row.error_code
            or row.status is not None
            or row.success is not None
        ]
        if len(ended) == len(rows) or (ended and response.body.count(b'"results"') != 1):
            return read_json(response)
        raws = _RAW_BODY.decode(response.body).results if ended else ()
        document = Prechecks(results=[_read_strictly(bytes(raws[n])) for n in ended])
    except (ValueError, RecursionError):
        # An error, or nothing that we know: read all of it, and say what it is.
        return read_json(response)
    for n in reversed(ended):
        del rows[n]
    document.running = rows
    return document


#: Who reads the answers to an operation, where it is not :func:`read_json`.
READERS = {"BatchCheckResults": read_prechecks}


def _read_strictly(body: bytes) -> Any:
    document = msgspec.json.decode(body)
    # A key that is there twice is read once, so it takes a colon away. Only an escape can bring one back.
    if b"\\u" in body or body.count(b":") != msgspec.json.encode(document).count(b":"):
        return json.loads(body.decode("utf-8"), object_pairs_hook=_refuse_twins)
    return document


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _not_json(response: Response, problem: str) -> str:
    kind = response.headers.get("content-type", "no content type")
    if coding := response.headers.get("content-encoding"):
        kind += f", compressed ({coding}) although nobody asked for it"
    start = redact_text(response.body[:80].decode("utf-8", "replace"))
    return f"the body is {problem} ({len(response.body)} bytes of {kind}, starting {start!r})"
