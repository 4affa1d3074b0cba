"""
Request signatures for access keys: SDK-HMAC-SHA256, as the API gateway of DRS verifies them.

The time that a signature covers is an argument.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

_ALGORITHM = "SDK-HMAC-SHA256"
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"


def sign(
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    access_key: str,
    secret_key: str,
    at: datetime.datetime,
) -> dict[str, str]:
    """
    Return the headers that sign a request: X-Sdk-Date, Host and Authorization.

    :param url: the complete URL; path and query are signed as the gateway normalizes them.
    :param headers: the headers that are sent; all of them are signed.
    :param body: the bytes that are sent.
    :param at: the current time, with a time zone; the gateway rejects a signature that is 15 minutes off.
    """
    parts = urlsplit(url)
    # Host is signed, so it is set here: HTTP libraries differ in how they write default ports.
    added = {"X-Sdk-Date": at.astimezone(datetime.UTC).strftime(_DATE_FORMAT), "Host": parts.netloc}
    signed = {name.lower(): value.strip() for name, value in {**headers, **added}.items()}
    names = ";".join(sorted(signed))
    canonical_request = "\n".join(
        [
            method.upper(),
            _canonical_path(parts.path),
            _canonical_query(parts.query),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{added['X-Sdk-Date']}\n{digest}"
    signature = hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
    authorization = f"{_ALGORITHM} Access={access_key}, SignedHeaders={names}, Signature={signature}"
    return {**added, "Authorization": authorization}


def _canonical_path(path: str) -> str:
    quoted = "/".join(_quote(segment) for segment in unquote(path).split("/"))
    # The gateway signs every path with a trailing slash.
    return quoted if quoted.endswith("/") else f"{quoted}/"


def _canonical_query(query: str) -> str:
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    return "&".join(f"{_quote(name)}={_quote(value)}" for name, value in sorted(map(_decode, pairs)))


def _decode(pair: tuple[str, str]) -> tuple[str, str]:
    return unquote(pair[0]), unquote(pair[1])


def _quote(text: str) -> str:
    return quote(text, safe="~")
