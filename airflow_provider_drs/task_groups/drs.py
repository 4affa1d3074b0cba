"""
Task groups that run a complete replication in the documented order.

Each function is a task group: call it, or use ``.partial(...).expand(...)``. It returns the job IDs of its
last part. Arguments that are templated in the operators can be templates or outputs of other tasks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import task_group

from airflow_provider_drs.operators.drs import (
    DrsBatchPrecheckOperator,
    DrsCompareParametersOperator,
    DrsCreateJobsOperator,
    DrsDeleteJobsOperator,
    DrsModifyJobsOperator,
    DrsRetryJobsOperator,
    DrsSelectObjectsOperator,
    DrsSetSyncPoliciesOperator,
    DrsStartJobsOperator,
    DrsStopJobsOperator,
    DrsTestConnectionsOperator,
    DrsTransformDataOperator,
)
from airflow_provider_drs.operators.jobs import check_flag
from airflow_provider_drs.sensors.drs import (
    DrsJobStatusSensor,
    DrsPrecheckSensor,
    DrsReplicationDelaySensor,
)
from airflow_provider_drs.task_groups.layout import Part, Replacements, lay_out

if TYPE_CHECKING:
    import datetime

    from airflow.providers.common.compat.sdk import XComArg

    from airflow_provider_drs.operators.jobs import ConnIds, Duration, JobIds

__all__ = ["drs_disaster_recovery", "drs_edit_objects", "drs_migration", "drs_synchronization"]

#: The statuses that a job has after its full copy.
COPIED = ("FULL_TRANSFER_COMPLETE", "INCRE_TRANSFER_STARTED")


@task_group(group_id="migration")
def drs_migration(
    jobs: Mapping[str, Any] | Sequence[Mapping[str, Any]] | XComArg,
    *,
    source_conn_id: ConnIds,
    target_conn_id: ConnIds,
    objects: Any = None,
    start_time: datetime.datetime | str | int | XComArg | None = None,
    max_delay_s: float | str = 10,
    cluster_mode: bool = False,
    drs_conn_id: str = "drs_default",
    if_started: str = "adopt",
    recheck: str = "all",
    alarms: str | Collection[str | Mapping[str, Any]] | XComArg = "allow",
    deferrable: bool = True,
    poke_interval: Duration = 30,
    timeout: Duration = 7 * 24 * 3600,
    until: str = "caught_up",
    replace: Replacements | None = None,
) -> Any:
    """
    Migrate databases.

    The parts are ``create``, ``test_connections``, ``configure``, ``select_objects``, ``compare_parameters``
    (MySQL only; reports differences), ``precheck``, ``wait_until_passed``, ``start``, ``full_copy``,
    ``caught_up``, ``stop`` and ``delete``.

    :param jobs: the jobs to create, as in ``DrsCreateJobsOperator``.
    :param source_conn_id: the Airflow connection of the source database, or one per job in their order.
    :param target_conn_id: the Airflow connection of the destination, or one per job.
    :param objects: what to replicate, as in ``DrsSelectObjectsOperator``; ``None`` for everything.
    :param start_time: when to start, as in ``DrsStartJobsOperator``.
    :param max_delay_s: maximum lag in seconds at which a job has caught up.
    :param cluster_mode: the jobs migrate MongoDB clusters; their parameters are not compared.
    :param drs_conn_id: the Airflow connection of type ``drs``.
    :param if_started: ``adopt`` passes on jobs that were already started, so that a cleared run continues;
        ``fail`` refuses them in the parts before ``start``.
    :param recheck: ``failed`` pre-checks only the jobs whose latest pre-check has not passed.
    :param alarms: which alarms are accepted, as in ``DrsPrecheckSensor``.
    :param deferrable: wait in the triggerer.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait for ``full_copy``, and the same again for
        ``caught_up``.
    :param until: the last part to run; ``delete`` runs all of them.
    :param replace: replacements of parts by name: a function that creates a task from the job IDs of the
        previous task; ``None`` omits the part.
    :raises ValueError: *until* or *replace* has an unknown part.
    """
    _check_use("drs_migration", jobs, "migration")
    drs: dict[str, Any] = {"drs_conn_id": drs_conn_id, "if_started": if_started}
    waits: dict[str, Any] = {
        "drs_conn_id": drs_conn_id,
        "deferrable": deferrable,
        "poke_interval": poke_interval,
    }
    parts: dict[str, Part] = {
        "create": lambda jobs: DrsCreateJobsOperator(
            task_id="create",
            jobs=jobs,
            source_conn_id=source_conn_id,
            target_conn_id=target_conn_id,
            **waits,
        ),
        **_configuring(
            drs, source_conn_id=source_conn_id, target_conn_id=target_conn_id, cluster_mode=cluster_mode
        ),
        "select_objects": lambda ids: DrsSelectObjectsOperator(
            task_id="select_objects", job_ids=ids, objects=objects, **drs
        ),
        "compare_parameters": lambda ids: DrsCompareParametersOperator(
            task_id="compare_parameters", job_ids=ids, **drs
        ),
        **_starting({**drs, "recheck": recheck}, waits, start_time, alarms),
        **_following(waits, timeout, max_delay_s),
    }
    if cluster_mode:
        replace = {"compare_parameters": None, **(replace or {})}
    return lay_out(parts, jobs, replace=replace, until=until)


@task_group(group_id="synchronization")
def drs_synchronization(
    jobs: Mapping[str, Any] | Sequence[Mapping[str, Any]] | XComArg,
    *,
    source_conn_id: ConnIds,
    target_conn_id: ConnIds,
    objects: Any = None,
    policies: Mapping[str, Any] | None = None,
    rules: Sequence[Mapping[str, Any]] | XComArg = (),
    start_time: datetime.datetime | str | int | XComArg | None = None,
    max_delay_s: float | str = 10,
    drs_conn_id: str = "drs_default",
    if_started: str = "adopt",
    recheck: str = "all",
    alarms: str | Collection[str | Mapping[str, Any]] | XComArg = "allow",
    deferrable: bool = True,
    poke_interval: Duration = 30,
    timeout: Duration = 7 * 24 * 3600,
    until: str = "caught_up",
    replace: Replacements | None = None,
) -> Any:
    """
    Synchronize databases.

    The parts are ``create``, ``test_connections``, ``configure``, ``select_objects``, ``set_policies`` (with
    *policies*), ``transform`` (with *rules*), ``precheck``, ``wait_until_passed``, ``start``, ``full_copy``,
    ``caught_up``, ``stop`` and ``delete``.

    :param policies: arguments of ``DrsSetSyncPoliciesOperator``, such as ``{"conflict_policy":
        "overwrite"}``.
    :param rules: data processing rules, as in ``DrsTransformDataOperator``.

    The other arguments are those of :func:`drs_migration`.
    """
    _check_use("drs_synchronization", jobs, "sync")
    if not isinstance(policies, Mapping | None):
        raise ValueError(
            f"policies is {policies!r}: expected a mapping, such as {{'conflict_policy': 'overwrite'}}."
        )
    drs: dict[str, Any] = {"drs_conn_id": drs_conn_id, "if_started": if_started}
    waits: dict[str, Any] = {
        "drs_conn_id": drs_conn_id,
        "deferrable": deferrable,
        "poke_interval": poke_interval,
    }
    parts: dict[str, Part] = {
        "create": lambda jobs: DrsCreateJobsOperator(
            task_id="create",
            jobs=jobs,
            source_conn_id=source_conn_id,
            target_conn_id=target_conn_id,
            **waits,
        ),
        **_configuring(drs, source_conn_id=source_conn_id, target_conn_id=target_conn_id),
        "select_objects": lambda ids: DrsSelectObjectsOperator(
            task_id="select_objects", job_ids=ids, objects=objects, **drs
        ),
        "set_policies": lambda ids: DrsSetSyncPoliciesOperator(
            task_id="set_policies", job_ids=ids, **(policies or {}), **drs
        ),
        "transform": lambda ids: DrsTransformDataOperator(
            task_id="transform", job_ids=ids, rules=rules, **drs
        ),
        **_starting({**drs, "recheck": recheck}, waits, start_time, alarms),
        **_following(waits, timeout, max_delay_s),
    }
    optional = {"set_policies": policies, "transform": rules}
    left_out: dict[str, Part | None] = {name: None for name, value in optional.items() if not value}
    return lay_out(parts, jobs, replace={**left_out, **(replace or {})}, until=until)


@task_group(group_id="edit_objects")
def drs_edit_objects(
    job_ids: JobIds,
    *,
    objects: Any,
    drs_conn_id: str = "drs_default",
    deferrable: bool = True,
    poke_interval: Duration = 30,
    timeout: Duration = 24 * 3600,
    replace: Replacements | None = None,
) -> Any:
    """
    Change the objects of running synchronization jobs, such as to add a table.

    The parts are ``select_objects``, ``precheck``, ``wait_until_passed`` and ``restart``, which waits until
    DRS has copied the new objects.

    :param job_ids: DRS job IDs: one, a list, or the output of a task.
    :param objects: all objects to replicate from now on, as in ``DrsSelectObjectsOperator``.
    :param drs_conn_id: the Airflow connection of type ``drs``.
    :param deferrable: wait in the triggerer.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait for the copy of the new objects.
    :param replace: as in :func:`drs_migration`.
    :raises ValueError: *replace* has an unknown part.
    """
    waits: dict[str, Any] = {
        "drs_conn_id": drs_conn_id,
        "deferrable": deferrable,
        "poke_interval": poke_interval,
    }
    parts: dict[str, Part] = {
        "select_objects": lambda ids: DrsSelectObjectsOperator(
            task_id="select_objects", job_ids=ids, objects=objects, if_started="edit", drs_conn_id=drs_conn_id
        ),
        "precheck": lambda ids: DrsBatchPrecheckOperator(
            task_id="precheck", job_ids=ids, precheck_mode="forRetryJob", drs_conn_id=drs_conn_id
        ),
        "wait_until_passed": lambda ids: DrsPrecheckSensor(
            task_id="wait_until_passed", job_ids=ids, timeout=3600, **waits
        ),
        "restart": lambda ids: DrsRetryJobsOperator(
            task_id="restart",
            job_ids=ids,
            is_sync_re_edit=True,
            wait_for_completion=True,
            timeout=timeout,
            **waits,
        ),
    }
    return lay_out(parts, job_ids, replace=replace, until="restart")


@task_group(group_id="disaster_recovery")
def drs_disaster_recovery(
    jobs: Mapping[str, Any] | Sequence[Mapping[str, Any]] | XComArg,
    *,
    source_conn_id: ConnIds,
    target_conn_id: ConnIds,
    dual_active: bool = False,
    start_time: datetime.datetime | str | int | XComArg | None = None,
    max_delay_s: float | str = 10,
    drs_conn_id: str = "drs_default",
    if_started: str = "adopt",
    recheck: str = "all",
    alarms: str | Collection[str | Mapping[str, Any]] | XComArg = "allow",
    deferrable: bool = True,
    poke_interval: Duration = 30,
    timeout: Duration = 7 * 24 * 3600,
    until: str | None = None,
    replace: Replacements | None = None,
) -> Any:
    """
    Replicate databases for disaster recovery.

    The parts are ``create``, ``test_connections``, ``configure``, ``precheck``, ``wait_until_passed``,
    ``start``, ``full_copy``, ``caught_up``, ``stop`` and ``delete``.

    With *dual_active*, these are the parts of the forward jobs. The parts of the backward jobs run between
    ``caught_up`` and ``stop``: ``backward_test_connections``, ``backward_configure``, ``backward_start`` and
    ``backward_caught_up``. The source of a backward job is the destination of its forward job; it does not
    need a pre-check. ``stop`` and ``delete`` then apply to the parents. A replacement of ``create`` must push
    the XComs ``backward_job_ids`` and ``parent_job_ids``, like ``DrsCreateJobsOperator``.

    :param dual_active: the jobs are dual-active pairs, created with ``multi_write``.
    :param until: the last part to run. Default: ``caught_up``, or ``backward_caught_up`` with *dual_active*.

    The other arguments are those of :func:`drs_migration`.
    """
    _check_use("drs_disaster_recovery", jobs, "cloudDataGuard")
    _check_pairs(jobs, dual_active)
    if until is None:
        until = "backward_caught_up" if dual_active else "caught_up"
    drs: dict[str, Any] = {"drs_conn_id": drs_conn_id, "if_started": if_started}
    waits: dict[str, Any] = {
        "drs_conn_id": drs_conn_id,
        "deferrable": deferrable,
        "poke_interval": poke_interval,
    }
    following = _following(waits, timeout, max_delay_s)
    parts: dict[str, Part] = {
        "create": lambda jobs: DrsCreateJobsOperator(
            task_id="create",
            jobs=jobs,
            source_conn_id=source_conn_id,
            target_conn_id=target_conn_id,
            **waits,
        ),
        **_configuring(drs, source_conn_id=source_conn_id, target_conn_id=target_conn_id),
        **_starting({**drs, "recheck": recheck}, waits, start_time, alarms),
        "full_copy": following["full_copy"],
        "caught_up": following["caught_up"],
    }
    turns = {}
    if dual_active:
        # The forward jobs must be replicating before the parts of the backward jobs start.
        turns = {"backward_test_connections": "backward_job_ids", "stop": "parent_job_ids"}
        parts |= {
            **_configuring(
                drs, source_conn_id=target_conn_id, target_conn_id=source_conn_id, prefix="backward_"
            ),
            "backward_start": lambda ids: DrsStartJobsOperator(
                task_id="backward_start", job_ids=ids, wait_for_start=True, **waits
            ),
            "backward_caught_up": partial(
                _wait_until_close, "backward_caught_up", waits, timeout, max_delay_s
            ),
        }
    parts |= {"stop": following["stop"], "delete": following["delete"]}
    return lay_out(parts, jobs, replace=replace, until=until, turns=turns)


def _configuring(
    drs: Mapping[str, Any],
    *,
    source_conn_id: ConnIds,
    target_conn_id: ConnIds,
    cluster_mode: bool = False,
    prefix: str = "",
) -> dict[str, Part]:
    ends = {"source_conn_id": source_conn_id, "target_conn_id": target_conn_id, **drs}
    return {
        f"{prefix}test_connections": lambda ids: DrsTestConnectionsOperator(
            task_id=f"{prefix}test_connections", job_ids=ids, cluster_mode=cluster_mode, **ends
        ),
        f"{prefix}configure": lambda ids: DrsModifyJobsOperator(
            task_id=f"{prefix}configure", job_ids=ids, **ends
        ),
    }


def _starting(
    checks: Mapping[str, Any], waits: Mapping[str, Any], start_time: Any, alarms: Any
) -> dict[str, Part]:
    return {
        "precheck": lambda ids: DrsBatchPrecheckOperator(
            task_id="precheck", job_ids=ids, alarms=alarms, **checks
        ),
        "wait_until_passed": lambda ids: DrsPrecheckSensor(
            task_id="wait_until_passed", job_ids=ids, alarms=alarms, timeout=3600, **waits
        ),
        "start": lambda ids: DrsStartJobsOperator(
            task_id="start", job_ids=ids, start_time=start_time, alarms=alarms, wait_for_start=True, **waits
        ),
    }


def _check_use(group: str, jobs: object, db_use_type: str) -> None:
    """
    Check that literal jobs are of the kind that a group is for.

    :raises ValueError: a job is of another kind.
    """
    for job in _list_literal(jobs):
        found = job.get("db_use_type")
        if isinstance(found, str) and "{{" not in found and found != db_use_type:
            raise ValueError(
                f"jobs: {job.get('name')!r} has db_use_type {found!r}, but {group} is for {db_use_type!r}. "
                "Use the task group of its kind."
            )


def _check_pairs(jobs: object, dual_active: bool) -> None:
    """
    Check that literal jobs are dual-active pairs, or that none is.

    :raises ValueError: a job is not what *dual_active* says.
    """
    check_flag("dual_active", dual_active)
    for job in _list_literal(jobs):
        is_pair = job.get("multi_write", False)
        if isinstance(is_pair, bool) and is_pair != dual_active:
            raise ValueError(
                f"jobs: {job.get('name')!r} has multi_write {is_pair}, but dual_active is {dual_active}. Set "
                "both for dual-active pairs."
            )


def _list_literal(jobs: object) -> list[Mapping[str, Any]]:
    listed = [jobs] if isinstance(jobs, Mapping) else jobs if isinstance(jobs, list | tuple) else []
    return [job for job in listed if isinstance(job, Mapping)]


def _following(waits: Mapping[str, Any], timeout: Duration, max_delay_s: float | str) -> dict[str, Part]:
    return {
        "full_copy": lambda ids: DrsJobStatusSensor(
            task_id="full_copy", job_ids=ids, target_statuses=COPIED, timeout=timeout, **waits
        ),
        "caught_up": partial(_wait_until_close, "caught_up", waits, timeout, max_delay_s),
        "stop": lambda ids: DrsStopJobsOperator(
            task_id="stop", job_ids=ids, wait_for_completion=True, **waits
        ),
        "delete": lambda ids: DrsDeleteJobsOperator(
            task_id="delete", job_ids=ids, drs_conn_id=waits["drs_conn_id"]
        ),
    }


def _wait_until_close(
    task_id: str, waits: Mapping[str, Any], timeout: Duration, max_delay_s: float | str, ids: Any
) -> DrsReplicationDelaySensor:
    return DrsReplicationDelaySensor(
        task_id=task_id, job_ids=ids, max_delay_s=max_delay_s, timeout=timeout, **waits
    )
