"""The result of an action for a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_drs.protocol.core.batches import Answers
from airflow_provider_drs.protocol.core.rows import parse_rows
from airflow_provider_drs.protocol.core.wire import Document, Request, Response

#: The ``status`` of a job that DRS does not know.
GONE = "gone"


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """
    A successful action.

    :param adopted: it was performed before; ``status`` was the job's status.
    :param in_doubt: it was adopted after a request whose response was lost, so that this request may have
        performed it.
    :param request_id: the service's ID of the request, for support tickets.
    :param details: further fields of the response, as plain JSON values.
    """

    job_id: str
    adopted: bool = False
    status: str | None = None
    request_id: str | None = field(default=None, compare=False)
    details: Mapping[str, Any] = field(default_factory=dict)
    in_doubt: bool = field(default=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for an XCom."""
        return {
            "job_id": self.job_id,
            "adopted": self.adopted,
            "status": self.status,
            "request_id": self.request_id,
            **self.details,
        }


def parse_outcomes(request: Request, document: Document, response: Response) -> Answers[JobOutcome]:
    """Read for which jobs the action was accepted, and for which it was rejected."""
    request_id = response.request_id
    return parse_rows(
        request, document, response, lambda job_id, row: JobOutcome(job_id, request_id=request_id)
    )
