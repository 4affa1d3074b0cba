"""
A local IAM and DRS, strict and stateful, so that DAGs run without a cloud account.

It is a reading of its own of the service's documents, and shares no code with the hooks that talk to it: two
readings of the same page can disagree, and that is a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_drs.emulator.client import EmulatorClient, EmulatorError
    from airflow_provider_drs.emulator.http.server import Emulator

__all__ = ["Emulator", "EmulatorClient", "EmulatorError"]


def __getattr__(name: str) -> Any:
    """Import on first use: the command explains itself at once, also where the server cannot run."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from airflow_provider_drs.emulator import client
    from airflow_provider_drs.emulator.http import server

    return getattr(server if name == "Emulator" else client, name)
