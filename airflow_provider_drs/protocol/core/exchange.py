"""One logical call as a conversation: send, and after a failure act as the failure table defines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from airflow_provider_drs.protocol.core.errors import DrsError, DrsResponseError, DrsThrottledError
from airflow_provider_drs.protocol.core.retry import (
    Decision,
    Failure,
    ReadStateFirst,
    RenewAndRetry,
    Retry,
    backoff_s,
    decide_next,
    read_outcome,
    unknown_shape,
)
from airflow_provider_drs.protocol.core.wire import (
    Conversation,
    Observation,
    Pause,
    RenewToken,
    Request,
    Response,
    Send,
    TransportFailure,
)

T = TypeVar("T")

#: Parses a document and its response; raises ``DrsResponseError`` if it is not as documented.
Parse = Callable[[Mapping[str, Any], Response], T]


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """
    A write was sent, and its outcome is not known.

    ``error`` is raised if that does not change.
    """

    error: DrsError


class Budget:
    """
    The retry budget of one logical call.

    It reads no clock: the transport's observations have the time.

    :param on_throttled: is called whenever the service rejects the call because of too many requests.
    """

    def __init__(self, limit_s: float, on_throttled: Callable[[], None] | None = None) -> None:
        self.attempt = 0
        self._on_throttled = on_throttled
        self._limit_s = limit_s
        self._deadline_s: float | None = None
        self._now_s = 0.0
        self._jitter = 0.0

    @property
    def left_s(self) -> float:
        """Remaining seconds."""
        return self._limit_s if self._deadline_s is None else max(0.0, self._deadline_s - self._now_s)

    def note(self, seen: Observation) -> None:
        """Update the time from an observation; the first one starts the budget."""
        if self._deadline_s is None:
            self._deadline_s = seen.started_s + self._limit_s
        self._now_s = seen.now_s
        self._jitter = seen.jitter

    def next_backoff_s(self) -> float | None:
        """Return the seconds to wait before a retry, or ``None`` if the budget is spent."""
        delay_s = backoff_s(max(self.attempt, 1), self._jitter)
        return delay_s if delay_s < self.left_s else None

    def decide(self, failure: Failure, *, repeatable: bool, token_renewed: bool) -> Decision:
        """Choose what to do after *failure*, within the remaining time."""
        if self._on_throttled is not None and isinstance(failure.error, DrsThrottledError):
            self._on_throttled()
        return decide_next(
            failure,
            repeatable=repeatable,
            attempt=self.attempt,
            budget_s=self.left_s,
            jitter=self._jitter,
            token_renewed=token_renewed,
        )


def exchange(request: Request, budget: Budget, parse: Parse[T]) -> Conversation[T | OutcomeUnknown]:
    """
    Send *request* until there is a response, and return its parsed value.

    :raises DrsError: a permanent error, or the budget is spent.
    """
    token_renewed = False
    last_error: DrsError | None = None
    while True:
        seen = yield Send(request, budget.left_s)
        budget.note(seen)
        budget.attempt += 1
        result = _read(request, seen, parse)
        if not isinstance(result, Failure):
            return result
        if isinstance(seen.outcome, TransportFailure) and last_error is not None and not budget.left_s:
            # The last try had no time left for a response; an earlier response of the service is more
            # informative.
            result = replace(result, error=last_error)
        last_error = result.error
        decision = budget.decide(result, repeatable=request.repeatable, token_renewed=token_renewed)
        if isinstance(decision, RenewAndRetry):
            token_renewed = True
            budget.note((yield RenewToken(request.operation)))
        elif isinstance(decision, Retry):
            budget.note((yield Pause(decision.delay_s)))
        elif isinstance(decision, ReadStateFirst):
            budget.note((yield Pause(decision.delay_s)))
            return OutcomeUnknown(result.error)
        elif result.maybe_applied and not request.repeatable:
            return OutcomeUnknown(result.error)
        else:
            raise result.error


def exchange_repeatable(request: Request, budget: Budget, parse: Parse[T]) -> Conversation[T]:
    """
    Send a repeatable request, and return the parsed value of its response.

    :raises DrsError: a permanent error, or the budget is spent.
    """
    answer = yield from exchange(request, budget, parse)
    if isinstance(answer, OutcomeUnknown):
        raise answer.error
    return answer


def _read(request: Request, seen: Observation, parse: Parse[T]) -> T | Failure:
    if seen.outcome is None:
        raise RuntimeError(
            f"a transport returned nothing for {request.operation}; this is a bug of the transport"
        )
    document = read_outcome(request, seen.outcome, wall_s=seen.wall_s)
    if isinstance(document, Failure):
        return document
    try:
        return parse(document, seen.outcome)  # type: ignore[arg-type]  # a failure has no document
    except DrsResponseError as error:
        return unknown_shape(request, seen.outcome, str(error))  # type: ignore[arg-type]
