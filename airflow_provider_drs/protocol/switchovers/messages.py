"""The switch-over of virtual IP addresses, between self-built databases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.rows import read_text, row_error
from airflow_provider_drs.protocol.core.wire import Request, Response

MODES = ("source", "target")
STARTED = "SWITCH_VIP_START"
COMPLETE = "SWITCH_VIP_COMPLETE"
FAILED = "SWITCH_VIP_FAILED"


@dataclass(frozen=True, slots=True)
class SwitchOver:
    """
    Where the last switch-over of a job stands, in the service's word. The service keeps no other.

    :param adopted: it was there when another one was to be ordered, and counts as that.
    """

    job_id: str
    status: str
    adopted: bool = False

    @property
    def is_done(self) -> bool:
        """Whether it has ended, well or not; a word never seen before counts as not ended."""
        return self.status in (COMPLETE, FAILED)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for an XCom."""
        return {"job_id": self.job_id, "status": self.status, "adopted": self.adopted}


def check_mode(mode: str) -> str:
    """
    Return the mode if there is such a one.

    :raises DrsConfigError: there is not.
    """
    if mode not in MODES:
        raise DrsConfigError(f"mode: expected one of {', '.join(MODES)}, not {mode!r}.")
    return mode


def build_switch_over(job_id: str, mode: str) -> Request:
    """Return the request that switches a virtual IP address over (drs_03_0147)."""
    return build("SwitchVip", {"mode": mode}, [job_id])


def parse_switch_over(
    request: Request, document: Mapping[str, Any], response: Response
) -> dict[str, SwitchOver | DrsError]:
    """Read whether it was accepted."""
    (job_id,) = request.job_ids
    error = row_error(document, request, response, job_id)
    read_text(document, "status")
    return {job_id: error or SwitchOver(job_id, STARTED)}


def build_switch_over_status(job_id: str) -> Request:
    """Return the request for the result of the last switch-over (drs_03_0148)."""
    return build("ShowSwitchVipStatus", None, [job_id])


def parse_switch_over_status(
    request: Request, document: Mapping[str, Any], response: Response
) -> dict[str, SwitchOver | DrsError]:
    """Read where it stands."""
    (job_id,) = request.job_ids
    if document.get("error_code"):
        error = row_error(document, request, response, job_id)
        return {job_id: error} if error else {}
    return {job_id: SwitchOver(job_id, read_text(document, "status"))}
