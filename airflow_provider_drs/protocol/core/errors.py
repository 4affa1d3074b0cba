"""
The errors of this provider.

::

    DrsError
     ├─ DrsConfigError         the connection or an argument is invalid; nothing was sent
     ├─ DrsAuthError           IAM or DRS rejected the credentials
     ├─ DrsPermissionError     the user lacks a permission
     ├─ DrsRequestError        the service rejected the request
     │   ├─ DrsJobNotFoundError   the job does not exist, or was deleted
     │   └─ DrsJobStateError      the status of the job does not allow the action
     ├─ DrsThrottledError      too many requests; transient
     ├─ DrsUnavailableError    no valid response within the retry budget; transient
     └─ DrsResponseError       the response is not as documented; transient

Catch the class for which your code must react differently, or ``DrsError`` for all of them.
"""

# A class exists where callers react differently. A new error code is a new row in ERROR_CLASS_BY_CODE.
# This module imports nothing else of the provider.

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

__all__ = [
    "DrsAuthError",
    "DrsConfigError",
    "DrsError",
    "DrsJobNotFoundError",
    "DrsJobStateError",
    "DrsPermissionError",
    "DrsRequestError",
    "DrsResponseError",
    "DrsThrottledError",
    "DrsUnavailableError",
]


class DrsError(Exception):
    """
    Base class of all errors of this provider.

    :param message: what failed, for which job or field, and how to fix it. Never contains a secret.
    :param operation: the service's name of the operation, such as ``BatchStartJobs``.
    :param http_status: the HTTP status; ``None`` without a response.
    :param error_code: the service's error code, such as ``DRS.M00289``.
    :param error_msg: the service's error message.
    :param request_id: the service's ID of the request, for support tickets.
    :param job_ids: the jobs that the error concerns.
    """

    #: Whether the same call can succeed later without any change.
    is_transient = False
    #: How to fix it, if the error code has no more precise remedy.
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
        Return the error that :meth:`to_dict` serialized.

        An unknown type becomes a plain :class:`DrsError`.
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
    """The connection or an argument is invalid; nothing was sent."""


class DrsAuthError(DrsError):
    """IAM or DRS rejected the credentials, and a new token did not help."""

    remedy = "Check login, password, domain and region of the connection."


class DrsPermissionError(DrsError):
    """The credentials are valid, but the user lacks a permission."""

    remedy = (
        "Ask the account's administrator to grant the DRS permissions for this operation in this "
        "project (IAM)."
    )


class DrsRequestError(DrsError):
    """The service rejected the request; a retry has the same result."""

    remedy = "Fix the cause that DRS reports, then run the task again."


class DrsJobNotFoundError(DrsRequestError):
    """The job does not exist in this project, or it was deleted."""

    remedy = "Check the job ID, and that the connection specifies the region and project of the job."


class DrsJobStateError(DrsRequestError):
    """The status of the job does not allow the action."""

    remedy = (
        "Check the job's status in the DRS console. Run the task again when the status allows the action."
    )


class DrsThrottledError(DrsError):
    """Too many requests."""

    is_transient = True
    remedy = "Run the task again later, poll less often, or increase extra.retry_timeout of the connection."


class DrsUnavailableError(DrsError):
    """
    No valid response within ``retry_timeout`` seconds: no connection, a broken one, or a failing service.
    """

    is_transient = True
    remedy = "Check the network route and the status of the service, then run the task again."


class DrsResponseError(DrsError):
    """A response that is not as documented by the service."""

    is_transient = True
    remedy = (
        "Check that the connection's host is the DRS endpoint, not a proxy or a portal. "
        "If the host is correct, report this error to the service's support with the request ID."
    )


#: Every error class by name, to deserialize errors.
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

#: Another operation is running on the job: the only error code that delays a single job of a batch.
BUSY_CODE = "DRS.M01504"
#: "Operation too frequent".
TOO_FREQUENT_CODE = "DRS.M01503"
#: HTTP 401 that a new token does not fix.
MISSING_PERMISSION_CODE = "DRS.M00103"
#: HTTP 403 that a new token fixes.
INVALID_TOKEN_CODE = "DRS.M00100"
#: "This API cannot be called in the current task status."
WRONG_STATE_CODE = "DRS.M00304"
#: "The task name already exists."
NAME_TAKEN_CODE = "DRS.M00277"
#: "The data transformation already exists."
EXISTING_RULE_CODE = "DRS.M07000"
#: "The returned result is empty."
EMPTY_RESULT_CODE = "DRS.M00002"

# From the error code appendix (drs_05_0004), the API gateway's table, and for M00289 the Terraform provider.
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

#: Remedies of error codes, more precise than those of the classes.
REMEDY_BY_CODE: dict[str, str] = {
    BUSY_CODE: (
        "Wait until the running operation of the job has finished (DRS console), then run the task again."
    ),
    "DRS.M00261": (
        "Check extra.project_id and extra.region of the connection: the project must belong to the region."
    ),
    "DRS.M00307": "Use the ID of the child job, not of its parent.",
    "DRS.M00302": "Use an engine_type that the service supports for this db_use_type.",
    "DRS.M00308": "Use the ID of the parent job, not of its child.",
    "DRS.M00402": "Wait for the running comparison, or cancel it with conflict_policy='cancel'.",
    MISSING_PERMISSION_CODE: (
        "Ask the account's administrator for the permissions of this operation. drs doctor --permissions "
        "lists them."
    ),
    "DRS.KE0002": "Check login and password of the database's Airflow connection.",
}


#: Remedies of the service's messages, which have no error code of their own.
REMEDY_BY_MESSAGE: dict[str, str] = {
    # drs_16_0123
    "can not get agency token": (
        "A scheduled start by an IAM user requires the permission Security Administrator. Grant it to the "
        "user's group, or start the job without start_time."
    ),
}


def _remedy_of(error_code: str | None, error_msg: str | None) -> str | None:
    by_message = (text for words, text in REMEDY_BY_MESSAGE.items() if words in (error_msg or "").lower())
    return next(by_message, None) or REMEDY_BY_CODE.get(error_code or "")


def error_class_for(http_status: int | None, error_code: str | None) -> type[DrsError]:
    """Return the error class of a response: by error code if it is known, else by HTTP status."""
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
    Return an error whose message says what failed, the service's reason, and how to fix it.

    :param what: the beginning of the message, such as ``DRS did not start job X``.
    """
    chosen = error_class or error_class_for(http_status, error_code)
    facts = [error_code, f"HTTP {http_status}" if http_status else None]
    detail = ", ".join(fact for fact in facts if fact)
    text = what
    if error_msg:
        text += f": {error_msg.rstrip('. ')}"
    if detail:
        text += f" ({detail})"
    todo = remedy or _remedy_of(error_code, error_msg) or chosen.remedy
    return chosen(
        f"{text}. {todo}".rstrip(),
        operation=operation,
        http_status=http_status,
        error_code=error_code,
        error_msg=error_msg,
        request_id=request_id,
        job_ids=job_ids,
    )


def label_job(job_id: str, name: str | None) -> str:
    """Return how a job is shown: its name and ID; the ID if the name is not known."""
    return f"{name} ({job_id})" if name else job_id


def label_error(job_id: str, error: DrsError, name: str | None = None) -> str:
    """Return the error with the job in front."""
    text, label = str(error), label_job(job_id, name)
    if text.startswith(f"{job_id}: "):
        return label + text.removeprefix(job_id)
    place, colon, problem = text.partition(": ")
    if label in place:
        return text
    return f"{place.replace(job_id, label, 1)}{colon}{problem}" if job_id in place else f"{label}: {text}"


#: The number of lines about jobs in an error, which Airflow also sends to notifiers.
_NAMED = 5


def name_first(lines: Sequence[str]) -> str:
    """Return the first lines about jobs, and how many more there are."""
    more = [f"and {len(lines) - _NAMED} more"] if len(lines) > _NAMED else []
    return "\n".join([*lines[:_NAMED], *more])


def has_code(answer: object, error_code: str) -> bool:
    """Whether an answer is an error with this code."""
    return isinstance(answer, DrsError) and answer.error_code == error_code


_LONGEST_QUOTE = 80


def check_choice(argument: str, value: object, choices: Collection[str]) -> None:
    """
    Check that an argument has one of the allowed values.

    :raises DrsConfigError: it does not.
    """
    if value not in choices:
        known = ", ".join(choice or "''" for choice in choices)
        raise DrsConfigError(f"{argument} {quote(value)} is invalid: expected one of {known}.")


def quote(value: object) -> str:
    """Return the representation of an invalid value for an error: at most 80 characters."""
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 1]}…"
