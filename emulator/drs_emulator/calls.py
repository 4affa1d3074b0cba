"""One request to the emulator, its journal entry and its response."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from drs_emulator.api.schemas import Operation
from drs_emulator.faults import Fault


@dataclass(frozen=True)
class Answer:
    """The service's response before fault injection. A ``body`` of type ``str`` is sent unchanged."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Call:
    """A request for a known operation."""

    request: web.Request
    raw: bytes
    operation: Operation
    job_ids: list[str]
    entry: dict[str, Any]
    faults: list[Fault] = field(default_factory=list)

    def fault(self, *kinds: str) -> Fault | None:
        """Return the first fault of one of these kinds."""
        return next((fault for fault in self.faults if fault.kind in kinds), None)

    def abort(self) -> web.Response:
        """Close the connection without a response."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return web.Response()


@dataclass
class Journal:
    """The received requests, in order. It never contains a token, a password or a signature."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    next_number: int = 1

    def note(self, request: web.Request, raw: bytes, operation: str | None, at_s: float) -> dict[str, Any]:
        """Add an entry for a request and return it, so that the caller can complete it."""
        job_ids = _find_job_ids(raw)
        entry = {
            "sequence": self.next_number,
            "at": at_s,
            "operation": operation,
            "method": request.method,
            "path": request.path,
            "auth": _auth_kind(request.headers),
            "language": request.headers.get("X-Language"),
            "job_ids": job_ids,
            "count": len(job_ids),
            "status": None,
            "applied": False,
            "faults": [],
        }
        self.next_number += 1
        self.entries.append(entry)
        return entry

    def read(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Return all entries, or those of one operation."""
        return [entry for entry in self.entries if operation in (None, entry["operation"])]

    def clear(self) -> None:
        """Remove all entries; the sequence numbers continue."""
        self.entries.clear()


def send(entry: dict[str, Any], answer: Answer) -> web.Response:
    """Return the HTTP response and record its status in the entry."""
    entry["status"] = answer.status
    text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
    kind = {"Content-Type": "application/json; charset=utf-8"}
    headers = CIMultiDict(kind | {"X-Request-Id": f"emulated-{entry['sequence']:06}"})
    headers.update(answer.headers)
    return web.Response(status=answer.status, body=text.encode(), headers=headers)


def _auth_kind(headers: Mapping[str, str]) -> str:
    if "Authorization" in headers:
        return "signature"
    return "token" if "X-Auth-Token" in headers else "none"


def _find_job_ids(raw: bytes) -> list[str]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return []
    if not isinstance(body, dict):
        return []
    jobs = next((body[key] for key in ("jobs", "speed_limits") if key in body), [body.get("job_id")])
    if not isinstance(jobs, list):
        return []
    found = [job.get("job_id") or job.get("id") if isinstance(job, dict) else job for job in jobs]
    return list(dict.fromkeys(job_id for job_id in found if isinstance(job_id, str)))
