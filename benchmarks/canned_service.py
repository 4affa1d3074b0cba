"""
A fast server, in another process, that returns pre-check results only.

It must not be slower than the caller, whose cost is measured. A response is as large as a real one, with 39
items for each job. It prints its port, counts calls, and lets each job pass at a time that both processes can
compute.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ITEMS = json.dumps(
    [
        {
            "item": f"srcDatabaseCheckOfSomeKind{n}",
            "result": "PASSED",
            "failed_reason": "",
            "data": "",
            "raw_error_msg": "",
            "group": "Source database",
            "failed_sub_jobs": [],
        }
        for n in range(39)
    ]
)


def verdict_s(job_id: str, begin_s: float, spread_s: float) -> float:
    """Return the epoch second at which a job's pre-check passes: within the spread, depending on its ID."""
    return begin_s + zlib.crc32(job_id.encode()) / 2**32 * spread_s


class _Service(asyncio.Protocol):
    calls = 0
    plan: tuple[float, float] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._pending = b""

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            head = self._pending[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n")[0]) if at >= 0 else 0
            if len(self._pending) < end + 4 + length:
                return
            body = self._pending[end + 4 : end + 4 + length]
            self._pending = self._pending[end + 4 + length :]
            content = _answer(head.split(b" ", 2)[1], body)
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % len(content)
                + content
            )


def _answer(path: bytes, body: bytes) -> bytes:
    if path == b"/calls":
        return b"%d" % _Service.calls
    document = json.loads(body)
    if path == b"/plan":
        _Service.plan = (document["begin_s"], document["spread_s"]) if document else None
        return b"{}"
    _Service.calls += 1
    now_s = time.time()
    return ('{"results":[' + ",".join(_row(job_id, now_s) for job_id in document["jobs"]) + "]}").encode()


def _row(job_id: str, now_s: float) -> str:
    has_passed = _Service.plan is not None and verdict_s(job_id, *_Service.plan) <= now_s
    result, process = ("true", "100%") if has_passed else ("false", "40%")
    return (
        f'{{"precheck_id":"{job_id}","result":{result},"process":"{process}","total_passed_rate":"100%",'
        f'"rds_instance_id":"","job_direction":"up","precheck_result":{_ITEMS}}}'
    )


class CannedService:
    """The server, as seen by the process that measures."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def calls(self) -> int:
        """The number of calls since it started."""
        with urllib.request.urlopen(f"{self.url}/calls") as response:  # noqa: S310 - loopback
            return int(response.read())

    def plan(self, begin_s: float, spread_s: float) -> None:
        """Let the jobs pass from *begin_s* on."""
        self._send({"begin_s": begin_s, "spread_s": spread_s})

    def forget_plan(self) -> None:
        """Let no job pass."""
        self._send({})

    def _send(self, document: dict[str, float]) -> None:
        data = json.dumps(document).encode()
        urllib.request.urlopen(f"{self.url}/plan", data).close()  # noqa: S310 - loopback


@contextmanager
def start() -> Iterator[CannedService]:
    """Start the server in another process."""
    command = [sys.executable, "-m", "benchmarks.canned_service"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield CannedService(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.terminate()


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Service, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
