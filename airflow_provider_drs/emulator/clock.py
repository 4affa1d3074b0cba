"""The emulator's time: it runs with the wall clock, faster, or only when it is told to."""

from __future__ import annotations

import time


class Clock:
    """
    Epoch seconds that tests can move.

    :param manual: time stands still between two calls of :meth:`advance`.
    :param speed: how many seconds pass here in one real second.
    """

    def __init__(self, *, manual: bool = False, speed: float = 1.0) -> None:
        self._speed = 0.0 if manual else speed
        self._offset_s = time.time()
        self._real_s = time.monotonic()

    def now(self) -> float:
        """Return epoch seconds."""
        return self._offset_s + (time.monotonic() - self._real_s) * self._speed

    def advance(self, seconds: float) -> None:
        """Move time forward."""
        if seconds < 0:
            raise ValueError("time goes forward only")
        self._offset_s += seconds

    def set_speed(self, speed: float) -> None:
        """Let time run *speed* times as fast from now on; 0 lets it stand still."""
        self._offset_s, self._real_s, self._speed = self.now(), time.monotonic(), speed
