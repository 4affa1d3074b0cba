"""The HTTP face of the emulator: who may call, which operation it is, and what faults make of the answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from airflow_provider_drs.emulator.clock import Clock
from airflow_provider_drs.emulator.errors import ApiError
from airflow_provider_drs.emulator.faults import Fault, Faults
from airflow_provider_drs.emulator.handlers import HANDLERS
from airflow_provider_drs.emulator.iam import Iam, IamError, check_signature
from airflow_provider_drs.emulator.schemas import Operation, load_operations, read_body
from airflow_provider_drs.emulator.world import PROJECT_ID, World

TOKEN_OPERATION = "KeystoneCreateUserTokenByPassword"  # noqa: S105

#: Seconds between two bytes of a dripping answer.
_DRIP_S = 0.05


@dataclass(frozen=True)
class Answer:
    """What the service says, before a fault gets at it."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Call:
    """One request on its way through the emulator."""

    request: web.Request
    raw: bytes
    operation: Operation
    job_ids: list[str]
    entry: dict[str, Any]
    faults: list[Fault] = field(default_factory=list)

    def fault(self, *kinds: str) -> Fault | None:
        """Return the first of the faults that is of one of these kinds."""
        return next((fault for fault in self.faults if fault.kind in kinds), None)


class Service:
    """One emulated cloud: IAM and DRS of one region."""

    def __init__(self, clock: Clock, world: World, iam: Iam, *, iam_url: str | None = None) -> None:
        self.clock = clock
        self.world = world
        self.iam = iam
        self.faults = Faults()
        self.journal: list[dict[str, Any]] = []
        self.stopping = asyncio.Event()
        self._iam_url = iam_url

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request of the API."""
        raw = await request.read()
        matches = [
            (operation, match)
            for operation in load_operations()
            if (match := operation.path.match(request.path))
        ]
        found = next((each for each in matches if each[0].method == request.method), None)
        entry = self._note(request, raw, found[0].name if found else None)
        if found is None:
            error = ApiError("APIGW.0103" if matches else "APIGW.0101")
            return self._finish(entry, Answer(error.status, error.to_body()))
        operation, match = found
        call = Call(request, raw, operation, entry["job_ids"], entry)
        call.faults = self.faults.strike(operation.name, call.job_ids)
        entry["faults"] = [fault.kind for fault in call.faults]
        instead = await self._spoil_before(call)
        if instead is not None:
            return instead
        answer = await self._answer(call, match.groupdict().get("project_id"))
        return await self._spoil_after(call, answer)

    def _note(self, request: web.Request, raw: bytes, operation: str | None) -> dict[str, Any]:
        """Write the request down: never a token, a password or a signature."""
        entry = {
            "sequence": len(self.journal) + 1,
            "at": self.clock.now(),
            "operation": operation,
            "method": request.method,
            "path": request.path,
            "auth": _auth_kind(request.headers),
            "language": request.headers.get("X-Language"),
            "job_ids": _find_job_ids(raw),
            "status": None,
            "applied": False,
            "faults": [],
        }
        self.journal.append(entry)
        return entry

    async def _answer(self, call: Call, project_id: str | None) -> Answer:
        operation = call.operation
        try:
            if operation.name == TOKEN_OPERATION:
                return self._issue_token(call)
            if project_id != await self._authorise(call):
                raise ApiError("DRS.M00261")
            if operation.name not in HANDLERS:
                text = f"{operation.name} is documented and not emulated."
                return Answer(501, {"error_code": "EMULATOR.0501", "error_msg": text})
            body = read_body(operation, call.raw)
            call.entry["applied"] = True
            status, document = HANDLERS[operation.name](self.world, body, _overrides(call))
        except ApiError as error:
            return Answer(error.status, error.to_body())
        except IamError as error:
            return Answer(error.status, error.to_body())
        return Answer(*_refuse_if_all_failed(operation, status, document))

    def _issue_token(self, call: Call) -> Answer:
        try:
            body = read_body(call.operation, call.raw)
        except ApiError as error:
            raise IamError(400, error.message) from None
        token, document = self.iam.issue(body, with_catalog=not call.request.query.get("nocatalog"))
        return Answer(201, document, {"X-Subject-Token": token})

    async def _authorise(self, call: Call) -> str | None:
        """Return the project that the caller may act in."""
        headers = {name.lower(): value for name, value in call.request.headers.items()}
        if "application/json" not in headers.get("content-type", ""):
            raise ApiError("DRS.M00202", "Content-Type")
        if headers.get("x-language", "en-us") not in ("en-us", "zh-cn"):
            raise ApiError("DRS.M00202", "X-Language")
        if "authorization" in headers:
            check_signature(call.request.method, call.request.raw_path, headers, call.raw, time.time())
            return PROJECT_ID
        token = headers.get("x-auth-token", "")
        if self.iam.knows(token):
            return PROJECT_ID
        if self._iam_url and token:
            return await self._ask_other_iam(self._iam_url, token)
        raise ApiError("DRS.M00100")

    @staticmethod
    async def _ask_other_iam(iam_url: str, token: str) -> str | None:
        """Return the project of a token that a Keystone has issued."""
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        url = f"{iam_url}/v3/auth/tokens?nocatalog=true"
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
            if response.status != 200:
                raise ApiError("DRS.M00100")
            document = await response.json()
        project: str | None = document["token"].get("project", {}).get("id")
        return project

    # Faults.

    async def _spoil_before(self, call: Call) -> web.StreamResponse | None:
        whole = call.fault(*_INSTEAD) or call.fault("status")
        if whole is None or (whole.kind == "status" and whole.options.get("apply")):
            return None
        if whole.kind == "hang":
            await self.stopping.wait()
        if whole.kind in ("hang", "reset_before"):
            return _abort(call)
        answer = (
            _INSTEAD[whole.kind](whole.options) if whole.kind in _INSTEAD else _status_answer(whole.options)
        )
        return self._finish(call.entry, answer)

    async def _spoil_after(self, call: Call, answer: Answer) -> web.StreamResponse:
        dropped = {fault.job_id for fault in call.faults if fault.kind == "drop_job"}
        if dropped and isinstance(answer.body.get("results"), list):
            rows = [row for row in answer.body["results"] if not dropped & set(map(str, row.values()))]
            answer = Answer(
                answer.status, answer.body | {"results": rows, "count": len(rows)}, answer.headers
            )
        whole = call.fault(*_AFTERWARDS)
        if whole is None:
            return self._finish(call.entry, answer)
        if whole.kind == "status":
            return self._finish(call.entry, _status_answer(whole.options))
        return await _AFTERWARDS[whole.kind](self, call, answer, whole)

    async def _html(self, call: Call, answer: Answer, fault: Fault) -> web.StreamResponse:
        status = fault.options.get("status", 200)
        kind = fault.options.get("content_type", "application/json")
        call.entry["status"] = status
        return web.Response(status=status, body=b"<html><body>portal</body></html>", content_type=kind)

    async def _change_body(self, call: Call, answer: Answer, fault: Fault) -> web.StreamResponse:
        body = answer.body
        if fault.kind == "wrong_shape":
            body = fault.options.get("body", {"results": {"not": "a list"}})
        elif fault.kind == "top_level_error":
            body = body | {"error_code": fault.options.get("code", "DRS.M01504"), "error_msg": "see the results"}
        status = 400 if fault.kind == "batch_400" else answer.status
        return self._finish(call.entry, Answer(status, body, answer.headers))

    async def _cut(self, call: Call, answer: Answer, fault: Fault) -> web.StreamResponse:
        text = json.dumps(answer.body).encode()
        call.entry["status"] = answer.status
        if fault.options.get("clean"):
            # A whole HTTP message, whose JSON ends in the middle.
            return web.Response(
                status=answer.status, body=text[: len(text) // 2], content_type="application/json"
            )
        response = web.StreamResponse(status=answer.status, headers={"Content-Length": str(len(text))})
        await response.prepare(call.request)
        await response.write(text[: len(text) // 2])
        return _abort(call)

    async def _drip(self, call: Call, answer: Answer, fault: Fault) -> web.StreamResponse:
        call.entry["status"] = answer.status
        transport = call.request.transport
        start = b"HTTP/1.1 200 OK\r\nX-Drip: " if fault.kind == "drip_headers" else b"HTTP/1.1 200 OK\r\n\r\n"
        if transport is not None:
            transport.write(start)
            while not self.stopping.is_set() and not transport.is_closing():
                transport.write(b" ")
                await asyncio.sleep(_DRIP_S)
        return _abort(call)

    async def _reset_after(self, call: Call, answer: Answer, fault: Fault) -> web.StreamResponse:
        return _abort(call)

    def _finish(self, entry: dict[str, Any], answer: Answer) -> web.Response:
        entry["status"] = answer.status
        headers = {"X-Request-Id": f"emulated-{entry['sequence']:06}", **answer.headers}
        return web.json_response(answer.body, status=answer.status, headers=headers)


_Spoil = Callable[[Service, Call, Answer, Fault], Awaitable[web.StreamResponse]]


def _error_answer(code: str, **headers: str) -> Callable[[Mapping[str, Any]], Answer]:
    error = ApiError(code)
    return lambda options: Answer(error.status, error.to_body(), headers)


def _redirect_answer(options: Mapping[str, Any]) -> Answer:
    return Answer(302, {}, {"Location": options.get("location", "http://127.0.0.1:9/elsewhere")})


def _status_answer(options: Mapping[str, Any]) -> Answer:
    body = options.get("body", {"error_code": "DRS.M00004", "error_msg": "Service is abnormal. Check logs."})
    return Answer(options.get("status", 500), body, dict(options.get("headers", {})))


_INSTEAD: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
    "reset_before": _status_answer,
    "hang": _status_answer,
    "redirect": _redirect_answer,
    "too_frequent": _error_answer("DRS.M01503"),
    "expire_token": _error_answer("DRS.M00100"),
    "gateway_401": _error_answer("APIGW.0301"),
    "no_permission": _error_answer("DRS.M00103"),
    "refuse_batch": _error_answer("DRS.M00200"),
}

_AFTERWARDS: dict[str, _Spoil] = {
    "status": Service._reset_after,
    "html": Service._html,
    "wrong_shape": Service._change_body,
    "top_level_error": Service._change_body,
    "batch_400": Service._change_body,
    "truncated": Service._cut,
    "drip": Service._drip,
    "drip_headers": Service._drip,
    "reset_after": Service._reset_after,
}


def _overrides(call: Call) -> dict[str, ApiError]:
    found = {}
    for fault in call.faults:
        if fault.job_id and fault.kind in ("busy", "job_error"):
            code = "DRS.M01504" if fault.kind == "busy" else fault.options.get("code", "DRS.M00200")
            found[fault.job_id] = ApiError(code, message=fault.options.get("message"))
    return found


def _refuse_if_all_failed(
    operation: Operation, status: int, document: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    """
    A read in which no job could be read comes as HTTP 400, with its rows; so the Terraform provider has it.
    """
    rows = document.get("results")
    is_read = operation.name in (
        "BatchListJobStatus",
        "BatchListJobDetails",
        "BatchListProgresses",
        "BatchCheckResults",
    )
    if is_read and rows and all("error_code" in row for row in rows):
        return 400, document
    return status, document


def _abort(call: Call) -> web.Response:
    """Cut the connection; aiohttp finds that there is nobody to write to."""
    if call.request.transport is not None:
        call.request.transport.abort()
    return web.Response()


def _auth_kind(headers: Mapping[str, str]) -> str:
    if "Authorization" in headers:
        return "signature"
    return "token" if "X-Auth-Token" in headers else "none"


def _find_job_ids(raw: bytes) -> list[str]:
    try:
        jobs = json.loads(raw)["jobs"]
    except (ValueError, KeyError, TypeError, IndexError):
        return []
    if not isinstance(jobs, list):
        return []
    found = [job.get("job_id") or job.get("id") if isinstance(job, dict) else job for job in jobs]
    return [job_id for job_id in found if isinstance(job_id, str)]
