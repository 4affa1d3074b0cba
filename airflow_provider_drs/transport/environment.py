"""
Proxies and CA bundles of the environment, read once per client.

requests reads them on every call, which costs more than a small call itself.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from airflow_provider_drs.protocol.connection.settings import Settings, is_loopback
from airflow_provider_drs.protocol.core.errors import DrsConfigError


def find_proxy(settings: Settings, url: str) -> str | None:
    """Return the proxy for *url*: that of the connection, else ``HTTPS_PROXY`` and related variables."""
    if settings.proxy:
        return settings.proxy
    parts = urlsplit(url)
    # Requests to this machine never use a proxy, even if NO_PROXY is not set.
    if is_loopback(parts.hostname or "") or proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def find_verify(settings: Settings) -> str | bool:
    """
    Return how to verify certificates: ``extra.verify`` of the connection, else ``REQUESTS_CA_BUNDLE`` or
    ``CURL_CA_BUNDLE``.
    """
    if settings.verify is not True:
        return settings.verify
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True


@lru_cache(maxsize=16)
def _load_bundle(path: str, _changed_ns: int) -> ssl.SSLContext:
    # The usual bundle takes tens of milliseconds, more than a call.
    is_folder = os.path.isdir(path)
    return ssl.create_default_context(cafile=None if is_folder else path, capath=path if is_folder else None)


def read_bundle(settings: Settings, path: str) -> ssl.SSLContext:
    """
    Read CA certificates from a file or a folder, once until it changes.

    :raises DrsConfigError: there are none.
    """
    try:
        return _load_bundle(path, os.stat(path).st_mtime_ns)
    except (OSError, ValueError) as error:
        raise DrsConfigError(
            f"extra.verify of connection {settings.conn_id!r} (or REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE): "
            f"{path!r} is not a readable CA bundle ({type(error).__name__}). Set it to the "
            "path of a PEM file on this machine."
        ) from error
