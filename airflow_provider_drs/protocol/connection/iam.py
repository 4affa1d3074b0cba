"""
IAM: request tokens of users and of agencies, and find the project of keys (drs_01_0005, drs_01_0007,
drs_01_0008; IAM's pages on user tokens, agency tokens and projects).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from airflow_provider_drs.protocol.connection.grants import Grant, rejected_credentials_error
from airflow_provider_drs.protocol.connection.settings import WORD, Auth, Settings
from airflow_provider_drs.protocol.core.errors import (
    DrsAuthError,
    DrsConfigError,
    DrsError,
    DrsPermissionError,
    DrsRequestError,
    DrsResponseError,
)
from airflow_provider_drs.protocol.core.exchange import Budget, Parse, exchange_repeatable
from airflow_provider_drs.protocol.core.wire import Conversation, Keys, Request, Response, Service

T = TypeVar("T")

# The catalog is most of the response and not used; any non-empty value omits it.
_TOKEN_PATH = "/v3/auth/tokens?nocatalog=true"


def get_token(settings: Settings) -> Conversation[Grant]:
    """
    Request a token of the user, for the project.

    :raises DrsAuthError: user, password, domain or project is wrong.
    :raises DrsUnavailableError: no valid response of IAM within ``retry_timeout``.
    """
    return _request_token(settings, build_token(settings), _parse_for(settings), _explain_user)


def get_agency_token(settings: Settings) -> Conversation[Grant]:
    """
    Request a token of the agency, for the project, with the user's token.

    :raises DrsAuthError: IAM rejected the user, or the user may not act through the agency.
    :raises DrsUnavailableError: no valid response of IAM within ``retry_timeout``.
    """
    token = settings.secret
    if settings.auth is Auth.PASSWORD:
        token = yield from _request_token(
            settings, build_domain_token(settings), _parse_subject, _explain_user
        )
    request = build_agency_token(settings, token)
    return (yield from _request_token(settings, request, _parse_for(settings), _explain_agency))


def find_project(settings: Settings, keys: Keys) -> Conversation[str]:
    """
    Return the ID of the project of keys, found by its name, which is by default that of the region, as the
    vendor's SDK does.

    :raises DrsAuthError: IAM rejected the keys.
    :raises DrsConfigError: IAM lists no such project for the keys.
    :raises DrsUnavailableError: no valid response of IAM within ``retry_timeout``.
    """
    path = f"/v3/projects?name={quote(settings.project_name, safe='')}"
    request = Request(
        "KeystoneListProjects", "GET", path, None, repeatable=True, service=Service.IAM, keys=keys
    )
    budget = Budget(settings.retry_timeout_s)
    try:
        return (
            yield from exchange_repeatable(
                request, budget, lambda document, response: parse_projects(document, settings)
            )
        )
    except DrsAuthError as error:
        raise rejected_credentials_error(settings, request.operation, Service.IAM) from error


def parse_projects(document: Mapping[str, Any], settings: Settings) -> str:
    """
    Return the ID of the connection's project.

    :raises DrsConfigError: it is not listed.
    :raises DrsResponseError: the response is not as documented.
    """
    rows = document.get("projects")
    if not isinstance(rows, list):
        raise DrsResponseError("the response of IAM has no projects")
    ids = [
        str(row.get("id"))
        for row in rows
        if isinstance(row, Mapping) and row.get("name") == settings.project_name
    ]
    if not ids or not WORD.fullmatch(ids[0]):
        raise DrsConfigError(
            f"connection {settings.conn_id!r}: IAM lists no project {settings.project_name!r} for the access "
            "key. Check extra.region or extra.project_name, or set extra.project_id."
        )
    return ids[0]


def build_token(settings: Settings) -> Request:
    """Return the request for a token with project scope."""
    return _build_user_token(settings, _project_scope(settings, _domain(settings)))


def build_domain_token(settings: Settings) -> Request:
    """Return the request for a token with the scope of the user's account, where it may use agencies."""
    return _build_user_token(settings, {"scope": {"domain": _domain(settings)}})


def build_unscoped_token(settings: Settings) -> Request:
    """Return the request for an unscoped token, which shows whether IAM knows the user."""
    return _build_user_token(settings, {})


def build_agency_token(settings: Settings, token: str) -> Request:
    """
    Return the request for a token of the agency.

    :param token: a token of the user who acts through the agency.
    """
    # IAM's page calls the name agency_name in its table and xrole_name in its example; the Terraform
    # providers send the latter.
    role = {"domain_name": settings.agency_domain_name, "xrole_name": settings.agency_name}
    identity = {"methods": ["assume_role"], "assume_role": role}
    scope = _project_scope(settings, {"name": settings.agency_domain_name})
    return _build("KeystoneCreateAgencyToken", identity, scope, {"X-Auth-Token": token})


def _build_user_token(settings: Settings, scope: Mapping[str, Any]) -> Request:
    user = {"name": settings.login, "password": settings.secret, "domain": _domain(settings)}
    identity = {"methods": ["password"], "password": {"user": user}}
    return _build("KeystoneCreateUserTokenByPassword", identity, scope, {})


def _build(
    operation: str, identity: Mapping[str, Any], scope: Mapping[str, Any], headers: Mapping[str, str]
) -> Request:
    body = {"auth": {"identity": identity, **scope}}
    return Request(
        operation, "POST", _TOKEN_PATH, body, repeatable=True, service=Service.IAM, headers=headers
    )


def _project_scope(settings: Settings, domain: Mapping[str, str]) -> dict[str, Any]:
    # Keystone requires the domain of a project name; the public clouds' IAM accepts it.
    named = {"name": settings.project_name, "domain": domain}
    return {"scope": {"project": {"id": settings.project_id} if settings.project_id else named}}


def _domain(settings: Settings) -> dict[str, str]:
    return {"id": settings.domain_id} if settings.domain_id else {"name": settings.domain_name}


def _parse_for(settings: Settings) -> Parse[Grant]:
    return lambda document, response: parse_token(document, response, settings)


def parse_token(document: Mapping[str, Any], response: Response, settings: Settings) -> Grant:
    """
    Read a token with project scope.

    :raises DrsResponseError: the response has no token, expiry or project.
    """
    token = _parse_subject(document, response)
    body = document["token"]
    project = body.get("project")
    project_id = settings.project_id or (project.get("id") if isinstance(project, Mapping) else None)
    if not project_id:
        raise DrsResponseError("the IAM response has no project. Set extra.project_id of the connection")
    if not WORD.fullmatch(str(project_id)):
        raise DrsResponseError("the response of IAM has an invalid project")
    expires_at = read_instant(body, "expires_at")
    # Both times are from IAM's clock, so that a wrong local clock has no effect.
    issued_at = read_instant(body, "issued_at") if body.get("issued_at") else None
    lifetime_s = (expires_at - issued_at).total_seconds() if issued_at else None
    return Grant(token, str(project_id), lifetime_s)


def _parse_subject(document: Mapping[str, Any], response: Response) -> str:
    token = response.headers.get("x-subject-token")
    if not token or not isinstance(document.get("token"), Mapping):
        raise DrsResponseError("the response of IAM has no token")
    return token


def read_instant(body: Mapping[str, Any], key: str) -> datetime.datetime:
    """
    Return a date and time of a response; UTC if it has no time zone.

    :raises DrsResponseError: the value is not a date and time.
    """
    try:
        instant = datetime.datetime.fromisoformat(str(body.get(key)).replace("Z", "+00:00"))
    except ValueError:
        raise DrsResponseError(f"{key} in the response is not a date and time") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=datetime.UTC)


def _request_token(
    settings: Settings, request: Request, parse: Parse[T], explain: Callable[[DrsError, Settings], str]
) -> Conversation[T]:
    try:
        return (yield from exchange_repeatable(request, Budget(settings.retry_timeout_s), parse))
    except (DrsAuthError, DrsPermissionError, DrsRequestError) as error:
        # A user without access to an agency gets 403, an agency that does not exist 404.
        if isinstance(error, DrsAuthError) or request.operation == "KeystoneCreateAgencyToken":
            raise _refuse(error, explain(error, settings)) from error
        raise


def _refuse(error: DrsError, text: str) -> DrsAuthError:
    return DrsAuthError(
        text,
        operation=error.operation,
        http_status=error.http_status,
        error_code=error.error_code,
        error_msg=error.error_msg,
        request_id=error.request_id,
    )


def _explain_user(error: DrsError, settings: Settings) -> str:
    who = f"user {settings.login!r} of domain {settings.domain_name or settings.domain_id!r}"
    where = "" if settings.agency_name else f" for project {settings.project_id or settings.project_name!r}"
    fields = "domain_name" if settings.agency_name else "domain_name and project_name or region"
    hint = (
        " The password begins or ends with a space or line break, as mounted secrets often do: remove it."
        if settings.has_padded_secret
        else ""
    )
    return (
        f"IAM at {settings.iam_url} rejected {who}{where} (HTTP {error.http_status}). Check login, password, "
        f"{fields} of connection {settings.conn_id!r}; the user must have programmatic access.{hint}"
    )


def _explain_agency(error: DrsError, settings: Settings) -> str:
    where = settings.project_id or settings.project_name
    message = f": {error.error_msg}" if error.error_msg else ""
    return (
        f"IAM at {settings.iam_url} rejected agency {settings.agency_name!r} of account "
        f"{settings.agency_domain_name!r} for project {where!r} (HTTP {error.http_status}{message}). "
        "Check agency_name, agency_domain_name and project_name or region of connection "
        f"{settings.conn_id!r}. The "
        "agency must delegate to the user's account and have the DRS permissions in the project, and the "
        "user needs the Agent Operator role."
    )
