"""Carries out a plan against a running cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dev.cluster.faults import KINDS, Site, Wound
from dev.cluster.plan import Blow

#: Seconds between two blows at least: work that was held up may go on fast.
_PAUSE_S = 2.0


@dataclass
class Struck:
    """
    A blow that has fallen.

    :param at_s: seconds since the work began.
    :param effect: what it did.
    """

    blow: Blow
    wound: Wound
    at_s: float
    effect: str
    mended_s: float | None = None

    def __str__(self) -> str:
        return f"{self.blow}{f': {self.effect}' if self.effect else ''}"


@dataclass
class Chaos:
    """
    Strikes when the work is so far, and mends after a while; call :meth:`go_on` again and again.

    :param plan: the blows, in order. One that finds nothing to hit when its time has come waits, and holds up
        nobody.
    :param tell: called with each line of what happens.
    """

    plan: Sequence[Blow]
    site: Site
    tell: Callable[[str], None]
    struck: list[Struck] = field(default_factory=list)
    _begun_s: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """All is yet to come."""
        self._pending = list(self.plan)

    @property
    def missed(self) -> list[str]:
        """What has hit nothing, since it came too late."""
        idle = [str(each.blow) for each in self.struck if not each.wound.hits]
        return idle + [str(blow) for blow in self._pending]

    @property
    def spared(self) -> list[str]:
        """What was never hit at all: parts that nobody killed, and kinds of trouble that did no harm."""
        hits = (each.wound.hits for each in self.struck)
        return sorted({blow.name for blow in self.plan}.difference(*hits))

    def go_on(self, done: float) -> None:
        """
        Do what is due.

        :param done: the share of the work that is done.
        """
        for each in self._open():
            each.wound.go_on()
            if self._now_s() >= each.at_s + each.blow.lasts_s and each.wound.may_mend():
                self._mend(each)
        last_s = self.struck[-1].at_s if self.struck else 0.0
        if self._now_s() >= last_s + _PAUSE_S and not self.site.drs.is_away:
            self._strike(done)

    def mend_all(self) -> None:
        """Mend what is not, however short a time it has lasted."""
        # Whoever is away cannot be told to mend the rest.
        for each in sorted(self._open(), key=lambda each: each.blow.kind not in ("freeze", "restart")):
            self._mend(each)

    def _open(self) -> list[Struck]:
        return [each for each in self.struck if each.mended_s is None]

    def _now_s(self) -> float:
        return time.monotonic() - self._begun_s

    def _strike(self, done: float) -> None:
        """Strike the first blow that is due, if there is anything for it to hit."""
        for blow in self._pending:
            wound = KINDS[blow.kind](self.site, blow)
            if done >= blow.at and wound.would_hit():
                self._pending.remove(blow)
                at_s = self._now_s()
                self.struck.append(Struck(blow, wound, at_s, wound.strike()))
                self.tell(str(self.struck[-1]))
                return

    def _mend(self, struck: Struck) -> None:
        struck.effect = struck.wound.mend() or struck.effect
        struck.mended_s = self._now_s()
        self.tell(f"mended after {struck.mended_s - struck.at_s:.0f} s: {struck}")
