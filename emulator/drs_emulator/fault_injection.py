"""Injects faults into requests and responses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from drs_emulator.api.errors import ApiError
from drs_emulator.calls import Answer, Call, send
from drs_emulator.faults import Fault
from drs_emulator.world.jobs import Job

#: Seconds between two bytes of a slow response.
_DRIP_S = 0.05
#: The discard port: no service listens there.
_REDIRECT_URL = "http://127.0.0.1:9/elsewhere"

_Alter = Callable[[Call, Answer, Fault, asyncio.Event], Awaitable[web.StreamResponse]]


async def replace_response(call: Call, stopping: asyncio.Event) -> web.StreamResponse | None:
    """Return the response of a fault that replaces the service, or ``None`` if there is none."""
    fault = call.fault(*_REPLACEMENTS)
    if fault is None or fault.options.get("apply"):
        return None
    if fault.kind == "hang":
        await stopping.wait()
    if fault.kind in ("hang", "reset_before"):
        return call.abort()
    return send(call.entry, _REPLACEMENTS[fault.kind](fault.options))


async def alter_response(call: Call, answer: Answer, stopping: asyncio.Event) -> web.StreamResponse:
    """Return the service's response as changed by a fault, if there is one."""
    fault = call.fault(*_ALTERATIONS)
    if fault is None:
        return send(call.entry, answer)
    return await _ALTERATIONS[fault.kind](call, answer, fault, stopping)


def find_overrides(call: Call) -> dict[str, ApiError]:
    """Return the errors of the jobs that the service must not process."""
    found = {}
    for fault in call.faults:
        if fault.job_id and fault.kind in ("busy", "job_error"):
            code = "DRS.M01504" if fault.kind == "busy" else fault.options.get("code", "DRS.M00200")
            found[fault.job_id] = ApiError(code, message=fault.options.get("message"))
    return found


def drop_rows(call: Call, document: dict[str, Any], jobs: Mapping[str, Job]) -> dict[str, Any]:
    """Return a response without the rows of the jobs that a fault hides."""
    hidden = {fault.job_id for fault in call.faults if fault.kind == "drop_job" and fault.job_id}
    if not hidden or "results" not in document:
        return document
    # Pre-check rows have their own ID.
    checks = [jobs[job_id].precheck for job_id in hidden if job_id in jobs]
    hidden |= {check.precheck_id for check in checks if check}
    keys = ("id", "job_id", "precheck_id")
    rows = [row for row in document["results"] if hidden.isdisjoint(row.get(key) for key in keys)]
    total = "all_counts" if "all_counts" in document else "count"
    return document | {"results": rows, total: len(rows)}


def _error_answer(code: str) -> Callable[[Mapping[str, Any]], Answer]:
    error = ApiError(code)
    return lambda options: Answer(error.status, error.to_body())


def _redirect_answer(options: Mapping[str, Any]) -> Answer:
    return Answer(302, {}, {"Location": options.get("location", _REDIRECT_URL)})


def _status_answer(options: Mapping[str, Any]) -> Answer:
    body = options.get("body", ApiError("DRS.M00004").to_body())
    return Answer(options.get("status", 500), body, options.get("headers", {}))


async def _status(call: Call, answer: Answer, fault: Fault, stopping: asyncio.Event) -> web.StreamResponse:
    return send(call.entry, _status_answer(fault.options))


async def _hang(call: Call, answer: Answer, fault: Fault, stopping: asyncio.Event) -> web.StreamResponse:
    await stopping.wait()
    return call.abort()


async def _reset(call: Call, answer: Answer, fault: Fault, stopping: asyncio.Event) -> web.StreamResponse:
    return call.abort()


async def _html(call: Call, answer: Answer, fault: Fault, stopping: asyncio.Event) -> web.StreamResponse:
    status = call.entry["status"] = fault.options.get("status", 200)
    kind = fault.options.get("content_type", "application/json")
    return web.Response(status=status, body=b"<html><body>portal</body></html>", content_type=kind)


async def _wrong_shape(
    call: Call, answer: Answer, fault: Fault, stopping: asyncio.Event
) -> web.StreamResponse:
    body = fault.options.get("body", {"results": {"not": "a list"}})
    return send(call.entry, Answer(answer.status, body, answer.headers))


async def _top_level_error(
    call: Call, answer: Answer, fault: Fault, stopping: asyncio.Event
) -> web.StreamResponse:
    error = {"error_code": fault.options.get("code", "DRS.M01504"), "error_msg": "see the results"}
    return send(call.entry, Answer(answer.status, answer.body | error, answer.headers))


async def _batch_400(call: Call, answer: Answer, fault: Fault, stopping: asyncio.Event) -> web.StreamResponse:
    return send(call.entry, Answer(400, answer.body, answer.headers))


async def _cut(call: Call, answer: Answer, fault: Fault, stopping: asyncio.Event) -> web.StreamResponse:
    text = json.dumps(answer.body).encode()
    half = text[: len(text) // 2]
    call.entry["status"] = answer.status
    if fault.options.get("clean"):
        # A complete HTTP message whose JSON is truncated.
        return web.Response(status=answer.status, body=half, content_type="application/json")
    response = web.StreamResponse(status=answer.status, headers={"Content-Length": str(len(text))})
    await response.prepare(call.request)
    await response.write(half)
    # Send the half before the connection closes; otherwise this equals ``reset_after``.
    await asyncio.sleep(0)
    return call.abort()


async def _drip(call: Call, answer: Answer, fault: Fault, stopping: asyncio.Event) -> web.StreamResponse:
    call.entry["status"] = answer.status
    transport = call.request.transport
    start = b"HTTP/1.1 200 OK\r\nX-Drip: " if fault.kind == "drip_headers" else b"HTTP/1.1 200 OK\r\n\r\n"
    if transport is not None:
        transport.write(start)
        while not stopping.is_set() and not transport.is_closing():
            transport.write(b" ")
            await asyncio.sleep(_DRIP_S)
    return call.abort()


_REPLACEMENTS: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
    "reset_before": _status_answer,
    "hang": _status_answer,
    "status": _status_answer,
    "redirect": _redirect_answer,
    "too_frequent": _error_answer("DRS.M01503"),
    "expire_token": _error_answer("DRS.M00100"),
    "gateway_401": _error_answer("APIGW.0301"),
    "no_permission": _error_answer("DRS.M00103"),
    "refuse_batch": _error_answer("DRS.M00200"),
}

_ALTERATIONS: dict[str, _Alter] = {
    "status": _status,
    "hang": _hang,
    "html": _html,
    "wrong_shape": _wrong_shape,
    "top_level_error": _top_level_error,
    "batch_400": _batch_400,
    "truncated": _cut,
    "drip": _drip,
    "drip_headers": _drip,
    "reset_after": _reset,
}
