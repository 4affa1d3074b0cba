"""A scripted service for conversations, with a clock that moves only on request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from airflow_provider_drs.protocol.core.errors import DrsError
from airflow_provider_drs.protocol.core.wire import (
    Conversation,
    FailureKind,
    Group,
    Observation,
    Pause,
    RenewToken,
    Request,
    Response,
    Send,
    Step,
    TransportFailure,
)

T = TypeVar("T")
Answer = Response | TransportFailure | DrsError | Callable[[Request], Response | TransportFailure]


def answer(body: Any, status: int = 200, **headers: str) -> Response:
    """Return a response with a JSON body, or with the given bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {name.replace("_", "-").lower(): value for name, value in headers.items()}, raw)


def refusal(code: str, status: int = 400, message: str = "no", **headers: str) -> Response:
    """Return a whole-request error."""
    return answer({"error_code": code, "error_msg": message}, status, **headers)


BROKEN = TransportFailure(FailureKind.BROKEN, "connection reset")
NOT_SENT = TransportFailure(FailureKind.NOT_SENT, "connection refused")


class ScriptedService:
    """
    Drives a conversation with scripted responses, and records its steps.

    :param answers: the response to each Send; a function receives the request, an error is thrown into the
        conversation.
    :param jitter: the random number of every observation.
    :param seconds_per_step: how far each Send advances the clock; a Pause advances it by its own length.
    """

    def __init__(
        self, answers: Iterable[Answer], *, jitter: float = 0.5, seconds_per_step: float = 0.0
    ) -> None:
        self.steps: list[Step] = []
        self._answers = iter(answers)
        self._jitter = jitter
        self._seconds_per_step = seconds_per_step
        self._now_s = 1000.0

    @property
    def requests(self) -> list[Request]:
        return [step.request for step in self.steps if isinstance(step, Send)]

    @property
    def pauses(self) -> list[float]:
        return [step.seconds for step in self.steps if isinstance(step, Pause)]

    @property
    def renewals(self) -> int:
        """The number of token renewals."""
        return sum(isinstance(step, RenewToken) for step in self.steps)

    def run(self, conversation: Conversation[T]) -> T:
        """Return the result of the conversation; fail if the script is too short."""
        try:
            step = next(conversation)
            while True:
                self.steps.append(step)
                reply = self._reply(step)
                step = conversation.throw(reply) if isinstance(reply, DrsError) else conversation.send(reply)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def _reply(self, step: Step) -> Observation | DrsError:
        started_s = self._now_s
        outcome: Any = None
        if isinstance(step, Send):
            outcome = next(self._answers, None)
            assert outcome is not None, f"no scripted response is left for {step.request}"
            if callable(outcome):
                outcome = outcome(step.request)
            self._now_s += self._seconds_per_step
        elif isinstance(step, Group):
            # One after the other: the script's order is that of the conversations.
            while (part := step.take(0)) is not None:
                self.run(part)
        elif isinstance(step, Pause):
            self._now_s += step.seconds
        if isinstance(outcome, DrsError):
            return outcome
        return Observation(outcome, started_s, self._now_s, self._jitter, wall_s=1_700_000_000.0)
