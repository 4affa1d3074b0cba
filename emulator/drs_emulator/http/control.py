"""The control API under ``/_emulator/``: seeds jobs, sets verdicts, advances time, injects faults."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from drs_emulator.api.errors import ApiError
from drs_emulator.client import KEY_HEADER
from drs_emulator.http.service import Service

PREFIX = "/_emulator/"
_READ_ONLY = frozenset({"health", "jobs", "faults", "journal"})


class Control:
    """
    Handles the requests of :class:`EmulatorClient`.

    Each action is a POST of a JSON object to its name and returns a JSON object. Read-only actions
    (``health``, ``jobs``, ``faults``, ``journal``) also accept GET.

    :param reset: restores the initial state.
    :param key: the control key that every request must send; not required, if not given.
    """

    def __init__(self, service: Service, reset: Callable[[], None], *, key: str | None = None) -> None:
        self._service = service
        self._reset = reset
        self._key = key

    async def handle(self, request: web.Request) -> web.Response:
        """Run the action that the path names."""
        if self._key is not None and not _is_equal(self._key, request.headers.get(KEY_HEADER, "")):
            text = (
                f"the header {KEY_HEADER} must contain the control key, which the emulator prints at startup"
            )
            return web.json_response({"error": text}, status=403)
        name = request.path.removeprefix(PREFIX)
        action = getattr(self, f"do_{name}", None) if name.isidentifier() else None
        if action is None:
            return web.json_response({"error": f"unknown action {request.path}"}, status=404)
        if request.method != "POST" and not (request.method == "GET" and name in _READ_ONLY):
            return web.json_response({"error": f"{request.path} requires POST"}, status=405)
        raw = await request.read()
        try:
            answer = action(**(json.loads(raw) if raw else dict(request.query)))
        except (ApiError, TypeError, ValueError, RecursionError) as error:
            text = error.message if isinstance(error, ApiError) else str(error)
            return web.json_response({"error": text}, status=400)
        if name not in _READ_ONLY:
            self._service.save()
        return web.json_response({"result": answer})

    def do_health(self) -> dict[str, Any]:
        """Return the status and the time."""
        return {"status": "ok", "now": self._service.clock.now()}

    def do_jobs(self) -> list[dict[str, Any]]:
        """List all jobs."""
        now_s = self._service.clock.now()
        return [
            {
                "id": job.id,
                "name": job.name,
                "status": job.status(now_s),
                "starts": job.starts,
                "prechecks": job.prechecks,
                "parent_id": job.parent_id,
                "job_direction": job.job_direction,
            }
            for job in self._service.world.jobs.values()
        ]

    def do_seed_job(self, job_id: str | None = None, **details: Any) -> str:
        """Add a job and return its ID."""
        return self._service.world.seed(job_id, **details).id

    def do_set_job(self, job_id: str, **details: Any) -> None:
        """Change a job's status and details."""
        self._service.world.change(job_id, **details)

    def do_plan_job(self, name: str, **details: Any) -> None:
        """Set details of the jobs that will be created under a name."""
        self._service.world.plan_job(name, **details)

    def do_set_verdict(self, job_id: str | None, outcome: str, **details: Any) -> None:
        """Set the outcome of the next pre-checks of one job or all jobs."""
        self._service.world.plan_prechecks(job_id, outcome=outcome, **details)

    def do_set_pace(self, pace: str | int) -> None:
        """Set how jobs progress."""
        self._service.world.pace = pace

    def do_advance(self, seconds: float) -> float:
        """Advance time and return the new time."""
        self._service.clock.advance(seconds)
        return self._service.clock.now()

    def do_speed(self, speed: float) -> None:
        """Run the clock at this multiple of real time."""
        self._service.clock.set_speed(speed)

    def do_inject(self, kind: str, **details: Any) -> int:
        """Add a fault and return its ID."""
        return self._service.faults.add(kind, **details)

    def do_faults(self) -> list[dict[str, Any]]:
        """List all faults, with the number of requests that each has affected."""
        return self._service.faults.describe()

    def do_remove_fault(self, fault_id: int) -> None:
        """Remove a fault."""
        self._service.faults.remove(fault_id)

    def do_clear_faults(self) -> None:
        """Remove all faults."""
        self._service.faults.clear()

    def do_journal(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Return the received requests, of one operation or all."""
        return self._service.journal.read(operation)

    def do_clear_journal(self) -> None:
        """Remove the requests received so far."""
        self._service.journal.clear()

    def do_revoke_tokens(self) -> None:
        """Invalidate every token."""
        self._service.iam.revoke_all()

    def do_accept_token(self, token: str, expires_at: float | None = None) -> None:
        """Accept a token of another IAM; ``expires_at`` is in epoch seconds."""
        if not isinstance(token, str) or not isinstance(expires_at, int | float | None):
            raise ValueError("token must be a string and expires_at epoch seconds")
        self._service.iam.accept(token, expires_at)

    do_tokens = do_accept_token

    def do_issue_keys(self, lifetime_s: float = 3600.0) -> dict[str, Any]:
        """Issue temporary keys and return them; they expire after ``lifetime_s`` seconds."""
        return asdict(self._service.iam.issue_keys(lifetime_s))

    def do_set_iam(self, **details: Any) -> None:
        """
        Change IAM: ``lifetime_s``, ``token_bytes`` or ``password`` of future tokens, the permanent
        ``secret_key``, whether the user ``has_agency``, and how the ``metadata`` service answers: ``open``,
        ``session`` (only with a session token) or ``no-agency``.
        """
        self._service.iam.change(**details)

    def do_reset(self) -> None:
        """Restore the initial state."""
        self._reset()


def _is_equal(key: str, given: str) -> bool:
    # Compare bytes, because a header can contain non-ASCII text, and in constant time.
    return hmac.compare_digest(key.encode(), given.encode("utf-8", "surrogateescape"))
