"""
Check a connection step by step.

Everything that a call needs is checked in the order in which it is needed, so that the result names the first
thing to fix.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from airflow_provider_drs.protocol.connection.auth import is_complete
from airflow_provider_drs.protocol.connection.grants import Outgoing
from airflow_provider_drs.protocol.connection.iam import build_unscoped_token
from airflow_provider_drs.protocol.connection.permissions import permissions_of
from airflow_provider_drs.protocol.connection.settings import Auth, Settings
from airflow_provider_drs.protocol.conversations import get_job_statuses
from airflow_provider_drs.protocol.core.errors import (
    DrsAuthError,
    DrsConfigError,
    DrsError,
    DrsJobNotFoundError,
    DrsPermissionError,
    DrsResponseError,
)
from airflow_provider_drs.protocol.core.wire import Response, encode_body
from airflow_provider_drs.transport.environment import find_proxy, find_verify, read_bundle
from airflow_provider_drs.transport.sync import RequestsTransport, SyncClient
from airflow_provider_drs.transport.tokens import TokenCache

# A job ID that does not exist: DRS answers a request about it only if the connection works.
_CANARY_JOB_ID = "00000000-0000-0000-0000-000000000000"
_IAM_OPERATIONS = (
    "KeystoneCreateUserTokenByPassword",
    "KeystoneCreateAgencyToken",
    "KeystoneListProjects",
)
_METADATA_OPERATIONS = ("GetSecurityKey", "GetMetadataToken")
#: A user waits for the result.
_MAX_WAIT_S = 15.0
# The gateway rejects signatures that are 15 minutes off.
_SIGNATURE_SKEW_S = 900.0
_NOTABLE_SKEW_S = 60.0
_WRONG_PROJECT = "DRS.M00261"
# The HTTP statuses of a server that is not IAM or DRS.
_NOT_THERE = (404, 405)
# OpenSSL's codes of certificate errors.
_NOT_YET_VALID, _EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 9, 10, 62, 64


class State(Enum):
    """The result of a check. After a FAIL no further check is made."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    The result of one check.

    :param step: what was checked.
    :param message: what was found.
    :param remedy: how to fix it; empty for OK.
    """

    step: str
    state: State
    message: str
    remedy: str = ""

    @property
    def is_network(self) -> bool:
        """Whether the check concerns the network and not the response of a service."""
        return self.step.endswith((" DNS", " connection", " TLS"))

    def __str__(self) -> str:
        """Return step, message and remedy as text."""
        return f"{self.step}: {self.message}" + (f" {self.remedy}" if self.remedy else "")

    def to_dict(self) -> dict[str, str]:
        """Return plain JSON values."""
        return asdict(self) | {"state": self.state.value}


def diagnose(settings: Settings) -> list[Finding]:
    """Return all findings of :func:`examine`."""
    return list(examine(settings))


def examine(settings: Settings) -> Iterator[Finding]:
    """
    Check everything that a call needs, up to the first failure. No finding contains a secret.

    Name resolution, proxy, connection, TLS and clock of IAM and DRS; then credentials, project and
    permission, with one token and one read request.
    """
    for finding in _run_checks(settings):
        yield finding
        if finding.state is State.FAIL:
            return


def _run_checks(settings: Settings) -> Iterator[Finding]:
    for text in settings.unknown_fields:
        yield Finding("connection", State.WARN, text)
    services = (("metadata", settings.metadata_url), ("IAM", settings.iam_url), ("DRS", settings.drs_url))
    for name, url in services:
        if url:
            yield from _NetworkChecks(settings, name, url).run()
    yield _check_access(replace(settings, retry_timeout_s=min(settings.retry_timeout_s, _MAX_WAIT_S)))


class _NetworkChecks:
    """The network checks of one service, which need no credentials."""

    def __init__(self, settings: Settings, name: str, url: str) -> None:
        self._settings = settings
        self._name = name
        self._url = urlsplit(url)
        self._host, self._port = _address(self._url)
        # The metadata service is on the host of this machine.
        self._proxy = None if url == settings.metadata_url else find_proxy(settings, url)
        self._timeout_s = min(settings.connect_timeout_s, _MAX_WAIT_S)
        derived = "extra.region and extra.cloud of the connection"
        self._field = {
            "metadata": "extra.metadata_endpoint, and that this process runs on a cloud server",
            "IAM": f"extra.iam_endpoint, or {derived}",
            "DRS": f"host, or {derived}",
        }[name]

    def run(self) -> Iterator[Finding]:
        yield self._resolve()
        yield self._connect()
        if self._url.scheme == "https":
            yield self._verify()
        with contextlib.suppress(OSError, http.client.HTTPException):
            yield from self._compare_clocks()

    def _finding(self, step: str, state: State, message: str, remedy: str = "") -> Finding:
        return Finding(f"{self._name} {step}", state, message, remedy)

    @property
    def _first_hop(self) -> tuple[str, int]:
        return _address(urlsplit(self._proxy)) if self._proxy else (self._host, self._port)

    def _resolve(self) -> Finding:
        host, port = self._first_hop
        whose = f"the proxy {host}" if self._proxy else host
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            remedy = f"Check {'the proxy' if self._proxy else self._field}, and this machine's DNS."
            return self._finding("DNS", State.FAIL, f"cannot resolve {whose} ({error}).", remedy)
        addresses = ", ".join(dict.fromkeys(str(address[4][0]) for address in found))
        return self._finding(
            "DNS", State.OK, f"{'proxy' if self._proxy else 'host'} name resolves ({addresses})."
        )

    def _connect(self) -> Finding:
        host, port = self._first_hop
        source = "extra.proxy" if self._settings.proxy else "HTTPS_PROXY or a related variable"
        route = f" through the proxy {host}:{port} of {source}" if self._proxy else ""
        try:
            self._open().close()
        except (OSError, http.client.HTTPException) as error:
            message = f"cannot connect to {self._host}:{self._port}{route} ({_describe(error)})."
            remedy = (
                f"Check the proxy, its credentials and its rules, or add {self._host} to NO_PROXY."
                if self._proxy
                else f"Check {self._field}, the firewall, and whether a proxy is required (extra.proxy)."
            )
            return self._finding("connection", State.FAIL, message, remedy)
        return self._finding("connection", State.OK, f"{self._host}:{self._port} accepts connections{route}.")

    def _verify(self) -> Finding:
        try:
            context = _make_context(self._settings)
        except DrsConfigError as error:
            return self._finding("TLS", State.FAIL, str(error))
        try:
            with self._open(context) as connection:
                version = connection.version()
        except ssl.SSLCertVerificationError as error:
            return self._explain(error)
        except (OSError, http.client.HTTPException) as error:
            message = f"the TLS handshake with {self._host}:{self._port} failed ({_describe(error)})."
            proxy = f", and the proxy {urlsplit(self._proxy).hostname}" if self._proxy else ""
            return self._finding(
                "TLS", State.FAIL, message, f"Check the port and the scheme of {self._field}{proxy}."
            )
        if self._settings.verify is False:
            message = f"{version}; the certificate is not verified."
            remedy = "Set extra.verify to true, or to the path of a CA bundle."
            return self._finding("TLS", State.WARN, message, remedy)
        return self._finding("TLS", State.OK, f"{version}; the certificate is valid.")

    def _explain(self, error: ssl.SSLCertVerificationError) -> Finding:
        shown = self._read_certificate()
        names, issuer = shown.get("names", "other names"), shown.get("issuer", "an unknown authority")
        if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
            message = f"the certificate is valid only from {shown.get('begins')} to {shown.get('ends')}."
            remedy = (
                "Check this machine's clock. If it is correct, ask the endpoint's operator to renew the "
                "certificate."
            )
        elif error.verify_code in (_WRONG_NAME, _WRONG_ADDRESS):
            message = f"the certificate is for {names}, not for {self._host}."
            remedy = f"Use one of these names: check {self._field}."
        else:
            message = f"the certificate's issuer {issuer} is not trusted ({error.verify_message})."
            remedy = (
                "Set extra.verify to the path of a CA bundle that contains this issuer. If a proxy "
                "inspects TLS, the issuer is that of the proxy."
            )
        return self._finding("TLS", State.FAIL, message, remedy)

    def _read_certificate(self) -> dict[str, str]:
        """Return the fields of the rejected certificate. Nothing is sent on this connection."""
        from cryptography import x509

        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            with self._open(context) as connection:
                shown = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        names = []
        with contextlib.suppress(x509.ExtensionNotFound):
            extension = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            names = [str(name.value) for name in extension.value]
        return {
            "names": ", ".join(names) or shown.subject.rfc4514_string(),
            "issuer": shown.issuer.rfc4514_string(),
            "begins": f"{shown.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            "ends": f"{shown.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
        }

    def _compare_clocks(self) -> Iterator[Finding]:
        """Send a request without credentials: every response has a date."""
        secure = self._url.scheme == "https"
        connection = self._open(_make_context(self._settings) if secure else None)
        with connection:
            through = "" if secure or not self._proxy else f"{self._url.scheme}://{self._url.netloc}"
            request = f"GET {through}{self._url.path or '/'} HTTP/1.1\r\nHost: {self._url.netloc}\r\n"
            connection.sendall(f"{request}Connection: close\r\nAccept: application/json\r\n\r\n".encode())
            response = http.client.HTTPResponse(connection)
            response.begin()
            date = response.headers.get("Date")
        try:
            skew_s = parsedate_to_datetime(str(date)).timestamp() - time.time()
        except ValueError:
            return
        message = f"this machine's clock is {abs(skew_s):.0f} s {'behind' if skew_s > 0 else 'ahead'}."
        if abs(skew_s) < _NOTABLE_SKEW_S:
            yield self._finding("clock", State.OK, "this machine's clock is correct.")
        elif self._settings.auth in (Auth.AKSK, Auth.METADATA) and abs(skew_s) >= _SIGNATURE_SKEW_S:
            remedy = "Synchronize the clock: DRS rejects signatures that are 15 minutes off."
            yield self._finding("clock", State.FAIL, message, remedy)
        else:
            yield self._finding(
                "clock", State.WARN, message, "Synchronize the clock: TLS checks depend on it."
            )

    def _open(self, context: ssl.SSLContext | None = None) -> Any:
        """
        Return a socket to the service, through the proxy if there is one, and with TLS if *context* is given.
        """
        connection = http.client.HTTPConnection(*self._first_hop, timeout=self._timeout_s)
        if self._proxy and self._url.scheme == "https":
            connection.set_tunnel(self._host, self._port, headers=_proxy_headers(urlsplit(self._proxy)))
        connection.connect()
        return (
            context.wrap_socket(connection.sock, server_hostname=self._host) if context else connection.sock
        )


def _check_access(settings: Settings) -> Finding:
    """Get a token and send one read request, as every task does."""
    client = SyncClient(settings, tokens=TokenCache())
    limits = settings.make_limits()
    try:
        answer = client.run(get_job_statuses(limits, [_CANARY_JOB_ID]))[_CANARY_JOB_ID]
    except DrsError as error:
        answer = error
    finally:
        client.close()
    # Only a working DRS that accepts the credentials reports that the job does not exist.
    if not isinstance(answer, DrsError) or isinstance(answer, DrsJobNotFoundError):
        who = "DRS" if is_complete(settings) or settings.auth is Auth.METADATA else "IAM"
        return Finding("DRS", State.OK, f"{who} accepts the credentials, and DRS responds.")
    if isinstance(answer, DrsConfigError):
        return Finding("IAM project", State.FAIL, str(answer))
    if answer.operation in _METADATA_OPERATIONS:
        return Finding("metadata credentials", State.FAIL, str(answer))
    if answer.operation in _IAM_OPERATIONS:
        return _explain_iam(settings, answer)
    return _explain_drs(settings, answer)


def _explain_iam(settings: Settings, error: DrsError) -> Finding:
    if isinstance(error, DrsAuthError):
        is_user = settings.auth is Auth.PASSWORD and not settings.agency_name
        projects = _list_projects(settings) if is_user else None
        if projects is None:
            is_agency = error.operation == "KeystoneCreateAgencyToken"
            return Finding(f"IAM {'agency' if is_agency else 'credentials'}", State.FAIL, str(error))
        wanted = settings.project_id or settings.project_name
        field = "project_id" if settings.project_id else "project_name or region"
        known = f" Its projects: {', '.join(projects)}." if projects else ""
        return Finding(
            "IAM project",
            State.FAIL,
            f"user {settings.login!r} has no access to project {wanted!r}.{known}",
            f"Check extra.{field} (a project belongs to one region), or ask for a role in the project.",
        )
    if isinstance(error, DrsResponseError) or error.http_status in _NOT_THERE:
        message = f"{settings.iam_url} responds, but is not an IAM endpoint ({error})."
        remedy = "Set extra.iam_endpoint to the base URL of IAM, with or without /v3."
        return Finding("IAM", State.FAIL, message, remedy)
    return Finding("IAM", State.FAIL, str(error))


def _list_projects(settings: Settings) -> list[str] | None:
    """Return the projects of the user; ``None`` if IAM rejects the user without a project, too."""
    request = build_unscoped_token(settings)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    transport = RequestsTransport(settings)
    try:
        outgoing = Outgoing(
            request.method, settings.iam_url + request.path, headers, encode_body(request.body)
        )
        answer = transport.send(outgoing, _MAX_WAIT_S)
        if not isinstance(answer, Response) or not answer.headers.get("x-subject-token"):
            return None
        headers = headers | {"X-Auth-Token": answer.headers["x-subject-token"]}
        outgoing = Outgoing("GET", f"{settings.iam_url}/v3/auth/projects", headers, b"")
        listed = transport.send(outgoing, _MAX_WAIT_S)
        projects = json.loads(listed.body)["projects"] if isinstance(listed, Response) else []
        return sorted(f"{project['name']} ({project['id']})" for project in projects)
    except (ValueError, KeyError, TypeError):
        return []
    finally:
        transport.close()


def _explain_drs(settings: Settings, error: DrsError) -> Finding:
    if error.error_code == _WRONG_PROJECT:
        return Finding("DRS project", State.FAIL, str(error))
    if isinstance(error, DrsPermissionError):
        who = f"user {settings.login!r}" if settings.login else "owner of the credentials"
        if settings.agency_name:
            who = f"agency {settings.agency_name!r}"
        needed = ", ".join(permissions_of("BatchListJobStatus", settings.cloud))
        remedy = (
            f"Ask the account's administrator to grant {needed}, and the permissions of the operators that "
            "you use (drs doctor --permissions lists them)."
        )
        return Finding("DRS permission", State.FAIL, f"DRS denied access to the {who} ({error}).", remedy)
    if isinstance(error, DrsAuthError):
        return Finding("DRS credentials", State.FAIL, str(error))
    is_foreign = error.http_status in _NOT_THERE and not str(error.error_code).startswith("DRS.")
    if isinstance(error, DrsResponseError) or is_foreign:
        message = f"{settings.drs_url} responds, but is not DRS ({error})."
        remedy = "Set host to the DRS endpoint of your region, not to a console, portal or proxy."
        return Finding("DRS", State.FAIL, message, remedy)
    return Finding("DRS", State.FAIL, str(error))


def _address(url: SplitResult) -> tuple[str, int]:
    return url.hostname or "", url.port or (443 if url.scheme == "https" else 80)


def _make_context(settings: Settings) -> ssl.SSLContext:
    """Return the TLS context that the hooks use."""
    verify = find_verify(settings)
    if verify is not False:
        return read_bundle(settings, verify if isinstance(verify, str) else DEFAULT_CA_BUNDLE_PATH)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _describe(error: BaseException) -> str:
    return str(error) or type(error).__name__
