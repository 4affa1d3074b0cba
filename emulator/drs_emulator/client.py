"""Controls an emulator through its control API, in this process or another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from drs_emulator.http import iam
from drs_emulator.world.world import PROJECT_ID

if TYPE_CHECKING:
    import requests


#: The header of the control key, if the emulator requires one.
KEY_HEADER = "X-Emulator-Key"


class EmulatorError(Exception):
    """The emulator rejected a control request."""


class EmulatorClient:
    """
    Controls the emulator at *url*.

    An invalid argument raises :class:`EmulatorError` with the reason, so that a typo cannot hide in a passing
    test.

    :param url: the emulator's address, e.g. ``http://127.0.0.1:8080``.
    :param ca_file: the CA bundle to trust, if the emulator serves TLS.
    :param control_key: the key of the control API, if the emulator is reachable from other machines.
    """

    def __init__(self, url: str, *, ca_file: str | None = None, control_key: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._ca_file = ca_file
        self._control_key = control_key
        self._open_session: requests.Session | None = None

    @property
    def _session(self) -> requests.Session:
        # The command creates a client only to print the connection; it does not need an HTTP library.
        if self._open_session is None:
            import requests

            self._open_session = requests.Session()
            self._open_session.trust_env = False
            self._open_session.verify = self._ca_file or True
            if self._control_key is not None:
                self._open_session.headers[KEY_HEADER] = self._control_key
        return self._open_session

    def close(self) -> None:
        """Close the connection to the control API."""
        if self._open_session is not None:
            self._open_session.close()
            self._open_session = None

    @property
    def connection(self) -> dict[str, Any]:
        """The fields of an Airflow connection to this emulator, with a password."""
        extra = {"region": iam.PROJECT, "domain_name": iam.DOMAIN, "iam_endpoint": self.url}
        return self._describe(iam.USER, iam.PASSWORD, extra)

    @property
    def connection_with_keys(self) -> dict[str, Any]:
        """The fields of an Airflow connection to this emulator, with an access key and a secret key."""
        extra = {"auth": "aksk", "region": iam.PROJECT, "project_id": PROJECT_ID}
        return self._describe(iam.ACCESS_KEY, iam.SECRET_KEY, extra)

    @property
    def connection_with_agency(self) -> dict[str, Any]:
        """The fields of an Airflow connection with a password, which uses an agency of another account."""
        connection = self.connection
        connection["extra"] |= {"agency_name": iam.AGENCY, "agency_domain_name": iam.AGENCY_DOMAIN}
        return connection

    @property
    def connection_with_metadata(self) -> dict[str, Any]:
        """The fields of an Airflow connection with the keys of the emulator's metadata service."""
        extra = {"auth": "metadata", "region": iam.PROJECT, "iam_endpoint": self.url}
        return self._describe("", "", extra | {"metadata_endpoint": self.url})

    def connect_with_temporary_keys(self, lifetime_s: float = 3600.0) -> dict[str, Any]:
        """
        Issue temporary keys, and return the fields of an Airflow connection that uses them.

        :param lifetime_s: seconds until they expire.
        """
        keys = self._call("issue_keys", lifetime_s=lifetime_s)
        extra = {"auth": "aksk", "region": iam.PROJECT, "security_token": keys["security_token"]}
        extra["iam_endpoint"] = self.url
        return self._describe(keys["access_key"], keys["secret_key"], extra)

    def _describe(self, login: str, password: str, extra: dict[str, Any]) -> dict[str, Any]:
        if self._ca_file:
            extra["verify"] = self._ca_file
        return {"conn_type": "drs", "host": self.url, "login": login, "password": password, "extra": extra}

    @property
    def connection_json(self) -> str:
        """The text for ``AIRFLOW_CONN_DRS_DEFAULT``."""
        return json.dumps(self.connection)

    @property
    def now(self) -> float:
        """The emulator's time, in epoch seconds."""
        return float(self._call("health")["now"])

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """All jobs: ID, name, status, and how often each was started and pre-checked."""
        return list(self._call("jobs"))

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The IDs of all jobs, oldest first."""
        return tuple(job["id"] for job in self.jobs)

    def seed_job(self, job_id: str | None = None, *, status: str = "CONFIGURATION", **details: Any) -> str:
        """
        Add a job and return its ID.

        :param status: the initial status.
        :param details: ``name``, ``description``, ``engine_type``, ``db_use_type``, ``task_type``,
            ``net_type``, ``job_direction``, ``multi_write``, ``parent_id``, ``is_tested`` and ``unreachable``
            (the endpoints, ``so`` and ``ta``, whose connection test has passed, and those where it fails),
            ``has_endpoints``, ``echo_secrets``, ``fails_in`` (phases: ``create``, ``start``, ``full``,
            ``incremental``, ``stop``), ``delay`` (steps of seconds since the incremental phase began, and lag
            in seconds), ``databases`` (rows by table by database), ``differences`` (tables, as ``db.table``,
            that a comparison finds inconsistent), ``switch_fails``, ``node_num``, ``passwords`` (of ``so``
            and ``ta``: any other is rejected), ``verdict`` (an object with the arguments of
            :meth:`set_verdict`).
        """
        return str(self._call("seed_job", job_id=job_id, status=status, **details))

    def set_job(self, job_id: str, **details: Any) -> None:
        """
        Change a job in ways that the API does not offer.

        :param details: ``status`` and the details of :meth:`seed_job`.
        """
        self._call("set_job", job_id=job_id, **details)

    def plan_job(self, name: str, **details: Any) -> None:
        """
        Set details of the jobs that will be created under a name.

        :param name: the name; a trailing ``*`` matches a prefix.
        :param details: those of :meth:`seed_job`.
        """
        self._call("plan_job", name=name, **details)

    def set_verdict(
        self,
        job_id: str | None,
        outcome: str,
        *,
        items: Sequence[str | Mapping[str, Any]] = (),
        **details: Any,
    ) -> None:
        """
        Set the outcome of the next pre-checks of a job.

        :param job_id: the job; ``None`` for all jobs.
        :param outcome: ``pass``, ``alarm`` or ``fail``.
        :param items: the check items that do not pass, by name or as whole rows.
        :param details: ``duration_s``, ``reads`` (end after this number of reads), ``stale_reads`` and
            ``stale_s`` (number of reads, or seconds, that still return the previous run), ``precheck_id``,
            ``without_result``.
        """
        self._call("set_verdict", job_id=job_id, outcome=outcome, items=list(items), **details)

    def advance(self, seconds: float) -> float:
        """Advance the emulator's time and return it in epoch seconds."""
        return float(self._call("advance", seconds=seconds))

    def set_speed(self, speed: float) -> None:
        """Run the emulator's clock at this multiple of real time; 0 stops it."""
        self._call("speed", speed=speed)

    def set_pace(self, pace: str | int) -> None:
        """
        Set how jobs progress, starting with their next phase.

        :param pace: ``time``: phases take time; ``at-once``: phases end immediately; a number: each ends
            after this number of reads of the job.
        """
        self._call("set_pace", pace=pace)

    def inject(self, kind: str, **details: Any) -> int:
        """
        Add a fault and return its id; :mod:`~drs_emulator.faults` lists the kinds.

        :param details: ``operation``, ``times``, ``after``, ``every``, ``job_id``, and the kind's options.
        """
        return int(self._call("inject", kind=kind, **details))

    @property
    def faults(self) -> list[dict[str, Any]]:
        """All faults, with the number of requests that each has affected (``done``)."""
        return list(self._call("faults"))

    def remove_fault(self, fault_id: int) -> None:
        """Remove a fault."""
        self._call("remove_fault", fault_id=fault_id)

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._call("clear_faults")

    def journal(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Return the received requests, of one operation or all, without secrets."""
        return list(self._call("journal", operation=operation))

    def clear_journal(self) -> None:
        """Remove the requests received so far."""
        self._call("clear_journal")

    def revoke_tokens(self) -> None:
        """Invalidate every token, as a password change does."""
        self._call("revoke_tokens")

    def accept_token(self, token: str, expires_at: float | None = None) -> None:
        """Accept a token of another IAM until an instant in epoch seconds."""
        self._call("accept_token", token=token, expires_at=expires_at)

    def set_iam(self, **details: Any) -> None:
        """
        Change IAM: ``lifetime_s``, ``token_bytes`` or ``password`` of future tokens, the permanent
        ``secret_key``, whether the user ``has_agency``, and how the ``metadata`` service answers: ``open``,
        ``session`` (only with a session token) or ``no-agency``.
        """
        self._call("set_iam", **details)

    def reset(self) -> None:
        """
        Restore the initial jobs, plans, faults, pace, clock and settings of IAM.

        The journal is empty afterwards, and no token is valid.
        """
        self._call("reset")

    def _call(self, action: str, **arguments: Any) -> Any:
        response = self._session.post(f"{self.url}/_emulator/{action}", json=arguments, timeout=10)
        document = response.json()
        if response.status_code != 200:
            raise EmulatorError(document.get("error"))
        return document["result"]
