"""What authorizes a request, how it is applied, and when it must be renewed."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_drs.protocol.connection.settings import Auth, Settings
from airflow_provider_drs.protocol.connection.signing import sign
from airflow_provider_drs.protocol.core.errors import DrsAuthError
from airflow_provider_drs.protocol.core.wire import Keys, Request, Service, encode_body

# Uncompressed responses are small enough, and cannot expand.
_JSON_HEADERS: dict[str, str] = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}

# A grant is renewed before it expires: by 5 minutes, or a tenth of its lifetime if that is less.
_LONGEST_MARGIN_S = 300.0
_MARGIN_SHARE = 0.1
# Keystone's tokens have whole seconds: one that was issued late in a second expires up to a second early.
_ROUNDING_S = 1.0


@dataclass(frozen=True, slots=True)
class Grant:
    """
    What authorizes requests to DRS: a token or keys, the project, and the lifetime in seconds.

    A lifetime of ``None`` is unknown, or does not end.
    """

    token: str = field(repr=False)
    project_id: str
    lifetime_s: float | None
    keys: Keys | None = None

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
    """Return the grant of a connection with its own token, or with its own keys."""
    if settings.auth is Auth.AKSK:
        keys = Keys(settings.login, settings.secret, settings.security_token)
        return Grant("", settings.project_id, None, keys)
    return Grant(settings.secret, settings.project_id, None)


def authorize(settings: Settings, grant: Grant | None, request: Request, at: datetime.datetime) -> Outgoing:
    """
    Return *request* with URL, body and credentials.

    :param grant: the token or keys, and the project; ``None`` for another service than DRS, whose requests
        contain their credentials.
    :param at: the current time, which a signature covers.
    """
    body = encode_body(request.body)
    keys = grant.keys if grant else request.keys
    if grant is None:
        base_url = settings.iam_url if request.service is Service.IAM else settings.metadata_url
        url, headers = base_url + request.path, _JSON_HEADERS | dict(request.headers)
    else:
        url = settings.drs_url + request.path.replace("{project_id}", grant.project_id)
        # Content-Type is required on every DRS call, also without a body.
        headers = _JSON_HEADERS | {"X-Language": settings.language}
        if keys is None:
            headers["X-Auth-Token"] = grant.token
    if keys is not None:
        # The vendor's SDK also sends and signs the project.
        headers |= {"X-Project-Id": grant.project_id} if grant else {}
        headers |= {"X-Security-Token": keys.security_token} if keys.security_token else {}
        headers |= sign(
            method=request.method,
            url=url,
            headers=headers,
            body=body,
            access_key=keys.access_key,
            secret_key=keys.secret_key,
            at=at,
        )
    return Outgoing(request.method, url, headers, body)


_REJECTED = {
    Auth.AKSK: (
        "access key or its signature",
        "Check login (access key), password (secret key), extra.security_token (required by temporary keys, "
        "which expire), extra.project_id and this machine's clock",
    ),
    Auth.TOKEN: ("token", "Set password to a new token, or use extra.auth=password, which renews tokens"),
    Auth.METADATA: (
        "keys of this cloud server",
        "Check that the agency of the server has the DRS permissions in the project, extra.project_id, and "
        "this machine's clock",
    ),
}


def rejected_credentials_error(
    settings: Settings, operation: str, service: Service = Service.DRS
) -> DrsAuthError:
    """Return the error for rejected credentials that are not a password."""
    what, remedy = _REJECTED[settings.auth]
    return DrsAuthError(
        f"{operation}: {service.value} rejected the {what} of connection {settings.conn_id!r}. {remedy}.",
        operation=operation,
    )
