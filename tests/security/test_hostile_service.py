"""A hostile service, or an attacker in its place, obtains no secret through its responses."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_drs.protocol.core.errors import DrsAuthError, DrsConfigError, DrsError
from tests.security.canaries import Canaries
from tests.security.conftest import Use
from tests.security.servers import Received, RecordingServer, connection_to, grant, no_such_job, respond

pytestmark = pytest.mark.usefixtures("no_backoff")

JOB = "00000001-d0c5-4a11-8a11-0000001jb101"
REDIRECTS = [301, 302, 303, 307, 308]


class Iam:
    """Issues another token for each request, as IAM does, and records them."""

    def __init__(self, canaries: Canaries) -> None:
        self.tokens: list[str] = []
        self._canaries = canaries

    def __call__(self, _: Received) -> bytes:
        self.tokens.append(self._canaries.make(f"token{len(self.tokens)}"))
        return grant(self.tokens[-1])


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture
def iam(canaries: Canaries) -> Iterator[tuple[RecordingServer, Iam]]:
    """Return a working IAM, and the tokens that it has issued."""
    issue = Iam(canaries)
    with RecordingServer(issue) as server:
        yield server, issue


def _move(status: int, to: str) -> Callable[[Received], bytes]:
    return lambda received: respond(status, Location=f"{to}{received.target.decode()}")


@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("call", ["get_job_statuses", "start_jobs", "delete_jobs"])
def test_redirect_of_drs_is_not_followed(
    hook: Any, use: Use, canaries: Canaries, iam: Any, status: int, call: str
) -> None:
    with RecordingServer() as other, RecordingServer(_move(status, other.url)) as drs:
        use(connection_to(drs.url, iam[0].url, canaries.make("password")))
        with pytest.raises(DrsConfigError, match="host of the connection") as caught:
            _raise(getattr(hook, call)([JOB]))

    assert other.connections == 0
    assert len(drs.received) == 1
    assert canaries.search({"error": f"{caught.value!r} {caught.value.to_dict()}"}) == []


@pytest.mark.parametrize("status", REDIRECTS)
def test_redirect_of_iam_is_not_followed(hook: Any, use: Use, canaries: Canaries, status: int) -> None:
    with (
        RecordingServer() as other,
        RecordingServer(_move(status, other.url)) as iam,
        RecordingServer() as drs,
    ):
        use(connection_to(drs.url, iam.url, canaries.make("password")))
        with pytest.raises(DrsConfigError, match="iam_endpoint of the connection") as caught:
            hook.get_job_statuses([JOB])

    assert (other.connections, drs.connections, len(iam.received)) == (0, 0, 1)
    assert canaries.search({"error": f"{caught.value!r} {caught.value.to_dict()}"}) == []


@pytest.mark.parametrize("status", [300, 304, 305, 306, 399])
def test_other_redirect_statuses_are_not_followed(
    hook: Any, use: Use, canaries: Canaries, iam: Any, status: int
) -> None:
    with RecordingServer() as other, RecordingServer(_move(status, other.url)) as drs:
        use(connection_to(drs.url, iam[0].url, canaries.make("password")))
        with pytest.raises(DrsError):
            _raise(hook.get_job_statuses([JOB]))

    assert other.connections == 0


@pytest.mark.parametrize("header", ["Refresh", "Content-Location", "Link", "Alt-Svc", "Location"])
def test_other_headers_do_not_redirect(
    hook: Any, use: Use, canaries: Canaries, iam: Any, header: str
) -> None:
    with RecordingServer() as other:
        value = {
            "Refresh": f"0; url={other.url}",
            "Link": f"<{other.url}>; rel=canonical",
            "Alt-Svc": f'h2="127.0.0.1:{other.port}"; ma=3600',
        }.get(header, other.url)
        answer = respond(400, {"error_code": "DRS.M00289"}, **{header.replace("-", "_"): value})
        with RecordingServer(lambda _: answer) as drs:
            use(connection_to(drs.url, iam[0].url, canaries.make("password")))
            for _ in range(2):
                hook.get_job_statuses([JOB])

    assert other.connections == 0
    assert len(drs.received) == 2


def test_cookies_are_not_sent_back(hook: Any, use: Use, canaries: Canaries, iam: Any) -> None:
    answer = respond(400, {"error_code": "DRS.M00289"}, Set_Cookie="session=planted; Path=/")
    with RecordingServer(lambda _: answer) as drs:
        use(connection_to(drs.url, iam[0].url, canaries.make("password")))
        for _ in range(2):
            hook.get_job_statuses([JOB])

    assert b"planted" not in drs.everything


def _raise(outcomes: Any) -> None:
    for outcome in outcomes.values():
        if isinstance(outcome, DrsError):
            raise outcome


REFUSALS = {
    "401": respond(401),
    "401 of the gateway": respond(401, {"error_code": "APIGW.0301", "error_msg": "verify token fail"}),
    "401 with Basic challenge": respond(401, WWW_Authenticate='Basic realm="DRS"'),
    "401 with Negotiate challenge": respond(401, WWW_Authenticate="Negotiate, NTLM"),
    "403 with the code": respond(403, {"error_code": "DRS.M00100", "error_msg": "invalid token"}),
}


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("call", ["get_job_statuses", "start_jobs"])
def test_rejecting_drs_gets_two_tokens_and_no_password(
    hook: Any, use: Use, canaries: Canaries, iam: Any, refusal: str, call: str
) -> None:
    server, issue = iam
    with RecordingServer(lambda _: REFUSALS[refusal]) as drs:
        use(connection_to(drs.url, server.url, canaries.make("password"), retry_timeout=300))
        with pytest.raises(DrsAuthError) as caught:
            _raise(getattr(hook, call)([JOB]))

    shown = [received.header(b"x-auth-token") for received in drs.received]
    assert shown == [token.encode() for token in issue.tokens]
    assert len(issue.tokens) == 2
    assert {hit.name for hit in canaries.search({"drs": drs.everything})} == {"token0", "token1"}
    assert not any(received.header(b"authorization") for received in drs.received)
    assert canaries.search({"error": f"{caught.value!r} {caught.value.to_dict()}"}) == []


def test_mixed_rejections_get_no_more_tokens(hook: Any, use: Use, canaries: Canaries, iam: Any) -> None:
    server, issue = iam
    answers = itertools.cycle([respond(401), respond(503), respond(403, {"error_code": "DRS.M00100"})])
    with RecordingServer(lambda _: next(answers)) as drs:
        use(connection_to(drs.url, server.url, canaries.make("password"), retry_timeout=300))
        with pytest.raises(DrsAuthError):
            _raise(hook.get_job_statuses([JOB]))

    assert len(issue.tokens) == 2
    assert len(drs.received) == 3


@pytest.mark.parametrize("auth", ["token", "aksk"])
def test_own_credentials_are_sent_once(hook: Any, use: Use, canaries: Canaries, auth: str) -> None:
    secret = canaries.make("secret")
    with RecordingServer(lambda _: respond(401)) as drs:
        connection = connection_to(drs.url, "", secret, auth=auth, project_id="p0", retry_timeout=300)
        use(connection)
        with pytest.raises(DrsAuthError) as caught:
            _raise(hook.get_job_statuses([JOB]))

    assert len(drs.received) == 1
    assert [hit.name for hit in canaries.search({"drs": drs.everything})] == ["secret"] * (auth == "token")
    assert canaries.search({"error": f"{caught.value!r} {caught.value.to_dict()}"}) == []


def test_rejected_password_is_sent_once(hook: Any, use: Use, canaries: Canaries) -> None:
    canaries.make("password")
    with (
        RecordingServer(lambda _: respond(401, {"error": {"message": "no"}})) as iam,
        RecordingServer() as drs,
    ):
        use(connection_to(drs.url, iam.url, canaries.by_name["password"], retry_timeout=300))
        with pytest.raises(DrsAuthError):
            hook.get_job_statuses([JOB])

    assert (len(iam.received), drs.connections) == (1, 0)


def test_password_is_sent_to_iam_in_the_body_only(hook: Any, use: Use, canaries: Canaries, iam: Any) -> None:
    with RecordingServer(no_such_job) as drs:
        use(connection_to(drs.url, iam[0].url, canaries.make("password")))
        hook.get_job_statuses([JOB])

    (login,) = iam[0].received
    assert {hit.name for hit in canaries.search({"body": login.body})} == {"password"}
    assert canaries.search({"head": login.raw[: -len(login.body)]}) == []
    assert canaries.search({"drs": b"".join(request.line + request.body for request in drs.received)}) == []


@pytest.mark.parametrize(
    "netrc", ["machine 127.0.0.1 login other password {}", "default login o password {}"]
)
def test_netrc_is_not_read(
    hook: Any, use: Use, canaries: Canaries, iam: Any, tmp_path: Any, monkeypatch: Any, netrc: str
) -> None:
    (tmp_path / ".netrc").write_text(netrc.format(canaries.make("netrc")))
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with RecordingServer(lambda _: respond(401, WWW_Authenticate="Basic")) as drs:
        use(connection_to(drs.url, iam[0].url, canaries.make("password")))
        with pytest.raises(DrsAuthError):
            _raise(hook.get_job_statuses([JOB]))

    assert "netrc" not in {hit.name for hit in canaries.search({"drs": drs.everything})}
    assert (
        canaries.search({"iam": b"".join(request.raw[: -len(request.body)] for request in iam[0].received)})
        == []
    )
