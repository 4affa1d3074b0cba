"""The triggerer's transport, with aiohttp."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import TypeVar

import aiohttp
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from yarl import URL

from airflow_provider_drs.protocol.connection.grants import Outgoing
from airflow_provider_drs.protocol.connection.settings import Settings
from airflow_provider_drs.protocol.core.errors import DrsError
from airflow_provider_drs.protocol.core.wire import (
    Conversation,
    FailureKind,
    Group,
    Pause,
    Response,
    TransportFailure,
)
from airflow_provider_drs.transport.body import Body
from airflow_provider_drs.transport.client import Acquire, Client, Observer, Outcome, Transmit
from airflow_provider_drs.transport.environment import find_proxy, find_verify, read_bundle
from airflow_provider_drs.transport.tokens import TOKENS, TokenCache

T = TypeVar("T")

# A token can exceed 8 KB, and aiohttp rejects header fields of more than 8,190 bytes by default.
_LONGEST_HEADER = 65_536
_READ_BUFFER = 2**18
# Seconds between two checks whether another coroutine or thread has renewed the token. Renewals are rare.
_LOCK_POLL_S = 0.01


class AsyncClient(Client):
    """
    Runs conversations on an event loop. Close it, or use its hook in ``async with``.

    :param reread: reads the connection again; ``None`` if that is not possible.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tokens: TokenCache = TOKENS,
        observer: Observer | None = None,
        reread: Callable[[], Awaitable[Settings | None]] | None = None,
    ) -> None:
        super().__init__(settings, tokens=tokens, observer=observer)
        self._read_again = reread
        self._transport = AiohttpTransport(settings)

    async def close(self) -> None:
        """Close the HTTP connections."""
        await self._transport.close()

    async def run(self, conversation: Conversation[T]) -> T:
        """Run the steps of a conversation, and return its result."""
        return await self._run(conversation, is_in_group=False)

    async def _run(self, conversation: Conversation[T], *, is_in_group: bool) -> T:
        outcome: Outcome = None
        with closing(self._translate(conversation)) as effects:
            while True:
                try:
                    effect = effects.send(outcome)
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]
                outcome = None
                if isinstance(effect, Transmit):
                    outcome = await self._transmit(effect)
                elif isinstance(effect, Pause):
                    await asyncio.sleep(effect.seconds)
                elif isinstance(effect, Group):
                    # A group within a group has no workers of its own, so that the limit applies to all.
                    workers = 1 if is_in_group else effect.workers
                    await asyncio.gather(*(self._work(effect, worker) for worker in range(workers)))
                elif isinstance(effect, Acquire):
                    while not effect.lock.acquire(blocking=False):
                        await asyncio.sleep(_LOCK_POLL_S)
                elif self._read_again is not None:
                    outcome = await self._read_again()

    async def _work(self, group: Group, worker: int) -> None:
        while (part := group.take(worker)) is not None:
            await self._run(part, is_in_group=True)

    async def _transmit(self, effect: Transmit) -> Outcome:
        try:
            return await self._transport.send(*effect)
        except DrsError as error:
            return error


class AiohttpTransport:
    """Sends one request, and returns its response or the reason why there is none."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # Concurrent first calls open one session.
        self._opening = asyncio.Lock()
        self._proxies = {
            URL(url).origin(): find_proxy(settings, url)
            for url in (settings.drs_url, settings.iam_url)
            if url
        }

    async def close(self) -> None:
        """Close the HTTP connections."""
        if self._loop is not asyncio.get_running_loop():
            self._move_to_loop()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, outgoing: Outgoing, timeout_s: float) -> Response | TransportFailure:
        """Send a request, and read the whole response within *timeout_s*."""
        url = URL(outgoing.url, encoded=True)
        try:
            if self._loop is not asyncio.get_running_loop():
                self._move_to_loop()
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
                body = Body(response.headers.get("content-encoding"))
                while piece := await response.content.readany():
                    if not body.add(piece):
                        response.close()
                        return TransportFailure(FailureKind.TOO_LARGE)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status, body.remove_coding(headers), body.join())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return translate(error)

    def _move_to_loop(self) -> None:
        """
        Forget the session of another event loop, which has ended, as at a second ``asyncio.run``.

        Python then warns that it was not closed, which only ``async with`` can do.
        """
        self._session = None
        self._opening, self._loop = asyncio.Lock(), asyncio.get_running_loop()

    async def _open(self) -> aiohttp.ClientSession:
        async with self._opening:
            if self._session is None:
                verify = find_verify(self._settings)
                # The default is that of requests, so that workers and triggerers trust the same authorities.
                # Reading it takes tens of milliseconds: in a thread it does not block other coroutines.
                bundle = DEFAULT_CA_BUNDLE_PATH if verify is True else verify
                context: ssl.SSLContext | bool = False
                if bundle:
                    context = await asyncio.to_thread(read_bundle, self._settings, bundle)
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
