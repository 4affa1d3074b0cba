"""The emulator's time: it runs with the wall clock, faster, or only when it is told to."""

from __future__ import annotations

import time

#: A thousand years in seconds; beyond, dates cannot be written down.
_FOR_EVER = 3.2e10


class Clock:
    """
    Epoch seconds that tests can move.

    :param manual: time stands still between two calls of :meth:`advance`.
    :param speed: how many seconds pass here in one real second.
    """

    def __init__(self, *, manual: bool = False, speed: float = 1.0) -> None:
        self._speed = 0.0 if manual else _check(speed)
        self._offset_s = time.time()
        self._real_s = time.monotonic()

    def __getstate__(self) -> dict[str, float]:
        """Return what is kept of it while nobody runs it: its time goes on at the same speed."""
        return {"now_s": self.now(), "at_s": time.time(), "speed": self._speed}

    def __setstate__(self, kept: dict[str, float]) -> None:
        """Go on."""
        self._speed = kept["speed"]
        self._offset_s = kept["now_s"] + max(0.0, time.time() - kept["at_s"]) * self._speed
        self._real_s = time.monotonic()

    def now(self) -> float:
        """Return epoch seconds."""
        return self._offset_s + (time.monotonic() - self._real_s) * self._speed

    def advance(self, seconds: float) -> None:
        """Move time forward."""
        self._offset_s += _check(seconds)

    def set_speed(self, speed: float) -> None:
        """Let time run *speed* times as fast from now on; 0 lets it stand still."""
        self._offset_s, self._real_s, self._speed = self.now(), time.monotonic(), _check(speed)


def _check(value: float) -> float:
    if not isinstance(value, int | float) or not 0 <= value < _FOR_EVER:
        raise ValueError(f"time goes forward only, and not for ever: {value!r}")
    return value
