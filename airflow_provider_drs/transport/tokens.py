"""
The tokens of this process by identity: kept in memory only, shared by all hooks and triggers, and renewed
once for all.

Threads and event loops share the cache: it uses a plain lock, which an event loop acquires without blocking.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from airflow_provider_drs.protocol.connection.grants import Grant


@dataclass(slots=True)
class TokenSlot:
    """The token of one identity. Hold ``lock`` while requesting a new one from IAM."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    _grant: Grant | None = None
    _useful_until_s: float = 0.0

    def current(self) -> Grant | None:
        """Return the token, unless it must be renewed."""
        return self._grant if time.monotonic() < self._useful_until_s else None

    def store(self, grant: Grant) -> None:
        """Store a new token."""
        self._grant = grant
        self._useful_until_s = time.monotonic() + grant.useful_s

    def discard(self, grant: Grant) -> None:
        """Discard *grant*, which was rejected. Has no effect if it was renewed in the meantime."""
        if self._grant == grant:
            self._grant = None
            self._useful_until_s = 0.0


class TokenCache:
    """The token slots of a process."""

    def __init__(self) -> None:
        self._slots: dict[str, TokenSlot] = {}

    def slot(self, identity: str) -> TokenSlot:
        """Return the slot of an identity, the same for every caller."""
        # A single dict operation, which is atomic across threads.
        return self._slots.setdefault(identity, TokenSlot())

    def clear(self) -> None:
        """Remove all tokens."""
        self._slots.clear()


#: The default cache of all clients.
TOKENS = TokenCache()
