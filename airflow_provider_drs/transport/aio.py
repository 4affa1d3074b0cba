"""
The triggerer's transport, with aiohttp.

Equal to :mod:`~airflow_provider_drs.transport.sync` except for ``await``.
"""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime
from typing import TypeVar

import aiohttp
from yarl import URL

from airflow_provider_drs.protocol.connection.auth import (
    Grant,
    Outgoing,
    authorize,
    get_grant,
    own_grant,
    rejected_credentials_error,
)
from airflow_provider_drs.protocol.connection.settings import Auth, Settings
from airflow_provider_drs.protocol.core.errors import DrsError
from airflow_provider_drs.protocol.core.wire import (
    LARGEST_BODY,
    Conversation,
    FailureKind,
    Observation,
    Pause,
    RenewToken,
    Request,
    Response,
    Send,
    Service,
    Step,
    TransportFailure,
)
from airflow_provider_drs.transport.calls import Observer, describe_call
from airflow_provider_drs.transport.environment import find_proxy, find_verify, read_bundle
from airflow_provider_drs.transport.tokens import TOKENS, TokenCache

T = TypeVar("T")

# A token can exceed 8 KB, and aiohttp rejects header fields of more than 8,190 bytes by default.
_LONGEST_HEADER = 65_536
_READ_BUFFER = 2**18
# Seconds between two checks whether another coroutine or thread has renewed the token. Renewals are rare.
_LOCK_POLL_S = 0.01


class AsyncClient:
    """Runs conversations with one service for one identity. Close it, or use its hook in ``async with``."""

    def __init__(
        self, settings: Settings, *, tokens: TokenCache = TOKENS, observer: Observer | None = None
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._slot = tokens.slot(settings.identity)
        self._transport = AiohttpTransport(settings)

    async def close(self) -> None:
        """Close the HTTP connections."""
        await self._transport.close()

    async def run(self, conversation: Conversation[T]) -> T:
        """Run the steps of a conversation, and return its result."""
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
                    grant = await self._grant()
                answer = await self._perform(step, grant)
                if isinstance(step, Send):
                    self._describe(step.request, answer, sent)
                    sent = step.request
            except DrsError as error:
                answer = error

    async def _perform(self, step: Step, grant: Grant | None) -> Observation:
        started_s = time.monotonic()
        outcome = None
        if isinstance(step, Send):
            outgoing = authorize(
                self._settings,
                grant if step.request.service is Service.DRS else None,
                step.request,
                datetime.now(UTC),
            )
            outcome = await self._transport.send(outgoing, step.timeout_s)
        elif isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, RenewToken) and grant is not None:
            if self._settings.auth is not Auth.PASSWORD:
                raise rejected_credentials_error(self._settings, step.operation)
            self._slot.discard(grant.token)
        return Observation(outcome, started_s, time.monotonic(), random.random(), time.time())  # noqa: S311

    def _describe(self, request: Request, seen: Observation, before: Request | None) -> None:
        if self._observer is not None:
            self._observer(describe_call(request, seen, is_retry=request is before))

    async def _grant(self) -> Grant:
        if self._settings.auth is not Auth.PASSWORD:
            return own_grant(self._settings)
        grant = self._slot.current()
        if grant is not None:
            return grant
        while not self._slot.lock.acquire(blocking=False):
            await asyncio.sleep(_LOCK_POLL_S)
        try:
            grant = self._slot.current()
            if grant is None:
                grant = await self.run(get_grant(self._settings))
                self._slot.store(grant)
            return grant
        finally:
            self._slot.lock.release()


class AiohttpTransport:
    """Sends one request, and returns its response or the reason why there is none."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        # Concurrent first calls open one session.
        self._opening = asyncio.Lock()
        self._proxies = {
            URL(url).origin(): find_proxy(settings, url)
            for url in (settings.drs_url, settings.iam_url)
            if url
        }

    async def close(self) -> None:
        """Close the HTTP connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, outgoing: Outgoing, timeout_s: float) -> Response | TransportFailure:
        """Send a request, and read the whole response within *timeout_s*."""
        url = URL(outgoing.url, encoded=True)
        try:
            session = self._session or await self._open()
            async with session.request(
                outgoing.method,
                url,
                data=outgoing.body,
                headers=outgoing.headers,
                timeout=self._timeouts(timeout_s),
                allow_redirects=False,
                proxy=self._proxies.get(url.origin()),
            ) as response:
                body = await _read_body(response)
                if body is None:
                    return TransportFailure(FailureKind.TOO_LARGE)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status, headers, body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return translate(error)

    async def _open(self) -> aiohttp.ClientSession:
        async with self._opening:
            if self._session is None:
                verify = find_verify(self._settings)
                # Reading a CA bundle takes tens of milliseconds: in a thread it does not block other
                # coroutines.
                context = (
                    await asyncio.to_thread(read_bundle, self._settings, verify)
                    if isinstance(verify, str)
                    else verify
                )
                self._session = aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(ssl=context),
                    max_field_size=_LONGEST_HEADER,
                    max_line_size=_LONGEST_HEADER,
                    auto_decompress=False,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    # Results of a batch are large: a large buffer needs fewer reads.
                    read_bufsize=_READ_BUFFER,
                )
                # aiohttp repeats a DELETE, PUT or GET when the connection breaks, and has no public option
                # against it. protocol/core/retry.py decides on retries.
                self._session._retry_connection = False
            return self._session

    def _timeouts(self, timeout_s: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(
            total=timeout_s,
            sock_connect=min(self._settings.connect_timeout_s, timeout_s),
            sock_read=min(self._settings.read_timeout_s, timeout_s),
        )


async def _read_body(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body, or ``None`` if it is too large; the remainder is not read."""
    pieces: list[bytes] = []
    size = 0
    while piece := await response.content.readany():
        size += len(piece)
        if size > LARGEST_BODY:
            response.close()
            return None
        pieces.append(piece)
    return b"".join(pieces)


# The first matching class decides: specific classes come first.
_KINDS: tuple[tuple[type[BaseException], FailureKind], ...] = (
    (aiohttp.ClientConnectorCertificateError, FailureKind.CERTIFICATE),
    (aiohttp.ClientSSLError, FailureKind.NOT_SENT),
    (aiohttp.ConnectionTimeoutError, FailureKind.NOT_SENT),
    (aiohttp.ClientConnectorError, FailureKind.NOT_SENT),
    (TimeoutError, FailureKind.TIMED_OUT),
)
_PROXY_MAY_RECOVER = frozenset({502, 503, 504})


def translate(error: BaseException) -> TransportFailure:
    """Return the failure of an exception of aiohttp. If in doubt, the request counts as sent."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        kind = FailureKind.NOT_SENT if error.status in _PROXY_MAY_RECOVER else FailureKind.PROXY_REFUSED
        return TransportFailure(kind, f"Tunnel connection failed: {error.status} {error.message}")
    kind = next((kind for known, kind in _KINDS if isinstance(error, known)), FailureKind.BROKEN)
    # The message of a header error quotes the header, which contains the token.
    is_plain_value_error = isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError)
    return TransportFailure(kind, type(error).__name__ if is_plain_value_error else str(error)[:200])
