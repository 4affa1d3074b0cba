"""
The failure table of the provider: turns an outcome into a document or a failure, and decides what to do.

=============================================  =======================  ==================================
what happened                                  reads, batch-precheck    other writes
=============================================  =======================  ==================================
could not connect                              retry                    retry
sent, then broken, timed out, 500, 502, 504    retry                    read the state first
429, 503, DRS.M01503                           retry later              retry later
403 DRS.M00100; 401 unless DRS.M00103          renew the token once     renew the token once
2xx that is not as documented                  retry                    read the state first
a response of more than 32 MiB                 give up                  read the state
any other 4xx, a redirect, a bad certificate   give up                  give up
=============================================  =======================  ==================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any

from airflow_provider_drs.protocol.core.bodies import READERS, read_json
from airflow_provider_drs.protocol.core.errors import (
    INVALID_TOKEN_CODE,
    MISSING_PERMISSION_CODE,
    TOO_FREQUENT_CODE,
    DrsConfigError,
    DrsError,
    DrsRequestError,
    DrsResponseError,
    DrsThrottledError,
    DrsUnavailableError,
    make_error,
)
from airflow_provider_drs.protocol.core.redact import redact_text
from airflow_provider_drs.protocol.core.wire import (
    FailureKind,
    Request,
    Response,
    Service,
    TransportFailure,
)

#: Backoff limits in seconds. Chosen: 1 s is considerate, and 30 s allow several retries in a budget of 5
#: minutes.
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 30.0

# "Service is abnormal": HTTP 500 on the OTC pages, 422 on newer Huawei Cloud pages.
_SERVICE_ABNORMAL_CODE = "DRS.M00004"
# Rejected before anything was changed; a retry can succeed.
_NOT_NOW_STATUSES = frozenset({429, 503})
_NOT_IMPLEMENTED = 501
_PROXY_WANTS_LOGIN = 407


class Recovery(Enum):
    """The kind of failure, by what helps."""

    TIME = "time"
    TOKEN = "token"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Failure:
    """A send without a valid response, and the error to raise if that does not change."""

    error: DrsError
    recovery: Recovery
    maybe_applied: bool = False
    retry_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Send the same request after ``delay_s`` seconds."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class RenewAndRetry:
    """Get a new token, then send the same request."""


@dataclass(frozen=True, slots=True)
class ReadStateFirst:
    """The service may have acted: read the state after ``delay_s`` seconds, before anything is sent again."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Raise the error."""


Decision = Retry | RenewAndRetry | ReadStateFirst | GiveUp


def decide_next(
    failure: Failure, *, repeatable: bool, attempt: int, budget_s: float, jitter: float, token_renewed: bool
) -> Decision:
    """
    Choose what to do after *failure*.

    :param repeatable: sending the request twice has the same effect as sending it once.
    :param attempt: number of times it was sent, from 1.
    :param budget_s: remaining seconds for waiting and retries.
    :param jitter: a number from 0 to 1 that the caller draws (full jitter).
    :param token_renewed: the token was renewed before.
    """
    if failure.recovery is Recovery.TOKEN:
        return GiveUp() if token_renewed else RenewAndRetry()
    if failure.recovery is Recovery.NOTHING:
        return GiveUp()
    delay_s = max(failure.retry_after_s, backoff_s(attempt, jitter))
    if delay_s >= budget_s:
        return GiveUp()
    if failure.maybe_applied and not repeatable:
        return ReadStateFirst(delay_s)
    return Retry(delay_s)


def backoff_s(attempt: int, jitter: float) -> float:
    """Return the seconds to wait after the *attempt*-th try: exponential backoff with full jitter."""
    return jitter * min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(attempt - 1, 8))


def read_outcome(
    request: Request, outcome: Response | TransportFailure, *, wall_s: float
) -> dict[str, Any] | Failure:
    """
    Return the document of a valid response, or the failure.

    An HTTP 400 with a ``results`` array is a valid response: its rows have the result of each job.

    :param wall_s: epoch seconds, for a Retry-After date.
    """
    if isinstance(outcome, TransportFailure):
        return _read_failure(request, outcome)
    # Check the status first: a gateway's HTML page may be labeled as JSON.
    if outcome.is_success:
        return _read_success(request, outcome)
    document, problem = _try_json(outcome)
    if outcome.status == 400 and document.get("results"):
        return document
    return _read_refusal(request, outcome, document, wall_s, problem)


def unknown_shape(request: Request, response: Response, problem: str) -> Failure:
    """Return the failure of a 2xx response that is not as documented; the service may have acted."""
    error = make_error(
        f"{request.subject}: {problem}",
        operation=request.operation,
        http_status=response.status,
        request_id=response.request_id,
        job_ids=request.job_ids,
        error_class=DrsResponseError,
        remedy=_FOREIGN.get(request.service, ""),
    )
    return Failure(error, Recovery.TIME, maybe_applied=True)


def _read_success(request: Request, response: Response) -> dict[str, Any] | Failure:
    try:
        document = READERS.get(request.operation, read_json)(response)
    except DrsResponseError as error:
        return unknown_shape(request, response, str(error))
    # "DRS.M01504" is documented with HTTP 202 and "DRS.M05066" with 200 (drs_05_0004). If there are results,
    # they are more precise than this code.
    if document.get("error_code") and not document.get("results"):
        return _read_refusal(request, response, document, wall_s=0.0)
    return document


_UNREACHABLE = {
    Service.DRS: "Check host, region and proxy of the connection, the network route, and the status of the "
    "service, then run the task again.",
    Service.IAM: "Check iam_endpoint, region and proxy of the connection, the network route, and the status "
    "of the service, then run the task again.",
    Service.METADATA: "extra.auth=metadata requires a cloud server with an agency: check where this process "
    "runs, and extra.metadata_endpoint.",
}
#: For DRS, the error class has the remedy.
_FOREIGN = {
    Service.IAM: "Check that iam_endpoint and region of the connection are those of IAM, not of a proxy or a "
    "portal.",
    Service.METADATA: "Check that extra.metadata_endpoint is the metadata service of a cloud server.",
}
#: Statuses whose meaning does not depend on who sends them.
_NEUTRAL_STATUSES = frozenset({401, 408, 425, 429})
_ENDPOINT_FIELD = {Service.DRS: "host", Service.IAM: "iam_endpoint", Service.METADATA: "metadata_endpoint"}


def _read_failure(request: Request, failure: TransportFailure) -> Failure:
    what = f"{request.subject}: {failure.kind.value}"
    if failure.detail:
        what += f" ({redact_text(failure.detail)})"
    if failure.kind is FailureKind.CERTIFICATE:
        remedy = "Set extra.verify of the connection to the CA bundle of its issuer, or check host."
        return Failure(_config_error(request, what, remedy), Recovery.NOTHING)
    if failure.kind is FailureKind.PROXY_REFUSED:
        remedy = "Check extra.proxy of the connection (or HTTPS_PROXY): address, credentials and rules."
        return Failure(_config_error(request, what, remedy), Recovery.NOTHING)
    if failure.kind is FailureKind.TOO_LARGE:
        error = make_error(
            what, operation=request.operation, job_ids=request.job_ids, error_class=DrsResponseError
        )
        return Failure(error, Recovery.NOTHING, maybe_applied=True)
    error = make_error(
        what,
        operation=request.operation,
        job_ids=request.job_ids,
        error_class=DrsUnavailableError,
        remedy=_UNREACHABLE[request.service],
    )
    return Failure(error, Recovery.TIME, maybe_applied=failure.maybe_applied)


def _read_refusal(
    request: Request, response: Response, document: Mapping[str, Any], wall_s: float, problem: str = ""
) -> Failure:
    """
    Return the failure of a response with an error.

    :param problem: why the body is not that of the service, if it is not.
    """
    code, message = _read_error(document)
    if 300 <= response.status < 400:
        return Failure(_redirect_error(request, response), Recovery.NOTHING)
    if response.status == _PROXY_WANTS_LOGIN:
        return _read_failure(request, TransportFailure(FailureKind.PROXY_REFUSED, "HTTP 407"))
    # A gateway refuses for reasons of its own, such as a wrong host.
    is_foreign = bool(problem) and response.status < 500 and response.status not in _NEUTRAL_STATUSES
    is_request = is_foreign or response.status == _NOT_IMPLEMENTED
    error = make_error(
        f"{request.subject}: {problem}" if problem else f"{request.service.value} rejected {request.subject}",
        operation=request.operation,
        http_status=response.status,
        error_code=code,
        error_msg=message,
        request_id=response.request_id,
        job_ids=request.job_ids,
        error_class=DrsRequestError if is_request else None,
        remedy=_FOREIGN.get(request.service, DrsResponseError.remedy) if is_foreign else None,
    )
    if request.service is Service.DRS and _is_token_refused(response.status, code):
        return Failure(error, Recovery.TOKEN)
    if code == TOO_FREQUENT_CODE or response.status in _NOT_NOW_STATUSES:
        return Failure(error, Recovery.TIME, retry_after_s=read_retry_after_s(response, wall_s))
    if isinstance(error, DrsThrottledError):
        return Failure(error, Recovery.TIME)
    if code == _SERVICE_ABNORMAL_CODE or isinstance(error, DrsUnavailableError):
        return Failure(error, Recovery.TIME, maybe_applied=True)
    return Failure(error, Recovery.NOTHING)


def _is_token_refused(status: int, code: str | None) -> bool:
    # Invalid token: HTTP 403 with DRS.M00100, not 401. HTTP 401 with DRS.M00103 is a missing permission
    # (drs_05_0004).
    if status == 401:
        return code != MISSING_PERMISSION_CODE
    return status == 403 and code == INVALID_TOKEN_CODE


def _read_error(document: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return code and message of an error body: that of DRS, the gateway or Keystone."""
    keystone = document.get("error")
    if isinstance(keystone, Mapping):
        return None, _text(keystone.get("message") or keystone.get("title"))
    return _text(document.get("error_code")), _text(
        document.get("error_msg") or document.get("error_message")
    )


def _text(value: object) -> str | None:
    return redact_text(str(value)) if value else None


def _try_json(response: Response) -> tuple[dict[str, Any], str]:
    """Return the document of an error, and why its body cannot be one: then a gateway may have sent it."""
    if not response.body:
        return {}, ""
    try:
        return read_json(response), ""
    except DrsResponseError as error:
        return {}, str(error)


def _redirect_error(request: Request, response: Response) -> DrsError:
    target = redact_text(response.headers.get("location", "an unknown location"))
    return _config_error(
        request,
        f"{request.subject}: HTTP {response.status} redirects to {target}",
        f"Set {_ENDPOINT_FIELD[request.service]} of the connection to the endpoint itself; redirects are "
        "never followed.",
    )


def _config_error(request: Request, what: str, remedy: str) -> DrsError:
    return make_error(
        what, operation=request.operation, job_ids=request.job_ids, error_class=DrsConfigError, remedy=remedy
    )


def read_retry_after_s(response: Response, wall_s: float) -> float:
    """Return the seconds of a Retry-After header; 0 if there is none or it is invalid."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - wall_s)
    except ValueError:
        return 0.0
