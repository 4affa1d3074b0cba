"""Responses of a hostile or broken server: bounded time, bounded memory, a clear error."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from airflow_provider_drs.protocol.core.errors import DrsError, DrsResponseError, DrsUnavailableError
from airflow_provider_drs.protocol.core.wire import LARGEST_BODY

JOB = "140b5236-88ad-43c8-811c-1268453jb101"
MIB = 2**20
#: The size of the socket buffers on both sides, which may be full when the reader closes.
BUFFERED = 16 * MIB
Script = Callable[[], Iterable[bytes]]


class Scripted:
    """A server that sends what a script yields for each request, and counts the bytes sent."""

    def __init__(self, script: Script) -> None:
        self.sent: list[int] = []
        self._script = script
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._callers: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and close all connections."""
        for each in (self._socket, *self._callers):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            self._callers.append(caller)
            self.sent.append(0)
            with caller, contextlib.suppress(OSError):
                _take_request(caller)
                for piece in self._script():
                    caller.sendall(piece)
                    self.sent[-1] += len(piece)


def _take_request(caller: socket.socket) -> None:
    """Read the whole request: closing a socket with unread bytes discards the response."""
    with caller.makefile("rb") as stream:
        length = 0
        while line := stream.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        stream.read(length)


def _respond(body: bytes, *headers: bytes) -> bytes:
    fields = (b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), b"Connection: close", *headers)
    return b"\r\n".join(fields) + b"\r\n\r\n" + body


def _head(*headers: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", *headers)) + b"\r\n\r\n"


VALID = json.dumps({"results": [{"id": JOB, "status": "CONFIGURATION"}], "count": 1}).encode()
CHUNK = b"%x\r\n%s\r\n" % (MIB, b" " * MIB)
BOMB = gzip.compress(b" " * (64 * MIB))

TOO_LARGE: dict[str, Script] = {
    "endless-chunks": lambda: itertools.chain(
        [_head(b"Transfer-Encoding: chunked")], itertools.repeat(CHUNK)
    ),
    "endless-without-length": lambda: itertools.chain(
        [_head(b"Connection: close")], itertools.repeat(b" " * MIB)
    ),
    "100-mb": lambda: itertools.chain(
        [_head(b"Content-Length: 104857600")], itertools.repeat(b" " * MIB, 100)
    ),
    "a-length-of-terabytes": lambda: itertools.chain(
        [_head(b"Content-Length: 9999999999999")], itertools.repeat(b" " * MIB)
    ),
    "gzip-bomb": lambda: [_respond(BOMB, b"Content-Encoding: gzip", b"Content-Type: application/json")],
    "gzip-bomb-of-many": lambda: [_respond(gzip.compress(b" " * MIB) * 64, b"Content-Encoding: gzip")],
    "gzip-bomb-chunked": lambda: [
        _head(b"Content-Encoding: gzip", b"Transfer-Encoding: chunked", b"Connection: close")
        + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BOMB), BOMB)
    ],
}
COMPRESSED: dict[str, tuple[bytes, bytes]] = {
    "gzip": (b"gzip", gzip.compress(VALID)),
    "x-gzip": (b" X-GZIP ", gzip.compress(VALID)),
    "gzip-of-two": (b"gzip", gzip.compress(VALID[:9]) + gzip.compress(VALID[9:])),
    "deflate": (b"deflate", zlib.compress(VALID)),
    "identity": (b"identity", VALID),
}
UNREADABLE: dict[str, Script] = {
    "brotli": lambda: [_respond(b"\x8b\x02\x80", b"Content-Encoding: br")],
    "deep": lambda: [_respond(b'{"results": ' + b"[" * 5_000_000)],
    "deep-and-closed": lambda: [_respond(b'{"results": ' + b"[" * 200_000 + b"]" * 200_000 + b"}")],
    "twin-keys": lambda: [_respond(b'{"results": [], "results": [{"id": "x"}]}')],
    "nan": lambda: [_respond(b'{"results": [{"id": "x", "status": NaN}]}')],
    "no-utf-8": lambda: [_respond(b'{"results": [{"id": "\xff\xfe"}]}')],
    "utf-16": lambda: [_respond(VALID.decode().encode("utf-16"))],
    "a-huge-number": lambda: [_respond(b'{"results": ' + b"9" * 1_000_000 + b"}")],
    "html": lambda: [_respond(b"<html>login</html>", b"Content-Type: application/json")],
    "nothing": lambda: [_respond(b"")],
}
BROKEN: dict[str, Script] = {
    "endless-headers": lambda: itertools.chain(
        [b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X-A: b\r\n" * 9999)
    ),
    "an-endless-header": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\nX-A: "], itertools.repeat(b"a" * MIB)),
    "an-endless-status-line": lambda: itertools.repeat(b"a" * MIB),
    "two-lengths": lambda: [_head(b"Content-Length: 3", b"Content-Length: 400") + VALID],
    "an-invalid-chunk-size": lambda: [_head(b"Transfer-Encoding: chunked") + b"zz\r\n" + VALID],
    "an-endless-chunk-size": lambda: itertools.chain(
        [_head(b"Transfer-Encoding: chunked")], itertools.repeat(b"1" * MIB)
    ),
    "gzip-cut-short": lambda: [_respond(gzip.compress(VALID)[:-9], b"Content-Encoding: gzip")],
    "gzip-of-garbage": lambda: [_respond(VALID, b"Content-Encoding: gzip")],
    "no-http": lambda: [b"220 mail.example ESMTP\r\n\r\n"],
    "cut-short": lambda: [_head(b"Content-Length: 4000") + VALID],
}


@pytest.fixture
def serve(connect: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Script], Scripted]]:
    """Point the connection at a scripted server."""
    servers: list[Scripted] = []

    def start(script: Script, **extra: Any) -> Scripted:
        server = Scripted(script)
        servers.append(server)
        extra = {"auth": "token", "project_id": "0" * 32, "retry_timeout": 1, **extra}
        connect({"iam_endpoint": server.url, **extra}, host=server.url, password="not-real", login="")
        return server

    # The longest backoff, which exceeds the budget: a retry would have the same result.
    monkeypatch.setattr("random.random", lambda: 1.0)
    yield start
    for server in servers:
        server.close()


@contextlib.contextmanager
def _bounded_memory(most: int) -> Iterator[None]:
    """Fail if peak memory exceeds *most*."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= most, f"{peak / MIB:.1f} MiB"


@pytest.mark.parametrize(
    "name", ["endless-chunks", "a-length-of-terabytes", "gzip-bomb", "gzip-bomb-of-many", "deep"]
)
def test_response_memory_is_limited(serve: Any, hook: Any, name: str) -> None:
    serve((TOO_LARGE | UNREADABLE)[name])

    with _bounded_memory(2 * LARGEST_BODY + BUFFERED), contextlib.suppress(DrsError):
        hook.get_job_statuses([JOB])


@pytest.mark.parametrize("script", TOO_LARGE.values(), ids=TOO_LARGE)
def test_too_large_response_is_not_read(serve: Any, hook: Any, script: Script) -> None:
    server = serve(script)

    with pytest.raises(DrsResponseError, match=r"larger than 32 MiB"):
        hook.get_job_statuses([JOB])

    assert len(server.sent) == 1
    assert server.sent[0] <= LARGEST_BODY + BUFFERED


@pytest.mark.parametrize(("coding", "body"), COMPRESSED.values(), ids=COMPRESSED)
def test_compressed_response_is_decoded(serve: Any, hook: Any, coding: bytes, body: bytes) -> None:
    pieces = [body[n : n + 7] for n in range(0, len(body), 7)]
    chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b"")]
    serve(lambda: [_head(b"Content-Encoding: " + coding, b"Transfer-Encoding: chunked"), *chunks])

    assert hook.get_job_statuses([JOB])[JOB].status == "CONFIGURATION"


@pytest.mark.parametrize("script", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_body_is_described(serve: Any, hook: Any, script: Script) -> None:
    serve(script)

    with pytest.raises(DrsResponseError, match=r"the body (is no|has no)"):
        hook.get_job_statuses([JOB])


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
def test_non_http_response_is_a_broken_connection(serve: Any, hook: Any, script: Script) -> None:
    server = serve(script)

    with pytest.raises((DrsUnavailableError, DrsResponseError)):
        hook.get_job_statuses([JOB])

    assert max(server.sent) <= BUFFERED


@pytest.mark.parametrize("value", [b"abc\r\n def: evil", b"abc\rdef: evil", b"abc\n def: evil"])
@pytest.mark.parametrize("status", [200, 400])
def test_header_line_breaks_are_removed(
    serve: Any, hook: Any, caplog: Any, value: bytes, status: int
) -> None:
    caplog.set_level("DEBUG")
    response = _respond(VALID if status == 200 else b"{}", b"X-Request-Id: " + value)
    serve(lambda: [response.replace(b"200 OK", b"%d No" % status)])

    try:
        (found,) = hook.get_job_statuses([JOB]).values()
    except DrsError as error:
        found = error
    shown = [record.getMessage() for record in caplog.records]
    if isinstance(found, DrsError):
        shown += [str(found), *map(str, found.to_dict().values())]
    else:
        assert found.status == "CONFIGURATION"

    assert not [text for text in shown if "\r" in text or "\n" in text]


@pytest.mark.parametrize("kind", [b"text/plain", b"text/html; charset=utf-16", b"image/png", b""])
def test_content_type_is_not_trusted(serve: Any, hook: Any, kind: bytes) -> None:
    serve(lambda: [_respond(VALID, b"Content-Type: " + kind)])

    assert hook.get_job_statuses([JOB])[JOB].status == "CONFIGURATION"
