"""Authentication: passwords, tokens with an expiry, and signed requests."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from drs_emulator.api.errors import ApiError
from drs_emulator.world.clock import Clock
from drs_emulator.world.world import PROJECT_ID

DOMAIN = "emulator-domain"
DOMAIN_ID = "d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0"
USER = "drs-user"
PASSWORD = "emulator-password"  # not a secret: it opens nothing but this emulator
PROJECT = "eu-de"
#: An agency of another account, which owns the project then.
AGENCY = "drs-agency"
AGENCY_DOMAIN = "emulator-customer"
AGENCY_DOMAIN_ID = "c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0"
ACCESS_KEY = "EMULATORACCESSKEY000"
SECRET_KEY = "emulator-secret-key-not-real"

_ALGORITHM = "SDK-HMAC-SHA256"
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"
#: The gateway rejects signatures that are older or newer than this.
_LARGEST_SKEW_S = 900.0


class IamError(Exception):
    """An error response in IAM's format."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def to_body(self) -> dict[str, Any]:
        """Return the body in Keystone's format."""
        titles = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
        return {
            "error": {"code": self.status, "message": self.message, "title": titles.get(self.status, "Error")}
        }


@dataclass(frozen=True)
class Keys:
    """An access key with its secret key; temporary ones have a security token and expire."""

    access_key: str
    secret_key: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    expires_s: float = math.inf


@dataclass(frozen=True)
class _Token:
    expires_s: float
    has_project: bool = True


#: How the metadata service answers: to everyone, only with a session token, or without an agency.
METADATA_MODES = ("open", "session", "no-agency")
_CHANGES: Mapping[str, Any] = {
    "lifetime_s": int | float,
    "token_bytes": int,
    "password": str,
    "secret_key": str,
    "has_agency": bool,
    "metadata": str,
}
#: The keys of a server are valid for an hour, and replaced 10 minutes before.
_SERVER_KEYS_S = 3600.0
_REPLACED_BEFORE_S = 600.0


class Metadata:
    """The metadata service of a cloud server to which an agency is bound."""

    def __init__(self, iam: Iam, clock: Clock) -> None:
        self._iam = iam
        self._clock = clock
        self._sessions: dict[str, float] = {}
        self._keys: Keys | None = None
        self.mode = METADATA_MODES[0]

    def open_session(self, lifetime_s: str) -> str:
        """
        Return a session token, as text.

        :raises IamError: the header with its lifetime in seconds is missing.
        """
        if not lifetime_s.isdigit():
            raise IamError(400, "X-Metadata-Token-Ttl-Seconds is required.")
        token = secrets.token_urlsafe(40)
        self._sessions[token] = self._clock.now() + int(lifetime_s)
        return token

    def read_keys(self, session: str) -> dict[str, Any]:
        """
        Return the keys of the server.

        :raises IamError: no agency is bound, or the session token is invalid.
        """
        now_s = self._clock.now()
        if self.mode == "no-agency":
            raise IamError(401, "Please configure Cloud Service Agency first")
        if self.mode == "session" and now_s >= self._sessions.get(session, 0.0):
            raise IamError(401, "The metadata token is missing or has expired.")
        if self._keys is None or self._keys.expires_s - now_s < _REPLACED_BEFORE_S:
            self._keys = self._iam.issue_keys(_SERVER_KEYS_S)
        return {
            "credential": {
                "access": self._keys.access_key,
                "secret": self._keys.secret_key,
                "securitytoken": self._keys.security_token,
                "expires_at": _iso(self._keys.expires_s),
            }
        }


class Iam:
    """
    Issues tokens and authenticates callers.

    :param clock: the clock by which tokens expire.
    :param lifetime_s: lifetime of a token in seconds.
    :param token_bytes: size of a token; real ones can exceed 8 KB.
    """

    def __init__(self, clock: Clock, *, lifetime_s: float = 86_400.0, token_bytes: int = 2_000) -> None:
        self._clock = clock
        self._tokens: dict[str, _Token] = {}
        self.lifetime_s = lifetime_s
        self.token_bytes = token_bytes
        self.password = PASSWORD
        self.secret_key = SECRET_KEY
        #: Whether the user may act through the agency.
        self.has_agency = True
        self._temporary_keys: dict[str, Keys] = {}
        self.metadata = Metadata(self, clock)

    def issue_keys(self, lifetime_s: float = 3600.0) -> Keys:
        """
        Issue temporary keys, which require their security token.

        :raises ValueError: the lifetime is invalid.
        """
        if isinstance(lifetime_s, bool) or not isinstance(lifetime_s, int | float) or lifetime_s <= 0:
            raise ValueError(f"lifetime_s must be greater than 0, not {lifetime_s!r}")
        access_key = f"EMULATEDTEMPORARY{len(self._temporary_keys):03}"
        keys = Keys(access_key, secrets.token_hex(20), secrets.token_hex(200), self._clock.now() + lifetime_s)
        self._temporary_keys[access_key] = keys
        return keys

    def find_keys(self, access_key: str, security_token: str | None) -> Keys | None:
        """Return the keys of a signed request, unless they have expired or the security token is wrong."""
        permanent = Keys(ACCESS_KEY, self.secret_key)
        keys = permanent if access_key == ACCESS_KEY else self._temporary_keys.get(access_key)
        is_valid = keys and keys.security_token == security_token and self._clock.now() < keys.expires_s
        return keys if is_valid else None

    def change(self, **details: Any) -> None:
        """
        Change attributes, and the mode of the metadata service.

        :raises ValueError: the name is unknown, or the value has the wrong type.
        """
        for name, value in details.items():
            kind = _CHANGES.get(name)
            is_known = name != "metadata" or value in METADATA_MODES
            if kind is None or not isinstance(value, kind) or not is_known:
                raise ValueError(f"{name}={value!r} is invalid; expected one of {', '.join(_CHANGES)}")
        for name, value in details.items():
            if name == "metadata":
                self.metadata.mode = value
            else:
                setattr(self, name, value)

    def issue(self, body: Mapping[str, Any], *, with_catalog: bool) -> tuple[str, dict[str, Any]]:
        """
        Return a token and the response body.

        :raises IamError: wrong user, password, domain or project.
        """
        auth = body["auth"]
        user = auth["identity"]["password"]["user"]
        is_user = user["name"] == USER and user["password"] == self.password
        if not is_user or not _names(user["domain"], DOMAIN, DOMAIN_ID):
            raise IamError(401, "The username or password is wrong.")
        return self._issue(auth["scope"], DOMAIN, DOMAIN_ID, with_catalog=with_catalog)

    def assume(
        self, body: Mapping[str, Any], token: str, *, with_catalog: bool
    ) -> tuple[str, dict[str, Any]]:
        """
        Return a token of the agency and the response body.

        :param token: that of the user who acts through the agency.
        :raises IamError: the token is invalid, or there is no such agency for the user.
        """
        if not self.knows(token):
            raise IamError(401, "The request you have made requires authentication.")
        auth = body["auth"]
        role = auth["identity"]["assume_role"]
        domain = {
            name.removeprefix("domain_"): role[name] for name in ("domain_name", "domain_id") if name in role
        }
        if role.get("xrole_name", role.get("agency_name")) != AGENCY or not _names(
            domain, AGENCY_DOMAIN, AGENCY_DOMAIN_ID
        ):
            raise IamError(404, "The agency does not exist.")
        if not self.has_agency:
            raise IamError(403, "You are not authorized to perform the requested action.")
        token, document = self._issue(
            auth["scope"], AGENCY_DOMAIN, AGENCY_DOMAIN_ID, with_catalog=with_catalog
        )
        user = {"name": USER, "domain": {"name": DOMAIN, "id": DOMAIN_ID}}
        document["token"] |= {"methods": ["assume_role"], "assumed_by": {"user": user}}
        return token, document

    def _issue(
        self, scope: Mapping[str, Any], domain: str, domain_id: str, *, with_catalog: bool
    ) -> tuple[str, dict[str, Any]]:
        if "domain" in scope and not _names(scope["domain"], domain, domain_id):
            raise IamError(401, "The user is not authorized for this domain.")
        project = scope.get("project")
        if project is not None and not (
            _names(project, PROJECT, PROJECT_ID) and _names(project.get("domain", {}), domain, domain_id)
        ):
            raise IamError(401, "The user is not authorized for this project.")
        token = "MII" + secrets.token_urlsafe(self.token_bytes)[: self.token_bytes - 3]
        now_s = self._clock.now()
        self._tokens[token] = _Token(now_s + self.lifetime_s, has_project=project is not None)
        return token, self._describe(now_s, domain, domain_id, project is not None, with_catalog)

    def list_projects(self, name: str | None = None) -> list[dict[str, Any]]:
        """Return the projects that the user can access, all or those of a name."""
        project = {
            "id": PROJECT_ID,
            "name": PROJECT,
            "domain_id": DOMAIN_ID,
            "parent_id": DOMAIN_ID,
            "is_domain": False,
            "enabled": True,
            "description": "",
        }
        return [project] if name in (None, PROJECT) else []

    def accept(self, token: str, expires_s: float | None = None) -> None:
        """Accept a token until an instant, including one that another IAM has issued."""
        self._tokens[token] = _Token(self._clock.now() + self.lifetime_s if expires_s is None else expires_s)

    def revoke_all(self) -> None:
        """Invalidate every token, as a password change does."""
        self._tokens.clear()

    def accepts(self, token: str) -> bool:
        """Return whether a token is valid now for the project, as DRS requires."""
        return self.knows(token) and self._tokens[token].has_project

    def knows(self, token: str) -> bool:
        """Return whether a token is valid now, whatever its scope."""
        return token in self._tokens and self._clock.now() < self._tokens[token].expires_s

    def _describe(
        self, now_s: float, domain_name: str, domain_id: str, has_project: bool, with_catalog: bool
    ) -> dict[str, Any]:
        domain = {"id": domain_id, "name": domain_name}
        scope = {"project": {"id": PROJECT_ID, "name": PROJECT, "domain": domain}}
        token: dict[str, Any] = {
            "methods": ["password"],
            "expires_at": _iso(now_s + self.lifetime_s),
            "issued_at": _iso(now_s),
            "user": {"id": "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a", "name": USER, "domain": domain},
            **(scope if has_project else {"domain": domain}),
            "roles": [{"id": "0", "name": "drs_admin"}],
        }
        if with_catalog:
            token["catalog"] = [{"id": "0", "name": "drs", "type": "drs", "endpoints": []}]
        return {"token": token}


def check_signature(
    iam: Iam, method: str, target: str, headers: Mapping[str, str], body: bytes, now_s: float
) -> None:
    """
    Check a request signed with the emulator's keys.

    :param iam: knows the keys.
    :param target: path and query as sent.
    :param headers: by lowercase name.
    :param now_s: real epoch seconds, because a signature contains the caller's time.
    :raises ApiError: the signature is wrong or too old.
    """
    parts = _parse_authorization(headers.get("authorization", ""))
    date = headers.get("x-sdk-date", "")
    names = parts.get("SignedHeaders", "").split(";")
    keys = iam.find_keys(parts.get("Access", ""), headers.get("x-security-token"))
    is_complete = "x-sdk-date" in names and ("x-security-token" in names or "x-security-token" not in headers)
    if keys is None or not is_complete:
        raise ApiError(
            "APIGW.0301", message="Incorrect IAM authentication information: verify aksk signature fail"
        )
    split = urlsplit(target)
    canonical = "\n".join(
        [
            method,
            _canonical_path(split.path),
            "&".join(
                f"{_quote(k)}={_quote(v)}" for k, v in sorted(parse_qsl(split.query, keep_blank_values=True))
            ),
            *(f"{name}:{headers.get(name, '').strip()}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    to_sign = "\n".join([_ALGORITHM, date, hashlib.sha256(canonical.encode()).hexdigest()])
    expected = hmac.new(keys.secret_key.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, parts.get("Signature", "")) or not _is_recent(date, now_s):
        raise ApiError(
            "APIGW.0301", message="Incorrect IAM authentication information: verify aksk signature fail"
        )


def _names(scope: Mapping[str, Any], name: str, identifier: str) -> bool:
    """Return whether a part of a scope with a name or an ID, or neither, is the one of these."""
    return (scope.get("name", name), scope.get("id", identifier)) == (name, identifier)


def _parse_authorization(value: str) -> dict[str, str]:
    scheme, _, parameters = value.partition(" ")
    if scheme != _ALGORITHM:
        return {}
    return dict(part.strip().partition("=")[::2] for part in parameters.split(","))


def _canonical_path(path: str) -> str:
    quoted = "/".join(_quote(segment) for segment in unquote(path).split("/"))
    return quoted if quoted.endswith("/") else f"{quoted}/"


def _quote(text: str) -> str:
    return quote(text, safe="~")


def _is_recent(date: str, now_s: float) -> bool:
    try:
        made = datetime.datetime.strptime(date, _DATE_FORMAT).replace(tzinfo=datetime.UTC)
    except ValueError:
        return False
    return abs(made.timestamp() - now_s) <= _LARGEST_SKEW_S


def _iso(epoch_s: float) -> str:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
