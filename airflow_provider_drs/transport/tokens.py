"""
The tokens of this process, by identity: never on disk, shared by all hooks and triggers, renewed by one for
all.

Callers come from threads and from event loops, in one process at the same time: hence a plain lock, which an
event loop tries for and never waits in.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from airflow_provider_drs.protocol.connection.auth import Grant


@dataclass(slots=True)
class TokenSlot:
    """The place of one identity's token. Hold ``lock`` while asking IAM for a new one."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    _grant: Grant | None = None
    _useful_until_s: float = 0.0

    def current(self) -> Grant | None:
        """Return the token if there is one that need not be renewed yet."""
        return self._grant if time.monotonic() < self._useful_until_s else None

    def store(self, grant: Grant) -> None:
        """Keep a token that was issued just now."""
        self._grant = grant
        self._useful_until_s = time.monotonic() + grant.useful_s

    def discard(self, token: str) -> None:
        """Forget *token*, which was refused. If somebody has renewed it meanwhile, the new one stays."""
        if self._grant is not None and self._grant.token == token:
            self._grant = None
            self._useful_until_s = 0.0


class TokenCache:
    """All slots of a process."""

    def __init__(self) -> None:
        self._slots: dict[str, TokenSlot] = {}

    def slot(self, identity: str) -> TokenSlot:
        """Return the slot of an identity; the same one for every caller."""
        # One dict operation, so threads cannot come between.
        return self._slots.setdefault(identity, TokenSlot())

    def clear(self) -> None:
        """Forget everything, e.g. between two tests."""
        self._slots.clear()


#: What every client uses unless it is told otherwise.
TOKENS = TokenCache()
