"""Operators that create jobs, and find them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_drs.operators.configuration import ConnIds
from airflow_provider_drs.operators.jobs import DrsOperator, DrsWaitingOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_drs.protocol.watches import Watch


class DrsCreateJobsOperator(DrsWaitingOperator):
    """
    Create jobs, and return their ids; for a dual-active pair that of its forward job.

    A job that exists already under its name with the same configuration is adopted, so that no retry, no
    cleared task and no lost answer leaves two jobs. A job of that name with another configuration, or one
    that has ended, is an error.

    The XCom ``created_jobs`` holds name, job_id, child_ids, forward_id, backward_id and adopted for each job.
    For dual-active pairs the XComs ``parent_job_ids`` and ``backward_job_ids`` hold what their names say.

    :param jobs: one object for each job, with the fields of the service's page: ``name``, ``db_use_type``,
        ``engine_type``, ``subnet_id``, ... ; what has one sensible value may be left out. (templated)
    :param source_conn_id: the Airflow connection of the source database, or one for each job in their order:
        where it is, never its credentials. (templated)
    :param target_conn_id: the same for the destination. (templated)
    :param wait_for_completion: wait until every job is in status CONFIGURATION.
    """

    template_fields: Sequence[str] = ("jobs", "source_conn_id", "target_conn_id", "drs_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"jobs": "json"}

    def __init__(
        self,
        *,
        jobs: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        source_conn_id: ConnIds = None,
        target_conn_id: ConnIds = None,
        wait_for_completion: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(wait_for_completion=wait_for_completion, **kwargs)
        self.jobs = jobs
        self.source_conn_id = source_conn_id
        self.target_conn_id = target_conn_id

    def _act(self, context: Context) -> list[str]:
        from airflow_provider_drs.hooks.endpoints import read_endpoints
        from airflow_provider_drs.operators import arguments, results

        jobs = arguments.read_objects(self.jobs, "jobs")
        names = [str(job.get("name")) for job in jobs]
        with self._open_hook() as hook:
            answers = hook.create_jobs(
                jobs,
                source=read_endpoints("source_conn_id", self.source_conn_id, names),
                target=read_endpoints("target_conn_id", self.target_conn_id, names),
            )
        pairs = [str(job.get("name")) for job in jobs if job.get("multi_write")]
        return results.publish_created_jobs(answers, context, self.log, pairs=pairs)

    def _make_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.protocol.watches import watch_action

        return watch_action("create_jobs", job_ids)

    def _finish(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        return results.finish_wait(watch, context, self.log, what="Not created:")


class DrsListJobsOperator(DrsOperator):
    """
    Find jobs, and return their ids; none at all is an empty list. The XCom ``jobs`` holds each job's row.

    :param db_use_type: ``migration``, ``sync`` or ``cloudDataGuard`` (disaster recovery). (templated)
    :param name: a part of the name; as all other filters, empty for any. (templated)
    :param engine_type: e.g. ``mysql``, ``mongodb``, ``postgresql``. (templated)
    :param status: a status word. (templated)
    :param net_type: ``eip``, ``vpn`` or ``vpc``.
    :param enterprise_project_id: the enterprise project that the jobs belong to.
    :param tags: tags that the jobs have, each with ``key`` and ``value``.
    """

    template_fields: Sequence[str] = ("db_use_type", "name", "engine_type", "status", "drs_conn_id")

    def __init__(
        self,
        *,
        db_use_type: str,
        name: str = "",
        engine_type: str = "",
        status: str = "",
        net_type: str = "",
        enterprise_project_id: str = "",
        tags: Sequence[Mapping[str, str]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.db_use_type = db_use_type
        self.name = name
        self.engine_type = engine_type
        self.status = status
        self.net_type = net_type
        self.enterprise_project_id = enterprise_project_id
        self.tags = tags

    def _act(self, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        with self._open_hook() as hook:
            jobs = hook.list_jobs(
                self.db_use_type,
                name=self.name,
                engine_type=self.engine_type,
                status=self.status,
                net_type=self.net_type,
                enterprise_project_id=self.enterprise_project_id,
                tags=self.tags,
            )
        context["ti"].xcom_push(key=results.JOBS_KEY, value=[job.to_dict() for job in jobs])
        for job in jobs:
            self.log.info("%s %s (%s)", job.job_id, job.name, job.status)
        return [job.job_id for job in jobs]
