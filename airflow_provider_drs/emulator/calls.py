"""One request on its way through the emulator: what came, what is written down of it, what goes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from airflow_provider_drs.emulator.api.schemas import Operation
from airflow_provider_drs.emulator.faults import Fault


@dataclass(frozen=True)
class Answer:
    """What the service says, before a fault gets at it. A ``body`` that is a text goes out as it is."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Call:
    """A request for an operation that is known."""

    request: web.Request
    raw: bytes
    operation: Operation
    job_ids: list[str]
    entry: dict[str, Any]
    faults: list[Fault] = field(default_factory=list)

    def fault(self, *kinds: str) -> Fault | None:
        """Return the first of the faults that is of one of these kinds."""
        return next((fault for fault in self.faults if fault.kind in kinds), None)

    def abort(self) -> web.Response:
        """Cut the connection; aiohttp finds that there is nobody to write to."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return web.Response()


class Journal:
    """What reached the emulator, in order. It never holds a token, a password or a signature."""

    def __init__(self) -> None:
        self._entries: list[dict[str, Any]] = []
        self._next = 1

    def note(self, request: web.Request, raw: bytes, operation: str | None, at_s: float) -> dict[str, Any]:
        """Write a request down, and return the line for what is known of it later."""
        job_ids = _find_job_ids(raw)
        entry = {
            "sequence": self._next,
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
        self._next += 1
        self._entries.append(entry)
        return entry

    def read(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Return all lines, or those of one operation."""
        return [entry for entry in self._entries if operation in (None, entry["operation"])]

    def clear(self) -> None:
        """Begin a new page; the numbers go on."""
        self._entries.clear()


def send(entry: dict[str, Any], answer: Answer) -> web.Response:
    """Return the response that says this, and write its status down."""
    entry["status"] = answer.status
    text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
    headers = {"X-Request-Id": f"emulated-{entry['sequence']:06}", **answer.headers}
    return web.Response(status=answer.status, text=text, content_type="application/json", headers=headers)


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
