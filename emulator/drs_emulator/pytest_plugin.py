"""
The emulator as a pytest fixture.

pytest loads this module where the package is installed::

    def test_my_dag(drs_emulator, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_DRS_DEFAULT", drs_emulator.connection_json)
        drs_emulator.set_verdict(drs_emulator.job_ids[0], "fail", items=["srcBinlogFormatCheck"])

Its clock does not advance automatically. A pre-check, or a phase of a job, ends at the second read, so waits
are as short as the polls and deterministic. After ``drs_emulator.set_pace("time")``, call ``advance()`` to
move time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from drs_emulator import Emulator


@pytest.fixture
def drs_emulator() -> Iterator[Emulator]:
    """Return an emulator with ten ready jobs, in which each phase takes two polls."""
    from drs_emulator import Emulator

    with Emulator(clock="manual", pace=2) as emulator:
        yield emulator
