"""
The emulator as a pytest fixture.

Name it in the ``conftest.py`` of your tests, and point your Airflow connection at it::

    pytest_plugins = ["airflow_provider_drs.emulator.pytest_plugin"]


    def test_my_dag(drs_emulator, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_DRS_DEFAULT", drs_emulator.connection_json)
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_drs.emulator import Emulator


@pytest.fixture
def drs_emulator() -> Iterator[Emulator]:
    """Return an emulator with ten ready jobs, whose time moves only when the test advances it."""
    with Emulator(clock="manual") as emulator:
        yield emulator
