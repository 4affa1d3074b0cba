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

from airflow_provider_drs.emulator.api.errors import ApiError
from airflow_provider_drs.emulator.world.clock import Clock
from airflow_provider_drs.emulator.world.world import PROJECT_ID

DOMAIN = "emulator-domain"
DOMAIN_ID = "d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0"
USER = "drs-user"
PASSWORD = "emulator-password"  # not a secret: it opens nothing but this emulator
PROJECT = "eu-de"
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
        titles = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden"}
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


class Iam:
    """
    Issues tokens and authenticates callers.

    :param clock: the clock by which tokens expire.
    :param lifetime_s: lifetime of a token in seconds.
    :param token_bytes: size of a token; real ones can exceed 8 KB.
    """

    def __init__(self, clock: Clock, *, lifetime_s: float = 86_400.0, token_bytes: int = 2_000) -> None:
        self._clock = clock
        self._expiry_by_token: dict[str, float] = {}
        self.lifetime_s = lifetime_s
        self.token_bytes = token_bytes
        self.password = PASSWORD
        self._temporary_keys: dict[str, Keys] = {}

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
        permanent = Keys(ACCESS_KEY, SECRET_KEY)
        keys = permanent if access_key == ACCESS_KEY else self._temporary_keys.get(access_key)
        is_valid = keys and keys.security_token == security_token and self._clock.now() < keys.expires_s
        return keys if is_valid else None

    def change(self, **details: Any) -> None:
        """
        Change ``lifetime_s``, ``token_bytes`` or ``password`` for future tokens.

        :raises ValueError: the name is unknown, or the value has the wrong type.
        """
        for name, value in details.items():
            kind = {"lifetime_s": int | float, "token_bytes": int, "password": str}.get(name)
            if kind is None or not isinstance(value, kind):
                raise ValueError(f"{name}={value!r} is invalid; expected lifetime_s, token_bytes or password")
        for name, value in details.items():
            setattr(self, name, value)

    def issue(self, body: Mapping[str, Any], *, with_catalog: bool) -> tuple[str, dict[str, Any]]:
        """
        Return a token and the response body.

        :raises IamError: wrong user, password, domain or project.
        """
        auth = body["auth"]
        user, project = auth["identity"]["password"]["user"], auth["scope"]["project"]
        domain = user["domain"]
        is_user = user["name"] == USER and user["password"] == self.password
        if not is_user or (domain.get("name", DOMAIN), domain.get("id", DOMAIN_ID)) != (DOMAIN, DOMAIN_ID):
            raise IamError(401, "The username or password is wrong.")
        if (project.get("name", PROJECT), project.get("id", PROJECT_ID)) != (PROJECT, PROJECT_ID):
            raise IamError(401, "The user is not authorized for this project.")
        token = "MII" + secrets.token_urlsafe(self.token_bytes)[: self.token_bytes - 3]
        now_s = self._clock.now()
        self.accept(token, now_s + self.lifetime_s)
        return token, self._describe(now_s, with_catalog)

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
        self._expiry_by_token[token] = self._clock.now() + self.lifetime_s if expires_s is None else expires_s

    def revoke_all(self) -> None:
        """Invalidate every token, as a password change does."""
        self._expiry_by_token.clear()

    def accepts(self, token: str) -> bool:
        """Return whether a token is valid now."""
        return self._clock.now() < self._expiry_by_token.get(token, 0.0)

    def _describe(self, now_s: float, with_catalog: bool) -> dict[str, Any]:
        domain = {"id": DOMAIN_ID, "name": DOMAIN}
        token: dict[str, Any] = {
            "methods": ["password"],
            "expires_at": _iso(now_s + self.lifetime_s),
            "issued_at": _iso(now_s),
            "user": {"id": "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a", "name": USER, "domain": domain},
            "project": {"id": PROJECT_ID, "name": PROJECT, "domain": domain},
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
