from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.protocol.connection.grants import Grant
from airflow_provider_drs.protocol.connection.metadata import get_keys
from airflow_provider_drs.protocol.connection.settings import read_settings
from airflow_provider_drs.protocol.core.errors import DrsAuthError, DrsResponseError
from airflow_provider_drs.protocol.core.wire import Response, Send
from tests.scripted import ScriptedService, answer

SETTINGS = read_settings(
    "c",
    host="",
    port=None,
    login="",
    password="",
    extra={"auth": "metadata", "region": "eu-de", "retry_timeout": 1},
)
KEYS = {
    "access": "access-key",
    "secret": "not-real",
    "securitytoken": "token",
    "expires_at": "2026-01-01T01:00:00.000000Z",
}
DATE = {"date": "Thu, 01 Jan 2026 00:00:00 GMT"}


def _get(*answers: Response) -> tuple[Grant, ScriptedService]:
    talk = ScriptedService(answers, seconds_per_step=0.5)
    return talk.run(get_keys(SETTINGS)), talk


def test_lifetime_is_by_the_clock_of_the_service() -> None:
    grant, _ = _get(answer({"credential": KEYS}, **DATE))

    assert grant.keys is not None
    assert (grant.keys.access_key, grant.keys.security_token) == ("access-key", "token")
    assert grant.lifetime_s == 3600
    assert "not-real" not in repr(grant)


def test_keys_without_a_date_are_used_until_they_are_rejected() -> None:
    grant, _ = _get(answer({"credential": {**KEYS, "expires_at": None}}))

    assert grant.lifetime_s is None


@pytest.mark.parametrize(
    ("document", "date"),
    [
        ({}, DATE),
        ({"credential": []}, DATE),
        ({"credential": {**KEYS, "secret": None}}, DATE),
        ({"credential": {**KEYS, "securitytoken": "a\r\nX-Other: b"}}, DATE),
        ({"credential": {**KEYS, "expires_at": "soon"}}, DATE),
        ({"credential": KEYS}, {"date": "today"}),
    ],
)
def test_undocumented_response_is_an_error(document: Any, date: dict[str, str]) -> None:
    with pytest.raises(DrsResponseError, match=r"."):
        _get(*[answer(document, **date)] * 9)


def test_session_token_is_requested_when_it_is_required() -> None:
    session = Response(200, {}, b"session-token\n")

    grant, talk = _get(answer({}, 401), session, answer({"credential": KEYS}, **DATE))

    sent = [step.request for step in talk.steps if isinstance(step, Send)]
    assert [request.operation for request in sent] == ["GetSecurityKey", "GetMetadataToken", "GetSecurityKey"]
    assert sent[2].headers == {"X-Metadata-Token": "session-token"}
    assert grant.keys
    assert "session-token" not in repr(sent)


@pytest.mark.parametrize("body", [b"", b"two words", b"line\r\nbreak", "t\u00f6ken".encode()])
def test_session_token_that_is_no_header_is_an_error(body: bytes) -> None:
    with pytest.raises(DrsResponseError, match="not a token"):
        _get(answer({}, 401), *[Response(200, {}, body)] * 9)


@pytest.mark.parametrize(
    "answers",
    [
        [answer({"error": {"message": "Please configure Cloud Service Agency first"}}, 401)],
        [answer({}, 404)],
        [answer({}, 401), answer({}, 405)],
        [answer({}, 401), Response(200, {}, b"session-token"), answer({}, 401)],
    ],
)
def test_server_without_keys_says_how_to_get_them(answers: list[Response]) -> None:
    with pytest.raises(DrsAuthError, match="has no keys for connection 'c'.*Bind an agency"):
        _get(*answers)
