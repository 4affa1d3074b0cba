"""The worker's transport, with requests."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from typing import TypeVar

import requests
import urllib3

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
from airflow_provider_drs.transport.deadline import DEADLINE, BoundedAdapter
from airflow_provider_drs.transport.environment import find_proxy, find_verify, read_bundle
from airflow_provider_drs.transport.tokens import TOKENS, TokenCache

T = TypeVar("T")

# Bytes that are read from the socket in one call.
_PIECE = 2**18
_LINE_BREAKS = re.compile(r"\s*[\r\n]+\s*")


class SyncClient:
    """Runs conversations with one service for one identity. Close it, or use it in a ``with`` statement."""

    def __init__(
        self, settings: Settings, *, tokens: TokenCache = TOKENS, observer: Observer | None = None
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._slot = tokens.slot(settings.identity)
        self._transport = RequestsTransport(settings)

    def close(self) -> None:
        """Close the HTTP connections."""
        self._transport.close()

    def run(self, conversation: Conversation[T]) -> T:
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
                    grant = self._grant()
                answer = self._perform(step, grant)
                if isinstance(step, Send):
                    self._describe(step.request, answer, sent)
                    sent = step.request
            except DrsError as error:
                answer = error

    def _perform(self, step: Step, grant: Grant | None) -> Observation:
        started_s = time.monotonic()
        outcome = None
        if isinstance(step, Send):
            outgoing = authorize(
                self._settings,
                grant if step.request.service is Service.DRS else None,
                step.request,
                datetime.now(UTC),
            )
            outcome = self._transport.send(outgoing, step.timeout_s)
        elif isinstance(step, Pause):
            time.sleep(step.seconds)
        elif isinstance(step, RenewToken) and grant is not None:
            if self._settings.auth is not Auth.PASSWORD:
                raise rejected_credentials_error(self._settings, step.operation)
            self._slot.discard(grant.token)
        return Observation(outcome, started_s, time.monotonic(), random.random(), time.time())  # noqa: S311

    def _describe(self, request: Request, seen: Observation, before: Request | None) -> None:
        if self._observer is not None:
            self._observer(describe_call(request, seen, is_retry=request is before))

    def _grant(self) -> Grant:
        if self._settings.auth is not Auth.PASSWORD:
            return own_grant(self._settings)
        grant = self._slot.current()
        if grant is not None:
            return grant
        with self._slot.lock:
            grant = self._slot.current()
            if grant is None:
                grant = self.run(get_grant(self._settings))
                self._slot.store(grant)
            return grant


class RequestsTransport:
    """Sends one request, and returns its response or the reason why there is none."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, BoundedAdapter())
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
                body = _read_body(response)
                if body is None:
                    return TransportFailure(FailureKind.TOO_LARGE)
                headers = {name.lower(): _unfold(value) for name, value in response.headers.items()}
                return Response(response.status_code, headers, body)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return translate(error)


def _read_body(response: requests.Response) -> bytes | None:
    """Return the body, or ``None`` if it is too large; the remainder is not read."""
    pieces: list[bytes] = []
    size = 0
    # Read up to the empty chunk at the end, which alone shows that the body is complete.
    while piece := response.raw.read(_PIECE, decode_content=False):
        size += len(piece)
        if size > LARGEST_BODY:
            return None
        pieces.append(piece)
    return b"".join(pieces)


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
