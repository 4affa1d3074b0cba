"""Steers an emulator over its control API, in this process or elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from airflow_provider_drs.emulator import iam


class EmulatorError(Exception):
    """The emulator did not understand an instruction."""


class EmulatorClient:
    """
    Steers the emulator at *url*.

    :param url: where it listens, e.g. ``http://127.0.0.1:8080``.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        """Close the connection to the control API."""
        self._session.close()

    @property
    def connection(self) -> dict[str, Any]:
        """The fields of an Airflow connection to this emulator, with a password."""
        extra = {"region": iam.PROJECT, "domain_name": iam.DOMAIN, "iam_endpoint": self.url}
        return {
            "conn_type": "drs",
            "host": self.url,
            "login": iam.USER,
            "password": iam.PASSWORD,
            "extra": extra,
        }

    @property
    def connection_json(self) -> str:
        """The text for ``AIRFLOW_CONN_DRS_DEFAULT``."""
        return json.dumps(self.connection)

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """All jobs: id, name, status, and how often each was started."""
        return list(self._call("jobs"))

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The ids of all jobs, oldest first."""
        return tuple(job["id"] for job in self.jobs)

    def seed_job(self, job_id: str | None = None, *, status: str = "CONFIGURATION", **details: Any) -> str:
        """
        Add a job and return its id.

        :param status: where it stands.
        :param details: ``name``, ``engine_type``, ``db_use_type``, ``task_type``, ``job_direction``,
            ``multi_write``, ``parent_id``, ``has_endpoints``, ``echo_secrets``.
        """
        return str(self._call("seed_job", job_id=job_id, status=status, **details))

    def set_job(self, job_id: str, **details: Any) -> None:
        """
        Change a job as only its owner could.

        ``status``, ``unreachable`` (``so``, ``ta``), and the details.
        """
        self._call("set_job", job_id=job_id, **details)

    def set_verdict(
        self,
        job_id: str | None,
        outcome: str,
        *,
        items: Sequence[str | Mapping[str, Any]] = (),
        **details: Any,
    ) -> None:
        """
        Choose how the next pre-checks of a job end.

        :param job_id: the job; ``None`` for all.
        :param outcome: ``pass``, ``alarm`` or ``fail``.
        :param items: the items that do not pass, by name or as whole rows.
        :param details: ``duration_s``, ``reads`` (end after so many reads), ``stale_reads`` (so many reads
            still show the run before), ``precheck_id``, ``without_result``.
        """
        self._call("set_verdict", job_id=job_id, outcome=outcome, items=list(items), **details)

    def advance(self, seconds: float) -> float:
        """Move the emulator's time forward, and return its epoch seconds."""
        return float(self._call("advance", seconds=seconds))

    def set_speed(self, speed: float) -> None:
        """Let the emulator's time run so many times as fast; 0 lets it stand still."""
        self._call("speed", speed=speed)

    def inject(self, kind: str, **details: Any) -> int:
        """
        Add a fault and return its id; :mod:`~airflow_provider_drs.emulator.faults` lists the kinds.

        :param details: ``operation``, ``times``, ``after``, ``every``, ``job_id``, and what the kind takes.
        """
        return int(self._call("inject", kind=kind, **details))

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._call("clear_faults")

    def journal(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Return the requests that reached the emulator, of one operation or all. It holds no secrets."""
        return list(self._call("journal", operation=operation))

    def clear_journal(self) -> None:
        """Forget the requests so far."""
        self._call("clear_journal")

    def revoke_tokens(self) -> None:
        """Make every token invalid, as a change of the password does."""
        self._call("revoke_tokens")

    def accept_token(self, token: str, expires_at: float | None = None) -> None:
        """Let a token be good that another IAM has issued, until an instant in epoch seconds."""
        self._call("accept_token", token=token, expires_at=expires_at)

    def set_iam(self, **details: Any) -> None:
        """Change ``lifetime_s``, ``token_bytes`` or ``password`` for the tokens to come."""
        self._call("set_iam", **details)

    def reset(self) -> None:
        """Begin anew: the seeded jobs, no faults, an empty journal, no tokens."""
        self._call("reset")

    def _call(self, action: str, **arguments: Any) -> Any:
        response = self._session.post(f"{self.url}/_emulator/{action}", json=arguments, timeout=10)
        document = response.json()
        if response.status_code != 200:
            raise EmulatorError(document.get("error"))
        return document["answer"]
