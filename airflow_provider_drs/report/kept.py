"""What was made of a report once, kept for the next who asks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """
    Keeps values until there is too much of them; what was not used for longest goes first.

    :param room: how much there may be, in the unit that their sizes have.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._used = 0
        self._kept: OrderedDict[object, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: object) -> T | None:
        """Return what is kept under a name; ``None`` if there is nothing."""
        with self._lock:
            if name not in self._kept:
                return None
            self._kept.move_to_end(name)
            return self._kept[name][0]

    def put(self, name: object, value: T, size: int) -> None:
        """Keep a value of some size. One that is too large for the room is kept alone."""
        with self._lock:
            if name in self._kept:
                self._used -= self._kept.pop(name)[1]
            self._used += size
            self._kept[name] = (value, size)
            while self._used > self._room and len(self._kept) > 1:
                self._used -= self._kept.popitem(last=False)[1][1]

    def __contains__(self, name: object) -> bool:
        """Tell whether something is kept under a name."""
        with self._lock:
            return name in self._kept
