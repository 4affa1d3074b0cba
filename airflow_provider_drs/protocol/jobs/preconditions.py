"""
What DRS allows when: the preconditions of every operation, as a table.

The pages state them in prose, each in its own place; a call that breaks one is refused here, with the reason,
before anything is sent. What a page does not say is left to the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from airflow_provider_drs.protocol.core.errors import DrsError, DrsJobStateError, make_error
from airflow_provider_drs.protocol.jobs.messages import DISASTER_RECOVERY, JobDetails
from airflow_provider_drs.protocol.jobs.states import (
    CONFIGURATION,
    INCRE_TRANSFER_STARTED,
    STARTED_PHASES,
    STOPPED_PHASES,
    Phase,
    describe_status,
    words_of,
)

MIGRATION = "migration"
SYNC = "sync"

#: A backward job starts only while its forward job is less than this behind (RPO and RTO; drs_03_0112).
LONGEST_FORWARD_DELAY_S = 60


class Readiness(Enum):
    """Whether an operation can be, or has to be, done for a job."""

    READY = "ready"
    #: It was done before, as the job's status shows.
    DONE = "done"
    #: A backward job of a dual-active pair, whose forward job is replicating already.
    NOT_NEEDED = "not needed"


@dataclass(frozen=True, slots=True)
class Review:
    """What was found of a job: whether an operation can be done, and the status that says so."""

    readiness: Readiness
    status: str


class Backward(Enum):
    """What holds for the backward job of a dual-active pair while its forward job is replicating."""

    AS_ANY = "as for any other job"
    ALLOWED = "allowed only then"
    ALLOWED_IN_STEP = "allowed only then, and with a delay under 60 s"
    NOT_NEEDED = "not needed then"


@dataclass(frozen=True, slots=True)
class Rule:
    """
    When an operation may be called.

    :param name: what our methods call it.
    :param operation: the service's name of the operation.
    :param does: what is done to a job, as in "job X cannot be ...".
    :param page: where the rule is stated.
    :param allowed: the statuses that allow it; ``None`` for all but the ended ones.
    :param done: statuses that show that it was done before.
    :param uses: the kinds of job (``db_use_type``) that it is for; none for all.
    :param engine: a word that the engine's name must have.
    :param direction: the only ``job_direction``.
    :param not_task_type: the ``task_type`` that it is not for.
    :param self_built: neither of its databases may be an instance of the cloud.
    :param takes_parent: the parent of a dual-active pair may be named.
    :param takes_child: a subtask may be named.
    :param backward: what holds for the backward job of a dual-active pair.
    """

    name: str
    operation: str
    does: str
    page: str
    allowed: frozenset[str] | None = None
    done: frozenset[str] = frozenset()
    uses: tuple[str, ...] = ()
    engine: str = ""
    direction: str = ""
    not_task_type: str = ""
    self_built: bool = False
    takes_parent: bool = False
    takes_child: bool = True
    backward: Backward = Backward.AS_ANY


_CONFIGURING = frozenset({CONFIGURATION})
_STARTED = words_of(*STARTED_PHASES)
_ENDED = words_of(*STOPPED_PHASES)
#: The statuses that the pages on pausing and on passwords list.
_TRANSFERRING = frozenset(
    {
        "FULL_TRANSFER_STARTED",
        "FULL_TRANSFER_FAILED",
        "FULL_TRANSFER_COMPLETE",
        INCRE_TRANSFER_STARTED,
        "INCRE_TRANSFER_FAILED",
    }
)
_PAUSED = words_of(Phase.PAUSED)
_RUNNING = words_of(Phase.STARTING, Phase.FULL, Phase.INCREMENTAL)
_RETRYABLE = frozenset(
    {
        "START_JOB_FAILED",
        "STARTJOB_FAILED",
        "FULL_TRANSFER_FAILED",
        "INCRE_TRANSFER_FAILED",
        "CHANGE_JOB_FAILED",
        "CHILD_TRANSFER_FAILED",
        "RELEASE_RESOURCE_FAILED",
        "REBUILD_NODE_FAILED",
        "NODE_UPGRADE_FAILED",
    }
)

_TABLE = (
    Rule("test", "BatchValidateConnections", "tested", "drs_03_0105", _CONFIGURING, _STARTED,
         backward=Backward.ALLOWED),
    Rule("test_cluster", "BatchValidateClustersConnections", "tested in cluster mode", "drs_03_0106",
         _CONFIGURING, _STARTED, takes_child=False),
    Rule("configure", "BatchUpdateJob", "given its databases", "drs_03_0107", _CONFIGURING, _STARTED),
    Rule("modify", "BatchUpdateJob", "modified", "drs_03_0107"),
    Rule("select", "BatchSetObjects", "given its objects", "drs_03_0109", _CONFIGURING, _STARTED,
         uses=(MIGRATION, SYNC)),
    Rule("set_definers", "BatchSetDefiner", "given its definers", "drs_03_0135", _CONFIGURING, _STARTED,
         engine="mysql"),
    Rule("set_flow_control", "BatchSetSpeed", "slowed down", "drs_03_0130", not_task_type="INCR_TRANS"),
    Rule("compare_parameters", "BatchShowParams", "asked for its parameters", "drs_03_0141", _CONFIGURING,
         uses=(MIGRATION, DISASTER_RECOVERY), engine="mysql", direction="up"),
    Rule("modify_parameters", "UpdateParams", "given parameters", "drs_03_0131", _CONFIGURING, _STARTED,
         uses=(MIGRATION, DISASTER_RECOVERY), engine="mysql", direction="up"),
    Rule("precheck", "BatchCheckJobs", "pre-checked", "drs_03_0110", _CONFIGURING,
         backward=Backward.NOT_NEEDED),
    # In mode forRetryJob; which statuses allow that, only newer pages say, and not in one voice.
    Rule("recheck", "BatchCheckJobs", "pre-checked again", "drs_03_0110", backward=Backward.NOT_NEEDED),
    Rule("start", "BatchStartJobs", "started", "drs_03_0112", _CONFIGURING, _STARTED,
         backward=Backward.ALLOWED_IN_STEP),
    Rule("pause", "BatchStopJobs", "paused", "drs_03_0133", _TRANSFERRING, _PAUSED, uses=(MIGRATION, SYNC),
         takes_parent=True),
    # The page has failed jobs; the user manual and newer pages have paused ones as well.
    Rule("retry", "BatchRestoreTask", "resumed or retried", "drs_03_0132", _RETRYABLE | _PAUSED, _RUNNING),
    Rule("stop", "BatchDeleteJobs", "stopped", "drs_03_0113", None, _ENDED, takes_parent=True),
    Rule("delete", "BatchDeleteJobs", "deleted", "drs_03_0113",
         frozenset({"CREATE_FAILED", "RELEASE_RESOURCE_COMPLETE", "RELEASE_CHILD_TRANSFER_COMPLETE"}),
         frozenset({"DELETED"}), takes_parent=True),
    # The page spells STARTJOB_FAILED where every list of statuses has START_JOB_FAILED.
    Rule("change_passwords", "BatchResetPassword", "given new passwords", "drs_03_0134",
         _TRANSFERRING | _PAUSED | {"STARTJOBING", "STARTJOB_FAILED", "START_JOB_FAILED"}),
    Rule("compare", "CreateCompareTask", "compared", "drs_03_0136", frozenset({INCRE_TRANSFER_STARTED}),
         uses=(DISASTER_RECOVERY,), engine="mysql"),
    Rule("set_policies", "BatchSetPolicy", "given policies", "drs_03_0149", _CONFIGURING, _STARTED,
         uses=(SYNC,), takes_parent=True),
    Rule("transform", "BatchChangeData", "given rules of data processing", "drs_api_0103", _CONFIGURING,
         _STARTED, uses=(SYNC,), takes_parent=True),
    Rule("switch_over", "SwitchVip", "switched over", "drs_03_0147", uses=(SYNC,), self_built=True,
         takes_parent=True, takes_child=False),
)  # fmt: skip

RULES: Mapping[str, Rule] = {rule.name: rule for rule in _TABLE}


@dataclass(frozen=True, slots=True)
class Forward:
    """Where the forward job of a dual-active pair stands; ``delay_s`` is ``None`` where nobody asked."""

    status: str
    delay_s: int | None = None


def needs_forward(rule: Rule, job: JobDetails) -> bool:
    """Whether the rule asks where the job's forward job stands."""
    return job.is_dual_active_backward and rule.backward is not Backward.AS_ANY


def review(rule: Rule, job: JobDetails, forward: Forward | None = None) -> Readiness | DrsError:
    """
    Say whether an operation can be done for a job.

    A job whose details do not tell what a rule asks for is left to the service.

    :param forward: for a backward job, where its forward job stands.
    :return: a ``DrsJobStateError`` for a job that it cannot be done for.
    """
    found = _find_fault(rule, job)
    if found is None:
        if job.status in rule.done:
            return Readiness.DONE
        is_replicating = forward is not None and forward.status == INCRE_TRANSFER_STARTED
        if job.is_dual_active_backward and is_replicating and rule.backward is Backward.NOT_NEEDED:
            return Readiness.NOT_NEEDED
        found = _find_status_fault(rule, job) or _find_forward_fault(rule, job, forward)
    if found is None:
        return Readiness.READY
    why, remedy = found
    return make_error(
        f"Job {job.job_id} cannot be {rule.does}: {why}",
        operation=rule.operation,
        job_ids=(job.job_id,),
        error_class=DrsJobStateError,
        remedy=f"{remedy} ({rule.page})",
    )


def _find_fault(rule: Rule, job: JobDetails) -> tuple[str, str] | None:
    """Return what speaks against it, whatever the job's status, and what to do."""
    if job.is_dual_active_parent and not rule.takes_parent:
        return "it is the parent of a dual-active pair", "Use the ids of its forward and backward jobs."
    if job.parent_id and not rule.takes_child:
        return "it is a subtask", f"Use the id of its parent, {job.parent_id}."
    if rule.uses and job.db_use_type and job.db_use_type not in rule.uses:
        return f"its db_use_type is {job.db_use_type}", f"This is for {' and '.join(rule.uses)} jobs only."
    if rule.engine and job.engine_type and rule.engine not in job.engine_type:
        return f"its engine is {job.engine_type}", f"This is for {rule.engine} jobs only."
    if rule.direction and job.job_direction and job.job_direction != rule.direction:
        return f"its job_direction is {job.job_direction}", f"Only {rule.direction} has this."
    if rule.not_task_type and job.task_type == rule.not_task_type:
        return f"its task_type is {job.task_type}", "There is no full copy to limit."
    if rule.self_built and (instance := _find_instance(job)):
        return f"its database {instance} is an instance of the cloud", "This is for self-built ones only."
    return None


def _find_instance(job: JobDetails) -> str:
    ids = (str(job.endpoint(end).get("inst_id") or "") for end in ("source", "target"))
    return next(filter(None, ids), "")


def _find_status_fault(rule: Rule, job: JobDetails) -> tuple[str, str] | None:
    is_ended = job.phase in STOPPED_PHASES
    if (job.status in rule.allowed) if rule.allowed is not None else not is_ended:
        return None
    if rule.allowed is None:
        remedy = "Leave the job out."
    elif rule.allowed == _CONFIGURING:
        remedy = f"That needs status {CONFIGURATION}; leave the job out."
    else:
        remedy = f"That needs one of {', '.join(sorted(rule.allowed))}."
    return f"its status is {describe_status(job.status)}", remedy


def _find_forward_fault(rule: Rule, job: JobDetails, forward: Forward | None) -> tuple[str, str] | None:
    if not job.is_dual_active_backward or rule.backward not in (Backward.ALLOWED, Backward.ALLOWED_IN_STEP):
        return None
    if forward is None or forward.status != INCRE_TRANSFER_STARTED:
        status = describe_status(forward.status) if forward else "not to be found"
        return f"its forward job is {status}", f"Wait until the forward job is {INCRE_TRANSFER_STARTED}."
    is_late = forward.delay_s is None or forward.delay_s >= LONGEST_FORWARD_DELAY_S
    if rule.backward is Backward.ALLOWED_IN_STEP and is_late:
        behind = "by an unknown time" if forward.delay_s is None else f"by {forward.delay_s} s"
        return (
            f"its forward job is behind {behind}",
            f"Wait until it is less than {LONGEST_FORWARD_DELAY_S} s behind (DrsReplicationDelaySensor).",
        )
    return None
