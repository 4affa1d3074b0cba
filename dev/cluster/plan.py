"""What is done to a cluster, and when: drawn from a seed, so that a run can be had again."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

#: When the blows fall, as shares of the work done. Later there would be nobody left to be hit.
_FIRST, _LAST = 0.02, 0.85
_FAULTS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "throttling": ({"kind": "too_frequent"}, {"kind": "status", "status": 429}),
    "server errors": (
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502},
        {"kind": "status", "status": 503},
    ),
    "broken connections": ({"kind": "reset_before"},),
    # DRS has done what was asked, and the caller does not get to know.
    "lost answers": (
        {"kind": "reset_after"},
        {"kind": "truncated"},
        {"kind": "status", "status": 504, "apply": True},
        {"kind": "html"},
    ),
}
#: What would do harm if it were done twice.
_CHECK, _START = "BatchCheckJobs", "BatchStartJobs"
_HANG: Mapping[str, Any] = {"kind": "hang", "apply": True, "operation": _START}


@dataclass(frozen=True)
class Blow:
    """
    One thing that goes wrong.

    :param at: the share of the work that is done when it does.
    :param kind: ``kill`` a component, ``freeze`` DRS, ``restart`` it, ``shut`` the way to it, a ``fault`` in
        it, or an ``ambush`` of the worker that it strikes.
    :param target: what is hit, in a word or two.
    :param lasts_s: seconds until it is mended.
    :param fault: with ``fault`` and ``ambush``, the arguments of the emulator's ``inject``.
    """

    at: float
    kind: str
    target: str
    lasts_s: float
    fault: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What is done to what."""
        return f"{self.kind} {self.target}"

    def __str__(self) -> str:
        if not self.fault:
            return self.name
        words = [str(self.fault[each]) for each in ("kind", "status", "operation") if each in self.fault]
        share = f", 1 of {self.fault['every']}" if self.fault.get("every", 1) > 1 else ""
        return f"{self.kind} {self.target} ({' '.join(words)}{share})"


def make_plan(seed: int, components: Sequence[str], *, rounds: int) -> list[Blow]:
    """
    Return the blows in the order in which they fall.

    :param components: what is killed.
    :param rounds: how often each of them is, how often DRS restarts, and how often each kind of fault comes.
    """
    dice = random.Random(seed)  # noqa: S311
    blows = [Blow(0, "kill", each, dice.uniform(2, 5)) for each in [*components] * rounds]
    blows += [Blow(0, "restart", "DRS", dice.uniform(2, 6)) for _ in range(rounds)]
    # Longer than a caller waits for an answer, so that some give up, and what they sent is done later.
    blows.append(Blow(0, "freeze", "DRS", dice.uniform(8, 12)))
    blows.append(Blow(0, "shut", "the way to DRS", dice.uniform(4, 8)))
    blows.append(Blow(0, "ambush", "a worker that starts jobs", dice.uniform(2, 5), _HANG))
    for name, choices in _FAULTS.items():
        for _ in range(rounds):
            fault = {**dice.choice(choices), "every": dice.choice((1, 2, 3)), "times": None}
            blows.append(Blow(0, "fault", name, dice.uniform(3, 8), fault))
    for operation in (_CHECK, _START):
        fault = {**dice.choice(_FAULTS["lost answers"]), "operation": operation, "every": 2, "times": None}
        blows.append(Blow(0, "fault", "lost answers", dice.uniform(10, 15), fault))
    blows.sort(key=lambda blow: dice.uniform(*_find_span(blow)))
    # At even distances, give or take: two at once are wanted, all at once are not.
    step = (_LAST - _FIRST) / len(blows)
    return [
        replace(blow, at=round(_FIRST + (number + dice.random()) * step, 3), lasts_s=round(blow.lasts_s, 1))
        for number, blow in enumerate(blows)
    ]


def _find_span(blow: Blow) -> tuple[float, float]:
    """Return the part of the plan in which there is something for a blow to hit."""
    if blow.fault.get("operation") == _CHECK:
        return 0.0, 0.0
    if blow.fault.get("operation") == _START:
        return 0.5, 0.9
    if blow.kind == "ambush":
        return 0.4, 0.8
    if blow.kind == "kill" and blow.target.startswith("triggerer"):
        # In the end nobody waits any more.
        return 0.2, 0.6
    # Nor is there work for two workers.
    return (0.0, 0.6) if blow.kind == "kill" else (0.0, 1.0)


def make_world(seed: int, jobs: int) -> dict[str, Any]:
    """Return a world file of the emulator: jobs that are ready to pre-check, which takes each its time."""
    dice = random.Random(seed)  # noqa: S311
    return {
        "jobs": [
            {
                "job_id": f"{number:08x}-d0c5-4a11-8a11-{number:07x}jb{100 + number}",
                "name": f"job-{number}",
                "verdict": {"outcome": "pass", "duration_s": round(dice.uniform(10, 60), 1)},
            }
            for number in range(1, jobs + 1)
        ]
    }
