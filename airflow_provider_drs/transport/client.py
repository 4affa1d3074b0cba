"""
What the blocking and the asynchronous client share: authorization, tokens, and reports on requests.

A conversation is translated into effects. :mod:`~airflow_provider_drs.transport.sync` performs them with
requests, :mod:`~airflow_provider_drs.transport.aio` with aiohttp.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from airflow_provider_drs.protocol.connection.auth import (
    Grant,
    Outgoing,
    authorize,
    find_project,
    get_grant,
    own_grant,
    rejected_credentials_error,
)
from airflow_provider_drs.protocol.connection.settings import Auth, Settings
from airflow_provider_drs.protocol.core.errors import DrsError
from airflow_provider_drs.protocol.core.wire import (
    Conversation,
    Observation,
    Pause,
    Request,
    Response,
    Send,
    Service,
    Step,
    TransportFailure,
)
from airflow_provider_drs.transport.tokens import TOKENS, TokenCache

T = TypeVar("T")


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


class Transmit(NamedTuple):
    """Effect: send a request, and wait at most ``timeout_s`` seconds for its response."""

    outgoing: Outgoing
    timeout_s: float


class Acquire(NamedTuple):
    """Effect: acquire a lock."""

    lock: threading.Lock


#: What an effect returns; an error is raised in the conversation.
Outcome = Response | TransportFailure | DrsError | None
Effects = Generator[Transmit | Acquire | Pause, Outcome, T]


class Client:
    """The base of both clients: the conversations of one identity with DRS and IAM."""

    def __init__(
        self, settings: Settings, *, tokens: TokenCache = TOKENS, observer: Observer | None = None
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._slot = tokens.slot(settings.identity)

    def _translate(self, conversation: Conversation[T]) -> Effects[T]:
        """Return the effects of a conversation. Close them, because they may hold a lock."""
        answer: Observation | DrsError | None = None
        grant: Grant | None = None
        sent: Request | None = None
        while True:
            try:
                if isinstance(answer, DrsError):
                    step = conversation.throw(answer)
                else:
                    step = conversation.send(answer)  # type: ignore[arg-type]  # None starts a generator
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            try:
                if isinstance(step, Send) and step.request.service is Service.DRS:
                    grant = yield from self._grant()
                answer = yield from self._perform(step, grant)
                if isinstance(step, Send):
                    if self._observer is not None:
                        self._observer(_describe(step.request, answer, is_retry=step.request is sent))
                    sent = step.request
            except DrsError as error:
                answer = error

    def _perform(self, step: Step, grant: Grant | None) -> Effects[Observation]:
        started_s = time.monotonic()
        outcome: Response | TransportFailure | None = None
        if isinstance(step, Send):
            used = grant if step.request.service is Service.DRS else None
            outgoing = authorize(self._settings, used, step.request, datetime.now(UTC))
            result = yield Transmit(outgoing, step.timeout_s)
            if isinstance(result, DrsError):
                raise result
            outcome = result
        elif isinstance(step, Pause):
            yield step
        elif grant is not None:
            if self._settings.auth is not Auth.PASSWORD:
                raise rejected_credentials_error(self._settings, step.operation)
            self._slot.discard(grant.token)
        return Observation(outcome, started_s, time.monotonic(), random.random(), time.time())  # noqa: S311

    def _grant(self) -> Effects[Grant]:
        """Return the token or project of this identity, which one client at a time requests."""
        finds_project = self._settings.auth is Auth.AKSK and not self._settings.project_id
        if self._settings.auth is not Auth.PASSWORD and not finds_project:
            return own_grant(self._settings)
        if grant := self._slot.current():
            return grant
        yield Acquire(self._slot.lock)
        try:
            grant = self._slot.current()
            if grant is None:
                obtain = find_project if finds_project else get_grant
                grant = yield from self._translate(obtain(self._settings))
                self._slot.store(grant)
            return grant
        finally:
            self._slot.lock.release()


def _describe(request: Request, seen: Observation, *, is_retry: bool) -> Call:
    outcome = "none"
    if isinstance(seen.outcome, TransportFailure):
        outcome = seen.outcome.kind.name.lower()
    elif isinstance(seen.outcome, Response):
        outcome = "ok" if seen.outcome.is_success else str(seen.outcome.status)
    return Call(request.operation, outcome, seen.now_s - seen.started_s, is_retry)
