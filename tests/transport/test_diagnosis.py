"""`drs doctor` names the first thing to fix, for each thing that can be wrong with a connection."""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drs_emulator import Emulator
from drs_emulator.http.certificates import NAMES, Certificates, make

from airflow_provider_drs.protocol.connection.settings import Settings, read_settings
from airflow_provider_drs.transport.diagnosis import State, diagnose
from tests.security.servers import Received, RecordingServer, grant, no_such_job, respond

pytestmark = pytest.mark.usefixtures("no_backoff")

SECRET = "canary-9f3-not-real"
PROXY_SECRET = "proxy-canary-77-not-real"
# The job that the diagnosis reads; no project has it.
CANARY = "00000000-0000-0000-0000-000000000000"


def _settings(emulator: Emulator, extra: dict[str, Any] | None = None, **fields: Any) -> Settings:
    connection = {**emulator.connection, **fields}
    return read_settings(
        "drs_default",
        host=connection["host"],
        port=None,
        login=connection["login"],
        password=connection["password"],
        extra={**connection["extra"], **(extra or {})},
    )


def _diagnose(settings: Settings) -> tuple[str, str]:
    """Return the step that failed, and its message."""
    findings = diagnose(settings)
    assert [finding for finding in findings if finding.state is State.FAIL] == findings[-1:]
    text = "\n".join(map(str, findings)) + repr(findings) + str([finding.to_dict() for finding in findings])
    assert SECRET not in text
    assert PROXY_SECRET not in text
    return findings[-1].step, str(findings[-1])


def _dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_valid_connection_is_ok(secure: Emulator) -> None:
    findings = diagnose(_settings(secure))

    assert [(finding.step, finding.state) for finding in findings] == [
        (f"{service} {step}", State.OK)
        for service in ("IAM", "DRS")
        for step in ("DNS", "connection", "TLS", "clock")
    ] + [("DRS", State.OK)]
    asked = [entry["operation"] for entry in secure.journal() if entry["operation"]]
    assert asked == ["KeystoneCreateUserTokenByPassword", "BatchListJobStatus"]


def test_keys_and_tokens_skip_iam(emulator: Emulator) -> None:
    from drs_emulator.http import iam

    keys = {"login": iam.ACCESS_KEY, "password": iam.SECRET_KEY}
    extra = {"auth": "aksk", "project_id": emulator.connection["extra"].get("project_id") or _project()}

    findings = diagnose(_settings(emulator, extra, **keys))

    assert [finding.step for finding in findings] == ["DRS DNS", "DRS connection", "DRS clock", "DRS"]
    assert findings[-1].message == "DRS accepts the credentials, and DRS responds."
    assert _diagnose(_settings(emulator, extra, **{**keys, "password": SECRET}))[0] == "DRS credentials"


def _project() -> str:
    from drs_emulator.world.world import PROJECT_ID

    return PROJECT_ID


@pytest.mark.parametrize(
    ("fields", "extra", "step", "message"),
    [
        ({"host": "https://drs.no-such-host.invalid"}, {}, "DRS DNS", "cannot resolve"),
        ({}, {"iam_endpoint": "https://iam.no-such-host.invalid"}, "IAM DNS", "extra.iam_endpoint"),
        ({}, {"iam_endpoint": "DEAD"}, "IAM connection", "the firewall, and whether a proxy is required"),
        ({"host": "DEAD"}, {}, "DRS connection", "cannot connect to 127.0.0.1:"),
        ({"host": "TLS"}, {}, "DRS TLS", "the TLS handshake with"),
        ({"password": SECRET}, {}, "IAM credentials", "Check login, password, domain_name"),
        ({"login": "unknown"}, {}, "IAM credentials", "rejected user 'unknown'"),
        ({}, {"domain_name": "another-account"}, "IAM credentials", "domain 'another-account'"),
        ({}, {"iam_endpoint": "ELSEWHERE"}, "IAM", "is not an IAM"),
        ({"host": "ELSEWHERE"}, {}, "DRS", "is not DRS"),
        (
            {},
            {"proxy": "http://proxy.invalid:3128", "allow_http": True},
            "IAM DNS",
            "the proxy proxy.invalid",
        ),
    ],
)
def test_first_failure_is_named(
    emulator: Emulator, fields: dict[str, Any], extra: dict[str, Any], step: str, message: str
) -> None:
    places = {
        "DEAD": f"http://127.0.0.1:{_dead_port()}",
        "TLS": emulator.url.replace("http:", "https:"),
        "ELSEWHERE": f"{emulator.url}/elsewhere",
    }
    fields = {name: places.get(value, value) for name, value in fields.items()}
    extra = {name: places.get(value, value) for name, value in extra.items()}

    found, text = _diagnose(_settings(emulator, extra | {"retry_timeout": 0.6}, **fields))

    assert (found, message in text) == (step, True), text


@pytest.mark.parametrize(
    ("fault", "options", "step", "message"),
    [
        ("no_permission", {}, "DRS permission", "drs:migrationJob:get"),
        ("expire_token", {}, "DRS credentials", ""),
        ("html", {}, "DRS", "is not DRS"),
        ("status", {"status": 503}, "DRS", ""),
        (
            "job_error",
            {"code": "DRS.M00261", "job_id": CANARY},
            "DRS project",
            "extra.project_id and extra.region",
        ),
    ],
)
def test_rejection_of_drs_is_explained(
    emulator: Emulator, fault: str, options: dict[str, Any], step: str, message: str
) -> None:
    emulator.inject(fault, operation="BatchListJobStatus", times=None, **options)

    found, text = _diagnose(_settings(emulator, {"retry_timeout": 0.6}))

    assert (found, message in text) == (step, True), text


@pytest.fixture
def tls_server(tmp_path: Path) -> Callable[..., tuple[RecordingServer, Certificates]]:
    """Return a function that makes a server with a certificate for these names and options."""

    def generate(*names: str, **options: Any) -> tuple[RecordingServer, Certificates]:
        files = Certificates(*(tmp_path / each for each in ("ca.pem", "server.pem", "key.pem")))
        make(files, names or NAMES, **options)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certfile, files.keyfile)
        return RecordingServer(tls=context), files

    return generate


@pytest.mark.parametrize(
    ("names", "options", "trusted", "message"),
    [
        ((), {}, False, "issuer OU=local CA,O=drs-emulator"),
        (("drs.example",), {}, True, "is for drs.example, not for 127.0.0.1"),
        ((), {"lifetime": -datetime.timedelta(days=3)}, True, "operator to renew the certificate"),
    ],
)
def test_invalid_certificate_is_described(
    emulator: Emulator,
    tls_server: Callable[..., tuple[RecordingServer, Certificates]],
    names: tuple[str, ...],
    options: dict[str, Any],
    trusted: bool,
    message: str,
) -> None:
    server, files = tls_server(*names, **options)
    with server:
        extra = {"verify": str(files.ca_file)} if trusted else {}
        found, text = _diagnose(_settings(emulator, extra, host=server.url))

    assert (found, message in text) == ("DRS TLS", True), text
    assert not server.received


def test_unreadable_ca_bundle_is_named(secure: Emulator, tmp_path: Path) -> None:
    found, text = _diagnose(_settings(secure, {"verify": str(tmp_path / "no-such.pem")}))

    assert found == "IAM TLS"
    assert "extra.verify" in text


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_unverified_tls_is_a_warning(secure: Emulator) -> None:
    findings = diagnose(_settings(secure, {"verify": False}))

    assert [finding.step for finding in findings if finding.state is State.WARN] == ["IAM TLS", "DRS TLS"]
    assert findings[-1].state is State.OK


@pytest.mark.parametrize(
    ("auth", "hours", "worst"),
    [
        ("aksk", 1, State.FAIL),
        ("token", 1, State.WARN),
        ("token", -1, State.WARN),
        ("aksk", 0, State.OK),
    ],
)
def test_wrong_clock_is_reported(auth: str, hours: int, worst: State) -> None:
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)
    date = now.strftime("%a, %d %b %Y %H:%M:%S GMT")

    def answer(request: Received) -> bytes:
        return respond(404, Date=date) if request.line.startswith(b"GET") else no_such_job(request)

    with RecordingServer(answer) as server:
        extra = {"auth": auth, "project_id": _project()}
        settings = read_settings(
            "drs_default", host=server.url, port=None, login="key", password=SECRET, extra=extra
        )
        findings = diagnose(settings)

    (clock,) = (finding for finding in findings if finding.step == "DRS clock")
    assert clock.state is worst
    if hours:
        assert ("behind" if hours > 0 else "ahead") in clock.message
    assert SECRET.encode() not in next(each for each in server.received if each.line.startswith(b"GET")).raw


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_missing_date_skips_the_clock_check(date: str) -> None:
    def answer(request: Received) -> bytes:
        if not request.line.startswith(b"GET"):
            return no_such_job(request)
        return respond(200, Date=date) if date else b""

    with RecordingServer(answer) as server:
        extra = {"auth": "token", "project_id": _project()}
        settings = read_settings(
            "drs_default", host=server.url, port=None, login="", password=SECRET, extra=extra
        )
        findings = diagnose(settings)

    assert [finding.step for finding in findings] == ["DRS DNS", "DRS connection", "DRS"]


def test_rejecting_proxy_is_named_without_password(secure: Emulator) -> None:
    with RecordingServer(lambda _: respond(407)) as proxy:
        address = f"http://user:{PROXY_SECRET}@127.0.0.1:{proxy.port}"
        found, text = _diagnose(_settings(secure, {"proxy": address}))

    assert found == "IAM connection"
    assert f"through the proxy 127.0.0.1:{proxy.port} of extra.proxy" in text
    assert "407" in text
    assert proxy.received[0].line.startswith(b"CONNECT ")
    assert (proxy.received[0].header(b"proxy-authorization") or b"").startswith(b"Basic ")


def test_proxy_of_environment_is_named(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{_dead_port()}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    found, text = _diagnose(_settings(emulator, host="https://drs.example.invalid"))

    assert found == "DRS connection"
    assert "of HTTPS_PROXY" in text
    assert "add drs.example.invalid to NO_PROXY" in text


def test_user_without_project_is_explained(emulator: Emulator) -> None:
    token = grant("token-not-real")

    def answer(request: Received) -> bytes:
        if request.target.startswith(b"/v3/auth/projects"):
            return respond(200, {"projects": [{"name": "eu-nl", "id": "1234"}]})
        if request.line.startswith(b"GET"):
            return respond(300)
        wrong = {"error": {"code": 401, "message": "The user is not authorized.", "title": "Unauthorized"}}
        return respond(401, wrong) if b'"scope"' in request.body else token

    with RecordingServer(answer) as iam:
        found, text = _diagnose(_settings(emulator, {"iam_endpoint": iam.url}, password=SECRET))

    assert found == "IAM project"
    assert "has no access to project 'eu-de'. Its projects: eu-nl (1234)." in text


def test_invalid_project_list_is_ignored(emulator: Emulator) -> None:
    def answer(request: Received) -> bytes:
        if request.line.startswith(b"GET"):
            return respond(200, {"projects": 7})
        return respond(401, {"error": {}}) if b'"scope"' in request.body else grant("token-not-real")

    with RecordingServer(answer) as iam:
        extra = {"iam_endpoint": iam.url, "project_id": "f" * 32}
        found, text = _diagnose(_settings(emulator, extra))

    assert found == "IAM project"
    assert "It may use" not in text
    assert "extra.project_id" in text
