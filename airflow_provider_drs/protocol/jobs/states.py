"""The statuses of a DRS job, as a table (drs_05_0005; other spellings have their own rows)."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from enum import Enum
from typing import NamedTuple

from airflow_provider_drs.protocol.core.errors import DrsConfigError, quote

CONFIGURATION = "CONFIGURATION"
INCRE_TRANSFER_STARTED = "INCRE_TRANSFER_STARTED"
WAITING_FOR_START = "WAITING_FOR_START"


class Phase(Enum):
    """The phase of a job. ``UNKNOWN`` is an unknown status."""

    CREATING = "creating"
    CONFIGURING = "configuring"
    STARTING = "starting"
    FULL = "full"
    INCREMENTAL = "incremental"
    PAUSED = "paused"
    STOPPING = "stopping"
    ENDED = "ended"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Status(NamedTuple):
    """A status, its phase, and its meaning."""

    word: str
    phase: Phase
    meaning: str


_TABLE = (
    Status("CREATING", Phase.CREATING, "replication instance is being created"),
    Status("CREATE_FAILED", Phase.FAILED, "creation failed"),
    Status(CONFIGURATION, Phase.CONFIGURING, "created, not started"),
    Status("STARTJOBING", Phase.STARTING, "start in progress"),
    Status(WAITING_FOR_START, Phase.STARTING, "start scheduled"),
    Status("START_JOB_FAILED", Phase.FAILED, "start failed"),
    # The spelling of the page on passwords (drs_03_0134).
    Status("STARTJOB_FAILED", Phase.FAILED, "start failed"),
    # Both "pausing" and "paused": PAUSED does not exist. The page on batch statuses spells it PAUSEING
    # (drs_api_0150).
    Status("PAUSING", Phase.PAUSED, "pausing or paused"),
    Status("PAUSEING", Phase.PAUSED, "pausing or paused"),
    Status("FULL_TRANSFER_STARTED", Phase.FULL, "full copy running"),
    Status("FULL_TRANSFER_FAILED", Phase.FAILED, "full copy failed"),
    Status("FULL_TRANSFER_COMPLETE", Phase.FULL, "full copy complete"),
    Status(INCRE_TRANSFER_STARTED, Phase.INCREMENTAL, "incremental replication running"),
    Status("INCRE_TRANSFER_FAILED", Phase.FAILED, "incremental replication failed"),
    Status("RELEASE_RESOURCE_STARTED", Phase.STOPPING, "stopping"),
    Status("RELEASE_RESOURCE_FAILED", Phase.FAILED, "stop failed"),
    Status("RELEASE_RESOURCE_COMPLETE", Phase.ENDED, "stopped, resources released"),
    Status("CHANGE_JOB_STARTED", Phase.INCREMENTAL, "objects are being changed"),
    Status("CHANGE_JOB_FAILED", Phase.FAILED, "changing objects failed"),
    Status("CHILD_TRANSFER_STARTING", Phase.STARTING, "re-edit subtask starting"),
    Status("CHILD_TRANSFER_STARTED", Phase.FULL, "re-edit subtask running"),
    Status("CHILD_TRANSFER_COMPLETE", Phase.FULL, "re-edit subtask complete"),
    Status("CHILD_TRANSFER_FAILED", Phase.FAILED, "re-edit subtask failed"),
    Status("RELEASE_CHILD_TRANSFER_STARTED", Phase.STOPPING, "re-edit subtask stopping"),
    Status("RELEASE_CHILD_TRANSFER_COMPLETE", Phase.ENDED, "re-edit subtask stopped"),
    # The following are on newer Huawei Cloud pages and in SDKs only.
    Status("REBUILD_NODE_STARTED", Phase.INCREMENTAL, "replication instance is being repaired"),
    Status("REBUILD_NODE_FAILED", Phase.FAILED, "repair of the replication instance failed"),
    Status("DELETED", Phase.ENDED, "deleted"),
    Status("NODE_UPGRADE_START", Phase.INCREMENTAL, "replication instance is being upgraded"),
    Status("NODE_UPGRADE_COMPLETE", Phase.INCREMENTAL, "replication instance upgraded"),
    Status("NODE_UPGRADE_FAILED", Phase.FAILED, "upgrade of the replication instance failed"),
)

STATUSES: dict[str, Status] = {status.word: status for status in _TABLE}

#: The phases of a started job, which must not be started again.
STARTED_PHASES = frozenset({Phase.STARTING, Phase.FULL, Phase.INCREMENTAL, Phase.PAUSED})
#: The phases in which data is or was moving.
RUNNING_PHASES = frozenset({Phase.FULL, Phase.INCREMENTAL, Phase.PAUSED})
#: The phases of a stopped job.
STOPPED_PHASES = frozenset({Phase.STOPPING, Phase.ENDED})


#: The transitions between statuses (drs_05_0005 and the pages of the actions), for the diagram in the
#: documentation. No decision depends on it.
NEXT: dict[str, tuple[str, ...]] = {
    "CREATING": (CONFIGURATION, "CREATE_FAILED"),
    CONFIGURATION: ("STARTJOBING", WAITING_FOR_START),
    WAITING_FOR_START: ("STARTJOBING",),
    "STARTJOBING": ("FULL_TRANSFER_STARTED", INCRE_TRANSFER_STARTED, "START_JOB_FAILED"),
    "START_JOB_FAILED": ("STARTJOBING",),
    "FULL_TRANSFER_STARTED": ("FULL_TRANSFER_COMPLETE", "FULL_TRANSFER_FAILED", "PAUSING"),
    "FULL_TRANSFER_FAILED": ("FULL_TRANSFER_STARTED",),
    "FULL_TRANSFER_COMPLETE": (INCRE_TRANSFER_STARTED, "RELEASE_RESOURCE_STARTED"),
    INCRE_TRANSFER_STARTED: (
        "INCRE_TRANSFER_FAILED",
        "PAUSING",
        "CHANGE_JOB_STARTED",
        "RELEASE_RESOURCE_STARTED",
    ),
    "INCRE_TRANSFER_FAILED": (INCRE_TRANSFER_STARTED,),
    "PAUSING": ("FULL_TRANSFER_STARTED", INCRE_TRANSFER_STARTED),
    "CHANGE_JOB_STARTED": (INCRE_TRANSFER_STARTED, "CHANGE_JOB_FAILED"),
    "RELEASE_RESOURCE_STARTED": ("RELEASE_RESOURCE_COMPLETE", "RELEASE_RESOURCE_FAILED"),
    "RELEASE_RESOURCE_FAILED": ("RELEASE_RESOURCE_STARTED",),
}


def words_of(*phases: Phase) -> frozenset[str]:
    """Return the statuses of some phases."""
    return frozenset(status.word for status in _TABLE if status.phase in phases)


def phase_of(word: str) -> Phase:
    """Return the phase of a status; an unknown status counts as neither finished nor failed."""
    status = STATUSES.get(word)
    return status.phase if status else Phase.UNKNOWN


def describe_status(word: str) -> str:
    """Return the status with its meaning."""
    status = STATUSES.get(word)
    return f"{word} ({status.meaning})" if status else f"{word} (not in the list of this provider version)"


def check_statuses(name: str, words: object) -> frozenset[str]:
    """
    Return validated statuses.

    :param name: the argument, for the error.
    :raises DrsConfigError: there are none, or one is unknown.
    """
    given = words
    if isinstance(words, str):
        words = [word.strip() for word in words.split(",") if word.strip()]
    listed = list(words) if isinstance(words, Collection) else []
    unknown = [str(word) for word in listed if word not in STATUSES]
    if unknown or not listed:
        if not unknown:
            raise DrsConfigError(f"{name} is {quote(given)}: expected one or more job statuses.")
        similar = get_close_matches(unknown[0].upper(), STATUSES, n=3, cutoff=0.4)
        hint = f"Similar statuses: {', '.join(similar)}. " if similar else ""
        raise DrsConfigError(
            f'{name}: unknown status {", ".join(map(quote, unknown))}. {hint}The page "Job statuses" of the '
            "documentation lists all of them."
        )
    return frozenset(str(word) for word in listed)
