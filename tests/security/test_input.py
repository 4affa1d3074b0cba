"""
Whatever a connection or an argument contains, a request goes to the right target or is not sent.

The servers are bare sockets, so that nothing normalizes a request on its way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from yarl import URL

from airflow_provider_drs.protocol import conversations
from airflow_provider_drs.protocol.connection.settings import LANGUAGES, Overrides, Settings, read_settings
from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError
from airflow_provider_drs.protocol.core.job_ids import check_job_ids
from airflow_provider_drs.protocol.core.wire import Conversation
from airflow_provider_drs.transport.aio import AsyncClient
from airflow_provider_drs.transport.sync import SyncClient
from airflow_provider_drs.transport.tokens import TokenCache
from tests.security.servers import PROJECT_ID, Received, RecordingServer, grant, no_such_job, respond

JOB = "00000001-d0c5-4a11-8a11-0000001jb101"
Run = Callable[[Settings, Conversation[Any]], Any]

#: Headers that the HTTP libraries add.
_OF_LIBRARIES = {b"host", b"user-agent", b"accept-encoding", b"accept", b"connection", b"content-length"}
_OF_DRS = _OF_LIBRARIES | {b"content-type", b"x-language", b"x-auth-token"}
_OF_SIGNED = (_OF_DRS - {b"x-auth-token"}) | {b"x-project-id", b"x-sdk-date", b"authorization"}
_OF_IAM = _OF_LIBRARIES | {b"content-type"}

_PIECES = st.sampled_from(
    [
        *("\r\n", "\n", "\r", " ", "\t", "\x00", "\x0b", "\x85", "\u2028", "\x7f", "\r\n\r\n"),
        *("\r\nX-Evil: 1\r\n", "a" * 5_000, *"@:[];,&=*\\/?#%a0-_.~\"'"),
        *("/../", "..", "/./", "//evil.example/", "?a=b", "%2e", "%2f", "%0d%0a", "%00", ":80", "user:pw@"),
        *("[::1]", "{job_id}", "{project_id}", "evil.example", "127.0.0.1", "localhost", "eu-de"),
        *("é", "日本", "\u0430", "\uff0f", "\uff0e", "\u2100", "\ud800", "\U0001f512", "İ", "ſ"),
    ]
)
#: Texts that an attacker might construct, and any others.
HOSTILE = st.one_of(st.lists(_PIECES, min_size=1, max_size=5).map("".join), st.text(max_size=40))
_PROPERTY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _run_sync(known: Settings, conversation: Conversation[Any]) -> Any:
    client = SyncClient(known, tokens=TokenCache())
    try:
        return client.run(conversation)
    finally:
        client.close()


def _run_async(known: Settings, conversation: Conversation[Any]) -> Any:
    async def talk() -> Any:
        client = AsyncClient(known, tokens=TokenCache())
        try:
            return await client.run(conversation)
        finally:
            await client.close()

    return asyncio.run(talk())


@pytest.fixture(params=[_run_sync, _run_async], ids=["requests", "aiohttp"])
def run(request: pytest.FixtureRequest) -> Run:
    """Return a function that runs a conversation, with requests and then with aiohttp."""
    found: Run = request.param
    return found


class Cloud:
    """A DRS and an IAM that record the bytes of each request."""

    def __init__(self, drs: RecordingServer, iam: RecordingServer) -> None:
        self.drs = drs
        self.iam = iam
        #: The next response of IAM.
        self.issued = grant("token-not-real")

    def clear(self) -> None:
        self.drs.received.clear()
        self.iam.received.clear()
        self.issued = grant("token-not-real")

    def read(self, *, login: str = "user", **fields: Any) -> Settings:
        """
        Return the settings of a connection to it.

        :param fields: ``password``, ``host``, ``port``, ``overrides``, and fields of the extra.
        """
        own = {name: fields.pop(name) for name in ("password", "host", "port", "overrides") if name in fields}
        extra = {
            "region": "eu-de",
            "domain_name": "security-tests",
            "iam_endpoint": self.iam.url,
            "retry_timeout": 30,
            **fields,
        }
        given = {"host": self.drs.url, "port": None, "password": "password-not-real", **own}
        return read_settings("my_drs", login=login, extra=extra, **given)


@pytest.fixture(scope="module")
def running_cloud() -> Iterator[Cloud]:
    with ExitStack() as stack:
        clouds: list[Cloud] = []
        drs = stack.enter_context(RecordingServer(no_such_job))
        iam = stack.enter_context(RecordingServer(lambda _: clouds[0].issued))
        clouds.append(Cloud(drs, iam))
        yield clouds[0]


@pytest.fixture
def cloud(running_cloud: Cloud) -> Cloud:
    """Return both, without recorded requests."""
    running_cloud.clear()
    return running_cloud


def _send(run: Run, cloud: Cloud, read: Callable[[], Settings], *, job_id: str = JOB) -> Settings | None:
    """Read a job and return the settings, or ``None`` if the input was rejected before sending."""
    cloud.clear()
    known = None
    try:
        known = read()
        run(known, conversations.get_switch_overs(Limits(10, 10, 30), [job_id]))
    except DrsConfigError as error:
        assert (cloud.drs.received, cloud.iam.received) == ([], []), str(error)
        return None
    return known


def _check(received: Received, server: RecordingServer, target: bytes, names: set[bytes]) -> None:
    assert received.target == target
    assert received.line.endswith(b" HTTP/1.1")
    assert received.header(b"host") == f"127.0.0.1:{server.port}".encode()
    found = [name for name, _ in received.headers]
    assert set(found) <= names, set(found) - names
    assert len(found) == len(set(found))


def _drs_target(project_id: str, job_id: str = JOB, prefix: str = "") -> bytes:
    return f"{prefix}/v3/{project_id}/jobs/{job_id}/get-switch-vip-status".encode()


@_PROPERTY
@given(HOSTILE)
@example("..")
@example("a" * 64)
@example("a" * 65)
def test_project_id_is_safe(run: Run, cloud: Cloud, text: str) -> None:
    if _send(run, cloud, lambda: cloud.read(auth="token", project_id=text)):
        _check(cloud.drs.received[0], cloud.drs, _drs_target(text.strip()), _OF_DRS)
    if text.strip() and _send(run, cloud, lambda: cloud.read(auth="aksk", project_id=text)):
        _check(cloud.drs.received[0], cloud.drs, _drs_target(text.strip()), _OF_SIGNED)
        assert cloud.drs.received[0].header(b"x-project-id") == text.strip().encode()


@_PROPERTY
@given(HOSTILE)
def test_project_id_argument_is_safe(run: Run, cloud: Cloud, text: str) -> None:
    own = Overrides(project_id=text)
    if _send(run, cloud, lambda: cloud.read(auth="token", project_id="p", overrides=own)):
        _check(cloud.drs.received[0], cloud.drs, _drs_target(text or "p"), _OF_DRS)


@_PROPERTY
@given(HOSTILE)
@example("/../other")
def test_job_id_is_safe(run: Run, cloud: Cloud, text: str) -> None:
    if _send(run, cloud, lambda: cloud.read(auth="token", project_id="p"), job_id=text):
        _check(cloud.drs.received[0], cloud.drs, _drs_target("p", check_job_ids([text])[0]), _OF_DRS)


@_PROPERTY
@given(HOSTILE)
@example(" token-not-real")
@example("a b\tc")
@example("t" * 20_000)
def test_token_is_safe(run: Run, cloud: Cloud, text: str) -> None:
    if _send(run, cloud, lambda: cloud.read(auth="token", project_id="p", password=text)):
        (received,) = cloud.drs.received
        _check(received, cloud.drs, _drs_target("p"), _OF_DRS)
        assert received.header(b"x-auth-token") == text.encode()


@_PROPERTY
@given(HOSTILE, HOSTILE)
@example(" key", "secret")
def test_keys_are_safe(run: Run, cloud: Cloud, login: str, password: str) -> None:
    if _send(run, cloud, lambda: cloud.read(auth="aksk", project_id="p", login=login, password=password)):
        (received,) = cloud.drs.received
        _check(received, cloud.drs, _drs_target("p"), _OF_SIGNED)
        begin = f"SDK-HMAC-SHA256 Access={login}, SignedHeaders=".encode()
        assert (received.header(b"authorization") or b"").startswith(begin)


@_PROPERTY
@given(st.one_of(HOSTILE, st.sampled_from(LANGUAGES)))
def test_language_is_safe(run: Run, cloud: Cloud, text: str) -> None:
    for read in (
        lambda: cloud.read(auth="token", project_id="p", language=text),
        lambda: cloud.read(auth="token", project_id="p", overrides=Overrides(language=text)),
    ):
        if _send(run, cloud, read):
            _check(cloud.drs.received[0], cloud.drs, _drs_target("p"), _OF_DRS)
            assert (cloud.drs.received[0].header(b"x-language") or b"").decode() in LANGUAGES


@_PROPERTY
@given(login=HOSTILE, password=HOSTILE, domain=HOSTILE, project=HOSTILE, is_id=st.booleans())
def test_login_fields_are_sent_unchanged(
    run: Run, cloud: Cloud, login: str, password: str, domain: str, project: str, is_id: bool
) -> None:
    domains = {"domain_name": "", "domain_id": domain} if is_id else {"domain_name": domain}
    read = lambda: cloud.read(login=login, password=password, project_name=project, **domains)  # noqa: E731
    if _send(run, cloud, read):
        (received,) = cloud.iam.received
        _check(received, cloud.iam, b"/v3/auth/tokens?nocatalog=true", _OF_IAM)
        auth = json.loads(received.body)["auth"]
        user = auth["identity"]["password"]["user"]
        assert (user["name"], user["password"]) == (login, password)
        assert user["domain"] == {"id" if is_id else "name": domain.strip()}
        assert auth["scope"]["project"]["name"] == (project.strip() or "eu-de")
        _check(cloud.drs.received[0], cloud.drs, _drs_target(PROJECT_ID), _OF_DRS)


@_PROPERTY
@given(HOSTILE, st.sampled_from(["otc", "huaweicloud"]))
@example("evil.example/", "otc")
@example("x@evil.example/", "otc")
@example("x.evil.example#", "otc")
@example("x\\.evil.example", "otc")
def test_region_is_safe(text: str, cloud_name: str) -> None:
    suffix = {"otc": "otc.t-systems.com", "huaweicloud": "myhuaweicloud.com"}[cloud_name]
    for given_as in ({"region": text}, {"region": "eu-de", "overrides": Overrides(region=text)}):
        fields: dict[str, Any] = {"cloud": cloud_name, "domain_name": "d", **given_as}
        overrides = fields.pop("overrides", None)
        try:
            known = read_settings(
                "my_drs", host=None, port=None, login="u", password="p", extra=fields, overrides=overrides
            )
        except DrsConfigError:
            continue
        for service, url in (("drs", known.drs_url), ("iam", known.iam_url)):
            host = f"{service}.{known.region.lower()}.{suffix}"
            assert _readings(url) == {(host, "", "")}


def _readings(url: str) -> set[tuple[str, str, str]]:
    """Return host, user and path of a URL as each library parses them."""
    split, seen, url_of_aiohttp = urlsplit(url), urllib3.util.parse_url(url), URL(url, encoded=True)
    return {
        (_host(split.hostname), split.username or "", split.path),
        (_host(seen.host), seen.auth or "", seen.path or ""),
        (_host(url_of_aiohttp.raw_host), url_of_aiohttp.raw_user or "", url_of_aiohttp.raw_path.rstrip("/")),
    }


def _host(text: str | None) -> str:
    return (text or "").lower().strip("[]")


@_PROPERTY
@given(HOSTILE, HOSTILE, st.booleans())
@example("", "@evil.example", False)
@example("", "/../../other", True)
@example("", "/%2e%2e/other", True)
@example("", ":0", False)
@example("user@", "", False)
def test_host_is_safe(run: Run, cloud: Cloud, before: str, after: str, is_iam: bool) -> None:
    url = f"http://{before}127.0.0.1:{cloud.drs.port}{after}"
    _try_url(run, cloud, url, is_iam=is_iam)


@_PROPERTY
@given(HOSTILE, st.booleans())
@example("/v3", True)
@example("//", False)
def test_host_path_is_safe(run: Run, cloud: Cloud, after: str, is_iam: bool) -> None:
    _try_url(run, cloud, f"http://127.0.0.1:{cloud.drs.port}/{after}", is_iam=is_iam)


def _try_url(run: Run, cloud: Cloud, url: str, *, is_iam: bool) -> None:
    if is_iam:
        try:
            known = cloud.read(iam_endpoint=url)
        except DrsConfigError:
            return
        cloud.clear()
        # This server issues no token, so that only the IAM request is sent.
        with suppress(DrsError):
            run(known, conversations.get_job_statuses(Limits(10, 10, 30), [JOB]))
        path = url.partition(f":{cloud.drs.port}")[2].strip().rstrip("/").removesuffix("/v3")
        _check(cloud.drs.received[0], cloud.drs, f"{path}/v3/auth/tokens?nocatalog=true".encode(), _OF_IAM)
        assert cloud.iam.received == []
    elif _send(run, cloud, lambda: cloud.read(auth="token", project_id="p", host=url)):
        path = url.partition(f":{cloud.drs.port}")[2].strip().rstrip("/")
        _check(cloud.drs.received[0], cloud.drs, _drs_target("p", prefix=path), _OF_DRS)


@_PROPERTY
@given(HOSTILE)
@example("https://drs.example")
@example("drs.example:8443")
@example("https://xn--bcher-kva.example")
@example("https://drs.example\\@evil.example")
@example("https://[::1]evil.example")
def test_any_host_is_safe_or_rejected(text: str) -> None:
    for url in (text, f"https://{text}", f"https://drs.example{text}", f"//{text}"):
        try:
            known = read_settings(
                "my_drs",
                host=url,
                port=None,
                login="",
                password="t",
                extra={"auth": "token", "project_id": "p"},
            )
        except DrsConfigError:
            continue
        assert known.drs_url.startswith(("https://", "http://127.", "http://localhost"))
        assert len(_readings(known.drs_url)) == 1, _readings(known.drs_url)


@pytest.mark.parametrize("port", [-1, 65_536, 10**9])
def test_invalid_port_is_rejected(run: Run, cloud: Cloud, port: int) -> None:
    read = lambda: cloud.read(host="http://127.0.0.1", port=port, auth="token", project_id="p")  # noqa: E731
    assert _send(run, cloud, read) is None
    read = lambda: cloud.read(host=f"http://127.0.0.1:{port}", auth="token", project_id="p")  # noqa: E731
    assert _send(run, cloud, read) is None


@_PROPERTY
@given(st.binary(max_size=40).filter(lambda raw: not set(raw) & set(b"\r\n\0")))
@example("日本".encode())
@example(b"t\xff")
@example(b"t\x7f\x01")
@example(b" ")
def test_issued_token_is_safe(run: Run, cloud: Cloud, raw: bytes) -> None:
    cloud.clear()
    cloud.issued = grant("TOKEN").replace(b"TOKEN", raw)
    known = cloud.read(retry_timeout=0.3)
    try:
        run(known, conversations.get_switch_overs(Limits(10, 10, 0.3), [JOB]))
    except DrsError:
        assert cloud.drs.received == []
        return
    # A slow machine may cause a retry.
    for received in cloud.drs.received:
        _check(received, cloud.drs, _drs_target(PROJECT_ID), _OF_DRS)
        if raw.isascii():
            assert received.header(b"x-auth-token") == raw.strip()


@_PROPERTY
@given(HOSTILE)
@example("../../v3/other")
@example("p HTTP/1.1\r\nX-Evil: 1\r\n\r\n")
def test_issued_project_id_is_safe(run: Run, cloud: Cloud, text: str) -> None:
    cloud.clear()
    token = {"issued_at": "2026-01-01T00:00:00.0Z", "expires_at": "2026-01-02T00:00:00.0Z"}
    body = {"token": {**token, "project": {"id": text}}}
    cloud.issued = respond(201, body, X_Subject_Token="token-not-real")
    known = cloud.read(retry_timeout=0.3)
    try:
        run(known, conversations.get_switch_overs(Limits(10, 10, 0.3), [JOB]))
    except DrsError:
        assert cloud.drs.received == []
        return
    for received in cloud.drs.received:
        _check(received, cloud.drs, _drs_target(text), _OF_DRS)
