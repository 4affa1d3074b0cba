"""
The statuses of a DRS job, as a table (drs_05_0005; spellings that other pages use are rows of their own).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

CONFIGURATION = "CONFIGURATION"
INCRE_TRANSFER_STARTED = "INCRE_TRANSFER_STARTED"


class Phase(Enum):
    """Where in its life a job is. ``UNKNOWN`` is a status word that this version has never seen."""

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
    """One row: the service's word, its phase, and what it means."""

    word: str
    phase: Phase
    meaning: str


_TABLE = (
    Status("CREATING", Phase.CREATING, "the replication instance is being created"),
    Status("CREATE_FAILED", Phase.FAILED, "the creation failed"),
    Status(CONFIGURATION, Phase.CONFIGURING, "created and not started: test, configure, pre-check"),
    Status("STARTJOBING", Phase.STARTING, "the start is in progress"),
    Status("WAITING_FOR_START", Phase.STARTING, "the start is scheduled for later"),
    Status("START_JOB_FAILED", Phase.FAILED, "the start failed"),
    # The page on passwords (drs_03_0134) spells it so.
    Status("STARTJOB_FAILED", Phase.FAILED, "the start failed"),
    # Both "pausing" and "paused": there is no PAUSED. The batch-status page spells it PAUSEING
    # (drs_api_0150).
    Status("PAUSING", Phase.PAUSED, "the job is being paused, or is paused"),
    Status("PAUSEING", Phase.PAUSED, "the job is being paused, or is paused"),
    Status("FULL_TRANSFER_STARTED", Phase.FULL, "the full copy is running"),
    Status("FULL_TRANSFER_FAILED", Phase.FAILED, "the full copy failed"),
    Status("FULL_TRANSFER_COMPLETE", Phase.FULL, "the full copy is done"),
    Status(INCRE_TRANSFER_STARTED, Phase.INCREMENTAL, "the incremental replication is running"),
    Status("INCRE_TRANSFER_FAILED", Phase.FAILED, "the incremental replication failed"),
    Status("RELEASE_RESOURCE_STARTED", Phase.STOPPING, "the job is being stopped"),
    Status("RELEASE_RESOURCE_FAILED", Phase.FAILED, "stopping the job failed"),
    Status("RELEASE_RESOURCE_COMPLETE", Phase.ENDED, "the job was stopped and its resources are released"),
    Status("CHANGE_JOB_STARTED", Phase.INCREMENTAL, "the objects of the running job are being changed"),
    Status("CHANGE_JOB_FAILED", Phase.FAILED, "changing the objects failed"),
    Status("CHILD_TRANSFER_STARTING", Phase.STARTING, "a re-edit subtask is being started"),
    Status("CHILD_TRANSFER_STARTED", Phase.FULL, "a re-edit subtask is running"),
    Status("CHILD_TRANSFER_COMPLETE", Phase.FULL, "a re-edit subtask has copied everything"),
    Status("CHILD_TRANSFER_FAILED", Phase.FAILED, "a re-edit subtask failed"),
    Status("RELEASE_CHILD_TRANSFER_STARTED", Phase.STOPPING, "a re-edit subtask is being stopped"),
    Status("RELEASE_CHILD_TRANSFER_COMPLETE", Phase.ENDED, "a re-edit subtask has ended"),
    # The rest is in newer Huawei Cloud pages and SDKs only.
    Status("REBUILD_NODE_STARTED", Phase.INCREMENTAL, "a faulty replication instance is being repaired"),
    Status("REBUILD_NODE_FAILED", Phase.FAILED, "repairing the replication instance failed"),
    Status("DELETED", Phase.ENDED, "the job was deleted"),
    Status("NODE_UPGRADE_START", Phase.INCREMENTAL, "the replication instance is being upgraded"),
    Status("NODE_UPGRADE_COMPLETE", Phase.INCREMENTAL, "the replication instance was upgraded"),
    Status("NODE_UPGRADE_FAILED", Phase.FAILED, "upgrading the replication instance failed"),
)

STATUSES: dict[str, Status] = {status.word: status for status in _TABLE}

#: A job in one of these phases has been started; starting it again would be a second start.
STARTED_PHASES = frozenset({Phase.STARTING, Phase.FULL, Phase.INCREMENTAL, Phase.PAUSED})
#: Beyond the start itself: data is moving or has moved.
RUNNING_PHASES = frozenset({Phase.FULL, Phase.INCREMENTAL, Phase.PAUSED})
#: Stopped for good, or on the way there.
STOPPED_PHASES = frozenset({Phase.STOPPING, Phase.ENDED})


#: From which status a job goes to which: by itself, or by a word of ours (drs_05_0005 and the page of each
#: action). It is what the documentation draws; nothing decides by it, since DRS has the last word.
NEXT: dict[str, tuple[str, ...]] = {
    "CREATING": (CONFIGURATION, "CREATE_FAILED"),
    CONFIGURATION: ("STARTJOBING", "WAITING_FOR_START"),
    "WAITING_FOR_START": ("STARTJOBING",),
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
    """Return the status words of some phases."""
    return frozenset(status.word for status in _TABLE if status.phase in phases)


def phase_of(word: str) -> Phase:
    """Return the phase of a status word; a word never seen before counts as not finished and not failed."""
    status = STATUSES.get(word)
    return status.phase if status else Phase.UNKNOWN


def describe_status(word: str) -> str:
    """Return the word with its meaning, for a person."""
    status = STATUSES.get(word)
    return (
        f"{word}: {status.meaning}"
        if status
        else f"{word}: a status this version of the provider does not know"
    )
