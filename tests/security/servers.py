"""A server that records every byte it receives and sends the responses that a test specifies."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

_CHUNK = 65_536
PROJECT_ID = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Received:
    """A request, byte for byte."""

    raw: bytes

    @property
    def line(self) -> bytes:
        return self.raw.partition(b"\r\n")[0]

    @property
    def target(self) -> bytes:
        return self.line.split(b" ", 1)[-1].rsplit(b" ", 1)[0]

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Each header line, in order; names in lower case."""
        head = self.raw.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
        pairs = (line.partition(b":")[::2] for line in head)
        return [(name.lower(), value.strip()) for name, value in pairs]

    def header(self, name: bytes) -> bytes | None:
        """Return the one header of a name."""
        found = [value for header, value in self.headers if header == name]
        assert len(found) <= 1, found
        return found[0] if found else None

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]


Answer = Callable[[Received], bytes]


def respond(status: int, body: Any = None, **headers: str) -> bytes:
    """Return the bytes of a response; ``_`` in the name of a header is sent as ``-``."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Status", "Content-Type: application/json", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + content


def grant(token: str) -> bytes:
    """Return IAM's response with a token."""
    token_body = {
        "issued_at": "2026-01-01T00:00:00.0Z",
        "expires_at": "2026-01-02T00:00:00.0Z",
        "project": {"id": PROJECT_ID},
    }
    return respond(201, {"token": token_body}, X_Subject_Token=token)


def no_such_job(_: Received) -> bytes:
    """Respond as DRS does for unknown jobs."""
    return respond(400, {"error_code": "DRS.M00289", "error_msg": "job not found"})


class RecordingServer:
    """
    Serves loopback in a thread: one request per connection, recorded before the response is sent.

    :param answer: returns the response to a request.
    :param tls: wraps each connection, if given; failed handshakes are in ``refused`` only.
    """

    def __init__(self, answer: Answer = no_such_job, *, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        #: All requests, oldest first.
        self.received: list[Received] = []
        #: The errors of failed handshakes and broken connections.
        self.refused: list[str] = []
        #: The number of connections.
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, name="recording-server", daemon=True)

    def __enter__(self) -> RecordingServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    @property
    def everything(self) -> bytes:
        return b"\n".join(request.raw for request in self.received)

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with caller:
                caller.settimeout(10)
                try:
                    self._talk(caller)
                except OSError as error:
                    self.refused.append(str(error))

    def _talk(self, caller: socket.socket) -> None:
        if self._tls is None:
            self._answer_one(caller)
            return
        with self._tls.wrap_socket(caller, server_side=True) as secure:
            self._answer_one(secure)

    def _answer_one(self, caller: socket.socket) -> None:
        raw = _read_request(caller)
        if raw:
            self.received.append(Received(raw))
            caller.sendall(self._answer(self.received[-1]))


def _read_request(caller: socket.socket) -> bytes:
    raw = b""
    while b"\r\n\r\n" not in raw:
        data = caller.recv(_CHUNK)
        if not data:
            return raw
        raw += data
        if not raw[:1].isalpha():
            # Not HTTP, for example a TLS handshake, which waits for a response.
            return raw
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", raw.partition(b"\r\n\r\n")[0])
    wanted = raw.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
    while len(raw) < wanted and (data := caller.recv(_CHUNK)):
        raw += data
    return raw


def connection_to(drs: str, iam: str, secret: str, **extra: Any) -> Mapping[str, Any]:
    """Return the fields of a connection with a password."""
    fields = {"region": "eu-de", "domain_name": "security-tests", "iam_endpoint": iam, "retry_timeout": 30}
    return {"conn_type": "drs", "host": drs, "login": "user", "password": secret, "extra": fields | extra}
