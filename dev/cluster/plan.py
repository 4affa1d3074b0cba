"""The faults that a run injects and when: drawn from a seed, so that a run can be repeated."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

#: When faults are injected, as shares of the work done. Later, too few tasks are left to be affected.
_FIRST, _LAST = 0.02, 0.85
_API_FAULTS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "throttling": ({"kind": "too_frequent"}, {"kind": "status", "status": 429}),
    "server errors": tuple({"kind": "status", "status": status} for status in (500, 502, 503)),
    "broken connections": ({"kind": "reset_before"},),
    # DRS applies the request, but the caller does not receive the response.
    "lost responses": (
        {"kind": "reset_after"},
        {"kind": "truncated"},
        {"kind": "status", "status": 504, "apply": True},
        {"kind": "html"},
    ),
}
#: Operations that must not be applied twice.
_CHECK, _START = "BatchCheckJobs", "BatchStartJobs"
_HANG: Mapping[str, Any] = {"kind": "hang", "apply": True, "operation": _START}


@dataclass(frozen=True)
class PlannedFault:
    """
    A fault to inject.

    :param at: the share of the work that must be done before it is injected.
    :param kind: ``kill`` a component, ``freeze`` or ``restart`` DRS, ``disconnect`` it, ``inject`` API
        faults, or ``kill-during-start``: kill the worker whose start request DRS has just applied.
    :param target: what is affected, in a word or two.
    :param lasts_s: seconds until recovery.
    :param api_fault: arguments of the emulator's ``inject``.
    """

    at: float
    kind: str
    target: str
    lasts_s: float
    api_fault: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.kind} {self.target}"

    def __str__(self) -> str:
        if not self.api_fault:
            return self.name
        words = [str(self.api_fault[key]) for key in ("kind", "status", "operation") if key in self.api_fault]
        share = f", 1 of {self.api_fault['every']}" if self.api_fault.get("every", 1) > 1 else ""
        return f"{self.name} ({' '.join(words)}{share})"


def make_plan(seed: int, components: Sequence[str], *, rounds: int) -> list[PlannedFault]:
    """
    Return faults in the order in which they are injected.

    :param components: components to kill.
    :param rounds: how often each component is killed, DRS restarts, and each kind of API fault is injected.
    """
    dice = random.Random(seed)  # noqa: S311 - not a secret
    plan = [PlannedFault(0, "kill", name, dice.uniform(2, 5)) for name in [*components] * rounds]
    plan += [PlannedFault(0, "restart", "DRS", dice.uniform(2, 6)) for _ in range(rounds)]
    # Longer than the client's read timeout: some clients give up, and DRS applies their requests later.
    plan.append(PlannedFault(0, "freeze", "DRS", dice.uniform(8, 12)))
    plan.append(PlannedFault(0, "disconnect", "DRS", dice.uniform(4, 8)))
    plan.append(PlannedFault(0, "kill-during-start", "a worker", dice.uniform(2, 5), _HANG))
    for name, choices in _API_FAULTS.items():
        for _ in range(rounds):
            fault = {**dice.choice(choices), "every": dice.choice((1, 2, 3)), "times": None}
            plan.append(PlannedFault(0, "inject", name, dice.uniform(3, 8), fault))
    for operation in (_CHECK, _START):
        fault = {
            **dice.choice(_API_FAULTS["lost responses"]),
            "operation": operation,
            "every": 2,
            "times": None,
        }
        plan.append(PlannedFault(0, "inject", "lost responses", dice.uniform(10, 15), fault))
    plan.sort(key=lambda planned: dice.uniform(*_find_span(planned)))
    # About evenly spaced: faults may overlap, but not all of them at the same time.
    step = (_LAST - _FIRST) / len(plan)
    return [
        replace(planned, at=round(_FIRST + (n + dice.random()) * step, 3), lasts_s=round(planned.lasts_s, 1))
        for n, planned in enumerate(plan)
    ]


def _find_span(planned: PlannedFault) -> tuple[float, float]:
    """Return the part of the plan in which a fault can affect running work."""
    if planned.api_fault.get("operation") == _CHECK:
        return 0.0, 0.0
    if planned.kind == "kill-during-start":
        return 0.4, 0.8
    if planned.api_fault.get("operation") == _START:
        return 0.5, 0.9
    if planned.kind == "kill":
        # Late in the run no tasks are deferred, and one worker is enough.
        return (0.2, 0.6) if planned.target.startswith("triggerer") else (0.0, 0.6)
    return 0.0, 1.0


def make_world(seed: int, jobs: int) -> dict[str, Any]:
    """Return a world file for the emulator: jobs that are ready to pre-check, with different durations."""
    dice = random.Random(seed)  # noqa: S311 - not a secret
    return {
        "jobs": [
            {
                "job_id": f"{number:08x}-d0c5-4a11-8a11-{number:07x}jb{100 + number}",
                "name": f"job-{number}",
                "verdict": {"outcome": "pass", "duration_s": round(dice.uniform(20, 120), 1)},
            }
            for number in range(1, jobs + 1)
        ]
    }
