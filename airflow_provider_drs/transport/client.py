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

from airflow_provider_drs.protocol.connection.auth import can_renew, is_complete, obtain_grant
from airflow_provider_drs.protocol.connection.grants import (
    Grant,
    Outgoing,
    authorize,
    own_grant,
    rejected_credentials_error,
)
from airflow_provider_drs.protocol.connection.settings import Settings
from airflow_provider_drs.protocol.core.errors import DrsAuthError, DrsError
from airflow_provider_drs.protocol.core.wire import (
    Conversation,
    Group,
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


class Reread(NamedTuple):
    """Effect: read the connection again, because its credentials were rejected."""


#: What an effect returns; an error is raised in the conversation.
Outcome = Response | TransportFailure | DrsError | Settings | None
Effects = Generator[Transmit | Acquire | Pause | Group | Reread, Outcome, T]


class Client:
    """
    The base of both clients: the conversations of one identity with DRS and IAM.

    If the credentials are rejected, the client reads the connection again, and continues with those that it
    has now. Conversations do not notice it.
    """

    def __init__(
        self, settings: Settings, *, tokens: TokenCache = TOKENS, observer: Observer | None = None
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._tokens = tokens
        self._slot = tokens.slot(settings.identity)

    @property
    def settings(self) -> Settings:
        """The connection with the credentials in use."""
        return self._settings

    def _translate(self, conversation: Conversation[T]) -> Effects[T]:
        """Return the effects of a conversation. Close them, because they may hold a lock."""
        answer: Observation | DrsError | None = None
        grant: Grant | None = None
        used = self._settings
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
                    used = self._settings
                answer = yield from self._perform(step, grant, used)
                if isinstance(step, Send):
                    if self._observer is not None:
                        self._observer(_describe(step.request, answer, is_retry=step.request is sent))
                    sent = step.request
            except DrsError as error:
                answer = error

    def _perform(self, step: Step, grant: Grant | None, used: Settings) -> Effects[Observation]:
        started_s = time.monotonic()
        outcome: Response | TransportFailure | None = None
        if isinstance(step, Send):
            own = grant if step.request.service is Service.DRS else None
            outgoing = authorize(self._settings, own, step.request, datetime.now(UTC))
            result = yield Transmit(outgoing, step.timeout_s)
            if isinstance(result, DrsError):
                raise result
            outcome = result  # type: ignore[assignment]  # a transmission returns no settings
        elif isinstance(step, Pause | Group):
            yield step
        elif grant is not None:
            yield from self._replace(grant, used, step.operation)
        return Observation(outcome, started_s, time.monotonic(), random.random(), time.time())  # noqa: S311 - not a secret

    def _replace(self, rejected: Grant, used: Settings, operation: str) -> Effects[None]:
        """Make sure that the next request does not use a rejected grant."""
        # A concurrent conversation may have got other credentials in the meantime.
        if self._settings is not used:
            return
        self._slot.discard(rejected)
        if not can_renew(used) and not (yield from self._reread()):
            raise rejected_credentials_error(used, operation)

    def _grant(self) -> Effects[Grant]:
        """Return what authorizes requests of this identity, which one client at a time requests."""
        while True:
            settings, slot = self._settings, self._slot
            if is_complete(settings):
                return own_grant(settings)
            if grant := slot.current():
                return grant
            yield Acquire(slot.lock)
            try:
                grant = slot.current()
                if grant is None and slot is self._slot:
                    grant = yield from self._translate(obtain_grant(settings))
                    slot.store(grant)
                if grant is not None:
                    return grant
            except DrsAuthError:
                if not (yield from self._reread()):
                    raise
            finally:
                slot.lock.release()

    def _reread(self) -> Effects[bool]:
        """Read the connection again, and return whether it has other credentials for the same project."""
        before = self._settings
        settings = yield Reread()
        if self._settings is not before:
            # A concurrent conversation has read them in the meantime.
            return True
        if not isinstance(settings, Settings) or not settings.has_other_credentials(self._settings):
            return False
        self._settings, self._slot = settings, self._tokens.slot(settings.identity)
        return True


def _describe(request: Request, seen: Observation, *, is_retry: bool) -> Call:
    outcome = "none"
    if isinstance(seen.outcome, TransportFailure):
        outcome = seen.outcome.kind.name.lower()
    elif isinstance(seen.outcome, Response):
        outcome = "ok" if seen.outcome.is_success else str(seen.outcome.status)
    return Call(request.operation, outcome, seen.now_s - seen.started_s, is_retry)
