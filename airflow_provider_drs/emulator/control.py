"""
The control API under ``/_emulator/``.

seeds jobs, chooses verdicts, moves time, injects faults, shows the journal.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from airflow_provider_drs.emulator.errors import ApiError
from airflow_provider_drs.emulator.service import Service

PREFIX = "/_emulator/"


class Control:
    """
    Answers the requests of :class:`EmulatorClient`.

    POST with a JSON object, answered with a JSON object.
    """

    def __init__(self, service: Service, reset: Callable[[], None]) -> None:
        self._service = service
        self._reset = reset

    async def handle(self, request: web.Request) -> web.Response:
        """Do what the last part of the path says."""
        name = request.path.removeprefix(PREFIX)
        action = getattr(self, f"do_{name}", None) if name.isidentifier() else None
        if action is None:
            return web.json_response({"error": f"there is no {request.path}"}, status=404)
        raw = await request.read()
        try:
            answer = action(**(json.loads(raw) if raw else {}))
        except (ApiError, TypeError, ValueError, KeyError) as error:
            text = error.message if isinstance(error, ApiError) else str(error)
            return web.json_response({"error": text}, status=400)
        return web.json_response({"answer": answer})

    def do_health(self) -> dict[str, Any]:
        """Tell that the emulator is up, and its time."""
        return {"status": "ok", "now": self._service.clock.now()}

    def do_jobs(self) -> list[dict[str, Any]]:
        """List all jobs."""
        now_s = self._service.clock.now()
        return [
            {"id": job.id, "name": job.name, "status": job.status(now_s), "starts": job.starts}
            for job in self._service.world.jobs.values()
        ]

    def do_seed_job(self, job_id: str | None = None, **details: Any) -> str:
        """Add a job and return its id."""
        return self._service.world.seed(job_id, **details).id

    def do_set_job(self, job_id: str, **details: Any) -> None:
        """Change a job as only its owner could: its status, what it echoes, which of its endpoints answer."""
        job = self._service.world.find(job_id)
        if "status" in details:
            job.timeline.append((self._service.clock.now(), details.pop("status")))
        for name, value in details.items():
            if not hasattr(job, name):
                raise ValueError(f"a job has no {name!r}")
            setattr(job, name, set(value) if name in ("unreachable", "is_tested") else value)

    def do_set_verdict(self, job_id: str | None, outcome: str, **details: Any) -> None:
        """Choose how the next pre-checks of a job, or of all, end."""
        self._service.world.plan_prechecks(job_id, outcome, **details)

    def do_advance(self, seconds: float) -> float:
        """Move time forward, and return the new time."""
        self._service.clock.advance(seconds)
        return self._service.clock.now()

    def do_speed(self, speed: float) -> None:
        """Let time run so many times as fast."""
        self._service.clock.set_speed(speed)

    def do_inject(self, kind: str, **details: Any) -> int:
        """Add a fault and return its id."""
        return self._service.faults.add(kind, **details)

    def do_clear_faults(self) -> None:
        """Remove all faults."""
        self._service.faults.clear()

    def do_journal(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Return the requests that reached the emulator, of one operation or all."""
        return [entry for entry in self._service.journal if operation in (None, entry["operation"])]

    def do_clear_journal(self) -> None:
        """Forget the requests so far."""
        self._service.journal.clear()

    def do_revoke_tokens(self) -> None:
        """Make every token invalid."""
        self._service.iam.revoke_all()

    def do_accept_token(self, token: str, expires_at: float | None = None) -> None:
        """Let a token be good that another IAM has issued; ``expires_at`` is epoch seconds."""
        self._service.iam.accept(token, expires_at)

    def do_set_iam(self, **details: Any) -> None:
        """Change ``lifetime_s``, ``token_bytes`` or ``password`` of the tokens to come."""
        for name, value in details.items():
            if name not in ("lifetime_s", "token_bytes", "password"):
                raise ValueError(f"IAM has no {name!r}")
            setattr(self._service.iam, name, value)

    def do_reset(self) -> None:
        """Begin anew: the seeded jobs, no faults, an empty journal, no tokens."""
        self._reset()
