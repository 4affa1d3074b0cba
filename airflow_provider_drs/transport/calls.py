"""What a client reports about each request, for metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from airflow_provider_drs.protocol.core.wire import Observation, Request, Response, TransportFailure


class Call(NamedTuple):
    """
    One request and its outcome.

    :param operation: the service's name of the operation.
    :param outcome: ``ok``, another HTTP status, or why there is no response: ``timed_out``, ...
    :param seconds: from the request to the end of the response.
    :param is_retry: the same request was sent directly before.
    """

    operation: str
    outcome: str
    seconds: float
    is_retry: bool


#: Called once per request; it must be fast and must not raise.
Observer = Callable[[Call], None]


def describe_call(request: Request, seen: Observation, *, is_retry: bool) -> Call:
    """Return the report on a request."""
    outcome = "none"
    if isinstance(seen.outcome, TransportFailure):
        outcome = seen.outcome.kind.name.lower()
    elif isinstance(seen.outcome, Response):
        outcome = "ok" if seen.outcome.is_success else str(seen.outcome.status)
    return Call(request.operation, outcome, seen.now_s - seen.started_s, is_retry)
