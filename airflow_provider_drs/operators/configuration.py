"""Operators that make jobs ready for their pre-check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_drs.operators.jobs import DrsJobsOperator
from airflow_provider_drs.operators.lineage import HasLineage

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: One Airflow connection for all jobs, or one for each in their order.
ConnIds = str | Sequence[str] | None


class _DrsEndpointsOperator(DrsJobsOperator):
    """
    Something for which DRS needs the databases of jobs, with their credentials.

    :param source_conn_id: the Airflow connection of the source database, or one for each job in their order.
        (templated)
    :param target_conn_id: the same for the destination. (templated)
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "source_conn_id", "target_conn_id")

    def __init__(
        self, *, source_conn_id: ConnIds = None, target_conn_id: ConnIds = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.source_conn_id = source_conn_id
        self.target_conn_id = target_conn_id

    def _make_arguments(self, job_ids: Sequence[str]) -> dict[str, Any]:
        from airflow_provider_drs.hooks.endpoints import read_endpoints

        return {
            **super()._make_arguments(job_ids),
            "source": read_endpoints("source_conn_id", self.source_conn_id, job_ids),
            "target": read_endpoints("target_conn_id", self.target_conn_id, job_ids),
        }


class DrsTestConnectionsOperator(_DrsEndpointsOperator):
    """
    Let DRS connect to the databases of jobs, and return the ids of the jobs that can reach theirs.

    The sources are tested first, the destinations of those that passed then. A job that was started before is
    adopted.

    :param source_conn_id: the Airflow connection of the source database, or one for each job in their order.
        (templated)
    :param target_conn_id: the same for the destination. (templated)
    :param cluster_mode: test all ends of a MongoDB cluster job at once; the job is a parent.
    :param shard_conn_ids: in cluster mode, the Airflow connections of the source's shards. (templated)
    """

    template_fields: Sequence[str] = (*_DrsEndpointsOperator.template_fields, "shard_conn_ids")
    done = "tested"

    def __init__(
        self, *, cluster_mode: bool = False, shard_conn_ids: Sequence[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.cluster_mode = cluster_mode
        self.shard_conn_ids = shard_conn_ids

    @property
    def method(self) -> str:  # type: ignore[override]
        """The method of the hook, of which there are two."""
        return "validate_cluster_connections" if self.cluster_mode else "validate_connections"

    def _make_arguments(self, job_ids: Sequence[str]) -> dict[str, Any]:
        from airflow_provider_drs.hooks.endpoints import read_endpoint
        from airflow_provider_drs.protocol.core.errors import DrsConfigError

        if self.shard_conn_ids and not self.cluster_mode:
            raise DrsConfigError("shard_conn_ids: is for cluster_mode only.")
        shards = [read_endpoint(conn_id) for conn_id in self.shard_conn_ids]
        return super()._make_arguments(job_ids) | ({"shards": shards} if self.cluster_mode else {})


class DrsModifyJobsOperator(_DrsEndpointsOperator):
    """
    Change jobs, and return their ids; with connections, save the databases, which a pre-check needs.

    With connections a job must be in status CONFIGURATION, and one that was started before is adopted as it
    is; without, any job that is not stopped can be changed.

    :param changes: ``name``, ``description``, ``alarm_notify``, ``task_type``, ``replace_definer``,
        ``is_target_readonly``, ``store_db_info``, ``tags``, ... as the service has them. (templated)
    :param source_conn_id: the Airflow connection of the source database, or one for each job in their order.
        (templated)
    :param target_conn_id: the same for the destination. (templated)
    """

    template_fields: Sequence[str] = (*_DrsEndpointsOperator.template_fields, "changes")
    method = "modify_jobs"
    arguments = ("changes",)
    done = "modified"

    def __init__(self, *, changes: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.changes = changes


class DrsSelectObjectsOperator(DrsJobsOperator, HasLineage):
    """
    Choose what jobs replicate, and return their ids. Not for disaster recovery, which takes everything.

    :param objects: names, as ``"shop"`` for a database and ``"shop.orders"`` for a table; or a mapping from
        names to names on the destination; or rows as the service has them. ``None`` chooses everything.
        (templated)
    :param sync_database: replicate whole databases, for synchronization.
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "objects")
    method = "select_objects"
    arguments = ("objects", "sync_database")
    done = "given its objects"

    def __init__(self, *, objects: Any = None, sync_database: bool | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.objects = objects
        self.sync_database = sync_database

    def _conclude_action(self, answers: Mapping[str, Any], context: Context) -> list[str]:
        from airflow_provider_drs.protocol.configuration.messages import read_objects

        job_ids = super()._conclude_action(answers, context)
        # Read as the hook has read it, and found it good.
        self._tell_replication(job_ids, read_objects(self.objects) if self.objects is not None else ())
        return job_ids


class DrsSetSyncPoliciesOperator(DrsJobsOperator):
    """
    Set how synchronization jobs go about conflicts, DDL and indexes, and return their ids.

    :param conflict_policy: ``ignore``, ``overwrite`` or ``stop`` when a row exists already. (templated)
    :param filter_ddl_policy: ``drop_database`` keeps such statements from the destination.
    :param ddl_trans: replicate DDL.
    :param index_trans: replicate indexes.
    :param slot_name: the replication slot of a PostgreSQL source. (templated)
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "conflict_policy", "slot_name")
    method = "set_sync_policies"
    arguments = ("conflict_policy", "filter_ddl_policy", "ddl_trans", "index_trans", "slot_name")
    done = "given its policies"

    def __init__(
        self,
        *,
        conflict_policy: str | None = None,
        filter_ddl_policy: str | None = None,
        ddl_trans: bool | None = None,
        index_trans: bool | None = None,
        slot_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conflict_policy = conflict_policy
        self.filter_ddl_policy = filter_ddl_policy
        self.ddl_trans = ddl_trans
        self.index_trans = index_trans
        self.slot_name = slot_name


class DrsTransformDataOperator(DrsJobsOperator):
    """
    Add rules of data processing to synchronization jobs, and return their ids. A table can have one rule.

    :param rules: each with ``tables`` (``["shop.orders"]``) and ``where``, an SQL condition for the rows to
        replicate; or with ``config``, for a condition across tables. (templated)
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "rules")
    method = "transform_data"
    arguments = ("rules",)
    done = "given its rules"

    def __init__(self, *, rules: Sequence[Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rules = rules


class DrsSetFlowControlOperator(DrsJobsOperator):
    """
    Limit the speed of jobs in up to three windows of a day, and return their ids.

    :param windows: each with ``begin`` (``"08:00"``), ``end`` (always ``:59``, as in ``"17:59"``) and
        ``speed`` in MB/s, in UTC. None of them lifts the limit. (templated)
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "windows")
    method = "set_flow_control"
    arguments = ("windows",)
    done = "given its limits"

    def __init__(self, *, windows: Sequence[Mapping[str, Any]] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.windows = windows


class DrsSetDefinersOperator(DrsJobsOperator):
    """
    Choose whether the definers of MySQL objects become the destination's user, and return the jobs' ids.

    :param replace_definer: ``False`` keeps them, which needs users of the same names on the destination.
    """

    method = "set_definers"
    arguments = ("replace_definer",)
    done = "given its definers"

    def __init__(self, *, replace_definer: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.replace_definer = replace_definer


class DrsCompareParametersOperator(DrsJobsOperator):
    """
    Compare the database parameters of source and destination of MySQL jobs, and return the jobs' ids.

    The log shows each difference; the XCom ``parameter_report`` has all of them.

    :param refresh: ask the databases; ``False`` takes what DRS has kept from the last time.
    :param on_difference: ``report``, or ``fail`` to fail the task if there is a difference.
    :param ignore: names of parameters that may differ. (templated)
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "ignore")
    method = "compare_parameters"
    arguments = ("refresh",)
    done = "compared"

    def __init__(
        self,
        *,
        refresh: bool = True,
        on_difference: str = "report",
        ignore: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_difference not in ("report", "fail"):
            raise ValueError(f"on_difference must be 'report' or 'fail', not {on_difference!r}")
        self.refresh = refresh
        self.on_difference = on_difference
        self.ignore = ignore

    def _conclude_action(self, answers: Mapping[str, Any], context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        return results.publish_parameters(
            answers,
            context,
            self.log,
            ignore=self.ignore,
            fails=self.on_difference == "fail",
            allow_partial=self.allow_partial,
        )


class DrsModifyParametersOperator(DrsJobsOperator):
    """
    Change database parameters of the destinations of MySQL jobs, and return the jobs' ids.

    What is as wanted already is left alone. ``job_results`` says what was changed, and whether the
    destination has to be restarted.

    :param values: by the parameter's name; ``None`` takes the source's value. DRS advises to keep
        ``innodb_buffer_pool_size`` at 70% of the destination's memory or less. (templated)
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "values")
    method = "modify_parameters"
    arguments = ("values",)
    done = "given its parameters"

    def __init__(self, *, values: Mapping[str, str | int | None], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.values = values
