"""Proxies, tokens, and the exceptions of both HTTP libraries."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import Any

import aiohttp
import pytest
import requests
import urllib3
from drs_emulator import Emulator

from airflow_provider_drs.protocol.core.errors import DrsAuthError, DrsConfigError, DrsUnavailableError
from airflow_provider_drs.protocol.core.wire import TransportFailure
from airflow_provider_drs.transport import aio, sync
from tests.security.servers import RecordingServer, respond

pytestmark = pytest.mark.usefixtures("no_backoff")


def _point_at(connect: Any, url: str, **extra: Any) -> None:
    connect({"iam_endpoint": url, **extra}, host=url)


@pytest.mark.parametrize(
    ("url", "is_in_environment"),
    [("https://drs.example", False), ("http://127.0.0.1:9", False), ("https://drs.example", True)],
)
def test_rejecting_proxy_is_permanent(
    hook: Any, connect: Any, monkeypatch: pytest.MonkeyPatch, url: str, is_in_environment: bool
) -> None:
    with RecordingServer(lambda _: respond(407)) as server:
        proxy = server.url.replace("//", "//user:not-real@")
        monkeypatch.setenv("https_proxy", proxy if is_in_environment else "")
        _point_at(connect, url, **({} if is_in_environment else {"proxy": proxy}))

        with pytest.raises(DrsConfigError, match=r"extra\.proxy") as caught:
            hook.get_job_statuses(["a" * 36])

    assert server.connections == 1
    assert "not-real" not in str(caught.value)


def test_unreachable_proxy_is_transient(hook: Any, connect: Any) -> None:
    _point_at(connect, "https://drs.example", proxy="http://127.0.0.1:9", retry_timeout=0.1)

    with pytest.raises(DrsUnavailableError, match="proxy"):
        hook.get_job_statuses(["a" * 36])


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://localhost:9"])
def test_unreachable_service_names_the_field(hook: Any, connect: Any, emulator: Emulator, url: str) -> None:
    connect({"retry_timeout": 2}, host=url)

    with pytest.raises(DrsUnavailableError, match="Check host") as caught:
        hook.get_job_statuses(emulator.job_ids)

    assert caught.value.operation == "BatchListJobStatus"


def test_large_token_is_accepted(hook: Any, emulator: Emulator) -> None:
    emulator.set_iam(token_bytes=20_000)

    assert len(hook.get_job_statuses(emulator.job_ids)) == 10


def test_token_of_connection_is_used(hook: Any, connect: Any, emulator: Emulator) -> None:
    emulator.accept_token("given-token")
    connect(
        {"auth": "token", "project_id": "0123456789abcdef0123456789abcdef"}, login="", password="given-token"
    )

    assert len(hook.get_job_statuses(emulator.job_ids)) == 10
    emulator.revoke_tokens()
    with pytest.raises(DrsAuthError, match="new token") as caught:
        hook.get_job_statuses(emulator.job_ids)

    assert "given-token" not in str(caught.value)
    assert emulator.journal("KeystoneCreateUserTokenByPassword") == []


def test_concurrent_threads_cause_one_renewal(connect: Any, emulator: Emulator) -> None:
    from airflow_provider_drs.hooks.drs import DrsHook

    def call() -> None:
        with DrsHook() as own:
            own.get_job_statuses(emulator.job_ids)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(emulator.journal("BatchListJobStatus")) == 8
    assert len(emulator.journal("KeystoneCreateUserTokenByPassword")) == 1


def test_concurrent_coroutines_cause_one_renewal(connect: Any, emulator: Emulator) -> None:
    from airflow_provider_drs.hooks.drs import DrsAsyncHook

    async def call() -> None:
        async with DrsAsyncHook() as own:
            await own.get_job_statuses(emulator.job_ids)

    async def many() -> None:
        await asyncio.gather(*(call() for _ in range(8)))

    asyncio.run(many())
    emulator.revoke_tokens()
    asyncio.run(many())

    assert len(emulator.journal("KeystoneCreateUserTokenByPassword")) == 2


def test_concurrent_first_calls_share_one_session(
    connect: Any, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_drs.hooks.drs import DrsAsyncHook

    opened: list[aiohttp.ClientSession] = []
    open_session = aio.AiohttpTransport._open

    async def open_recorded(transport: aio.AiohttpTransport) -> aiohttp.ClientSession:
        session = await open_session(transport)
        opened.append(session)
        return session

    async def call() -> None:
        async with DrsAsyncHook() as own:
            await asyncio.gather(*(own.get_job_statuses(emulator.job_ids) for _ in range(8)))

    monkeypatch.setattr(aio.AiohttpTransport, "_open", open_recorded)
    asyncio.run(call())

    assert len(set(opened)) == 1
    assert opened[0].closed
    assert len(emulator.journal("KeystoneCreateUserTokenByPassword")) == 1


def _exceptions(*modules: Any) -> list[type[BaseException]]:
    found = {value for module in modules for value in vars(module).values() if inspect.isclass(value)}
    return sorted(
        (
            each
            for each in found
            if issubclass(each, Exception)
            and not issubclass(each, Warning)
            and each.__module__ != "http.client"
        ),
        key=str,
    )


@pytest.mark.parametrize(
    "error_class", _exceptions(requests.exceptions, urllib3.exceptions), ids=lambda each: each.__name__
)
def test_every_requests_exception_is_translated(error_class: type[BaseException]) -> None:
    assert issubclass(
        error_class, (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
    )


#: Raised for websockets only, not for requests.
_WEBSOCKETS_ONLY = {"WSMessageTypeError"}
_AIOHTTP_CLIENT_ERRORS = [
    each
    for each in _exceptions(aiohttp.client_exceptions)
    if each.__module__ == "aiohttp.client_exceptions" and each.__name__ not in _WEBSOCKETS_ONLY
]


def test_aiohttp_exceptions_are_found() -> None:
    names = {each.__name__ for each in _AIOHTTP_CLIENT_ERRORS}

    assert names >= {
        "ClientError",
        "ClientConnectorCertificateError",
        "ClientConnectorError",
        "ClientPayloadError",
        "InvalidURL",
        "ServerDisconnectedError",
        "ServerTimeoutError",
    }


@pytest.mark.parametrize("error_class", _AIOHTTP_CLIENT_ERRORS, ids=lambda each: each.__name__)
def test_every_aiohttp_exception_is_translated(error_class: type[BaseException]) -> None:
    assert issubclass(error_class, (aiohttp.ClientError, TimeoutError, OSError, ValueError))


def test_unknown_exception_counts_as_sent() -> None:
    for translate, error in (
        (sync.translate, requests.RequestException()),
        (aio.translate, aiohttp.ClientError()),
    ):
        failure = translate(error)

        assert isinstance(failure, TransportFailure)
        assert failure.maybe_applied


def test_header_error_hides_the_header() -> None:
    error = requests.exceptions.InvalidHeader("Invalid header value 'secret-token'")

    assert "secret-token" not in repr(sync.translate(error))
    assert "secret-token" not in repr(aio.translate(ValueError("bad header value 'secret-token'")))
