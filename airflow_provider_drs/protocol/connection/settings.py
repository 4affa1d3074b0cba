"""The settings of an Airflow connection: endpoints, credentials, and limits of calls."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.core.errors import DrsConfigError, quote

E = TypeVar("E", bound=Enum)

#: The service's recommendation on the pages on pre-checks and connection tests.
DEFAULT_BATCH_SIZE = 10
#: Half of the documented maximum.
DEFAULT_POLL_BATCH_SIZE = 50
LARGEST_BATCH = 100
#: Chosen. It is halved when DRS reports too many requests.
DEFAULT_PARALLEL = 4
MOST_PARALLEL = 16

LANGUAGES = ("en-us", "zh-cn")

#: The fields of the connection's extra.
EXTRA_FIELDS = (
    "auth", "cloud", "region", "iam_endpoint", "domain_name", "domain_id", "project_id", "project_name",
    "security_token", "agency_name", "agency_domain_name", "metadata_endpoint", "language", "verify", "proxy",
    "allow_http", "console_url", "connect_timeout", "read_timeout", "retry_timeout", "batch_size",
    "poll_batch_size", "parallel_requests",
)  # fmt: skip

#: Parts of host names and paths are restricted to letters that every URL parser reads in the same way:
#: otherwise a library could send a token to another host than the validated one.
WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NETLOC = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?"
)
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*/*")
_LARGEST_PORT = 65_535
#: Where a cloud server reads its own metadata.
_METADATA_URL = "http://169.254.169.254"


class Auth(Enum):
    """How requests are authorized."""

    PASSWORD = "password"
    AKSK = "aksk"
    TOKEN = "token"
    METADATA = "metadata"


class Cloud(Enum):
    """The cloud. The value is that of the connection."""

    OTC = "otc"
    HUAWEI = "huaweicloud"

    def endpoint(self, service: str, region: str) -> str:
        """Return the URL of a service in a region."""
        place = PLACES.get((self.value, region)) or PLACES[self.value, ""]
        return f"https://{place.names.get(service, service)}.{region}.{place.domain}"

    @property
    def console_url(self) -> str:
        """Return the base URL of the console."""
        return "https://console.otc.t-systems.com" if self is Cloud.OTC else "https://console.huaweicloud.com"


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where the services of a cloud or region are.

    :param domain: the end of their host names.
    :param names: the host names of services that differ from the service's name.
    """

    domain: str
    names: Mapping[str, str] = field(default_factory=dict)


#: The endpoints by cloud and region; an empty region means all other regions of the cloud.
PLACES: Mapping[tuple[str, str], Place] = {
    ("otc", ""): Place("otc.t-systems.com"),
    ("otc", "eu-ch2"): Place("sc.otc.t-systems.com", {"iam": "iam-pub"}),
    ("huaweicloud", ""): Place("myhuaweicloud.com"),
    ("huaweicloud", "eu-west-101"): Place("myhuaweicloud.eu"),
}
#: Availability zones: eu-de-01 of region eu-de, cn-north-4a of region cn-north-4.
_ZONE = re.compile(r"([a-z]{2}-[a-z]+\d?)-0\d|([a-z]{2}-[a-z]+-\d+)[a-z]")


@dataclass(frozen=True, slots=True)
class Settings:
    """
    A validated connection. Times are in seconds.

    ``secret`` is the password, secret key or token, depending on ``auth``; ``security_token`` belongs to
    temporary keys. Without ``project_id`` the project of the token is used, or with keys the one that IAM
    lists under ``project_name``. With ``agency_name``, the user acts through an agency of the account
    ``agency_domain_name``, which then owns the project.
    """

    conn_id: str
    auth: Auth
    drs_url: str
    iam_url: str
    region: str
    login: str
    secret: str = field(repr=False)
    domain_name: str
    domain_id: str
    project_id: str
    project_name: str
    language: str = "en-us"
    verify: bool | str = True
    proxy: str | None = field(default=None, repr=False)
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    retry_timeout_s: float = 300.0
    batch_size: int = DEFAULT_BATCH_SIZE
    poll_batch_size: int = DEFAULT_POLL_BATCH_SIZE
    parallel_requests: int = DEFAULT_PARALLEL
    console_url: str = Cloud.OTC.console_url
    security_token: str = field(default="", repr=False)
    unknown_fields: tuple[str, ...] = ()
    cloud: Cloud = Cloud.OTC
    agency_name: str = ""
    agency_domain_name: str = ""
    metadata_url: str = ""

    def make_limits(self) -> Limits:
        """Return the limits of the calls of one client."""
        return Limits(self.batch_size, self.poll_batch_size, self.retry_timeout_s, self.parallel_requests)

    @property
    def has_padded_secret(self) -> bool:
        """Whether the secret begins or ends with a space or line break, as mounted secrets often do."""
        return self.secret != self.secret.strip()

    @property
    def identity(self) -> str:
        """
        Return a key that is equal for equal credentials and scope, and reveals none of them.

        A changed password is another identity, which does not use tokens of the old one.
        """
        parts = (self.iam_url, self.auth.value, self.login, self.secret, self.domain_name, self.domain_id)
        scope = (self.project_id, self.project_name, str(self.verify), str(self.proxy), self.security_token)
        source = (self.agency_name, self.agency_domain_name, self.metadata_url)
        return hashlib.sha256(json.dumps([*parts, *scope, *source]).encode()).hexdigest()

    def has_other_credentials(self, other: Settings) -> bool:
        """Whether *other* differs in login and secrets, and calls the same project at the same endpoint."""
        scope = ("drs_url", "iam_url", "project_id", "project_name", "agency_name", "agency_domain_name")
        own = ("auth", "login", "secret", "security_token", "domain_name", "domain_id", "metadata_url")
        is_same_place = all(getattr(self, name) == getattr(other, name) for name in scope)
        return is_same_place and any(getattr(self, name) != getattr(other, name) for name in own)


@dataclass(frozen=True, slots=True)
class Overrides:
    """Arguments of a hook, which override the connection's extra."""

    project_id: str | None = None
    region: str | None = None
    language: str | None = None


def read_settings(
    conn_id: str,
    *,
    host: str | None,
    port: int | None,
    login: str | None,
    password: str | None,
    extra: Mapping[str, Any],
    overrides: Overrides | None = None,
    schema: str | None = None,
) -> Settings:
    """
    Return the settings of a connection.

    :param extra: the connection's extra as a mapping.
    :param overrides: the hook's arguments.
    :raises DrsConfigError: a field is missing, unknown or contradictory; the message names it and the
        connection.
    """
    return _Reader(conn_id, dict(extra), overrides or Overrides()).read(host, port, login, password, schema)


def read_extra(conn_id: str, extra: object, *, what: str = "extra") -> dict[str, Any]:
    """
    Return the extra of a connection: a mapping, or the text of a JSON object.

    :param what: its name, for the error.
    :raises DrsConfigError: it is something else.
    """
    try:
        found = json.loads(extra) if isinstance(extra, str) and extra else extra or {}
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        raise DrsConfigError(f"connection {conn_id!r}: {what} is not a JSON object.")
    return dict(found)


def _describe_unknown(extra: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a text for each field that has no meaning, with the most similar known field."""
    texts = []
    for name in extra:
        # Airflow 2 stores fields of its form with a prefix, and the whole extra again.
        plain = name.removeprefix("extra__drs__")
        if plain != name and plain not in extra and extra[name] not in (None, ""):
            texts.append(f"extra.{quote(name)[1:-1]} is ignored. Name it {quote(plain)[1:-1]}.")
        elif name not in EXTRA_FIELDS and not name.startswith(("extra__", "__")):
            similar = get_close_matches(name.lower(), EXTRA_FIELDS, n=1)
            hint = f"Did you mean {similar[0]}?" if similar else "Remove it, or check its spelling."
            texts.append(f"extra.{quote(name)[1:-1]} is unknown and ignored. {hint}")
    return tuple(texts)


def is_loopback(host: str) -> bool:
    """Whether requests to a host never leave this machine."""
    address = _read_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def is_on_this_host(host: str) -> bool:
    """Whether requests to a host stay on this machine, or on the server that runs it as a virtual machine."""
    address = _read_address(host)
    return is_loopback(host) or (address is not None and address.is_link_local)


def _read_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


class _Reader:
    """Reads one connection. Every error names the connection and the field, and never a secret value."""

    def __init__(self, conn_id: str, extra: dict[str, Any], overrides: Overrides) -> None:
        self._conn_id = conn_id
        self._extra = extra
        self._overrides = overrides
        # Validated even if it is not used: an invalid value must not go unnoticed.
        self._allows_http = self._flag("allow_http")

    def read(
        self, host: str | None, port: int | None, login: str | None, password: str | None, schema: str | None
    ) -> Settings:
        auth = self._choice("auth", Auth, Auth.PASSWORD)
        cloud = self._choice("cloud", Cloud, Cloud.OTC)
        region = self._region()
        project_id = self._word("project_id", self._overrides.project_id)
        self._check_credentials(auth, login, password)
        domain_name, domain_id = self._text("domain_name"), self._text("domain_id")
        project_name = self._text("project_name") or region
        agency_name, agency_domain_name = self._agency(auth)
        self._check_project(auth, project_id, project_name, has_agency=bool(agency_name))
        if auth is Auth.PASSWORD:
            self._check_domain(domain_name, domain_id)
        needs_iam = auth is Auth.PASSWORD or bool(agency_name) or not project_id
        iam_url = self._iam_url(cloud, region) if needs_iam else ""
        drs_url = self._drs_url(host, port, schema, cloud, region)
        return Settings(
            conn_id=self._conn_id,
            auth=auth,
            drs_url=drs_url,
            iam_url=iam_url,
            region=region,
            login=login or "",
            secret=password or "",
            domain_name=domain_name,
            domain_id=domain_id,
            project_id=project_id,
            project_name=project_name,
            language=self._language(),
            verify=self._verify(),
            proxy=self._proxy(drs_url, iam_url),
            connect_timeout_s=self._seconds("connect_timeout", 10.0),
            read_timeout_s=self._seconds("read_timeout", 60.0),
            retry_timeout_s=self._seconds("retry_timeout", 300.0),
            batch_size=self._count("batch_size", DEFAULT_BATCH_SIZE, LARGEST_BATCH),
            poll_batch_size=self._count("poll_batch_size", DEFAULT_POLL_BATCH_SIZE, LARGEST_BATCH),
            parallel_requests=self._count("parallel_requests", DEFAULT_PARALLEL, MOST_PARALLEL),
            console_url=self._console_url(cloud),
            security_token=self._security_token(auth),
            unknown_fields=_describe_unknown(self._extra),
            cloud=cloud,
            agency_name=agency_name,
            agency_domain_name=agency_domain_name,
            metadata_url=self._metadata_url(auth),
        )

    def _error(self, text: str) -> DrsConfigError:
        return DrsConfigError(f"connection {self._conn_id!r}: {text}")

    def _text(self, name: str) -> str:
        value = self._extra.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._error(f"extra.{name} must be a string, not {type(value).__name__}.")
        return value.strip()

    def _word(self, name: str, given: str | None) -> str:
        """Return a string that becomes part of a URL: the hook's argument, else the connection's."""
        word = given or self._text(name)
        if word and not WORD.fullmatch(word):
            whose = name if given else f"extra.{name}"
            raise self._error(f"{whose} must be 1 to 64 letters, digits, hyphens and underscores.")
        return word

    def _region(self) -> str:
        region = self._word("region", self._overrides.region).lower()
        if zone := _ZONE.fullmatch(region):
            raise self._error(
                f"extra.region {region!r} is an availability zone. Set it to the region, "
                f"{zone[1] or zone[2]}."
            )
        return region

    def _choice(self, name: str, kind: type[E], default: E) -> E:
        word = self._text(name).lower()
        try:
            return kind(word) if word else default
        except ValueError:
            known = ", ".join(member.value for member in kind)
            raise self._error(f"extra.{name} {word!r} is unknown. Use one of {known}.") from None

    def _security_token(self, auth: Auth) -> str:
        token = self._text("security_token")
        if token and auth is not Auth.AKSK:
            raise self._error(
                f"extra.security_token requires extra.auth={Auth.AKSK.value}, not {auth.value}. It belongs "
                "to a temporary access key and secret key."
            )
        if token and not _is_header_text(token):
            raise self._error(
                "extra.security_token contains a character that is not allowed in an HTTP header, such as a "
                "line break. Remove this character."
            )
        return token

    def _check_credentials(self, auth: Auth, login: str | None, password: str | None) -> None:
        wants = {
            Auth.PASSWORD: ("the IAM user name", "the IAM user's password"),
            Auth.AKSK: ("the access key", "the secret key"),
            Auth.TOKEN: (None, "the IAM token"),
            Auth.METADATA: (None, None),
        }
        login_means, password_means = wants[auth]
        if password_means is None:
            if login or password:
                raise self._error(
                    f"login and password must be empty with extra.auth={auth.value}, which uses the keys of "
                    "the cloud server. Remove them, or choose another extra.auth."
                )
            return
        if login_means and not login:
            raise self._error(f"login is empty. With extra.auth={auth.value}, set it to {login_means}.")
        if not password:
            raise self._error(f"password is empty. With extra.auth={auth.value}, set it to {password_means}.")
        if auth is not Auth.PASSWORD and not (_is_header_text(login or "") and _is_header_text(password)):
            raise self._error(
                "login or password contains a character that is not allowed in an HTTP header, such as a "
                "line break, or starts or ends with a space. Remove this character."
            )

    def _agency(self, auth: Auth) -> tuple[str, str]:
        agency_name, domain_name = self._text("agency_name"), self._text("agency_domain_name")
        if bool(agency_name) != bool(domain_name):
            missing = "agency_domain_name" if agency_name else "agency_name"
            raise self._error(
                f"extra.{missing} is missing. An agency requires extra.agency_name and "
                "extra.agency_domain_name, the account that has created it."
            )
        if agency_name and auth not in (Auth.PASSWORD, Auth.TOKEN):
            raise self._error(
                f"extra.agency_name requires extra.auth={Auth.PASSWORD.value} or {Auth.TOKEN.value}, not "
                f"{auth.value}."
            )
        return agency_name, domain_name

    def _metadata_url(self, auth: Auth) -> str:
        given = self._text("metadata_endpoint")
        if given and auth is not Auth.METADATA:
            raise self._error(
                f"extra.metadata_endpoint requires extra.auth={Auth.METADATA.value}, not {auth.value}."
            )
        if auth is not Auth.METADATA:
            return ""
        return self._url("extra.metadata_endpoint", given or _METADATA_URL, "http", None, is_on_this_host)

    def _check_project(self, auth: Auth, project_id: str, project_name: str, *, has_agency: bool) -> None:
        if auth is Auth.TOKEN and not project_id and not has_agency:
            raise self._error(f"extra.project_id is missing. It is required with extra.auth={auth.value}.")
        if not project_id and not project_name:
            raise self._error(
                "the project is missing. Set extra.region, extra.project_name or extra.project_id."
            )

    def _check_domain(self, domain_name: str, domain_id: str) -> None:
        if not domain_name and not domain_id:
            raise self._error(
                "extra.domain_name is missing. Set it, or extra.domain_id, to the account that owns the "
                "IAM user."
            )
        if domain_name and domain_id:
            raise self._error("extra.domain_name and extra.domain_id are both set. Remove one of them.")

    def _drs_url(
        self, host: str | None, port: int | None, schema: str | None, cloud: Cloud, region: str
    ) -> str:
        if host:
            scheme = (
                schema.strip().lower() if schema and schema.strip().lower() in ("http", "https") else "https"
            )
            return self._url("host", host, scheme, port).removesuffix("/v3")
        if not region:
            raise self._error("host and extra.region are both missing. Set the DRS endpoint or the region.")
        return cloud.endpoint("drs", region)

    def _iam_url(self, cloud: Cloud, region: str) -> str:
        given = self._text("iam_endpoint")
        if given:
            return self._url("extra.iam_endpoint", given, "https", None).removesuffix("/v3")
        if not region:
            raise self._error(
                "extra.region is missing. Set it, or set extra.iam_endpoint to the base URL of IAM."
            )
        return cloud.endpoint("iam", region)

    def _console_url(self, cloud: Cloud) -> str:
        given = self._text("console_url")
        return self._url("extra.console_url", given, "https", None) if given else cloud.console_url

    def _url(
        self,
        name: str,
        given: str,
        scheme: str,
        port: int | None,
        is_private: Callable[[str], bool] = is_loopback,
    ) -> str:
        """
        Return a base URL, normalized.

        :param is_private: whether plain http to a host is safe.
        """
        text = given.strip()
        try:
            parts = urlsplit(text if "://" in text else f"{scheme}://{text}")
            own_port = parts.port
        except ValueError:
            raise self._error(f"{name} is not a URL or host[:port].") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise self._error(f"{name} is not an http(s) URL or host[:port].")
        if "@" in parts.netloc or "?" in text or "#" in text:
            raise self._error(f"{name} must not have a user, query or fragment.")
        # urlsplit removes line breaks and tabs, so the given text is checked, too.
        is_plain = _is_header_text(text) and " " not in text
        if not (is_plain and _NETLOC.fullmatch(parts.netloc) and _PATH.fullmatch(parts.path)):
            raise self._error(f"{name} has a character or path segment that is not allowed.")
        if own_port == 0 or not 0 <= (port or 0) <= _LARGEST_PORT:
            raise self._error(f"the port of {name} must be from 1 to {_LARGEST_PORT}.")
        if parts.scheme == "http" and not (is_private(parts.hostname) or self._allows_http):
            raise self._error(
                f"{name} would send credentials to {parts.hostname} without TLS. Use https, "
                "or set extra.allow_http to true to accept that."
            )
        suffix = f":{port}" if port and not own_port else ""
        return f"{parts.scheme}://{parts.netloc}{suffix}{parts.path}".rstrip("/")

    def _language(self) -> str:
        word = (self._overrides.language or self._text("language") or LANGUAGES[0]).lower()
        if word not in LANGUAGES:
            raise self._error(f"language {word!r} is unknown. Use one of {', '.join(LANGUAGES)}.")
        return word

    def _verify(self) -> bool | str:
        value = self._extra.get("verify")
        if isinstance(value, str) and value.strip() and value.strip().lower() not in ("true", "false"):
            return value.strip()
        return self._flag("verify", default=True)

    def _proxy(self, *urls: str) -> str | None:
        proxy = self._text("proxy")
        if not proxy:
            return None
        try:
            parts = urlsplit(proxy)
        except ValueError:
            parts = urlsplit("")
        is_url = parts.scheme in ("http", "https") and parts.hostname and _is_header_text(proxy)
        if not is_url or " " in proxy:
            raise self._error("extra.proxy must be a URL such as http://proxy.example:3128.")
        is_plain = any(url.startswith("http://") for url in urls)
        if is_plain and not (is_loopback(parts.hostname or "") or self._allows_http):
            raise self._error(
                "extra.proxy could read credentials that are sent without TLS. Use https, or set "
                "extra.allow_http to true to accept that."
            )
        return proxy

    def _flag(self, name: str, *, default: bool = False) -> bool:
        value = self._extra.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true"
        raise self._error(f"extra.{name} must be true or false.")

    def _number(self, name: str) -> float | None:
        value = self._extra.get(name)
        if value is None or value == "":
            return None
        try:
            if isinstance(value, bool):
                raise ValueError
            return float(value)
        except (TypeError, ValueError):
            raise self._error(f"extra.{name} must be a number.") from None

    def _seconds(self, name: str, default: float) -> float:
        number = self._number(name)
        if number is None:
            return default
        if not 0 < number < float("inf"):
            raise self._error(f"extra.{name} must be a number of seconds above 0.")
        return number

    def _count(self, name: str, default: int, most: int) -> int:
        number = self._number(name)
        if number is None:
            return default
        if not 1 <= number <= most or number != int(number):
            raise self._error(f"extra.{name} must be a whole number from 1 to {most}.")
        return int(number)


def _is_header_text(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip()
