"""What only a real network brings up: proxies, certificates, and the exceptions of two HTTP libraries."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import socket
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
import urllib3

from airflow_provider_drs.emulator import Emulator, EmulatorClient
from airflow_provider_drs.protocol.core.errors import DrsAuthError, DrsConfigError, DrsUnavailableError
from airflow_provider_drs.protocol.core.wire import TransportFailure
from airflow_provider_drs.transport import aio, sync
from tests.transport.forwarder import make_certificate

pytestmark = pytest.mark.usefixtures("no_backoff")


@pytest.fixture
def _collect() -> Iterator[None]:
    """urllib3 leaves the socket of a failed handshake to the garbage collector, which warns of it."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a certificate for 127.0.0.1 that nobody has signed, and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secure(_collect: None, certificate: tuple[Path, Path]) -> Iterator[EmulatorClient]:
    """Return an emulator behind TLS."""
    with Emulator(certfile=str(certificate[0]), keyfile=str(certificate[1])) as emulator:
        yield emulator


def _point_at(connect: Any, url: str, **extra: Any) -> None:
    connect({"iam_endpoint": url, **extra}, host=url)


def test_untrusted_certificate_is_permanent(
    hook: Any, connect: Any, secure: Emulator, monkeypatch: Any
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    _point_at(connect, secure.url)

    with pytest.raises(DrsConfigError, match=r"extra\.verify"):
        hook.get_job_statuses(["a" * 36])

    assert secure.journal() == []


def test_verify_option(hook: Any, connect: Any, secure: Emulator, certificate: tuple[Path, Path]) -> None:
    _point_at(connect, secure.url, verify=str(certificate[0]))

    assert len(hook.get_job_statuses(secure.job_ids)) == 10


def test_ca_bundle_of_environment(
    hook: Any, connect: Any, secure: Emulator, certificate: tuple[Path, Path], monkeypatch: Any
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    _point_at(connect, secure.url)

    assert len(hook.get_job_statuses(secure.job_ids)) == 10


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_verification_can_be_disabled(hook: Any, connect: Any, secure: Emulator) -> None:
    _point_at(connect, secure.url, verify="false")

    assert len(hook.get_job_statuses(secure.job_ids)) == 10


class Proxy:
    """A proxy that answers every request with one line, and keeps what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self.asked: list[bytes] = []
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://user:not-real@127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            with caller:
                self.asked.append(caller.recv(65_536).split(b"\r\n")[0])
                caller.sendall(self._answer)

    def close(self) -> None:
        """Stop listening."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def refusing_proxy() -> Iterator[Proxy]:
    """Return a proxy that wants another login."""
    proxy = Proxy(
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    yield proxy
    proxy.close()


@pytest.mark.parametrize("url", ["https://drs.example", "http://127.0.0.1:9"])
def test_rejecting_proxy_is_permanent(hook: Any, connect: Any, refusing_proxy: Proxy, url: str) -> None:
    _point_at(connect, url, proxy=refusing_proxy.url)

    with pytest.raises(DrsConfigError, match=r"extra\.proxy") as caught:
        hook.get_job_statuses(["a" * 36])

    assert len(refusing_proxy.asked) == 1
    assert "not-real" not in str(caught.value)


def test_proxy_of_environment(
    hook: Any, connect: Any, refusing_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", refusing_proxy.url)
    _point_at(connect, "https://drs.example")

    with pytest.raises(DrsConfigError, match=r"extra\.proxy"):
        hook.get_job_statuses(["a" * 36])


def test_unreachable_proxy_is_transient(hook: Any, connect: Any) -> None:
    _point_at(connect, "https://drs.example", proxy="http://127.0.0.1:9", retry_timeout=0.1)

    with pytest.raises(DrsUnavailableError, match="proxy"):
        hook.get_job_statuses(["a" * 36])


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://localhost:9"])
def test_unreachable_service_names_the_field(hook: Any, connect: Any, emulator: Emulator, url: str) -> None:
    connect({"retry_timeout": 0.6}, host=url)

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


#: A message that a user of websockets misread; not an error of a request.
_WEBSOCKETS_ONLY = {"WSMessageTypeError"}
_OF_AIOHTTPS_CLIENT = [
    each
    for each in _exceptions(aiohttp.client_exceptions)
    if each.__module__ == "aiohttp.client_exceptions" and each.__name__ not in _WEBSOCKETS_ONLY
]


def test_aiohttp_exceptions_are_found() -> None:
    names = {each.__name__ for each in _OF_AIOHTTPS_CLIENT}

    assert names >= {
        "ClientError",
        "ClientConnectorCertificateError",
        "ClientConnectorError",
        "ClientPayloadError",
        "InvalidURL",
        "ServerDisconnectedError",
        "ServerTimeoutError",
    }


@pytest.mark.parametrize("error_class", _OF_AIOHTTPS_CLIENT, ids=lambda each: each.__name__)
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


def test_conversation_has_no_secret(emulator: Emulator, connect: Any, caplog: Any) -> None:
    from airflow_provider_drs.hooks.drs import DrsHook

    caplog.set_level("DEBUG")
    emulator.inject("no_permission", operation="BatchStartJobs")
    with DrsHook() as own:
        client = own.get_conn()
        own.get_job_statuses(emulator.job_ids)
        shown = [repr(client), str(vars(client)), str(vars(own)), json.dumps(emulator.journal())]
        with pytest.raises(Exception, match="permission") as caught:
            own.start_jobs(emulator.job_ids)
        grant = client._slot.current()
        assert grant is not None
        shown += [str(caught.value), repr(vars(caught.value)), caplog.text]

    assert not any(emulator.connection["password"] in each for each in shown)
    assert not any(grant.token in each for each in shown)
