"""One logical call as a conversation: send, and after each failure do what the failure table says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from airflow_provider_drs.protocol.core.errors import DrsError, DrsResponseError
from airflow_provider_drs.protocol.core.retry import (
    Decision,
    ReadStateFirst,
    RenewFirst,
    SendAgain,
    Trouble,
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

#: Reads a document and the response that it came in; raises ``DrsResponseError`` for a shape it does not
#: know.
Parse = Callable[[Mapping[str, Any], Response], T]


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """
    A write was sent and nobody knows whether it took effect.

    ``error`` is what to raise if that stays so.
    """

    error: DrsError


class Budget:
    """
    The time that one logical call may take, all its tries together.

    It reads no clock: it learns the time from what the transport observes.
    """

    def __init__(self, limit_s: float) -> None:
        self.attempt = 0
        self._limit_s = limit_s
        self._deadline_s: float | None = None
        self._now_s = 0.0
        self._jitter = 0.0

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self._limit_s if self._deadline_s is None else max(0.0, self._deadline_s - self._now_s)

    def note(self, seen: Observation) -> None:
        """Take the time from an observation; the first one starts the clock."""
        if self._deadline_s is None:
            self._deadline_s = seen.started_s + self._limit_s
        self._now_s = seen.now_s
        self._jitter = seen.jitter

    def next_backoff_s(self) -> float | None:
        """Return the seconds to wait before another try, or ``None`` when the time is up."""
        delay_s = backoff_s(max(self.attempt, 1), self._jitter)
        return delay_s if delay_s < self.left_s else None

    def decide(self, trouble: Trouble, *, repeatable: bool, token_renewed: bool) -> Decision:
        """Choose what to do after *trouble*, with the time that is left."""
        return decide_next(
            trouble,
            repeatable=repeatable,
            attempt=self.attempt,
            budget_s=self.left_s,
            jitter=self._jitter,
            token_renewed=token_renewed,
        )


def exchange(request: Request, budget: Budget, parse: Parse[T]) -> Conversation[T | OutcomeUnknown]:
    """
    Send *request* until it is answered, and return what *parse* makes of the answer.

    :raises DrsError: the failure table says to give up, or the budget is spent.
    """
    token_renewed = False
    told: DrsError | None = None
    while True:
        seen = yield Send(request, budget.left_s)
        budget.note(seen)
        budget.attempt += 1
        result = _read(request, seen, parse)
        if not isinstance(result, Trouble):
            return result
        if isinstance(seen.outcome, TransportFailure) and told is not None and not budget.left_s:
            # The last try had no time left for an answer; what the service said before says more than that.
            result = replace(result, error=told)
        told = result.error
        decision = budget.decide(result, repeatable=request.repeatable, token_renewed=token_renewed)
        if isinstance(decision, RenewFirst):
            token_renewed = True
            budget.note((yield RenewToken(request.operation)))
        elif isinstance(decision, SendAgain):
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
    Send a request that does no harm when it is sent twice, and return what *parse* makes of the answer.

    :raises DrsError: the failure table says to give up, or the budget is spent.
    """
    answer = yield from exchange(request, budget, parse)
    if isinstance(answer, OutcomeUnknown):
        raise answer.error
    return answer


def _read(request: Request, seen: Observation, parse: Parse[T]) -> T | Trouble:
    if seen.outcome is None:
        raise RuntimeError(
            f"a transport answered {request.operation} with nothing; this is a fault of the transport"
        )
    document = read_outcome(request, seen.outcome, wall_s=seen.wall_s)
    if isinstance(document, Trouble):
        return document
    try:
        return parse(document, seen.outcome)  # type: ignore[arg-type]  # a failure has no document
    except DrsResponseError as error:
        return unknown_shape(request, seen.outcome, str(error))  # type: ignore[arg-type]
