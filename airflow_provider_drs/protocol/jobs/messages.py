"""Statuses, details and progress of jobs, and start times."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from airflow_provider_drs.protocol.core.batches import Answers
from airflow_provider_drs.protocol.core.errors import DrsResponseError, quote
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.redact import redact
from airflow_provider_drs.protocol.core.rows import parse_rows, read_flag, read_percent, read_text
from airflow_provider_drs.protocol.core.values import Value
from airflow_provider_drs.protocol.core.wire import Document, Request, Response
from airflow_provider_drs.protocol.jobs.states import STATUSES, Phase, phase_of

#: The documented maximum page size.
MAX_PAGE = 100
#: The names of jobs (drs_03_0104).
JOB_NAME = re.compile(r"[A-Za-z0-9_-]{4,50}\Z")
JOB_NAME_RULE = "must be 4 to 50 letters, digits, hyphens or underscores"
#: How fast the destination is written (vendor SDK).
_RATES = ("apply_rows_rate", "apply_bytes_rate")
#: ``db_use_type`` of disaster recovery.
DISASTER_RECOVERY = "cloudDataGuard"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The status of a job. ``phase`` is its meaning."""

    job_id: str
    status: str

    @property
    def phase(self) -> Phase:
        """The phase of the status; ``Phase.UNKNOWN`` for an unknown status."""
        return phase_of(self.status)

    @property
    def is_known(self) -> bool:
        """Whether this version knows the status."""
        return self.status in STATUSES

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for an XCom."""
        return {"job_id": self.job_id, "status": self.status, "phase": self.phase.value}


@dataclass(frozen=True, slots=True)
class JobDetails:
    """The details of a job. ``raw`` is the complete row with all secrets masked."""

    job_id: str
    name: str
    status: str
    db_use_type: str | None
    task_type: str | None
    job_direction: str | None
    parent_id: str | None
    multi_write: bool
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def phase(self) -> Phase:
        """The phase of the status; ``Phase.UNKNOWN`` for an unknown status."""
        return phase_of(self.status)

    @property
    def engine_type(self) -> str:
        """The engine, such as ``mysql``; empty if the details have none."""
        instance = self.raw.get("inst_info")
        return str(instance.get("engine_type") or "") if isinstance(instance, Mapping) else ""

    @property
    def node_type(self) -> str:
        """The size of the replication instance, such as ``high``; empty if the details have none."""
        instance = self.raw.get("inst_info")
        return str(instance.get("inst_type") or "") if isinstance(instance, Mapping) else ""

    @property
    def net_type(self) -> str:
        """The network type: ``eip``, ``vpn`` or ``vpc``; empty if the details have none."""
        return str(self.raw.get("net_type") or "")

    @property
    def scheduled_ms(self) -> int | None:
        """The start time that was requested, in epoch milliseconds; ``None`` if the details have none."""
        instance = self.raw.get("inst_info")
        return _read_ms(instance.get("start_time")) if isinstance(instance, Mapping) else None

    @property
    def started_ms(self) -> int | None:
        """When the job was started, in epoch milliseconds; ``None`` if the details have no time."""
        return _read_ms(self.raw.get("actual_start_time"))

    def endpoint(self, end: str) -> Mapping[str, Any]:
        """
        Return what the details contain about the ``source`` or ``target`` database, with secrets masked.
        """
        found = self.raw.get(f"{end}_endpoint")
        return found if isinstance(found, Mapping) else {}

    def describe(self) -> dict[str, str]:
        """Return the engine, and instance or address of both databases."""
        places = {end: _describe_place(self.endpoint(end)) for end in ("source", "target")}
        return {"engine": self.engine_type, "source": places["source"], "destination": places["target"]}

    @property
    def is_dual_active_parent(self) -> bool:
        """Whether it is the parent of a dual-active pair, which can be neither pre-checked nor started."""
        return self.multi_write and not self.parent_id

    @property
    def is_dual_active_backward(self) -> bool:
        """Whether it is the backward job of a dual-active pair, which follows the forward job."""
        is_child = bool(self.parent_id) and (self.multi_write or self.db_use_type == DISASTER_RECOVERY)
        return is_child and self.job_direction == "down"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for an XCom; secrets are masked."""
        return dict(self.raw)


class JobProgress(Value, frozen=True):
    """
    The progress of a job.

    :param percent: of the full copy.
    :param delay_s: lag of the incremental replication in seconds; ``None`` before it has started.
    :param remaining_s: expected remaining seconds of the full copy.
    :param phases: percent by part (``struct``, ``data``, ``index``).
    :param phases_remaining_s: expected remaining seconds by part; ``None`` if DRS does not return them.
    :param process_time_ms: when DRS measured the progress, in epoch milliseconds.
    :param delay_ms: the lag in milliseconds, in clouds that return it.
    :param apply_rates: rows and bytes per second that are applied to the destination, in clouds that return
        them: ``apply_rows_rate`` and ``apply_bytes_rate``.
    """

    job_id: str
    status: str
    task_type: str | None
    percent: int | None
    delay_s: int | None
    remaining_s: int | None
    phases: Mapping[str, int | None]
    phases_remaining_s: Mapping[str, int | None] = {}
    process_time_ms: int | None = None
    delay_ms: int | None = None
    apply_rates: Mapping[str, float] = {}


def _describe_place(endpoint: Mapping[str, Any]) -> str:
    instance = endpoint.get("inst_name") or endpoint.get("inst_id")
    address = ":".join(str(endpoint[key]) for key in ("ip", "db_port") if endpoint.get(key))
    return str(instance or address)


def _build_paged(operation: str, job_ids: Sequence[str]) -> Request:
    # Without page_req the service returns 5 jobs only (drs_api_0150, drs_api_0151).
    body = {"jobs": list(job_ids), "page_req": {"cur_page": 1, "per_page": len(job_ids)}}
    return build(operation, body, job_ids)


def build_job_statuses(job_ids: Sequence[str]) -> Request:
    """Return the request for the statuses of up to 100 jobs (drs_api_0150)."""
    return _build_paged("BatchListJobStatus", job_ids)


def parse_job_statuses(request: Request, document: Document, response: Response) -> Answers[JobStatus]:
    """Read the statuses; an unknown status is kept unchanged."""
    return parse_rows(
        request, document, response, lambda job_id, row: JobStatus(job_id, read_text(row, "status"))
    )


def build_job_details(job_ids: Sequence[str]) -> Request:
    """Return the request for the details of up to 100 jobs (drs_api_0151)."""
    return _build_paged("BatchListJobDetails", job_ids)


def parse_job_details(request: Request, document: Document, response: Response) -> Answers[JobDetails]:
    """Read the details, with all secrets masked."""
    return parse_rows(request, document, response, _parse_details_row)


def _parse_details_row(job_id: str, row: Mapping[str, Any]) -> JobDetails:
    return JobDetails(
        job_id=job_id,
        name=str(row.get("name") or ""),
        status=read_text(row, "status"),
        db_use_type=row.get("db_use_type"),
        task_type=row.get("task_type"),
        job_direction=row.get("job_direction"),
        parent_id=row.get("parent_id") or None,
        multi_write=bool(read_flag(row, "multi_write")),
        raw=redact(row),
    )


def build_job_progresses(job_ids: Sequence[str]) -> Request:
    """Return the request for the progress of jobs (drs_03_0114)."""
    return build("BatchListProgresses", {"jobs": list(job_ids)}, job_ids)


def parse_job_progresses(request: Request, document: Document, response: Response) -> Answers[JobProgress]:
    """Read the progress of jobs."""
    return parse_rows(request, document, response, _parse_progress_row)


def _parse_progress_row(job_id: str, row: Mapping[str, Any]) -> JobProgress:
    delay_s = _read_seconds(row.get("incre_trans_delay"))
    parts = _read_parts(row.get("progress_map"))
    return JobProgress(
        job_id=job_id,
        status=read_text(row, "transfer_status"),
        task_type=row.get("task_mode"),
        percent=read_percent(row, "progress"),
        # "-1" means that the incremental phase has not started.
        delay_s=None if delay_s is None or delay_s < 0 else delay_s,
        remaining_s=_read_seconds(row.get("remaining_time")),
        phases={part: read_percent(found, "completed") for part, found in parts.items()},
        phases_remaining_s={
            part: _read_seconds(found.get("remaining_time")) for part, found in parts.items()
        },
        process_time_ms=_read_ms(row.get("process_time")),
        delay_ms=_read_ms(row.get("incre_trans_delay_millis")),
        apply_rates={key: float(row[key]) for key in _RATES if _is_number(row.get(key))},
    )


def _read_ms(value: object) -> int | None:
    # "0" if no time is set.
    return int(str(value)) or None if str(value).isdecimal() else None


def _read_seconds(value: object) -> int | None:
    if value is None or value == "":
        return None
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        raise DrsResponseError(f"{str(value)[:20]!r} is not a number of seconds") from None


def _is_number(value: object) -> bool:
    try:
        return isfinite(float(str(value)))
    except ValueError:
        return False


def _read_parts(value: object) -> dict[str, Mapping[str, Any]]:
    # The table says array, the example and the SDK say object (drs_03_0114); an array has no names of parts.
    if not isinstance(value, Mapping):
        return {}
    return {str(part): found for part, found in value.items() if isinstance(found, Mapping)}


def read_start_time_ms(start_time: object, *, now_s: float) -> int | None:
    """
    Return the start time in epoch milliseconds; ``None`` starts now.

    :param start_time: a datetime with a time zone, or epoch milliseconds as a number or digits. An empty
        text, such as the default of a DAG's parameter, is ``None``.
    :param now_s: the current epoch seconds; an earlier start time is an error.
    :raises ValueError: the time has passed, has no time zone, or is invalid. The message names start_time and
        the fix.
    """
    if start_time is None or start_time == "":
        return None
    moment_ms = _read_instant_ms(start_time)
    if moment_ms <= now_s * 1000:
        moment = datetime.datetime.fromtimestamp(moment_ms / 1000, datetime.UTC)
        raise ValueError(
            f"start_time {moment.isoformat()} has passed. Use a later time, or None to start now."
        )
    return moment_ms


#: Milliseconds from 2001-09-09 to 3001: another number is seconds or a typing error.
_PLAUSIBLE_MS = range(10**12, 32_535_215_999_000)


def _read_instant_ms(start_time: object) -> int:
    if isinstance(start_time, datetime.datetime):
        if start_time.tzinfo is None or start_time.utcoffset() is None:
            raise ValueError(
                f"start_time {start_time.isoformat()} has no time zone. Add one, such as +00:00."
            )
        return round(start_time.timestamp() * 1000)
    is_number = isinstance(start_time, int) and not isinstance(start_time, bool)
    if is_number or (isinstance(start_time, str) and start_time.strip().isdecimal()):
        moment_ms = int(str(start_time))
        if moment_ms in _PLAUSIBLE_MS:
            return moment_ms
    raise ValueError(
        f"start_time {quote(start_time)} is invalid. Use a datetime or an ISO 8601 string, each with a time "
        "zone, or epoch milliseconds."
    )
