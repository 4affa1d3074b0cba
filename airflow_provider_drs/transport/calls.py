"""What a client tells of each call to whoever wants to count them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from airflow_provider_drs.protocol.core.wire import Observation, Request, Response, TransportFailure


class Call(NamedTuple):
    """
    One request that was sent, and what came of it.

    :param operation: the service's name of it.
    :param outcome: ``ok``, the HTTP status of another answer, or why there is none: ``timed_out``, ...
    :param seconds: from the request to the end of its answer.
    :param is_retry: the same request was sent right before.
    """

    operation: str
    outcome: str
    seconds: float
    is_retry: bool


#: Called once for each request; it must be quick, and not raise.
Observer = Callable[[Call], None]


def describe_call(request: Request, seen: Observation, *, is_retry: bool) -> Call:
    """Return what there is to tell of a request."""
    outcome = "none"
    if isinstance(seen.outcome, TransportFailure):
        outcome = seen.outcome.kind.name.lower()
    elif isinstance(seen.outcome, Response):
        outcome = "ok" if seen.outcome.is_success else str(seen.outcome.status)
    return Call(request.operation, outcome, seen.now_s - seen.started_s, is_retry)
