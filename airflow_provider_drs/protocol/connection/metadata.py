"""
The metadata service of a cloud server, which has the temporary keys of the agency that is bound to it.

Source: "Obtaining ECS details using metadata" of the ECS user guide; the session token as in the vendor's
SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from airflow_provider_drs.protocol.connection.grants import Grant
from airflow_provider_drs.protocol.connection.iam import read_instant
from airflow_provider_drs.protocol.connection.settings import Settings
from airflow_provider_drs.protocol.core.errors import (
    DrsAuthError,
    DrsError,
    DrsPermissionError,
    DrsRequestError,
    DrsResponseError,
)
from airflow_provider_drs.protocol.core.exchange import Budget, exchange_repeatable
from airflow_provider_drs.protocol.core.wire import Conversation, Keys, Request, Response, Service

_REFUSED = (DrsAuthError, DrsPermissionError, DrsRequestError)
#: The message of HTTP 401 for a server without an agency, as the vendor's SDK recognizes it.
_NO_AGENCY = "Please configure Cloud Service Agency first"
_SESSION_S = 3600


def get_keys(settings: Settings) -> Conversation[Grant]:
    """
    Return the temporary keys of the server. They are valid for an hour, and replaced 10 minutes before.

    :raises DrsAuthError: the metadata service has no keys, because no agency is bound to the server.
    :raises DrsUnavailableError: no valid response within ``retry_timeout``; outside a cloud server, there is
        no metadata service.
    """
    budget = Budget(settings.retry_timeout_s)
    try:
        return (yield from exchange_repeatable(_build_keys({}), budget, _parse_keys))
    except _REFUSED as error:
        if error.http_status != 401 or _NO_AGENCY in str(error.error_msg):
            raise _explain(error, settings) from error
    # The server requires a session token.
    try:
        token = yield from exchange_repeatable(_SESSION, budget, lambda document, _: str(document["token"]))
        return (yield from exchange_repeatable(_build_keys({"X-Metadata-Token": token}), budget, _parse_keys))
    except _REFUSED as error:
        raise _explain(error, settings) from error


_SESSION = Request(
    "GetMetadataToken",
    "PUT",
    "/meta-data/latest/api/token",
    None,
    repeatable=True,
    service=Service.METADATA,
    headers={"X-Metadata-Token-Ttl-Seconds": str(_SESSION_S)},
)


def _build_keys(headers: Mapping[str, str]) -> Request:
    path = "/openstack/latest/securitykey"
    return Request(
        "GetSecurityKey", "GET", path, None, repeatable=True, service=Service.METADATA, headers=headers
    )


def _parse_keys(document: Mapping[str, Any], response: Response) -> Grant:
    credential = document.get("credential")
    found = credential if isinstance(credential, Mapping) else {}
    values = [str(found.get(name) or "") for name in ("access", "secret", "securitytoken")]
    # They become headers.
    if not all(value.isascii() and value.isprintable() and value for value in values):
        raise DrsResponseError("the response of the metadata service has no keys")
    lifetime_s = None
    if date := response.headers.get("date"):
        # Both times are from the service's clock, so that a wrong local clock has no effect.
        try:
            now = parsedate_to_datetime(date)
        except ValueError:
            raise DrsResponseError("the response of the metadata service has an invalid Date") from None
        lifetime_s = max(0.0, (read_instant(found, "expires_at") - now).total_seconds())
    return Grant("", "", lifetime_s, Keys(*values))


def _explain(error: DrsError, settings: Settings) -> DrsAuthError:
    message = f": {error.error_msg}" if error.error_msg else ""
    return DrsAuthError(
        f"{settings.metadata_url} has no keys for connection {settings.conn_id!r} (HTTP "
        f"{error.http_status}{message}). Bind an agency for the Elastic Cloud Server service to the server "
        "that runs this process, or choose another extra.auth.",
        operation=error.operation,
        http_status=error.http_status,
        error_msg=error.error_msg,
        request_id=error.request_id,
    )
