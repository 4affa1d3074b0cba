"""The statuses of a job over time: a list of statuses with the seconds from which they apply."""

from __future__ import annotations

from collections.abc import Collection, Sequence

#: Seconds that each phase takes.
CREATION_S = 30.0
START_S = 3.0
FULL_TRANSFER_S = 30.0
STOP_S = 10.0
#: Seconds until a planned failure of an incremental phase.
INCREMENTAL_FAILS_S = 5.0

FULL = "FULL_TRANSFER_STARTED"
COPIED = "FULL_TRANSFER_COMPLETE"
INCREMENTAL = "INCRE_TRANSFER_STARTED"
PAUSED = "PAUSING"
CHANGING = "CHANGE_JOB_STARTED"

#: The phases in which a job can be set to fail, and its status then.
FAILURES = {
    "create": "CREATE_FAILED",
    "start": "START_JOB_FAILED",
    "full": "FULL_TRANSFER_FAILED",
    "incremental": "INCRE_TRANSFER_FAILED",
    "edit": "CHANGE_JOB_FAILED",
    "stop": "RELEASE_RESOURCE_FAILED",
}

Entry = tuple[float, str]


def find_spent(timeline: Sequence[Entry], word: str, from_s: float, until_s: float) -> float:
    """Return for how many seconds a status applied between two instants."""
    ends = [since_s for since_s, _ in timeline[1:]] + [until_s]
    return sum(
        max(0.0, min(end_s, until_s) - max(since_s, from_s))
        for (since_s, status), end_s in zip(timeline, ends, strict=True)
        if status == word
    )


def plan_creation(now_s: float, fails_in: Collection[str], *, is_at_once: bool) -> list[Entry]:
    """Return the statuses of a creation."""
    ready_s = now_s if is_at_once else now_s + CREATION_S
    return [(now_s, "CREATING"), (ready_s, FAILURES["create"] if "create" in fails_in else "CONFIGURATION")]


def plan_start(
    now_s: float, begin_s: float, task_type: str, fails_in: Collection[str], *, is_at_once: bool
) -> list[Entry]:
    """Return the statuses of a start at *begin_s* and of the following phases."""
    started_s = begin_s if is_at_once else begin_s + START_S
    waiting = [(now_s, "WAITING_FOR_START")] if begin_s > now_s else []
    if "start" in fails_in:
        return [*waiting, (begin_s, "STARTJOBING"), (started_s, FAILURES["start"])]
    return [
        *waiting,
        (begin_s, "STARTJOBING"),
        *plan_transfer(started_s, task_type, fails_in, is_at_once=is_at_once),
    ]


def plan_transfer(
    begin_s: float,
    task_type: str,
    fails_in: Collection[str] = (),
    *,
    is_at_once: bool = False,
    share: float = 1.0,
) -> list[Entry]:
    """
    Return the statuses of the transfer.

    :param share: the share of the full copy that remains.
    """
    pace = 0.0 if is_at_once else 1.0
    if task_type == "INCR_TRANS":
        return _plan_incremental(begin_s, fails_in, pace)
    copy_s = FULL_TRANSFER_S * share * pace
    if "full" in fails_in:
        return [(begin_s, FULL), (begin_s + copy_s / 2, FAILURES["full"])]
    copied_s = begin_s + copy_s
    full = [(begin_s, FULL), (copied_s, COPIED)]
    if task_type == "FULL_TRANS":
        return full
    return [*full, *_plan_incremental(copied_s + START_S * pace, fails_in, pace)]


def _plan_incremental(begin_s: float, fails_in: Collection[str], pace: float) -> list[Entry]:
    failed = [(begin_s + INCREMENTAL_FAILS_S * pace, FAILURES["incremental"])]
    return [(begin_s, INCREMENTAL), *(failed if "incremental" in fails_in else [])]


def plan_edit(now_s: float, fails_in: Collection[str], *, is_at_once: bool) -> list[Entry]:
    """Return the statuses of a job whose objects were edited."""
    changed_s = now_s if is_at_once else now_s + START_S
    return [(now_s, CHANGING), (changed_s, FAILURES["edit"] if "edit" in fails_in else INCREMENTAL)]


def plan_copy(now_s: float, *, is_at_once: bool) -> list[Entry]:
    """Return the statuses of the subtask that copies the new objects of an edited job."""
    pace = 0.0 if is_at_once else 1.0
    steps = {"STARTING": 0.0, "STARTED": START_S, "COMPLETE": START_S + FULL_TRANSFER_S}
    copying = [(now_s + in_s * pace, f"CHILD_TRANSFER_{word}") for word, in_s in steps.items()]
    copied_s = copying[-1][0] + START_S * pace
    ended_s = copied_s + STOP_S * pace
    return [
        *copying,
        (copied_s, "RELEASE_CHILD_TRANSFER_STARTED"),
        (ended_s, "RELEASE_CHILD_TRANSFER_COMPLETE"),
    ]


def plan_end(now_s: float, fails_in: Collection[str], *, is_at_once: bool) -> list[Entry]:
    """Return the statuses of a stop."""
    ended_s = now_s if is_at_once else now_s + STOP_S
    last = FAILURES["stop"] if "stop" in fails_in else "RELEASE_RESOURCE_COMPLETE"
    return [(now_s, "RELEASE_RESOURCE_STARTED"), (ended_s, last)]
