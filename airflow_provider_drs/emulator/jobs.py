"""One job: what it is, which status it has when, and how far its copy is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_drs.emulator.comparisons import Comparison
from airflow_provider_drs.emulator.prechecks import Precheck
from airflow_provider_drs.emulator.timeline import (
    COPIED,
    FAILURES,
    FULL,
    INCREMENTAL,
    PAUSED,
    Entry,
    plan_end,
    plan_start,
    plan_transfer,
)

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
    "fails_in": (list, tuple, set),
    "delay": (list, tuple),
    "differences": (list, tuple),
    "databases": dict,
    "switch_fails": bool,
    "node_num": int,
    "passwords": dict,
}
END_POINTS = frozenset({"so", "ta"})
_SETS = {"is_tested": END_POINTS, "unreachable": END_POINTS, "fails_in": frozenset(FAILURES)}
#: How far an incremental phase is behind when it begins, and how much it catches up in a second.
_FIRST_DELAY_S, _CATCHES_UP = 30.0, 2.0


@dataclass
class Job:
    """
    One job.

    :param timeline: the statuses that it takes, each with the second from which it holds.
    :param is_tested: which ends (``so``, ``ta``) have passed a connection test.
    :param has_endpoints: its ends were saved by a modification.
    :param echo_secrets: its details show the passwords of its databases, as the service's can.
    :param unreachable: which ends fail a connection test.
    :param fails_in: in which phases it fails: ``create``, ``start``, ``full``, ``incremental``, ``stop``.
    :param delay: how far the incremental phase is behind: steps of seconds since it began, and seconds.
    :param differences: the tables (``db.table``) that a comparison finds inconsistent.
    :param databases: what the source holds: rows by table by database.
    :param switch_fails: its switch-overs fail.
    :param node_num: the shards of a MongoDB cluster.
    :param passwords: those of its databases (``so``, ``ta``): any other one is refused.
    :param verdict: how its pre-checks go: fields of :class:`~.prechecks.Plan`.
    :param settings: what was set by the API, as the details show it.
    :param ends: its two databases, as they were given, without secrets.
    :param leader: the parent whose status a subtask of a cluster follows.
    """

    id: str
    name: str
    timeline: list[Entry]
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
    fails_in: set[str] = field(default_factory=set)
    delay: Sequence[Sequence[float]] = ()
    differences: Sequence[str] = ()
    databases: Mapping[str, Mapping[str, int]] = field(
        default_factory=lambda: {"shop": {"orders": 1200, "customers": 300}}
    )
    switch_fails: bool = False
    node_num: int = 0
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
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
    settings: dict[str, Any] = field(default_factory=dict)
    ends: dict[str, dict[str, Any]] = field(default_factory=lambda: {"source": {}, "target": {}})
    rules: set[str] = field(default_factory=set)
    parameters: list[dict[str, Any]] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    switch: Entry | None = None
    leader: Job | None = field(default=None, repr=False)
    paused_s: float = 0.0
    paused_at_s: float | None = None
    _rest: list[Entry] = field(default_factory=list)

    def status(self, now_s: float) -> str:
        """Return the status at an instant."""
        if self.leader is not None:
            return self.leader.status(now_s)
        return [word for since_s, word in self.timeline if since_s <= now_s][-1]

    @property
    def is_parent(self) -> bool:
        """Whether it is the umbrella of a dual-active pair."""
        return self.multi_write and self.parent_id is None

    @property
    def is_cluster(self) -> bool:
        """Whether it is the parent of a MongoDB cluster's subtasks."""
        return self.node_num > 1 and "mongodb" in self.engine_type

    def since(self, word: str) -> float | None:
        """Return from when a status holds or will hold, or ``None`` if that is not to come."""
        timeline = self.leader.timeline if self.leader else self.timeline
        return next((since_s for since_s, each in timeline if each == word), None)

    def measure(self, now_s: float) -> tuple[int, int]:
        """Return percent and remaining seconds of what there is to copy."""
        if self.started_s is None:
            done = self.status(now_s) in (COPIED, INCREMENTAL)
            return (100 if done else 0), 0
        begin_s, end_s = self.since(FULL), self.since(COPIED)
        if self.paused_at_s is not None and end_s is None:
            # Time stands still for it.
            now_s = self.paused_at_s
            end_s = next((now_s + in_s for in_s, word in self._rest if word == COPIED), None)
        if begin_s is None:
            # Nothing to copy.
            return (100 if self.task_type == "INCR_TRANS" else 0), 0
        if end_s is None:
            # Failed or stopped on the way.
            return (50 if self.status(now_s) == FAILURES["full"] else 0), 0
        if now_s >= end_s:
            return 100, 0
        work_s = end_s - begin_s - self.paused_s
        done_s = max(0.0, now_s - begin_s - self.paused_s)
        return min(99, int(100 * done_s / work_s)), int(end_s - max(now_s, begin_s))

    def delay_s(self, now_s: float) -> float | None:
        """Return how far the incremental phase is behind; ``None`` before there is one."""
        begin_s = self.since(INCREMENTAL)
        if begin_s is None or now_s < begin_s or self.status(now_s) != INCREMENTAL:
            return None
        passed_s = now_s - begin_s
        if self.delay:
            return float([behind_s for at_s, behind_s in self.delay if at_s <= passed_s][-1])
        return max(0.0, _FIRST_DELAY_S - _CATCHES_UP * passed_s)

    def begin(self, now_s: float, begin_s: float, *, is_at_once: bool) -> None:
        """Start it: now, or wait for a time to come."""
        self.starts += 1
        self.started_s = begin_s
        self._go_on(now_s, plan_start(now_s, begin_s, self.task_type, self.fails_in, is_at_once=is_at_once))

    def pause(self, now_s: float) -> None:
        """Pause it; what was to come waits."""
        self._rest = [(since_s - now_s, word) for since_s, word in self.timeline if since_s > now_s]
        before = self.status(now_s)
        self._rest.insert(
            0, (0.0, {FAILURES["full"]: FULL, FAILURES["incremental"]: INCREMENTAL}.get(before, before))
        )
        self.paused_at_s = now_s
        self._go_on(now_s, [(now_s, PAUSED)])

    def resume(self, now_s: float, *, is_at_once: bool) -> None:
        """Go on after a pause or a failure; what was to fail does so once."""
        status = self.status(now_s)
        self.fails_in = set()
        if status == PAUSED:
            rest = [(now_s + in_s, word) for in_s, word in self._rest if word not in FAILURES.values()]
            if self.paused_at_s is not None:
                self.paused_s += now_s - self.paused_at_s
            self.paused_at_s = None
            self._go_on(now_s, rest or [(now_s, INCREMENTAL)])
        elif status == FAILURES["start"]:
            self._go_on(now_s, plan_start(now_s, now_s, self.task_type, (), is_at_once=is_at_once))
        elif status == FAILURES["incremental"]:
            self._go_on(now_s, [(now_s, INCREMENTAL)])
        elif status == FAILURES["stop"]:
            self.end(now_s, is_at_once=is_at_once)
        else:
            kind = self.task_type if self.task_type != "INCR_TRANS" else "FULL_INCR_TRANS"
            self._go_on(now_s, plan_transfer(now_s, kind, is_at_once=is_at_once, share=0.5))

    def end(self, now_s: float, *, is_at_once: bool, is_forced: bool = False) -> None:
        """Stop it, and drop what was to come."""
        fails_in = () if is_forced else self.fails_in
        self._go_on(now_s, plan_end(now_s, fails_in, is_at_once=is_at_once))

    def place(self, now_s: float, status: str) -> None:
        """Put it into a status, as only its owner or an accident could."""
        self._rest, self.paused_at_s = [], None
        self._go_on(now_s, [(now_s, status)])

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

    def _go_on(self, now_s: float, entries: list[Entry]) -> None:
        """Take other statuses than those that were to come."""
        self.timeline = [entry for entry in self.timeline if entry[0] <= now_s] + entries


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
        if name in _SETS:
            checked[name] = chosen = set(details[name])
            if not chosen <= _SETS[name]:
                raise ValueError(f"{name} holds {', '.join(sorted(_SETS[name]))}, not {value!r}")
    _check_delay(checked.get("delay", ()))
    _check_databases(checked.get("databases", {}))
    return checked


def _check_delay(steps: Sequence[Any]) -> None:
    pairs = [step for step in steps if isinstance(step, list | tuple) and len(step) == 2]
    is_good = len(pairs) == len(steps) and all(
        isinstance(each, int | float) for pair in pairs for each in pair
    )
    if not is_good or (pairs and pairs[0][0] != 0):
        raise ValueError(
            f"delay is a list of [seconds since the phase began, seconds], from 0 on, not {steps!r}"
        )


def _check_databases(databases: Mapping[str, Any]) -> None:
    for name, tables in databases.items():
        if not isinstance(tables, Mapping) or not all(type(rows) is int for rows in tables.values()):
            raise ValueError(f"databases holds rows by table by database, not {name!r}: {tables!r}")


def make_job_id(number: int) -> str:
    """Return an id as the service makes them: it looks like a UUID and is not one."""
    return f"{number:08x}-d0c5-4a11-8a11-{number:07x}jb{100 + number % 900}"
