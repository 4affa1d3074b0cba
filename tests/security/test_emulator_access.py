"""Which clients can reach an emulator, and which can control it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import requests
from drs_emulator import Emulator, EmulatorClient, EmulatorError
from drs_emulator.__main__ import main
from drs_emulator.client import KEY_HEADER
from drs_emulator.http.control import Control
from drs_emulator.http.loopback import is_loopback
from drs_emulator.http.server import Server

KEY = "control-key-not-real"
#: Every address of this machine, which makes it reachable for others.
EVERYWHERE = "0.0.0.0"  # noqa: S104 - a test of remote access
Start = Callable[..., list[str]]
ACTIONS = sorted(name.removeprefix("do_") for name in vars(Control) if name.startswith("do_"))


def _header(lines: list[str]) -> dict[str, str]:
    (line,) = (line for line in lines if KEY_HEADER in line)
    name, _, value = line.rpartition(": ")[0].rpartition(" ")[2], *line.rpartition(": ")[1:]
    return {name: value}


def _url(lines: list[str]) -> str:
    return str(json.loads(lines[-1].partition("=")[2].strip("'"))["host"])


@pytest.mark.parametrize(
    ("host", "is_loopback_host"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("", False),
        (EVERYWHERE, False),
        ("::", False),
        ("192.0.2.1", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("127.1", False),
        ("2130706433", False),
    ],
)
def test_loopback_addresses(host: str, is_loopback_host: bool) -> None:
    assert is_loopback(host) is is_loopback_host


def test_default_is_loopback_without_key(start_emulator: Start) -> None:
    lines = start_emulator()

    assert _url(lines).startswith("http://127.0.0.1:")
    assert KEY_HEADER not in "\n".join(lines)
    with Emulator() as emulator:
        assert emulator.url.startswith("http://127.0.0.1:")
        for url in (_url(lines), emulator.url):
            assert requests.get(f"{url}/_emulator/jobs", timeout=60).ok
            # Another loopback address, on which nothing listens.
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.2", int(url.rpartition(":")[2])), timeout=60)


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.0.2.1", "", "2130706433"])
def test_other_machines_require_allow_remote(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--host", host])

    assert "--allow-remote" in capsys.readouterr().err


def test_allow_remote_generates_a_key(start_emulator: Start) -> None:
    first, second = (start_emulator("--host", EVERYWHERE, "--allow-remote") for _ in range(2))
    url = _url(first).replace(EVERYWHERE, "127.0.0.1")

    assert _header(first) != _header(second)
    assert len(_header(first)[KEY_HEADER]) >= 32
    assert requests.get(f"{url}/_emulator/jobs", timeout=60).status_code == 403
    assert requests.get(f"{url}/_emulator/jobs", headers=_header(second), timeout=60).status_code == 403
    assert requests.get(f"{url}/_emulator/jobs", headers=_header(first), timeout=60).ok


def test_control_key_file(start_emulator: Start, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    lines = start_emulator("--control-key-file", str(tmp_path / "key"))

    assert KEY not in "\n".join(lines)
    assert len(EmulatorClient(_url(lines), control_key=KEY).job_ids) == 10
    with pytest.raises(EmulatorError, match=KEY_HEADER):
        assert EmulatorClient(_url(lines)).job_ids


@pytest.mark.parametrize("content", ["", "\n"])
def test_empty_key_is_rejected(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key").write_text(content)

    with pytest.raises(SystemExit):
        main(["--control-key-file", str(tmp_path / "key")])

    assert "empty" in capsys.readouterr().err


@pytest.fixture
def locked() -> Iterator[Emulator]:
    """Return an emulator with a key."""
    with Emulator(clock="manual", control_key=KEY) as emulator:
        yield emulator


@pytest.mark.parametrize("action", [*ACTIONS, "no_such_action", ""])
@pytest.mark.parametrize("given", [None, "", "wrong", KEY[:-1], f"{KEY}x", KEY.upper(), "é"])
def test_every_action_requires_the_key(locked: Emulator, action: str, given: str | None) -> None:
    headers = {} if given is None else {KEY_HEADER: given.encode()}
    url = f"{locked.url}/_emulator/{action}"

    responses = [requests.request(method, url, headers=headers, timeout=60) for method in ("GET", "POST")]

    assert [response.status_code for response in responses] == [403, 403]
    assert not any(KEY in response.text for response in responses)
    assert len(locked.job_ids) == 10


def test_in_process_emulator_uses_its_key(locked: Emulator) -> None:
    locked.inject("too_frequent")

    assert len(locked.faults) == 1
    answer = requests.post(f"{locked.url}/v3/auth/tokens", json={}, timeout=60)
    assert answer.status_code == 400
    assert requests.get(f"{locked.url}/v3/projects", timeout=60).status_code == 401


@asynccontextmanager
async def _serving(server: Server, host: str) -> AsyncIterator[str]:
    try:
        yield await server.start(host, 0)
    finally:
        await server.stop()


def test_server_generates_its_key() -> None:
    async def start(server: Server, host: str) -> str | None:
        async with _serving(server, host):
            return server.control_key

    assert asyncio.run(start(Server(), "127.0.0.1")) is None
    assert len(asyncio.run(start(Server(), EVERYWHERE)) or "") >= 32
    assert asyncio.run(start(Server(control_key=KEY), EVERYWHERE)) == KEY


def test_journal_has_no_key(locked: Emulator) -> None:
    requests.post(f"{locked.url}/v3/auth/tokens", headers={KEY_HEADER: KEY}, json={}, timeout=60)

    assert locked.journal()
    assert KEY not in json.dumps(locked.journal())
