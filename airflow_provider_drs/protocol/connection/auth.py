"""
Tokens: request one from IAM, parse the response, and decide when to renew it (drs_01_0005, drs_01_0007,
drs_01_0008).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from airflow_provider_drs.protocol.connection.settings import WORD, Auth, Settings
from airflow_provider_drs.protocol.connection.signing import sign
from airflow_provider_drs.protocol.core.errors import DrsAuthError, DrsConfigError, DrsError, DrsResponseError
from airflow_provider_drs.protocol.core.exchange import Budget, exchange_repeatable
from airflow_provider_drs.protocol.core.wire import Conversation, Request, Response, Service, encode_body

# Uncompressed responses are small enough, and cannot expand.
_JSON_HEADERS: dict[str, str] = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}

# A token is renewed before it expires: by 5 minutes, or a tenth of its lifetime if that is less.
_LONGEST_MARGIN_S = 300.0
_MARGIN_SHARE = 0.1
# Keystone's tokens have whole seconds: one that was issued late in a second expires up to a second early.
_ROUNDING_S = 1.0


@dataclass(frozen=True, slots=True)
class Grant:
    """What IAM grants: a token, its project, and its lifetime in seconds (``None``: unknown)."""

    token: str = field(repr=False)
    project_id: str
    lifetime_s: float | None

    @property
    def useful_s(self) -> float:
        """Seconds after its issue at which it must be renewed."""
        if self.lifetime_s is None:
            return float("inf")
        margin_s = min(_LONGEST_MARGIN_S, self.lifetime_s * _MARGIN_SHARE) + _ROUNDING_S
        return max(0.0, self.lifetime_s - margin_s)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A complete request with credentials."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def own_grant(settings: Settings) -> Grant:
    """Return the grant of a connection with its own token, or with keys."""
    return Grant(settings.secret if settings.auth is Auth.TOKEN else "", settings.project_id, None)


def authorize(settings: Settings, grant: Grant | None, request: Request, at: datetime.datetime) -> Outgoing:
    """
    Return *request* with URL, body and credentials.

    :param grant: the token and project; ``None`` for IAM, which gets a password in the body.
    :param at: the current time, which a signature covers.
    """
    body = encode_body(request.body)
    if grant is None:
        url, headers = settings.iam_url + request.path, dict(_JSON_HEADERS)
    else:
        url = settings.drs_url + request.path.replace("{project_id}", grant.project_id)
        # Content-Type is required on every DRS call, also without a body.
        headers = _JSON_HEADERS | {"X-Language": settings.language}
    if settings.auth is Auth.AKSK:
        # The vendor's SDK also sends and signs the project.
        headers |= {"X-Project-Id": grant.project_id} if grant else {}
        headers |= {"X-Security-Token": settings.security_token} if settings.security_token else {}
        headers |= sign(
            method=request.method,
            url=url,
            headers=headers,
            body=body,
            access_key=settings.login,
            secret_key=settings.secret,
            at=at,
        )
    elif grant is not None:
        headers["X-Auth-Token"] = grant.token
    return Outgoing(request.method, url, headers, body)


def rejected_credentials_error(settings: Settings, operation: str) -> DrsAuthError:
    """
    Return the error for rejected credentials that cannot be renewed: a token of the connection, or keys.
    """
    what = "access key or its signature" if settings.auth is Auth.AKSK else "token"
    remedy = (
        "Check login (access key), password (secret key), extra.security_token (required by temporary keys, "
        "which expire), extra.project_id and this machine's clock"
        if settings.auth is Auth.AKSK
        else "Set password to a new token, or use extra.auth=password, which renews tokens"
    )
    return DrsAuthError(
        f"{operation}: DRS rejected the {what} of connection {settings.conn_id!r}. {remedy}.",
        operation=operation,
    )


def find_project(settings: Settings) -> Conversation[Grant]:
    """
    Find the project of access keys by its name, which is the region's by default, as the vendor's SDK does.

    :raises DrsAuthError: IAM rejected the keys.
    :raises DrsConfigError: IAM lists no such project for the keys.
    :raises DrsUnavailableError: no valid response of IAM within ``retry_timeout``.
    """
    path = f"/v3/projects?name={quote(settings.project_name, safe='')}"
    request = Request("KeystoneListProjects", "GET", path, None, repeatable=True, service=Service.IAM)
    try:
        return (
            yield from exchange_repeatable(
                request,
                Budget(settings.retry_timeout_s),
                lambda document, response: _parse_projects(document, settings),
            )
        )
    except DrsAuthError as error:
        raise rejected_credentials_error(settings, request.operation) from error


def _parse_projects(document: Mapping[str, Any], settings: Settings) -> Grant:
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
    return Grant("", ids[0], None)


def build_token(settings: Settings) -> Request:
    """Return the request for a token with project scope."""
    # Keystone requires the domain of a project name; the public clouds' IAM accepts it.
    named = {"name": settings.project_name, "domain": _domain(settings)}
    project = {"id": settings.project_id} if settings.project_id else named
    return _build_token_request(settings, {"scope": {"project": project}})


def build_unscoped_token(settings: Settings) -> Request:
    """Return the request for an unscoped token, which shows whether IAM knows the user."""
    return _build_token_request(settings, {})


def _build_token_request(settings: Settings, scope: Mapping[str, Any]) -> Request:
    user = {"name": settings.login, "password": settings.secret, "domain": _domain(settings)}
    identity = {"methods": ["password"], "password": {"user": user}}
    # The catalog is most of the response and not used; any non-empty value omits it.
    path = "/v3/auth/tokens?nocatalog=true"
    return Request(
        "KeystoneCreateUserTokenByPassword",
        "POST",
        path,
        {"auth": {"identity": identity, **scope}},
        repeatable=True,
        service=Service.IAM,
    )


def _domain(settings: Settings) -> dict[str, str]:
    return {"id": settings.domain_id} if settings.domain_id else {"name": settings.domain_name}


def parse_token(document: Mapping[str, Any], response: Response, settings: Settings) -> Grant:
    """
    Read the token.

    :raises DrsResponseError: the response has no token, expiry or project.
    """
    token = response.headers.get("x-subject-token")
    body = document.get("token")
    if not token or not isinstance(body, Mapping):
        raise DrsResponseError("the response of IAM has no token")
    project = body.get("project")
    project_id = settings.project_id or (project.get("id") if isinstance(project, Mapping) else None)
    if not project_id:
        raise DrsResponseError("the IAM response has no project. Set extra.project_id of the connection")
    if not WORD.fullmatch(str(project_id)):
        raise DrsResponseError("the response of IAM has an invalid project")
    expires_at = _read_instant(body, "expires_at")
    # Both times are from IAM's clock, so that a wrong local clock has no effect.
    issued_at = _read_instant(body, "issued_at") if body.get("issued_at") else None
    lifetime_s = (expires_at - issued_at).total_seconds() if issued_at else None
    return Grant(token, str(project_id), lifetime_s)


def _read_instant(body: Mapping[str, Any], key: str) -> datetime.datetime:
    try:
        instant = datetime.datetime.fromisoformat(str(body.get(key)).replace("Z", "+00:00"))
    except ValueError:
        raise DrsResponseError(f"{key} in the response of IAM is not a date and time") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=datetime.UTC)


def get_grant(settings: Settings) -> Conversation[Grant]:
    """
    Request a token from IAM.

    :raises DrsAuthError: user, password, domain or project is wrong.
    :raises DrsUnavailableError: no valid response of IAM within ``retry_timeout``.
    """
    request = build_token(settings)
    try:
        return (
            yield from exchange_repeatable(
                request,
                Budget(settings.retry_timeout_s),
                lambda document, response: parse_token(document, response, settings),
            )
        )
    except DrsAuthError as error:
        raise _explain_refusal(error, settings) from error


def _explain_refusal(error: DrsError, settings: Settings) -> DrsAuthError:
    who = f"user {settings.login!r} of domain {settings.domain_name or settings.domain_id!r}"
    where = settings.project_id or settings.project_name
    hint = (
        " The password begins or ends with a space or line break, as mounted secrets often do: remove it."
        if settings.has_padded_secret
        else ""
    )
    return DrsAuthError(
        f"IAM at {settings.iam_url} rejected {who} for project {where!r} (HTTP {error.http_status}). Check "
        f"login, password, domain_name and project_name or region of connection {settings.conn_id!r}; "
        f"the user must have programmatic access.{hint}",
        operation=error.operation,
        http_status=error.http_status,
        error_code=error.error_code,
        error_msg=error.error_msg,
        request_id=error.request_id,
    )
