"""Routes requests to operations, authenticates callers and returns responses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any

import aiohttp
from aiohttp import web

from drs_emulator.api.errors import ApiError
from drs_emulator.api.schemas import POLLS, check_job_id, load_operations, read_body
from drs_emulator.calls import Answer, Call, Journal, send
from drs_emulator.fault_injection import (
    alter_response,
    drop_rows,
    find_overrides,
    replace_response,
)
from drs_emulator.faults import Faults
from drs_emulator.http.handlers import HANDLERS
from drs_emulator.http.iam import Iam, IamError, check_signature
from drs_emulator.world.clock import Clock
from drs_emulator.world.world import PROJECT_ID, World

TOKEN_OPERATION = "KeystoneCreateUserTokenByPassword"
AGENCY_OPERATION = "KeystoneCreateAgencyToken"
PROJECTS_OPERATION = "KeystoneListProjects"
METADATA_OPERATIONS = ("GetSecurityKey", "GetMetadataToken")


class Service:
    """
    One emulated cloud: IAM and DRS of one region.

    :param iam_url: a Keystone whose tokens are also accepted.
    :param save: called before a client can observe a change.
    :param on_request: called with the journal entry of each completed request.
    """

    def __init__(
        self,
        clock: Clock,
        world: World,
        iam: Iam,
        faults: Faults,
        journal: Journal,
        *,
        iam_url: str | None = None,
        save: Callable[[], None] | None = None,
        on_request: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        self.clock = clock
        self.world = world
        self.iam = iam
        self.faults = faults
        self.journal = journal
        self.stopping = asyncio.Event()
        self.save = save or _save_nothing
        self._on_request = on_request
        self._iam_url = iam_url.rstrip("/").removesuffix("/v3") if iam_url else None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle one request of the API."""
        raw = await request.read()
        routes = [(item, match) for item in load_operations() if (match := item.path.match(request.path))]
        fitting = [route for route in routes if route[0].method == request.method]
        # Two operations of IAM have the same path, and differ in how the caller identifies itself.
        is_second = len(fitting) > 1 and b'"assume_role"' in raw
        found = fitting[is_second] if fitting else None
        entry = self.journal.note(request, raw, found[0].name if found else None, self.clock.now())
        try:
            if found is None:
                error = ApiError("APIGW.0103" if routes else "APIGW.0101")
                return send(entry, Answer(error.status, error.to_body()))
            operation, match = found
            if "job_id" in match.groupdict():
                entry["job_ids"], entry["count"] = [match["job_id"]], 1
            call = Call(request, raw, operation, entry["job_ids"], entry)
            return await self._serve(call, match.groupdict())
        finally:
            self.save()
            if self._on_request is not None:
                self._on_request(entry)

    async def _serve(self, call: Call, path: Mapping[str, str]) -> web.StreamResponse:
        call.faults = self.faults.match(call.operation.name, call.job_ids)
        call.entry["faults"] = [fault.kind for fault in call.faults]
        replacement = await replace_response(call, self.stopping)
        if replacement is not None:
            return replacement
        try:
            answer = await self._answer(call, path)
        except (ApiError, IamError) as error:
            # Some codes of single jobs have a success status; as the response to a whole request, they are
            # errors.
            answer = Answer(error.status if error.status >= 300 else 400, error.to_body())
        if call.faults:
            # Save now, because a fault can delay or drop the response.
            self.save()
        return await alter_response(call, answer, self.stopping)

    async def _answer(self, call: Call, path: Mapping[str, str]) -> Answer:
        operation = call.operation
        if operation.name in (TOKEN_OPERATION, AGENCY_OPERATION):
            return self._issue_token(call)
        if operation.name in METADATA_OPERATIONS:
            return self._serve_metadata(call)
        if operation.name == PROJECTS_OPERATION:
            return self._list_projects(call)
        if path.get("project_id") != await self._authorize(call):
            raise ApiError("DRS.M00261")
        body = read_body(operation, call.raw)
        if "job_id" in path:
            body = {**body, "job_id": check_job_id(path["job_id"])}
        document = HANDLERS[operation.name](self.world, body, find_overrides(call))
        call.entry["applied"] = True
        # A read in which every job failed returns 400 with its rows, as in the Terraform provider.
        is_refused = operation.name in POLLS and _has_only_errors(document)
        status = 400 if is_refused else operation.success
        return Answer(status, drop_rows(call, document, self.world.jobs))

    # Authentication.

    def _issue_token(self, call: Call) -> Answer:
        if not _is_json(call.request.headers):
            raise IamError(400, "The Content-Type must be application/json.")
        try:
            body = read_body(call.operation, call.raw)
        except ApiError as error:
            raise IamError(400, error.message) from None
        with_catalog = not call.request.query.get("nocatalog")
        if call.operation.name == AGENCY_OPERATION:
            used = call.request.headers.get("X-Auth-Token", "")
            token, document = self.iam.assume(body, used, with_catalog=with_catalog)
        else:
            token, document = self.iam.issue(body, with_catalog=with_catalog)
        call.entry["applied"] = True
        return Answer(201, document, {"X-Subject-Token": token})

    def _serve_metadata(self, call: Call) -> Answer:
        if call.operation.name == "GetMetadataToken":
            ttl = call.request.headers.get("X-Metadata-Token-Ttl-Seconds", "")
            document: Any = self.iam.metadata.open_session(ttl)
        else:
            document = self.iam.metadata.read_keys(call.request.headers.get("X-Metadata-Token", ""))
        call.entry["applied"] = True
        return Answer(200, document, {"Date": formatdate(self.clock.now(), usegmt=True)})

    def _list_projects(self, call: Call) -> Answer:
        headers = {name.lower(): value for name, value in call.request.headers.items()}
        if "authorization" in headers:
            check_signature(
                self.iam, call.request.method, call.request.raw_path, headers, call.raw, time.time()
            )
        elif not self.iam.knows(headers.get("x-auth-token", "")):
            raise IamError(401, "The request you have made requires authentication.")
        call.entry["applied"] = True
        projects = self.iam.list_projects(call.request.query.get("name"))
        return Answer(200, {"projects": projects, "links": {"self": str(call.request.url)}})

    def _check_signature(self, call: Call, headers: Mapping[str, str]) -> None:
        # The caller's clock is the real one.
        now_s, request = time.time(), call.request
        check_signature(self.iam, request.method, request.raw_path, headers, call.raw, now_s)

    async def _authorize(self, call: Call) -> str | None:
        """Return the project that the caller can access."""
        headers = {name.lower(): value for name, value in call.request.headers.items()}
        if not _is_json(call.request.headers):
            raise ApiError("DRS.M00202", "Content-Type")
        if headers.get("x-language", "en-us") not in ("en-us", "zh-cn"):
            raise ApiError("DRS.M00202", "X-Language")
        if "authorization" in headers:
            check_signature(
                self.iam, call.request.method, call.request.raw_path, headers, call.raw, time.time()
            )
            return PROJECT_ID
        token = headers.get("x-auth-token", "")
        if self.iam.accepts(token):
            return PROJECT_ID
        if self._iam_url and token:
            return await _read_token_project(self._iam_url, token)
        raise ApiError("DRS.M00100")


def _save_nothing() -> None:
    """Do not save: the state is in memory only."""


async def _read_token_project(iam_url: str, token: str) -> str | None:
    """Return the project of a token that a Keystone has issued."""
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{iam_url}/v3/auth/tokens?nocatalog=true", headers=headers) as response,
        ):
            if response.status != 200:
                raise ApiError("DRS.M00100")
            document = await response.json()
    except aiohttp.ClientError:
        raise ApiError("APIGW.0613") from None
    project: str | None = document["token"].get("project", {}).get("id")
    return project


def _is_json(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower() == "application/json"


def _has_only_errors(document: Mapping[str, Any]) -> bool:
    rows = document.get("results")
    return bool(rows) and all("error_code" in row for row in rows or ())
