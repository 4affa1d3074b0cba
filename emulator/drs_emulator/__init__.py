"""
A local IAM and DRS, strict and stateful, for running DAGs without a cloud account.

The emulator implements the service's documents independently and shares no code with the hooks that call it.
Where the two read the same page differently, the tests fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drs_emulator.client import EmulatorClient, EmulatorError
    from drs_emulator.http.server import Emulator

__version__ = "1.0.0"

__all__ = ["Emulator", "EmulatorClient", "EmulatorError"]


def __getattr__(name: str) -> Any:
    """Import on first use, so that the command starts fast, and pytest does without the server."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from drs_emulator import client
    from drs_emulator.http import server

    return getattr(server if name == "Emulator" else client, name)
