"""The proxy in front of DRS opens and closes."""

from __future__ import annotations

import pytest
import requests
from drs_emulator import Emulator

from dev.cluster.proxy import Proxy


def test_closed_proxy_breaks_and_rejects_connections() -> None:
    with Emulator(clock="manual") as emulator, Proxy(emulator.url) as proxy, requests.Session() as session:
        session.trust_env = False
        for _ in range(3):
            assert session.get(f"{proxy.url}/_emulator/health", timeout=60).status_code == 200
            proxy.close()
            with pytest.raises(requests.ConnectionError):
                session.get(f"{proxy.url}/_emulator/health", timeout=60)
            proxy.open()
        assert session.get(f"{proxy.url}/_emulator/health", timeout=60).status_code == 200
