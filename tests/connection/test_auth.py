from __future__ import annotations

import datetime
from typing import Any

import pytest

from airflow_provider_drs.protocol.connection.grants import (
    Grant,
    authorize,
    own_grant,
    rejected_credentials_error,
)
from airflow_provider_drs.protocol.connection.iam import build_token, get_token, parse_projects
from airflow_provider_drs.protocol.connection.settings import Settings, read_settings
from airflow_provider_drs.protocol.core.errors import DrsAuthError, DrsResponseError
from airflow_provider_drs.protocol.jobs.messages import build_job_statuses
from tests.scripted import ScriptedService, answer

AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
TOKEN = {
    "token": {
        "methods": ["password"],
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "expires_at": "2026-01-02T00:00:00.000000Z",
        "project": {"id": "p1", "name": "eu-de"},
    }
}


def _settings(extra: dict[str, Any] | None = None, **fields: Any) -> Settings:
    given = {"host": "", "port": None, "login": "user", "password": "not-real", **fields}
    return read_settings(
        "c", extra={"region": "eu-de", "domain_name": "d", "retry_timeout": 1, **(extra or {})}, **given
    )


def _grant(body: dict[str, Any], settings: Settings | None = None, **headers: str) -> Grant:
    talk = ScriptedService(
        [answer(body, 201, **{"x_subject_token": "tok", **headers})] * 9, seconds_per_step=0.5
    )
    return talk.run(get_token(settings or _settings()))


@pytest.mark.parametrize(
    ("extra", "domain", "project"),
    [
        ({}, {"name": "d"}, {"name": "eu-de", "domain": {"name": "d"}}),
        ({"domain_id": "i", "domain_name": ""}, {"id": "i"}, {"name": "eu-de", "domain": {"id": "i"}}),
        ({"project_id": "p"}, {"name": "d"}, {"id": "p"}),
    ],
)
def test_token_request(extra: dict[str, Any], domain: dict[str, str], project: dict[str, Any]) -> None:
    request = build_token(_settings(extra))

    user = {"name": "user", "password": "not-real", "domain": domain}
    assert request.path == "/v3/auth/tokens?nocatalog=true"
    assert request.body == {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": project},
        }
    }


def test_token_has_project_and_lifetime() -> None:
    grant = _grant(TOKEN)

    assert (grant.token, grant.project_id, grant.lifetime_s) == ("tok", "p1", 86_400)
    assert grant.useful_s == 86_400 - 300 - 1
    assert "tok" not in repr(grant)


@pytest.mark.parametrize(("lifetime_s", "useful_s"), [(100.0, 89.0), (0.5, 0.0), (None, float("inf"))])
def test_short_lived_token_is_renewed_early(lifetime_s: float | None, useful_s: float) -> None:
    assert Grant("t", "p", lifetime_s).useful_s == useful_s


def test_token_without_issue_date_has_no_lifetime() -> None:
    token = {**TOKEN["token"], "expires_at": "2026-01-02T00:00:00"}
    del token["issued_at"]

    assert _grant({"token": token}).lifetime_s is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": {}},
        {"token": {"project": {"id": "p"}, "expires_at": "soon"}},
        {"token": {"expires_at": "2026-01-01T00:00:00Z"}},
    ],
)
def test_invalid_token_response_is_an_error(body: dict[str, Any]) -> None:
    with pytest.raises(DrsResponseError):
        _grant(body)


def test_project_id_of_connection_is_used() -> None:
    token = {**TOKEN["token"], "project": None}

    assert _grant({"token": token}, _settings({"project_id": "mine"})).project_id == "mine"


def test_rejected_login_names_user_and_endpoint() -> None:
    refusal = answer({"error": {"code": 401, "message": "no", "title": "Unauthorized"}}, 401)

    with pytest.raises(DrsAuthError, match="user 'user' of domain 'd' for project 'eu-de'") as caught:
        ScriptedService([refusal]).run(get_token(_settings()))

    assert "not-real" not in str(caught.value)


@pytest.mark.parametrize("auth", ["password", "token", "aksk"])
def test_request_has_url_headers_and_credentials(auth: str) -> None:
    settings = _settings({"auth": auth, "project_id": "p"})
    grant = own_grant(settings) if auth != "password" else Grant("tok", "p", None)

    outgoing = authorize(settings, grant, build_job_statuses(["a"]), AT)

    assert outgoing.url == "https://drs.eu-de.otc.t-systems.com/v3/p/jobs/batch-status"
    assert outgoing.headers["Content-Type"] == "application/json"
    assert outgoing.headers["X-Language"] == "en-us"
    expected = {"password": "tok", "token": "not-real"}
    assert outgoing.headers.get("X-Auth-Token") == expected.get(auth)
    assert ("Authorization" in outgoing.headers) == (auth == "aksk")
    assert "tok" not in repr(outgoing)


def test_iam_request_has_no_token() -> None:
    outgoing = authorize(_settings(), None, build_token(_settings()), AT)

    assert outgoing.url == "https://iam.eu-de.otc.t-systems.com/v3/auth/tokens?nocatalog=true"
    assert "X-Auth-Token" not in outgoing.headers


@pytest.mark.parametrize(("auth", "text"), [("token", "new token"), ("aksk", "clock")])
def test_rejected_credentials_have_a_remedy(auth: str, text: str) -> None:
    error = rejected_credentials_error(_settings({"auth": auth, "project_id": "p"}), "BatchStartJobs")

    assert text in str(error)
    assert "'c'" in str(error)


def test_response_without_projects_is_an_error() -> None:
    settings = _settings({"auth": "aksk"})

    with pytest.raises(DrsResponseError, match="no projects"):
        parse_projects({}, settings)
    assert parse_projects({"projects": [{"name": "eu-de", "id": "p"}]}, settings) == "p"
