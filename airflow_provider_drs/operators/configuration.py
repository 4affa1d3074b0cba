"""Operators that configure jobs before their pre-check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_drs.operators.jobs import (
    ConnIds,
    DrsJobsOperator,
    JobIds,
    check_any,
    check_choice,
    check_conn_ids,
    check_flag,
    check_literal,
    check_text,
)
from airflow_provider_drs.operators.lineage import LineageMixin

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg


# Literal arguments are checked when the DAG is parsed, empty ones when the task runs. The modules that read
# them are imported only if there is something to check.


def _read_objects(objects: object) -> None:
    from airflow_provider_drs.protocol.configuration.messages import read_objects

    read_objects(objects)


def _read_rules(rules: object) -> None:
    from airflow_provider_drs.protocol.configuration.messages import read_transformations

    read_transformations(rules)


def _read_windows(windows: object) -> None:
    from airflow_provider_drs.protocol.configuration.messages import read_windows

    read_windows(windows)


def _read_changes(changes: object) -> None:
    from airflow_provider_drs.protocol.configuration.messages import read_changes

    read_changes(changes)


def _read_ignored(ignore: object) -> None:
    from airflow_provider_drs.operators.arguments import read_names

    read_names(ignore, "ignore")


def _read_values(values: object) -> None:
    from airflow_provider_drs.protocol.parameters.messages import check_values

    check_values(values)


class _DrsDatabasesOperator(DrsJobsOperator):
    """Base class of operators that pass source and destination, with credentials, to DRS."""

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "source_conn_id", "target_conn_id")

    def __init__(
        self, *, source_conn_id: ConnIds = None, target_conn_id: ConnIds = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_conn_ids("source_conn_id", source_conn_id, self.job_ids)
        check_conn_ids("target_conn_id", target_conn_id, self.job_ids)
        self.source_conn_id = source_conn_id
        self.target_conn_id = target_conn_id

    def _read_arguments(self, job_ids: Sequence[str]) -> dict[str, Any]:
        from airflow_provider_drs.hooks.endpoints import read_endpoints

        return {
            **super()._read_arguments(job_ids),
            "source": read_endpoints("source_conn_id", self.source_conn_id, job_ids),
            "target": read_endpoints("target_conn_id", self.target_conn_id, job_ids),
        }


class DrsTestConnectionsOperator(_DrsDatabasesOperator):
    """
    Test whether DRS can connect to the databases of jobs, and return the IDs of the jobs that passed.

    DRS tests the sources first, then the destinations of the jobs whose source passed. A job that was already
    started is adopted without a test.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param if_started: ``adopt`` does not change jobs that were already started; ``fail`` refuses them.
    :param source_conn_id: the Airflow connection of the source database, or a list with one connection per
        job, in the order of ``job_ids``. (templated)
    :param target_conn_id: the Airflow connection of the destination, or one per job. (templated)
    :param cluster_mode: test all nodes of a MongoDB cluster together; requires the IDs of parent jobs.
    :param shard_conn_ids: with ``cluster_mode``, the Airflow connections of the source's shards. (templated)
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = (*_DrsDatabasesOperator.template_fields, "shard_conn_ids")
    hook_arguments = ("if_started",)
    past_participle = "tested"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        if_started: str = "adopt",
        source_conn_id: ConnIds = None,
        target_conn_id: ConnIds = None,
        cluster_mode: bool = False,
        shard_conn_ids: Sequence[str] = (),
        allow_partial: bool = False,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            source_conn_id=source_conn_id,
            target_conn_id=target_conn_id,
            job_ids=job_ids,
            on_empty=on_empty,
            allow_partial=allow_partial,
            drs_conn_id=drs_conn_id,
            **kwargs,
        )
        check_any(source_conn_id=source_conn_id, target_conn_id=target_conn_id)
        check_choice("if_started", if_started, ("adopt", "fail"))
        self.if_started = if_started
        check_flag("cluster_mode", cluster_mode)
        self.cluster_mode = cluster_mode
        check_conn_ids("shard_conn_ids", None if shard_conn_ids in ((), []) else shard_conn_ids)
        self.shard_conn_ids = shard_conn_ids

    @property
    def hook_method(self) -> str:  # type: ignore[override]
        """The hook method, which depends on ``cluster_mode``."""
        return "validate_cluster_connections" if self.cluster_mode else "validate_connections"

    def _read_arguments(self, job_ids: Sequence[str]) -> dict[str, Any]:
        from airflow_provider_drs.hooks.endpoints import check_conn_ids, read_endpoint
        from airflow_provider_drs.protocol.core.errors import DrsConfigError

        if self.shard_conn_ids and not self.cluster_mode:
            raise DrsConfigError(
                "shard_conn_ids is set without cluster_mode. Set cluster_mode=True, or remove it."
            )
        given = (
            check_conn_ids("shard_conn_ids", self.shard_conn_ids)
            if self.shard_conn_ids not in ((), [], None)
            else []
        )
        shards = [read_endpoint(conn_id) for conn_id in ([given] if isinstance(given, str) else given)]
        return super()._read_arguments(job_ids) | ({"shards": shards} if self.cluster_mode else {})


class DrsModifyJobsOperator(_DrsDatabasesOperator):
    """
    Change the settings of jobs, and return the jobs' IDs.

    With ``source_conn_id`` or ``target_conn_id``, also store the databases in the jobs, which a pre-check
    requires. The jobs must then be in status CONFIGURATION; jobs that were already started are adopted
    unchanged. Without connections, any job that is not stopped can be changed.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param if_started: ``adopt`` does not change jobs that were already started; ``fail`` refuses them.
    :param changes: fields of the DRS API with their new values: ``name``, ``description``, ``alarm_notify``,
        ``task_type``,
        ``replace_definer``, ``is_target_readonly``, ``store_db_info``, ``tags``, ... (templated)
    :param source_conn_id: the Airflow connection of the source database, or a list with one connection per
        job, in the order of ``job_ids``. (templated)
    :param target_conn_id: the Airflow connection of the destination, or one per job. (templated)
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = (*_DrsDatabasesOperator.template_fields, "changes")
    hook_method = "modify_jobs"
    hook_arguments = ("changes", "if_started")
    past_participle = "modified"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        if_started: str = "adopt",
        changes: Mapping[str, Any] | XComArg | None = None,
        source_conn_id: ConnIds = None,
        target_conn_id: ConnIds = None,
        allow_partial: bool = False,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            source_conn_id=source_conn_id,
            target_conn_id=target_conn_id,
            job_ids=job_ids,
            on_empty=on_empty,
            allow_partial=allow_partial,
            drs_conn_id=drs_conn_id,
            **kwargs,
        )
        check_any(changes=changes, source_conn_id=source_conn_id, target_conn_id=target_conn_id)
        check_choice("if_started", if_started, ("adopt", "fail"))
        self.if_started = if_started
        check_literal(None if changes == {} else changes, _read_changes)
        self.changes = changes


class DrsSelectObjectsOperator(DrsJobsOperator, LineageMixin):
    """
    Select the objects that jobs replicate, and return the jobs' IDs. Disaster recovery jobs always replicate
    all objects.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param if_started: ``adopt`` leaves jobs unchanged that were started before; ``fail`` refuses them;
        ``edit`` saves other objects for running synchronization jobs, see ``drs_edit_objects``.
    :param objects: names, such as ``"shop"`` for a database and ``"shop.orders"`` for a table; a mapping from
        names to names on the destination; or rows as the service accepts them. ``None`` selects everything.
        (templated)
    :param sync_database: for synchronization: replicate whole databases.
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "objects")
    hook_method = "select_objects"
    hook_arguments = (
        "if_started",
        "objects",
        "sync_database",
    )
    past_participle = "configured (objects)"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        if_started: str = "adopt",
        objects: Any = None,
        sync_database: bool | None = None,
        allow_partial: bool = False,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_ids=job_ids, on_empty=on_empty, allow_partial=allow_partial, drs_conn_id=drs_conn_id, **kwargs
        )
        check_choice("if_started", if_started, ("adopt", "fail", "edit"))
        self.if_started = if_started
        check_literal(None if objects in ([], ()) else objects, _read_objects)
        check_flag("sync_database", sync_database, optional=True)
        self.objects = objects
        self.sync_database = sync_database

    def _publish(self, answers: Mapping[str, Any], context: Context) -> list[str]:
        from airflow_provider_drs.protocol.configuration.messages import read_objects
        from airflow_provider_drs.protocol.core.literals import read_structure

        job_ids = super()._publish(answers, context)
        objects = read_structure(self.objects, "objects")
        self._record_replication(job_ids, read_objects(objects) if objects is not None else ())
        return job_ids


class DrsSetSyncPoliciesOperator(DrsJobsOperator):
    """
    Set how synchronization jobs handle conflicts, DDL and indexes, and return their IDs.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param if_started: ``adopt`` does not change jobs that were already started; ``fail`` refuses them.
    :param conflict_policy: what to do with an existing row: ``ignore``, ``overwrite`` or ``stop``.
        (templated)
    :param filter_ddl_policy: ``drop_database`` excludes ``DROP DATABASE`` statements from the replication.
    :param ddl_trans: replicate DDL.
    :param index_trans: replicate indexes.
    :param slot_name: the replication slot of a PostgreSQL source. (templated)
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "conflict_policy", "slot_name")
    hook_method = "set_sync_policies"
    hook_arguments = (
        "if_started",
        "conflict_policy",
        "filter_ddl_policy",
        "ddl_trans",
        "index_trans",
        "slot_name",
    )
    past_participle = "configured (policies)"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        if_started: str = "adopt",
        conflict_policy: str | None = None,
        filter_ddl_policy: str | None = None,
        ddl_trans: bool | None = None,
        index_trans: bool | None = None,
        slot_name: str | None = None,
        allow_partial: bool = False,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_ids=job_ids, on_empty=on_empty, allow_partial=allow_partial, drs_conn_id=drs_conn_id, **kwargs
        )
        check_choice("if_started", if_started, ("adopt", "fail"))
        self.if_started = if_started
        check_choice("conflict_policy", conflict_policy, ("ignore", "overwrite", "stop"), optional=True)
        check_choice("filter_ddl_policy", filter_ddl_policy, ("drop_database",), optional=True)
        check_any(
            conflict_policy=conflict_policy,
            filter_ddl_policy=filter_ddl_policy,
            ddl_trans=ddl_trans,
            index_trans=index_trans,
            slot_name=slot_name,
        )
        check_flag("ddl_trans", ddl_trans, optional=True)
        check_flag("index_trans", index_trans, optional=True)
        self.conflict_policy = conflict_policy
        self.filter_ddl_policy = filter_ddl_policy
        self.ddl_trans = ddl_trans
        self.index_trans = index_trans
        check_text("slot_name", slot_name, optional=True)
        self.slot_name = slot_name


class DrsTransformDataOperator(DrsJobsOperator):
    """
    Add data processing rules to synchronization jobs, and return their IDs. A table can have at most one
    rule.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param if_started: ``adopt`` does not change jobs that were already started; ``fail`` refuses them.
    :param rules: each with ``tables`` (``["shop.orders"]``) and ``where``, an SQL condition for the rows to
        replicate; or with ``config``, for a condition across tables. (templated)
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "rules")
    hook_method = "transform_data"
    hook_arguments = ("rules", "if_started")
    past_participle = "configured (rules)"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        if_started: str = "adopt",
        rules: Sequence[Mapping[str, Any]] | XComArg,
        allow_partial: bool = False,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_ids=job_ids, on_empty=on_empty, allow_partial=allow_partial, drs_conn_id=drs_conn_id, **kwargs
        )
        check_choice("if_started", if_started, ("adopt", "fail"))
        self.if_started = if_started
        check_literal(None if rules in ([], ()) else rules, _read_rules)
        self.rules = rules


class DrsSetFlowControlOperator(DrsJobsOperator):
    """
    Limit the speed of jobs in up to three time windows per day, and return their IDs.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param windows: each with ``begin`` (``"08:00"``), ``end`` (``"17:59"``, always ``:59``) and ``speed`` in
        MB/s, in UTC. An empty list removes the limit. (templated)
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "windows")
    hook_method = "set_flow_control"
    hook_arguments = ("windows",)
    past_participle = "configured (flow control)"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        windows: Sequence[Mapping[str, Any]] | XComArg = (),
        allow_partial: bool = False,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_ids=job_ids, on_empty=on_empty, allow_partial=allow_partial, drs_conn_id=drs_conn_id, **kwargs
        )
        check_literal(None if windows in ([], ()) else windows, _read_windows)
        self.windows = windows


class DrsSetDefinersOperator(DrsJobsOperator):
    """
    Set whether DRS replaces the definers of MySQL objects with the destination user, and return the jobs'
    IDs.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param if_started: ``adopt`` does not change jobs that were already started; ``fail`` refuses them.
    :param replace_definer: ``False`` keeps the definers, which requires users of the same names on the
        destination.
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    hook_method = "set_definers"
    hook_arguments = ("replace_definer", "if_started")
    past_participle = "configured (definers)"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        if_started: str = "adopt",
        replace_definer: bool = True,
        allow_partial: bool = False,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_ids=job_ids, on_empty=on_empty, allow_partial=allow_partial, drs_conn_id=drs_conn_id, **kwargs
        )
        check_choice("if_started", if_started, ("adopt", "fail"))
        self.if_started = if_started
        check_flag("replace_definer", replace_definer)
        self.replace_definer = replace_definer


class DrsCompareParametersOperator(DrsJobsOperator):
    """
    Compare the database parameters of source and destination of MySQL jobs, and return the jobs' IDs.

    The log shows each difference; the XCom ``parameter_report`` has all of them.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param if_started: ``adopt`` does not change jobs that were already started; ``fail`` refuses them.
    :param refresh: let DRS read the current values from the databases; ``False`` uses the values that it read
        before.
    :param on_difference: ``report``, or ``fail`` to fail the task if there is a difference.
    :param ignore: names of parameters that may differ. (templated)
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "ignore")
    hook_method = "compare_parameters"
    hook_arguments = ("refresh", "if_started")
    past_participle = "compared"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        if_started: str = "adopt",
        refresh: bool = True,
        on_difference: str = "report",
        ignore: Sequence[str] = (),
        allow_partial: bool = False,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_ids=job_ids, on_empty=on_empty, allow_partial=allow_partial, drs_conn_id=drs_conn_id, **kwargs
        )
        check_choice("if_started", if_started, ("adopt", "fail"))
        self.if_started = if_started
        check_choice("on_difference", on_difference, ("report", "fail"))
        check_flag("refresh", refresh)
        self.refresh = refresh
        self.on_difference = on_difference
        check_literal(None if ignore == () else ignore, _read_ignored)
        self.ignore = ignore

    def _read_arguments(self, job_ids: Sequence[str]) -> dict[str, Any]:
        _read_ignored(self.ignore)
        return super()._read_arguments(job_ids)

    def _publish(self, answers: Mapping[str, Any], context: Context) -> list[str]:
        from airflow_provider_drs.operators import arguments, results

        return results.publish_parameters(
            answers,
            context,
            self.log,
            ignore=arguments.read_names(self.ignore, "ignore"),
            names=self._open_hook().job_names,
            fails=self.on_difference == "fail",
            allow_partial=self.allow_partial,
        )


class DrsModifyParametersOperator(DrsJobsOperator):
    """
    Change database parameters of the destinations of MySQL jobs, and return the jobs' IDs.

    Idempotent: parameters that already have the value are not changed. The XCom ``job_results`` lists the
    changed parameters, and whether the destination must be restarted.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param if_started: ``adopt`` does not change jobs that were already started; ``fail`` refuses them.
    :param values: the new values by parameter name; ``None`` uses the value of the source. DRS recommends
        keeping ``innodb_buffer_pool_size`` at 70% of the destination's memory or less. (templated)
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "values")
    hook_method = "modify_parameters"
    hook_arguments = ("values", "if_started")
    past_participle = "configured (parameters)"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        if_started: str = "adopt",
        values: Mapping[str, str | int | None] | XComArg,
        allow_partial: bool = False,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_ids=job_ids, on_empty=on_empty, allow_partial=allow_partial, drs_conn_id=drs_conn_id, **kwargs
        )
        check_choice("if_started", if_started, ("adopt", "fail"))
        self.if_started = if_started
        check_literal(None if values == {} else values, _read_values)
        self.values = values
