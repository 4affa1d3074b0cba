"""
What the environment says about proxies and certificate authorities, read once per client.

requests reads it on every call, which costs more than the rest of a small call together.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from airflow_provider_drs.protocol.settings import Settings


def find_proxy(settings: Settings, url: str) -> str | None:
    """Return the proxy to use for *url*: the connection's, else that of ``HTTPS_PROXY`` and its relatives."""
    if settings.proxy:
        return settings.proxy
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def find_verify(settings: Settings) -> bool | str:
    """
    Return how to verify certificates.

    the connection's word, else ``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE``.
    """
    if settings.verify is not True:
        return settings.verify
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
