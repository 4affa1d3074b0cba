"""The way to DRS opens and shuts."""

from __future__ import annotations

import pytest
import requests

from airflow_provider_drs.emulator import Emulator
from dev.cluster.gate import Gate


def test_closed_proxy_breaks_and_rejects_connections() -> None:
    with Emulator(clock="manual") as emulator, Gate(emulator.url) as gate, requests.Session() as session:
        session.trust_env = False
        for _ in range(3):
            assert session.get(f"{gate.url}/_emulator/health", timeout=5).status_code == 200
            gate.shut()
            with pytest.raises(requests.ConnectionError):
                session.get(f"{gate.url}/_emulator/health", timeout=5)
            gate.open()
        assert session.get(f"{gate.url}/_emulator/health", timeout=5).status_code == 200
