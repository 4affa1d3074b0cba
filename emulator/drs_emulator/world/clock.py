"""The emulator's clock: real time, a multiple of it, or manual."""

from __future__ import annotations

import time

#: About 1,000 years in seconds; later dates cannot be formatted.
LONGEST_SPAN_S = 3.2e10


class Clock:
    """
    Epoch seconds that tests can control.

    :param manual: time advances only through :meth:`advance`.
    :param speed: emulated seconds per real second.
    """

    def __init__(self, *, manual: bool = False, speed: float = 1.0) -> None:
        self._speed = 0.0 if manual else _check("speed", speed)
        self._offset_s = time.time()
        self._real_s = time.monotonic()

    def __getstate__(self) -> dict[str, float]:
        """Return the stored form; time continues at the same speed while the emulator is stopped."""
        return {"now_s": self.now(), "at_s": time.time(), "speed": self._speed}

    def __setstate__(self, kept: dict[str, float]) -> None:
        """Restore the clock."""
        self._speed = kept["speed"]
        self._offset_s = kept["now_s"] + max(0.0, time.time() - kept["at_s"]) * self._speed
        self._real_s = time.monotonic()

    def now(self) -> float:
        """Return epoch seconds."""
        return self._offset_s + (time.monotonic() - self._real_s) * self._speed

    def advance(self, seconds: float) -> None:
        """Advance time."""
        self._offset_s += _check("seconds", seconds)

    def set_speed(self, speed: float) -> None:
        """Run at *speed* times real time from now on; 0 stops the clock."""
        self._offset_s, self._real_s, self._speed = self.now(), time.monotonic(), _check("speed", speed)


def _check(name: str, value: float) -> float:
    if not isinstance(value, int | float) or not 0 <= value < LONGEST_SPAN_S:
        raise ValueError(f"{name} must be a number of at least 0 and below {LONGEST_SPAN_S:g}, not {value!r}")
    return value
