"""Requests that switch virtual IP addresses over between self-managed databases, and their responses."""

from __future__ import annotations

from airflow_provider_drs.protocol.core.batches import Answers
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.rows import read_text, row_error
from airflow_provider_drs.protocol.core.values import Value
from airflow_provider_drs.protocol.core.wire import Document, Request, Response

MODES = ("source", "target")
STARTED = "SWITCH_VIP_START"
COMPLETE = "SWITCH_VIP_COMPLETE"
FAILED = "SWITCH_VIP_FAILED"


class SwitchOver(Value, frozen=True):
    """
    The status of a job's latest switchover, the only one that DRS stores.

    :param adopted: the switchover already existed and is used instead of a new one.
    """

    job_id: str
    status: str
    adopted: bool = False

    @property
    def is_done(self) -> bool:
        """Whether the switchover is complete or has failed. Any other status counts as in progress."""
        return self.status in (COMPLETE, FAILED)


def build_switch_over(job_id: str, mode: str) -> Request:
    """Return the request that switches a virtual IP address over (drs_03_0147)."""
    return build("SwitchVip", {"mode": mode}, [job_id])


def parse_switch_over(request: Request, document: Document, response: Response) -> Answers[SwitchOver]:
    """Return the started switchover, or the error if DRS rejected it."""
    (job_id,) = request.job_ids
    error = row_error(document, request, response, job_id)
    read_text(document, "status")
    return {job_id: error or SwitchOver(job_id, STARTED)}


def build_switch_over_status(job_id: str) -> Request:
    """Return the request for the status of the latest switchover (drs_03_0148)."""
    return build("ShowSwitchVipStatus", None, [job_id])


def parse_switch_over_status(request: Request, document: Document, response: Response) -> Answers[SwitchOver]:
    """Return the status of the latest switchover."""
    (job_id,) = request.job_ids
    if document.get("error_code"):
        error = row_error(document, request, response, job_id)
        return {job_id: error} if error else {}
    return {job_id: SwitchOver(job_id, read_text(document, "status"))}
