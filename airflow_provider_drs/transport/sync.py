"""The worker's transport, with requests."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.cookiejar import DefaultCookiePolicy
from typing import TypeVar

import requests
import urllib3

from airflow_provider_drs.protocol.connection.grants import Outgoing
from airflow_provider_drs.protocol.connection.settings import MOST_PARALLEL, Settings
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
from airflow_provider_drs.transport.deadline import DEADLINE, BoundedAdapter
from airflow_provider_drs.transport.environment import find_proxy, find_verify, read_bundle
from airflow_provider_drs.transport.tokens import TOKENS, TokenCache

T = TypeVar("T")

# Bytes that are read from the socket in one call.
_PIECE = 2**18
_LINE_BREAKS = re.compile(r"\s*[\r\n]+\s*")


class SyncClient(Client):
    """
    Runs conversations with blocking calls. Close it, or use its hook in a ``with`` statement.

    :param reread: reads the connection again; ``None`` if that is not possible.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tokens: TokenCache = TOKENS,
        observer: Observer | None = None,
        reread: Callable[[], Settings | None] | None = None,
    ) -> None:
        super().__init__(settings, tokens=tokens, observer=observer)
        self._read_again = reread
        self._transport = RequestsTransport(settings)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the HTTP connections."""
        self._transport.close()

    def run(self, conversation: Conversation[T], ended: threading.Event | None = None) -> T:
        """
        Run the steps of a conversation, and return its result.

        :param ended: for a conversation of a group: is set when the group ends early, which ends the
            conversation before its next request.
        """
        outcome: Outcome = None
        with closing(self._translate(conversation)) as effects:
            while True:
                try:
                    effect = effects.send(outcome)
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]
                outcome = None
                if ended is not None and ended.is_set():
                    raise _EndedError
                if isinstance(effect, Transmit):
                    outcome = self._transport.send(*effect)
                elif isinstance(effect, Pause):
                    # A thread that waits is woken when its group ends.
                    (time.sleep if ended is None else ended.wait)(effect.seconds)
                elif isinstance(effect, Group):
                    self._run_group(effect, ended)
                elif isinstance(effect, Acquire):
                    effect.lock.acquire()
                elif self._read_again is not None:
                    # Airflow does not promise that threads can read connections concurrently.
                    with self._lock:
                        outcome = self._read_again()

    def _run_group(self, group: Group, ended: threading.Event | None) -> None:
        if ended is not None:
            # A group within a group has no threads of its own, so that the limit applies to all.
            self._work(group, 0, ended)
            return
        ended = threading.Event()
        errors: list[BaseException] = []

        def work(worker: int) -> None:
            try:
                self._work(group, worker, ended)
            except BaseException as error:
                errors.append(error)
                ended.set()

        # Daemons: a task that times out or is killed does not wait for their responses.
        threads = [
            threading.Thread(target=work, args=(worker,), name=f"drs-{worker}", daemon=True)
            for worker in range(1, group.workers)
        ]
        try:
            for thread in threads:
                thread.start()
            work(0)
            for thread in threads:
                if not errors:
                    thread.join()
        finally:
            ended.set()
        if errors:
            raise errors[0]

    def _work(self, group: Group, worker: int, ended: threading.Event) -> None:
        while not ended.is_set():
            with self._lock:
                part = group.take(worker)
            if part is None:
                return
            self.run(part, ended)


class _EndedError(Exception):
    """The group of this conversation has ended early."""


class RequestsTransport:
    """Sends one request, and returns its response or the reason why there is none."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, BoundedAdapter(pool_maxsize=MOST_PARALLEL))
        # Proxies and certificates are read from the environment once, and credentials never from a .netrc
        # file.
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._session.verify = find_verify(settings)
        if isinstance(self._session.verify, str):
            # requests would report an invalid bundle as a broken connection, on the first call.
            read_bundle(settings, self._session.verify)
        for url in filter(None, (settings.drs_url, settings.iam_url)):
            if proxy := find_proxy(settings, url):
                parts = urllib3.util.parse_url(url)
                self._session.proxies[f"{parts.scheme}://{parts.host}"] = proxy

    def close(self) -> None:
        """Close the HTTP connections."""
        self._session.close()

    def send(self, outgoing: Outgoing, timeout_s: float) -> Response | TransportFailure:
        """Send a request, and read the whole response within *timeout_s*."""
        DEADLINE.at_s = time.monotonic() + timeout_s
        timeouts = (
            min(self._settings.connect_timeout_s, timeout_s),
            min(self._settings.read_timeout_s, timeout_s),
        )
        try:
            with self._session.request(
                outgoing.method,
                outgoing.url,
                data=outgoing.body,
                headers=outgoing.headers,
                timeout=timeouts,
                allow_redirects=False,
                stream=True,
            ) as response:
                body = Body(response.headers.get("content-encoding"))
                # Read up to the empty piece at the end, which alone shows that the body is complete.
                while piece := response.raw.read(_PIECE, decode_content=False):
                    if not body.add(piece):
                        return TransportFailure(FailureKind.TOO_LARGE)
                headers = {name.lower(): _unfold(value) for name, value in response.headers.items()}
                return Response(response.status_code, body.remove_coding(headers), body.join())
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return translate(error)


# The first matching class decides: specific classes come first.
_KINDS: tuple[tuple[type[BaseException], FailureKind], ...] = (
    (requests.ConnectTimeout, FailureKind.NOT_SENT),
    (requests.Timeout, FailureKind.TIMED_OUT),
    (urllib3.exceptions.NewConnectionError, FailureKind.NOT_SENT),
    (urllib3.exceptions.ConnectTimeoutError, FailureKind.NOT_SENT),
    (urllib3.exceptions.TimeoutError, FailureKind.TIMED_OUT),
    (TimeoutError, FailureKind.TIMED_OUT),
)
_PROXY_MAY_RECOVER = ("502", "503", "504")


def translate(error: BaseException) -> TransportFailure:
    """Return the failure of an exception of requests or urllib3. If in doubt, the request counts as sent."""
    chain = list(_causes(error))
    text = str(chain[-1])
    if "CERTIFICATE_VERIFY_FAILED" in text or any(_is_hostname_error(link) for link in chain):
        return TransportFailure(FailureKind.CERTIFICATE, text)
    if "Tunnel connection failed" in text:
        passes = any(status in text for status in _PROXY_MAY_RECOVER)
        return TransportFailure(FailureKind.NOT_SENT if passes else FailureKind.PROXY_REFUSED, text)
    kinds = (kind for link in chain for known, kind in _KINDS if isinstance(link, known))
    kind = next(kinds, FailureKind.BROKEN)
    # The message of a header error quotes the header, which contains the token.
    quotes_header = isinstance(error, (requests.exceptions.InvalidHeader, ValueError)) and not chain[1:]
    return TransportFailure(kind, type(error).__name__ if quotes_header else _shorten(text))


def _is_hostname_error(error: BaseException) -> bool:
    return "doesn't match" in str(error) and "Hostname" in str(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """
    Yield an exception and its causes.

    requests and urllib3 store them in args and reason, not in __cause__.
    """
    inner: object = error
    seen: set[int] = set()
    while isinstance(inner, BaseException) and id(inner) not in seen:
        seen.add(id(inner))
        yield inner
        wrapped = next((arg for arg in inner.args if isinstance(arg, BaseException)), None)
        inner = getattr(inner, "reason", None) or wrapped


def _shorten(text: str) -> str:
    return text.rpartition(">: ")[2][:200]


def _unfold(value: str) -> str:
    # Python keeps the line break of a folded header value, which would start a new line in a log.
    return _LINE_BREAKS.sub(" ", value)
