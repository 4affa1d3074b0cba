"""
Everything that can go wrong when talking to DRS, as one tree.

::

    DrsError
     ├─ DrsConfigError         the connection or an argument cannot work; nothing was sent
     ├─ DrsAuthError           the service does not believe who we are
     ├─ DrsPermissionError     it believes us and does not let us
     ├─ DrsRequestError        it understood the request and refuses it
     │   ├─ DrsJobNotFoundError   there is no such job (any more)
     │   └─ DrsJobStateError      the job is not in a status that allows this
     ├─ DrsThrottledError      too many requests; passes by itself
     ├─ DrsUnavailableError    no usable answer within the time allowed; passes by itself
     └─ DrsResponseError       an answer that is not the documented shape

Classes are for what a caller does differently; a new service code is a new row in
:data:`ERROR_CLASS_BY_CODE`. This module imports nothing else of the provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class DrsError(Exception):
    """
    Base of every error of this provider.

    :param message: what failed, for which job or field, and what to do next. Never holds a secret.
    :param operation: the service's name of the operation, e.g. ``BatchStartJobs``.
    :param http_status: HTTP status of the answer; ``None`` when there was none.
    :param error_code: the service's code, e.g. ``DRS.M00289``.
    :param error_msg: the service's own words.
    :param request_id: the service's id of the request, for a support ticket.
    :param job_ids: the jobs that the error is about.
    """

    #: Whether the same call can succeed later without anybody changing anything.
    is_transient = False
    #: What a person can do about it, when the error code says nothing more precise.
    remedy = ""

    def __init__(
        self,
        message: str = "",
        *,
        operation: str | None = None,
        http_status: int | None = None,
        error_code: str | None = None,
        error_msg: str | None = None,
        request_id: str | None = None,
        job_ids: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.http_status = http_status
        self.error_code = error_code
        self.error_msg = error_msg
        self.request_id = request_id
        self.job_ids = tuple(job_ids)

    def to_dict(self) -> dict[str, Any]:
        """Return the error as plain JSON values, for an XCom or a trigger event."""
        return {
            "type": type(self).__name__,
            "message": str(self),
            "operation": self.operation,
            "http_status": self.http_status,
            "error_code": self.error_code,
            "error_msg": self.error_msg,
            "request_id": self.request_id,
            "job_ids": list(self.job_ids),
        }

    @staticmethod
    def from_dict(fields: Mapping[str, Any]) -> DrsError:
        """
        Return the error that :meth:`to_dict` described.

        A type that this version does not know becomes a plain :class:`DrsError`: the text is what counts.
        """
        error_class = ERROR_CLASS_BY_NAME.get(str(fields.get("type")), DrsError)
        return error_class(
            str(fields.get("message", "")),
            operation=fields.get("operation"),
            http_status=fields.get("http_status"),
            error_code=fields.get("error_code"),
            error_msg=fields.get("error_msg"),
            request_id=fields.get("request_id"),
            job_ids=tuple(fields.get("job_ids", ())),
        )


class DrsConfigError(DrsError):
    """The connection or an argument cannot work; nothing was sent."""


class DrsAuthError(DrsError):
    """IAM or DRS does not accept the credentials, and a new token did not help."""

    remedy = "Check login, password, domain and region of the connection."


class DrsPermissionError(DrsError):
    """The credentials are good; the user may not do this."""

    remedy = (
        "Ask the account's administrator for the DRS permissions of this operation (IAM policy, project)."
    )


class DrsRequestError(DrsError):
    """The service understood the request and refuses it; sending it again changes nothing."""

    remedy = "Correct what the service names, then run the task again."


class DrsJobNotFoundError(DrsRequestError):
    """DRS does not know the job in this project, or it was deleted."""

    remedy = "Check the job id, and that region and project of the connection are those of the job."


class DrsJobStateError(DrsRequestError):
    """The job is in a status in which DRS does not allow this."""

    remedy = "Look at the job's status in the DRS console; run the task again when it fits."


class DrsThrottledError(DrsError):
    """DRS or its gateway says: too many requests."""

    is_transient = True
    remedy = "Run the task again later, poll less often, or raise extra.retry_timeout of the connection."


class DrsUnavailableError(DrsError):
    """
    No usable answer within ``retry_timeout`` seconds.

    no connection, a broken one, or a failing service.
    """

    is_transient = True
    remedy = "Check the network path and the service's health, then run the task again."


class DrsResponseError(DrsError):
    """An answer arrived that is not what the service documents."""

    is_transient = True
    remedy = (
        "Check that the connection's host is the DRS endpoint and not a proxy's or a portal's page; "
        "if it is, report this with the request id."
    )


#: Every class of the tree by its name, for errors that cross a process as JSON.
ERROR_CLASS_BY_NAME: dict[str, type[DrsError]] = {
    error_class.__name__: error_class
    for error_class in (
        DrsError,
        DrsConfigError,
        DrsAuthError,
        DrsPermissionError,
        DrsRequestError,
        DrsJobNotFoundError,
        DrsJobStateError,
        DrsThrottledError,
        DrsUnavailableError,
        DrsResponseError,
    )
}

#: Another operation is running on this one job: the only code that holds back a single job of a batch.
BUSY_CODE = "DRS.M01504"
#: "Operation too frequent": asks for patience.
TOO_FREQUENT_CODE = "DRS.M01503"
#: HTTP 401 that a new token does not cure.
MISSING_PERMISSION_CODE = "DRS.M00103"
#: HTTP 403 that a new token cures.
INVALID_TOKEN_CODE = "DRS.M00100"
#: "This API cannot be called in the current task status."
WRONG_STATE_CODE = "DRS.M00304"
#: "The task name already exists."
NAME_TAKEN_CODE = "DRS.M00277"
#: "The data transformation already exists."
EXISTING_RULE_CODE = "DRS.M07000"
#: "The returned result is empty."
EMPTY_RESULT_CODE = "DRS.M00002"

# From the error code appendix (drs_05_0004), the API gateway's table and, for M00289, the Terraform provider.
ERROR_CLASS_BY_CODE: dict[str, type[DrsError]] = {
    "DRS.M00004": DrsUnavailableError,
    INVALID_TOKEN_CODE: DrsAuthError,
    "DRS.M00101": DrsPermissionError,
    "DRS.M00102": DrsPermissionError,
    MISSING_PERMISSION_CODE: DrsPermissionError,
    "DRS.M00105": DrsPermissionError,
    "DRS.M00261": DrsPermissionError,
    "DRS.M00289": DrsJobNotFoundError,
    WRONG_STATE_CODE: DrsJobStateError,
    "DRS.M00307": DrsJobStateError,
    "DRS.M00308": DrsJobStateError,
    TOO_FREQUENT_CODE: DrsThrottledError,
    BUSY_CODE: DrsJobStateError,
    "DRS.M05003": DrsJobNotFoundError,
    "DRS.M05004": DrsJobNotFoundError,
    "APIGW.0301": DrsAuthError,
    "APIGW.0305": DrsAuthError,
    "APIGW.0307": DrsAuthError,
    "APIGW.0302": DrsPermissionError,
    "APIGW.0308": DrsThrottledError,
    "APIGW.0201": DrsUnavailableError,
    "APIGW.0613": DrsUnavailableError,
}

#: What to do about a code, where the class's own remedy says too little.
REMEDY_BY_CODE: dict[str, str] = {
    BUSY_CODE: (
        "Another operation is running on the job; wait for it to end (DRS console), then run the task again."
    ),
    "DRS.M00261": (
        "Check extra.project_id and extra.region of the connection: the project id must be the region's."
    ),
    "DRS.M00307": "Use the id of the child job, not of its parent.",
    "DRS.M00302": "Use an engine_type that the service offers for this db_use_type.",
    "DRS.M00308": "Use the id of the parent job, not of its child.",
    "DRS.M00402": "Wait for the comparison that is running, or cancel it with conflict_policy='cancel'.",
    "DRS.KE0002": "Check login and password of the database's Airflow connection.",
}


def error_class_for(http_status: int | None, error_code: str | None) -> type[DrsError]:
    """Choose the class for an answer: by the service's code where it is known, else by the HTTP status."""
    if error_code in ERROR_CLASS_BY_CODE:
        return ERROR_CLASS_BY_CODE[error_code]
    if http_status == 401:
        return DrsAuthError
    if http_status == 403:
        return DrsPermissionError
    if http_status == 429:
        return DrsThrottledError
    if http_status is not None and http_status >= 500:
        return DrsUnavailableError
    return DrsRequestError


def make_error(
    what: str,
    *,
    operation: str | None = None,
    http_status: int | None = None,
    error_code: str | None = None,
    error_msg: str | None = None,
    request_id: str | None = None,
    job_ids: tuple[str, ...] = (),
    error_class: type[DrsError] | None = None,
    remedy: str | None = None,
) -> DrsError:
    """
    Return the error whose text says what failed, in the service's words, and what to do next.

    :param what: the first half of the sentence, e.g. ``DRS did not start job X``.
    """
    chosen = error_class or error_class_for(http_status, error_code)
    facts = [error_code, f"HTTP {http_status}" if http_status else None]
    detail = ", ".join(fact for fact in facts if fact)
    text = what
    if error_msg:
        text += f": {error_msg.rstrip('. ')}"
    if detail:
        text += f" ({detail})"
    todo = remedy or REMEDY_BY_CODE.get(error_code or "") or chosen.remedy
    return chosen(
        f"{text}. {todo}".rstrip(),
        operation=operation,
        http_status=http_status,
        error_code=error_code,
        error_msg=error_msg,
        request_id=request_id,
        job_ids=job_ids,
    )
