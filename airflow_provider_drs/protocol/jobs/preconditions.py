"""
The preconditions of every operation, as a table.

The documentation states them in prose on many pages; a call that violates one is rejected with the reason
before anything is sent. DRS decides where the documentation has no rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from airflow_provider_drs.protocol.core.errors import (
    DrsError,
    DrsJobStateError,
    check_choice,
    label_job,
    make_error,
)
from airflow_provider_drs.protocol.jobs.messages import DISASTER_RECOVERY, JobDetails
from airflow_provider_drs.protocol.jobs.states import (
    CONFIGURATION,
    INCRE_TRANSFER_STARTED,
    RUNNING_PHASES,
    STARTED_PHASES,
    STOPPED_PHASES,
    Phase,
    describe_status,
    words_of,
)

MIGRATION = "migration"
SYNC = "sync"

#: A backward job starts only while the lag of its forward job is smaller (RPO and RTO; drs_03_0112).
MAX_FORWARD_DELAY_S = 60


class Readiness(Enum):
    """Whether an action can or must be performed for a job."""

    READY = "ready"
    #: It was performed before, as the job's status shows.
    DONE = "done"
    #: A backward job of a dual-active pair whose forward job is replicating.
    NOT_NEEDED = "not needed"


@dataclass(frozen=True, slots=True)
class Review:
    """The result of a review: whether an action can be performed, and the job's status and name."""

    readiness: Readiness
    status: str
    name: str = field(default="", compare=False)


class Backward(Enum):
    """The precondition of a backward job of a dual-active pair."""

    NONE = "none"
    ALLOWED = "allowed if the forward job is replicating"
    ALLOWED_IN_STEP = "allowed if the forward job is replicating with a lag under 60 s"
    NOT_NEEDED = "not needed if the forward job is replicating"


@dataclass(frozen=True, slots=True)
class Rule:
    """
    The preconditions of an action.

    :param name: the name of the action.
    :param operation: the service's name of the operation.
    :param does: what is done to a job, as in "cannot be ...".
    :param page: the page with the preconditions.
    :param allowed: the statuses that allow it; ``None`` for all except the ended ones.
    :param done: the statuses that show that it was performed before.
    :param again: those of the statuses that do not show it for synchronization jobs.
    :param uses: the kinds of jobs (``db_use_type``) that support it; empty for all.
    :param engine: a word that the engine's name must contain.
    :param direction: the only ``job_direction`` that supports it.
    :param not_task_type: the ``task_type`` that does not support it.
    :param self_built: neither database may be a cloud instance.
    :param takes_parent: it accepts the parent of a dual-active pair.
    :param takes_child: it accepts a subtask.
    :param backward: the precondition of a backward job of a dual-active pair.
    """

    name: str
    operation: str
    does: str
    page: str
    allowed: frozenset[str] | None = None
    done: frozenset[str] = frozenset()
    again: frozenset[str] = frozenset()
    uses: tuple[str, ...] = ()
    engine: str = ""
    direction: str = ""
    not_task_type: str = ""
    self_built: bool = False
    takes_parent: bool = False
    takes_child: bool = True
    backward: Backward = Backward.NONE


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
    Rule("configure", "BatchUpdateJob", "configured", "drs_03_0107", _CONFIGURING, _STARTED),
    Rule("modify", "BatchUpdateJob", "modified", "drs_03_0107"),
    Rule("select", "BatchSetObjects", "configured (objects)", "drs_03_0109", _CONFIGURING, _STARTED,
         uses=(MIGRATION, SYNC)),
    # The page has the selection before the start only. The objects of a running synchronization can be
    # edited, according to the user guide (drs_10_0009) and the restart with is_sync_re_edit.
    Rule("edit", "BatchSetObjects", "configured (other objects)", "drs_03_0109",
         frozenset({CONFIGURATION, INCRE_TRANSFER_STARTED}), uses=(SYNC,)),
    Rule("set_definers", "BatchSetDefiner", "configured (definers)", "drs_03_0135", _CONFIGURING, _STARTED,
         engine="mysql"),
    Rule("set_flow_control", "BatchSetSpeed", "configured (flow control)", "drs_03_0130",
         not_task_type="INCR_TRANS"),
    Rule("compare_parameters", "BatchShowParams", "compared (parameters)", "drs_03_0141", _CONFIGURING,
         _STARTED, uses=(MIGRATION, DISASTER_RECOVERY), engine="mysql", direction="up"),
    Rule("modify_parameters", "UpdateParams", "configured (parameters)", "drs_03_0131", _CONFIGURING,
         _STARTED, uses=(MIGRATION, DISASTER_RECOVERY), engine="mysql", direction="up"),
    Rule("precheck", "BatchCheckJobs", "pre-checked", "drs_03_0110", _CONFIGURING, _STARTED,
         backward=Backward.NOT_NEEDED),
    # Mode forRetryJob: only newer pages say which statuses allow it, and they differ.
    Rule("recheck", "BatchCheckJobs", "pre-checked again", "drs_03_0110", backward=Backward.NOT_NEEDED),
    Rule("start", "BatchStartJobs", "started", "drs_03_0112", _CONFIGURING, _STARTED,
         backward=Backward.ALLOWED_IN_STEP),
    Rule("pause", "BatchStopJobs", "paused", "drs_03_0133", _TRANSFERRING, _PAUSED, uses=(MIGRATION, SYNC),
         takes_parent=True),
    # The page lists failed jobs; the user manual and newer pages also paused ones.
    Rule("retry", "BatchRestoreTask", "resumed or retried", "drs_03_0132", _RETRYABLE | _PAUSED, _RUNNING),
    # The restart after the objects of a running synchronization were edited.
    Rule("restart", "BatchRestoreTask", "restarted after an edit of its objects", "drs_03_0132",
         _RETRYABLE | _PAUSED | {INCRE_TRANSFER_STARTED}, _RUNNING,
         again=frozenset({INCRE_TRANSFER_STARTED})),
    Rule("stop", "BatchDeleteJobs", "stopped", "drs_03_0113", None, _ENDED, takes_parent=True),
    Rule("delete", "BatchDeleteJobs", "deleted", "drs_03_0113",
         frozenset({"CREATE_FAILED", "RELEASE_RESOURCE_COMPLETE", "RELEASE_CHILD_TRANSFER_COMPLETE"}),
         frozenset({"DELETED"}), takes_parent=True),
    # The page spells STARTJOB_FAILED; all lists of statuses have START_JOB_FAILED.
    Rule("change_passwords", "BatchResetPassword", "updated with new passwords", "drs_03_0134",
         _TRANSFERRING | _PAUSED | {"STARTJOBING", "STARTJOB_FAILED", "START_JOB_FAILED"}),
    Rule("compare", "CreateCompareTask", "compared", "drs_03_0136", frozenset({INCRE_TRANSFER_STARTED}),
         uses=(DISASTER_RECOVERY,), engine="mysql"),
    Rule("set_policies", "BatchSetPolicy", "configured (policies)", "drs_03_0149", _CONFIGURING, _STARTED,
         uses=(SYNC,), takes_parent=True),
    Rule("transform", "BatchChangeData", "configured (rules)", "drs_api_0103", _CONFIGURING,
         _STARTED, uses=(SYNC,), takes_parent=True),
    Rule("switch_over", "SwitchVip", "switched over", "drs_03_0147", uses=(SYNC,), self_built=True,
         takes_parent=True, takes_child=False),
)  # fmt: skip

RULES: Mapping[str, Rule] = {rule.name: rule for rule in _TABLE}
#: What to do with jobs that were started before: nothing, as a rerun of a DAG needs, or refuse them.
IF_STARTED = ("adopt", "fail")


def find_rule(action: str, if_started: str) -> Rule:
    """
    Return the rule of an action before the start.

    :param if_started: ``adopt`` leaves jobs unchanged that were started before, ``fail`` refuses them.
    :raises DrsConfigError: it has another value.
    """
    check_choice("if_started", if_started, IF_STARTED)
    return RULES[action] if if_started == "adopt" else replace(RULES[action], done=frozenset())


@dataclass(frozen=True, slots=True)
class Forward:
    """The forward job of a dual-active pair; ``delay_s`` is its lag, or ``None`` if it was not read."""

    status: str
    delay_s: int | None = None


def needs_forward(rule: Rule, job: JobDetails) -> bool:
    """Whether the rule depends on the job's forward job."""
    return job.is_dual_active_backward and rule.backward is not Backward.NONE


def is_done(rule: Rule, job: JobDetails, status: str) -> bool:
    """Whether a job's status shows that the action was performed before."""
    return status in rule.done and not (status in rule.again and job.db_use_type == SYNC)


def review(rule: Rule, job: JobDetails, forward: Forward | None = None) -> Readiness | DrsError:
    """
    Return whether an action can be performed for a job.

    A rule that the job's details cannot answer is left to DRS.

    :param forward: for a backward job, its forward job.
    :return: a ``DrsJobStateError`` if the action cannot be performed.
    """
    found = _check_kind(rule, job)
    if found is None:
        if is_done(rule, job, job.status):
            return Readiness.DONE
        is_replicating = forward is not None and forward.status == INCRE_TRANSFER_STARTED
        if job.is_dual_active_backward and is_replicating and rule.backward is Backward.NOT_NEEDED:
            return Readiness.NOT_NEEDED
        found = _check_status(rule, job) or _check_forward(rule, job, forward)
    if found is None:
        return Readiness.READY
    why, remedy = found
    return make_error(
        f"{label_job(job.job_id, job.name)}: cannot be {rule.does} {why}",
        operation=rule.operation,
        job_ids=(job.job_id,),
        error_class=DrsJobStateError,
        remedy=f"{remedy} ({rule.page})",
    )


def _check_kind(rule: Rule, job: JobDetails) -> tuple[str, str] | None:
    """Return why the kind of the job does not allow the action, and how to fix it."""
    if job.is_dual_active_parent and not rule.takes_parent:
        return (
            "because it is the parent of a dual-active pair",
            "Use the IDs of its forward and backward jobs.",
        )
    if job.parent_id and not rule.takes_child:
        return "because it is a subtask", f"Use its parent, {job.parent_id}."
    if rule.uses and job.db_use_type and job.db_use_type not in rule.uses:
        return f"as a {job.db_use_type} job", f"Only {' and '.join(rule.uses)} jobs support this."
    if rule.engine and job.engine_type and rule.engine not in job.engine_type:
        return f"with engine {job.engine_type}", f"Only {rule.engine} jobs support this."
    if rule.direction and job.job_direction and job.job_direction != rule.direction:
        return (
            f"with job_direction {job.job_direction}",
            f"Only jobs with job_direction {rule.direction} support this.",
        )
    if rule.not_task_type and job.task_type == rule.not_task_type:
        return f"with task_type {job.task_type}", "Only jobs with a full copy support this."
    if rule.self_built and (instance := _find_instance(job)):
        return (
            f"because its database {instance} is a cloud instance",
            "Only self-managed databases support this.",
        )
    return None


def _find_instance(job: JobDetails) -> str:
    ids = (str(job.endpoint(end).get("inst_id") or "") for end in ("source", "target"))
    return next(filter(None, ids), "")


def _check_status(rule: Rule, job: JobDetails) -> tuple[str, str] | None:
    is_ended = job.phase in STOPPED_PHASES
    if (job.status in rule.allowed) if rule.allowed is not None else not is_ended:
        return None
    if rule.allowed is None:
        remedy = "Leave the job out."
    elif job.phase is Phase.FAILED and job.status in _RETRYABLE:
        remedy = "Fix the cause, then resume it (DrsRetryJobsOperator)."
    elif rule.allowed == _CONFIGURING:
        adopts = ', or set if_started="adopt"' if job.phase in RUNNING_PHASES else ""
        remedy = f"Expected {CONFIGURATION}. Leave the job out{adopts}."
    else:
        remedy = f"Expected {', '.join(sorted(rule.allowed))}."
    return f"in status {describe_status(job.status)}", remedy


def _check_forward(rule: Rule, job: JobDetails, forward: Forward | None) -> tuple[str, str] | None:
    if not job.is_dual_active_backward or rule.backward not in (Backward.ALLOWED, Backward.ALLOWED_IN_STEP):
        return None
    if forward is None or forward.status != INCRE_TRANSFER_STARTED:
        status = f"in status {describe_status(forward.status)}" if forward else "not listed"
        return f"while its forward job is {status}", f"Wait until that job is {INCRE_TRANSFER_STARTED}."
    is_behind = forward.delay_s is None or forward.delay_s >= MAX_FORWARD_DELAY_S
    if rule.backward is Backward.ALLOWED_IN_STEP and is_behind:
        lag = "unknown" if forward.delay_s is None else f"{forward.delay_s} s"
        return (
            f"while the lag of its forward job is {lag}",
            f"Wait until it is less than {MAX_FORWARD_DELAY_S} s (DrsReplicationDelaySensor).",
        )
    return None
