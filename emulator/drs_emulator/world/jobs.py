"""One job: its properties, its statuses over time, and its progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drs_emulator.world.comparisons import Comparison
from drs_emulator.world.details import END_POINTS, check_details
from drs_emulator.world.prechecks import Precheck
from drs_emulator.world.timeline import (
    CHANGING,
    COPIED,
    FAILURES,
    FULL,
    FULL_TRANSFER_S,
    INCREMENTAL,
    PAUSED,
    Entry,
    find_spent,
    plan_creation,
    plan_edit,
    plan_end,
    plan_start,
    plan_transfer,
)

#: Initial lag of an incremental phase, and how much it catches up per second.
_FIRST_DELAY_S, _CATCH_UP_RATE = 30.0, 2.0
#: Statuses that follow a full copy.
_COPIED_IN = frozenset({COPIED, INCREMENTAL, CHANGING, FAILURES["incremental"], FAILURES["edit"]})
_ENDED = frozenset({"RELEASE_RESOURCE_STARTED", "RELEASE_RESOURCE_COMPLETE"})
#: Epoch seconds have a precision of about seven decimal places.
_ROUNDING = 1e-6


@dataclass
class Job:
    """
    One job.

    :param timeline: its statuses, each with the second from which it applies.
    :param is_tested: the endpoints (``so``, ``ta``) that have passed a connection test.
    :param has_endpoints: its endpoints were saved by a modification.
    :param echo_secrets: its details contain the database passwords, as the service's can.
    :param unreachable: the endpoints that fail a connection test.
    :param fails_in: the phases in which it fails: ``create``, ``start``, ``full``, ``incremental``, ``stop``.
    :param delay: the lag of the incremental phase: steps of seconds since it began, and seconds.
    :param differences: the tables (``db.table``) that a comparison finds inconsistent.
    :param databases: the content of the source: rows by table by database.
    :param switch_fails: its switchovers fail.
    :param node_num: the number of shards of a MongoDB cluster.
    :param passwords: the database passwords (``so``, ``ta``): any other is rejected.
    :param verdict: the plan of its pre-checks: fields of :class:`~.prechecks.Plan`.
    :param settings: the settings made through the API, as the details show them.
    :param tags: its tags, each with ``key`` and ``value``.
    :param enterprise_project_id: its enterprise project.
    :param objects: its selected objects; ``None`` for all.
    :param edited: the objects that a restart will use; ``None`` if they were not edited.
    :param edited_s: when they were edited.
    :param transformations: its data processing rules.
    :param shows_selection: its details contain objects and rules, which not every cloud documents.
    :param ends: its two endpoints as given, without secrets.
    :param leader: the parent whose status a cluster subtask follows.
    :param paused: what a paused job resumes with: its statuses, in seconds from the pause.
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
    delay_reads: int = 0
    created_s: float = 0.0
    started_s: float | None = None
    description: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    ends: dict[str, dict[str, Any]] = field(default_factory=lambda: {"source": {}, "target": {}})
    rules: set[str] = field(default_factory=set)
    tags: list[dict[str, str]] = field(default_factory=list)
    enterprise_project_id: str = ""
    objects: list[dict[str, Any]] | None = None
    edited: list[dict[str, Any]] | None = None
    edited_s: float = 0.0
    transformations: list[dict[str, Any]] = field(default_factory=list)
    shows_selection: bool = True
    parameters: list[dict[str, Any]] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    switch: Entry | None = None
    switch_reads: int = 0
    leader: Job | None = field(default=None, repr=False)
    paused: list[Entry] = field(default_factory=list)

    def status(self, now_s: float) -> str:
        """Return the status at an instant."""
        if self.leader is not None:
            return self.leader.status(now_s)
        return [word for since_s, word in self.timeline if since_s <= now_s][-1]

    @property
    def is_parent(self) -> bool:
        """Return whether it is the parent of a dual-active pair."""
        return self.multi_write and self.parent_id is None

    @property
    def is_cluster(self) -> bool:
        """Return whether it is the parent of a MongoDB cluster's subtasks."""
        return self.node_num > 1 and "mongodb" in self.engine_type

    def since(self, word: str) -> float | None:
        """Return when a status starts to apply, or ``None`` if it is not planned."""
        timeline = self.leader.timeline if self.leader else self.timeline
        return next((since_s for since_s, status in timeline if status == word), None)

    def measure(self, now_s: float) -> tuple[int, int]:
        """Return percent and remaining seconds of the copy; pauses and failures do not count."""
        job = self.leader or self
        word = job.status(now_s)
        if word == PAUSED and job.paused:
            word = job.paused[0][1]
        copied_s = job.since(COPIED)
        is_copied = word in _COPIED_IN or (copied_s is not None and copied_s <= now_s)
        if is_copied or (job.started_s is not None and job.task_type == "INCR_TRANS"):
            return 100, 0
        if job.started_s is None:
            return 0, 0
        spent_s = job._spent_s(now_s)
        left_s = 0 if word in _ENDED else max(0, int(FULL_TRANSFER_S - spent_s + _ROUNDING))
        # It reaches 100 % only with the corresponding status.
        return min(99, int(100 * spent_s / FULL_TRANSFER_S + _ROUNDING)), left_s

    def _spent_s(self, now_s: float) -> float:
        """Return for how long it has copied."""
        return 0.0 if self.started_s is None else find_spent(self.timeline, FULL, self.started_s, now_s)

    def delay_s(self, now_s: float, pace: str | int = "time") -> float | None:
        """
        Return the lag of the incremental phase, or ``None`` outside of it.

        :param pace: if a number, each step of the lag lasts for this number of reads.
        """
        begin_s = self.since(INCREMENTAL)
        if begin_s is None or now_s < begin_s or self.status(now_s) != INCREMENTAL:
            return None
        if begin_s == 0.0 and not self.delay:
            # It was seeded in this phase and has caught up.
            return 0.0
        steps = self.delay or ((0.0, _FIRST_DELAY_S), (_FIRST_DELAY_S / _CATCH_UP_RATE, 0.0))
        if pace == "at-once":
            return float(steps[-1][1])
        if isinstance(pace, int):
            return float(steps[min(max(0, self.delay_reads - 1) // pace, len(steps) - 1)][1])
        passed_s = now_s - max(begin_s, self.created_s)
        if self.delay:
            return float([behind_s for at_s, behind_s in self.delay if at_s <= passed_s][-1])
        return max(0.0, _FIRST_DELAY_S - _CATCH_UP_RATE * passed_s)

    def begin(self, now_s: float, begin_s: float, *, is_at_once: bool) -> None:
        """Start it, now or at a later time."""
        self.starts += 1
        self.started_s = begin_s
        self._replace_planned(
            now_s, plan_start(now_s, begin_s, self.task_type, self.fails_in, is_at_once=is_at_once)
        )

    def pause(self, now_s: float) -> None:
        """Pause it and postpone the planned statuses."""
        before = self.status(now_s)
        self.paused = [
            (0.0, before),
            *((since_s - now_s, word) for since_s, word in self.timeline if since_s > now_s),
        ]
        self._replace_planned(now_s, [(now_s, PAUSED)])

    def restart(self, now_s: float, *, is_at_once: bool) -> None:
        """Restart it after an edit of its objects."""
        self.objects, self.edited = self.edited, None
        self.settings["object_switch"] = bool(self.objects)
        self._replace_planned(now_s, plan_edit(now_s, self.fails_in, is_at_once=is_at_once))
        self.fails_in = self.fails_in - {"edit"}

    def resume(self, now_s: float, *, is_at_once: bool) -> None:
        """Resume it after a pause, or retry it after a failure, which happens once."""
        status = self.status(now_s)
        if status == PAUSED:
            # A job that was seeded as paused has no planned statuses.
            planned = self.paused or [(0.0, FULL if self.task_type == "FULL_TRANS" else INCREMENTAL)]
            self.paused, status = [], planned[0][1]
            if status not in FAILURES.values():
                self._replace_planned(now_s, [(now_s + in_s, word) for in_s, word in planned])
                return
        self.fails_in = self.fails_in - {phase for phase, word in FAILURES.items() if word == status}
        if status == FAILURES["stop"]:
            self.end(now_s, is_at_once=is_at_once)
            return
        if self.started_s is None:
            self.started_s = now_s
        self._replace_planned(now_s, self._plan_retry(now_s, status, is_at_once))

    def _plan_retry(self, now_s: float, status: str, is_at_once: bool) -> list[Entry]:
        if status == FAILURES["start"]:
            return plan_start(now_s, now_s, self.task_type, self.fails_in, is_at_once=is_at_once)
        if status != FAILURES["full"]:
            return plan_transfer(now_s, "INCR_TRANS", self.fails_in, is_at_once=is_at_once)
        share = max(0.0, 1 - self._spent_s(now_s) / FULL_TRANSFER_S)
        # It can have been seeded in a phase that its task type does not have.
        kind = self.task_type if self.task_type != "INCR_TRANS" else "FULL_INCR_TRANS"
        return plan_transfer(now_s, kind, self.fails_in, is_at_once=is_at_once, share=share)

    def replan(self, now_s: float, *, is_at_once: bool) -> None:
        """Apply changed failures from its current phase on."""
        since_s, word = [entry for entry in self.timeline if entry[0] <= now_s][-1]
        if word == "CREATING":
            entries = plan_creation(since_s, self.fails_in, is_at_once=is_at_once)[1:]
        elif word == "WAITING_FOR_START" and self.started_s is not None:
            entries = plan_start(
                self.started_s, self.started_s, self.task_type, self.fails_in, is_at_once=is_at_once
            )
        elif word == "STARTJOBING":
            entries = plan_start(since_s, since_s, self.task_type, self.fails_in, is_at_once=is_at_once)[1:]
        elif word in (FULL, INCREMENTAL):
            if self.started_s is None:
                self.started_s = since_s = now_s
            failed = FAILURES["full" if word == FULL else "incremental"]
            spent_until_s = since_s
            entries = self._plan_retry(spent_until_s, failed, is_at_once)[1:]
        else:
            return
        self._replace_planned(now_s, [(max(at_s, now_s), status) for at_s, status in entries])

    def end(self, now_s: float, *, is_at_once: bool, is_forced: bool = False) -> None:
        """Stop it and discard the planned statuses."""
        fails_in = () if is_forced else self.fails_in
        self._replace_planned(now_s, plan_end(now_s, fails_in, is_at_once=is_at_once))

    def set_status(self, now_s: float, status: str) -> None:
        """Set its status and discard the planned statuses."""
        self.paused = []
        self._replace_planned(now_s, [(now_s, status)])

    def skip_to_next(self, now_s: float) -> None:
        """Start the next status now, and move all later ones forward by the same time."""
        lead_s = min((since_s for since_s, _ in self.timeline if since_s > now_s), default=now_s) - now_s
        self.timeline = [
            (since_s - lead_s if since_s > now_s else since_s, word) for since_s, word in self.timeline
        ]

    def change(self, details: Mapping[str, Any]) -> None:
        """
        Set some of :data:`~.details.DETAILS`.

        :raises ValueError: a name is unknown, or a value has the wrong type.
        """
        for name, value in check_details(details).items():
            setattr(self, name, value)

    def _replace_planned(self, now_s: float, entries: list[Entry]) -> None:
        """Replace the planned statuses."""
        self.timeline = [entry for entry in self.timeline if entry[0] <= now_s] + entries


def make_job_id(number: int) -> str:
    """Return a job ID in the service's format, which resembles a UUID."""
    return f"{number:08x}-d0c5-4a11-8a11-{number:07x}jb{100 + number % 900}"
