"""One job: what it is, and which status it has when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_drs.emulator.prechecks import Precheck

#: Seconds that each phase takes.
CREATION_S = 30.0
START_S = 3.0
FULL_TRANSFER_S = 30.0
STOP_S = 10.0

#: What a test or a world file may say about a job, and of which type it is.
DETAILS: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "description": str,
    "engine_type": str,
    "db_use_type": str,
    "task_type": str,
    "net_type": str,
    "job_direction": str,
    "multi_write": bool,
    "parent_id": (str, type(None)),
    "is_tested": (list, tuple, set),
    "has_endpoints": bool,
    "echo_secrets": bool,
    "unreachable": (list, tuple, set),
}
END_POINTS = frozenset({"so", "ta"})


@dataclass
class Job:
    """
    One job.

    :param timeline: the statuses that it takes, each with the second from which it holds.
    :param is_tested: which ends (``so``, ``ta``) have passed a connection test.
    :param has_endpoints: its ends were saved by a modification.
    :param echo_secrets: its details show the passwords of its databases, as the service's can.
    :param unreachable: which ends fail a connection test.
    :param verdict: how its pre-checks go: fields of :class:`~.prechecks.Plan`.
    """

    id: str
    name: str
    timeline: list[tuple[float, str]]
    engine_type: str = "mysql"
    db_use_type: str = "migration"
    task_type: str = "FULL_INCR_TRANS"
    net_type: str = "eip"
    job_direction: str = "up"
    multi_write: bool = False
    parent_id: str | None = None
    is_tested: set[str] = field(default_factory=lambda: set(END_POINTS))
    has_endpoints: bool = True
    echo_secrets: bool = False
    unreachable: set[str] = field(default_factory=set)
    verdict: Mapping[str, Any] = field(default_factory=dict)
    precheck: Precheck | None = None
    stale: Precheck | None = None
    stale_reads: int = 0
    prechecks: int = 0
    starts: int = 0
    reads: int = 0
    created_s: float = 0.0
    started_s: float | None = None
    description: str = ""

    def status(self, now_s: float) -> str:
        """Return the status at an instant."""
        return [word for since_s, word in self.timeline if since_s <= now_s][-1]

    @property
    def is_parent(self) -> bool:
        """Whether it is the umbrella of a dual-active pair."""
        return self.multi_write and self.parent_id is None

    def since(self, word: str) -> float | None:
        """Return from when a status holds or will hold, or ``None`` if that is not to come."""
        return next((since_s for since_s, each in self.timeline if each == word), None)

    def begin(self, now_s: float, begin_s: float, *, is_at_once: bool) -> None:
        """Start it: now, or wait for a time to come."""
        self.starts += 1
        self.started_s = begin_s
        phases = [
            (begin_s, "STARTJOBING"),
            *((begin_s + START_S + at_s, word) for at_s, word in _transfer(self.task_type)),
        ]
        if is_at_once:
            phases = [(begin_s, word) for _, word in phases]
        self.timeline = [entry for entry in self.timeline if entry[0] <= now_s]
        self.timeline += [*([(now_s, "WAITING_FOR_START")] if begin_s > now_s else []), *phases]

    def end(self, now_s: float, *, is_at_once: bool) -> None:
        """Stop it, and drop what was to come."""
        self.timeline = [entry for entry in self.timeline if entry[0] <= now_s]
        ended_s = now_s if is_at_once else now_s + STOP_S
        self.timeline += [(now_s, "RELEASE_RESOURCE_STARTED"), (ended_s, "RELEASE_RESOURCE_COMPLETE")]

    def place(self, now_s: float, status: str) -> None:
        """Put it into a status, as only its owner or an accident could."""
        self.timeline = [entry for entry in self.timeline if entry[0] <= now_s]
        self.timeline.append((now_s, status))

    def hurry(self, now_s: float) -> None:
        """Let the next status hold now, and all later ones as much earlier."""
        lead_s = min((since_s for since_s, _ in self.timeline if since_s > now_s), default=now_s) - now_s
        self.timeline = [
            (since_s - lead_s if since_s > now_s else since_s, word) for since_s, word in self.timeline
        ]

    def change(self, details: Mapping[str, Any]) -> None:
        """
        Set some of :data:`DETAILS`.

        :raises ValueError: a job has no such detail, or the value is of the wrong type.
        """
        for name, value in check_details(details).items():
            setattr(self, name, value)


def check_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return details of a job that are as they should be.

    :raises ValueError: a job has no such detail, or the value is of the wrong type.
    """
    checked: dict[str, Any] = dict(details)
    for name, value in list(checked.items()):
        if name not in DETAILS:
            raise ValueError(f"a job has no {name!r}; it has {', '.join(DETAILS)}")
        if not isinstance(value, DETAILS[name]):
            raise ValueError(f"{name} must not be {value!r}")
        if name in ("is_tested", "unreachable"):
            checked[name] = ends = set(details[name])
            if not ends <= END_POINTS:
                raise ValueError(f"{name} holds 'so' and 'ta', not {value!r}")
    return checked


def make_job_id(number: int) -> str:
    """Return an id as the service makes them: it looks like a UUID and is not one."""
    return f"{number:08x}-d0c5-4a11-8a11-{number:07x}jb{100 + number % 900}"


def _transfer(task_type: str) -> list[tuple[float, str]]:
    """Return the statuses after the start, with the seconds from its end."""
    incremental = "INCRE_TRANSFER_STARTED"
    if task_type == "INCR_TRANS":
        return [(0.0, incremental)]
    full = [(0.0, "FULL_TRANSFER_STARTED"), (FULL_TRANSFER_S, "FULL_TRANSFER_COMPLETE")]
    return full if task_type == "FULL_TRANS" else [*full, (FULL_TRANSFER_S + START_S, incremental)]
