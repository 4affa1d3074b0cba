"""Injects the faults of a plan into a running cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dev.cluster.faults import KINDS, Fault, Site
from dev.cluster.plan import PlannedFault

#: Minimum seconds between two faults: work that was blocked may continue quickly.
_PAUSE_S = 2.0


@dataclass
class Injected:
    """
    A fault that was injected.

    :param at_s: seconds since the work began.
    :param recovered_s: when it was recovered, also since the work began.
    """

    planned: PlannedFault
    fault: Fault
    at_s: float
    recovered_s: float | None = None

    def __str__(self) -> str:
        return f"{self.planned}{f': {self.fault.effect}' if self.fault.effect else ''}"


@dataclass
class Chaos:
    """
    Injects each fault when the work has reached its share, and recovers from it later.

    Call :meth:`step` repeatedly.

    :param plan: the faults, in order. One without a target stays pending and does not delay the others.
    :param log: called with a line for each event.
    """

    plan: Sequence[PlannedFault]
    site: Site
    log: Callable[[str], None]
    injected: list[Injected] = field(default_factory=list)
    _began_s: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._pending = list(self.plan)

    @property
    def missed(self) -> list[str]:
        """Faults without effect, because the work was done before them."""
        idle = [str(entry.planned) for entry in self.injected if not entry.fault.hits]
        return idle + [str(planned) for planned in self._pending]

    @property
    def never_hit(self) -> list[str]:
        """The names of planned faults of which none had an effect."""
        hits = (entry.fault.hits for entry in self.injected)
        return sorted({planned.name for planned in self.plan}.difference(*hits))

    def step(self, done: float) -> None:
        """
        Recover from faults and inject the next one, as far as they are due.

        :param done: the share of the work that is done.
        """
        for entry in self._active():
            entry.fault.update()
            if self._now_s() >= entry.at_s + entry.planned.lasts_s and entry.fault.can_recover():
                self._recover(entry)
        last_s = self.injected[-1].at_s if self.injected else 0.0
        if self._now_s() >= last_s + _PAUSE_S and not self.site.drs.is_down:
            self._inject(done)

    def recover_all(self) -> None:
        """Recover from all faults, however short a time they have lasted."""
        # The emulator must be up before API faults can be removed from it.
        for entry in sorted(
            self._active(), key=lambda entry: entry.planned.kind not in ("freeze", "restart")
        ):
            self._recover(entry)

    def _active(self) -> list[Injected]:
        return [entry for entry in self.injected if entry.recovered_s is None]

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    def _inject(self, done: float) -> None:
        for planned in self._pending:
            fault = KINDS[planned.kind](self.site, planned)
            if done >= planned.at and fault.has_target():
                self._pending.remove(planned)
                at_s = self._now_s()
                fault.inject()
                self.injected.append(Injected(planned, fault, at_s))
                self.log(str(self.injected[-1]))
                return

    def _recover(self, entry: Injected) -> None:
        entry.fault.recover()
        entry.recovered_s = self._now_s()
        self.log(f"recovered after {entry.recovered_s - entry.at_s:.0f} s: {entry}")
