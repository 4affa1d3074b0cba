"""Credentials are never sent over plain http to another machine, however its address is written."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_drs.protocol.connection.settings import Settings, read_settings
from airflow_provider_drs.protocol.core.errors import DrsConfigError
from tests.security.canaries import Canaries
from tests.security.conftest import Use
from tests.security.servers import Received, RecordingServer, connection_to, grant, no_such_job

JOB = "00000001-d0c5-4a11-8a11-0000001jb101"

ELSEWHERE = [
    "http://drs.example",
    "HTTP://DRS.EXAMPLE",
    "hTTp://drs.example:8080",
    " http://drs.example ",
    "http://drs.example.",
    # Names that start or end like loopback.
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example",
    "http://evil.example.localhost.example",
    "http://notlocalhost",
    "http://localhost.",
    "http://localhost:8080.evil.example",
    "http://LOCALHOST.EVIL.EXAMPLE",
    # User information that looks like a host.
    "http://127.0.0.1@evil.example",
    "http://localhost:80@evil.example",
    "http://user:password@127.0.0.1",
    "http://@127.0.0.1",
    "http://:@127.0.0.1",
    "http://127.0.0.1%40evil.example",
    "http://127.0.0.1\\@evil.example",
    "http://evil.example\\@127.0.0.1",
    # Characters that a library may read as the end of the host.
    "http://127.0.0.1\\.evil.example",
    "http://127.0.0.1#.evil.example",
    "http://127.0.0.1?.evil.example",
    "http://127.0.0.1;.evil.example",
    "http://127.0.0.1,evil.example",
    "http://127.0.0.1 evil.example",
    "http://127.0.0.1\t.evil.example",
    "http://127.0.0.1\r\n.evil.example",
    "http://127.0.0.1\n@evil.example",
    "http://127.0.0.1\x00.evil.example",
    "http://127.0.0.1%00.evil.example",
    # Numbers that some libraries read as addresses.
    "http://3221225985",
    "http://0xC0000201",
    "http://192.0.513",
    "http://0300.0.02.01",
    "http://192.0.2.1",
    "http://0.0.0.0",
    "http://0",
    "http://[::]",
    "http://[2001:db8::1]",
    "http://[2001:db8::1]:8080",
    "http://[::ffff:192.0.2.1]",
    "http://[::1]evil.example",
    "http://[::1].evil.example",
    "http://[::1",
    "http://::1",
    # Loopback, written so that not every library reads it as loopback.
    "http://2130706433",
    "http://0x7f000001",
    "http://0177.0.0.1",
    "http://127.1",
    "http://127.0.0.01",
    "http://[::1%25eth0]",
    "http://[::1%eth0.evil.example]",
    # Characters that look like ASCII digits, dots or letters.
    "http://\uff11\uff12\uff17.0.0.1",
    "http://127\u30020.0.1",
    "http://loc\u0430lhost",
    "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",
    "http://local\u00adhost",
    # Other schemes, and none.
    "ftp://127.0.0.1",
    "file:///etc/passwd",
    "http:127.0.0.1",
    "http:/127.0.0.1",
    "http:///127.0.0.1",
    "http:////evil.example",
    "javascript://127.0.0.1",
    "http+unix://127.0.0.1",
]

HERE = [
    "http://127.0.0.1",
    "http://127.0.0.1:8080",
    "http://127.255.0.1",
    "HTTP://LocalHost:8080/prefix",
    "http://[::1]:8080",
    "http://[0:0:0:0:0:0:0:1]",
]


def _read(host: str = "https://drs.example", schema: str | None = None, **extra: Any) -> Settings:
    return read_settings(
        "my_drs",
        host=host,
        port=None,
        login="user",
        password="password-not-real",
        schema=schema,
        extra={"region": "eu-de", "domain_name": "security-tests", **extra},
    )


@pytest.mark.parametrize("url", ELSEWHERE, ids=ascii)
def test_other_host_is_rejected(url: str) -> None:
    with pytest.raises(DrsConfigError, match="host"):
        _read(url)
    with pytest.raises(DrsConfigError, match=r"extra\.iam_endpoint"):
        _read(iam_endpoint=url)


@pytest.mark.parametrize("url", ["drs.example", "127.0.0.1.evil.example", "2130706433", "localhost."])
def test_schema_of_connection_is_checked(url: str) -> None:
    for schema in ("http", "HTTP", " http "):
        with pytest.raises(DrsConfigError, match="host"):
            _read(url, schema)


@pytest.mark.parametrize("url", HERE)
def test_loopback_is_allowed(url: str) -> None:
    assert urlsplit(_read(url, iam_endpoint=url).drs_url).scheme == "http"


def test_default_scheme_is_https() -> None:
    for schema in (None, "", "https", "my_schema"):
        assert _read("127.0.0.1:8080", schema).drs_url == "https://127.0.0.1:8080"


@pytest.mark.parametrize("proxy", ["http://proxy.example:3128", "https://proxy.example", "http://192.0.2.1"])
def test_remote_proxy_is_another_host(proxy: str) -> None:
    with pytest.raises(DrsConfigError, match=r"extra\.proxy"):
        _read("http://127.0.0.1:8080", proxy=proxy)
    with pytest.raises(DrsConfigError, match=r"extra\.proxy"):
        _read(iam_endpoint="http://127.0.0.1:8080", proxy=proxy)
    assert _read("http://127.0.0.1:8080", proxy=proxy, allow_http=True).proxy == proxy
    assert _read("https://drs.example", proxy=proxy).proxy == proxy
    assert _read("http://127.0.0.1:8080", proxy="http://127.0.0.1:3128").proxy


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy"])
@pytest.mark.usefixtures("no_backoff")
def test_loopback_uses_no_proxy(hook: Any, use: Use, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    canaries = Canaries()
    token = canaries.make("token")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    def answer(received: Received) -> bytes:
        return grant(token) if received.target.endswith(b"nocatalog=true") else no_such_job(received)

    with RecordingServer() as proxy, RecordingServer(answer) as server:
        monkeypatch.setenv(name, proxy.url.replace("127.0.0.1", "localhost"))
        use(connection_to(server.url, server.url, canaries.make("password")))
        hook.get_job_statuses([JOB])

    assert proxy.connections == 0
    assert len(server.received) == 2
