"""
Bodies of answers: read strictly, whatever a server sends, and no more of them than is needed.

A verdict hangs on these bytes. So what two readers could read in two ways is no document: a key that is
there twice, NaN, text that is no UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec

from airflow_provider_drs.protocol.errors import DrsResponseError
from airflow_provider_drs.protocol.redact import redact_text
from airflow_provider_drs.protocol.wire import Response


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


class _PrecheckRow(msgspec.Struct):
    """What a pre-check result has beside its items. Everything else is skipped without being decoded."""

    id: Any = None
    job_id: Any = None
    precheck_id: Any = None
    process: Any = None
    total_passed_rate: Any = None
    result: Any = None
    status: Any = None
    success: Any = None
    error_code: Any = None
    error_msg: Any = None
    error_message: Any = None

    @property
    def is_pending(self) -> bool:
        """Whether it says no more than how far the pre-check is."""
        process = str(self.process).removesuffix("%")
        is_refused = self.error_code or self.status is not None or self.success is not None
        return not is_refused and process.isdecimal() and len(process) < _LENGTH_OF_100

    def to_dict(self) -> dict[str, Any]:
        """Return the row as if it had been decoded whole."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}


class _PrecheckBody(msgspec.Struct):
    results: list[_PrecheckRow]


class _RawBody(msgspec.Struct):
    results: list[msgspec.Raw]


_LENGTH_OF_100 = len("100")
_PRECHECKS = msgspec.json.Decoder(_PrecheckBody)
_ROWS = msgspec.json.Decoder(_RawBody)


def read_prechecks(response: Response) -> dict[str, Any]:
    """
    Read a body with pre-check results, without the items of those that are still running.

    Thousands of waits read little else, and nearly all that they read is about jobs that are still checked.

    :raises DrsResponseError: see :func:`read_json`.
    """
    if response.body.count(b'"results"') != 1:
        return read_json(response)
    try:
        rows = _PRECHECKS.decode(response.body).results
        is_pending = [row.is_pending for row in rows]
        raws: Sequence[msgspec.Raw] = () if all(is_pending) else _ROWS.decode(response.body).results
        results = [
            row.to_dict() if pending else _read_strictly(bytes(raws[n]))
            for n, (row, pending) in enumerate(zip(rows, is_pending, strict=True))
        ]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # An error, or nothing that we know: read all of it, and say what it is.
        return read_json(response)
    # Without a row the answer is an error, if it is anything.
    return {"results": results} if results else read_json(response)


#: Who reads the answers to an operation, where it is not :func:`read_json`.
READERS = {"BatchCheckResults": read_prechecks}


def _read_strictly(body: bytes) -> Any:
    text = body.decode("utf-8")
    return json.loads(text, object_pairs_hook=_refuse_twins, parse_constant=_refuse_constant)


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _not_json(response: Response, problem: str) -> str:
    kind = response.headers.get("content-type", "no content type")
    start = redact_text(response.body[:80].decode("utf-8", "replace"))
    return f"the body is {problem} ({len(response.body)} bytes of {kind}, starting {start!r})"
