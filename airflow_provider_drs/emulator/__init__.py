"""
A local IAM and DRS, strict and stateful, for running DAGs without a cloud account.

The emulator implements the service's documents independently and shares no code with the hooks that call it.
Where the two read the same page differently, the tests fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_drs.emulator.client import EmulatorClient, EmulatorError
    from airflow_provider_drs.emulator.http.server import Emulator

__all__ = ["Emulator", "EmulatorClient", "EmulatorError"]


def __getattr__(name: str) -> Any:
    """Import on first use, so that the command starts fast and can report missing dependencies."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from airflow_provider_drs.emulator import client
    from airflow_provider_drs.emulator.http import server

    return getattr(server if name == "Emulator" else client, name)
