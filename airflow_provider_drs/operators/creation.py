"""Operators that create, list and read jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_drs.operators.jobs import (
    DEFERRABLE,
    ConnIds,
    DrsJobsOperator,
    DrsOperator,
    DrsWaitingOperator,
    Duration,
    JobIds,
    check_choice,
    check_conn_ids,
    check_flag,
    check_literal,
    check_statuses,
    check_text,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_drs.protocol.watches import Watch


def _check_specs(jobs: object) -> None:
    from airflow_provider_drs.operators.arguments import read_objects
    from airflow_provider_drs.protocol.creation.messages import check_names, read_fields

    # An empty list is evaluated when the task runs.
    if jobs not in ([], ()):
        check_names([read_fields(job)["name"] for job in read_objects(jobs, "jobs")])


def _read_tags(tags: object) -> list[dict[str, Any]]:
    from airflow_provider_drs.operators.arguments import read_objects
    from airflow_provider_drs.protocol.core.errors import DrsConfigError, quote

    listed = read_objects(tags, "tags")
    for position, tag in enumerate(listed):
        if tag.keys() != {"key", "value"}:
            raise DrsConfigError(f"tags[{position}] is {quote(tag)}: expected the fields key and value.")
    return listed


class DrsCreateJobsOperator(DrsWaitingOperator):
    """
    Create jobs, and return their IDs; for a dual-active pair, the ID of the forward job.

    Idempotent: a job with the same name and configuration is adopted, so that retries and lost responses do
    not create a second job. A job of the same name with another configuration, or one that has ended, is an
    error.

    The XCom ``created_jobs`` has name, job_id, child_ids, forward_id, backward_id and adopted of each job.
    For dual-active pairs, the XComs ``parent_job_ids`` and ``backward_job_ids`` have the IDs of parents and
    backward jobs.

    :param jobs: one mapping per job, with the fields of the DRS API: ``name``, ``db_use_type``,
        ``engine_type``, ``subnet_id``, ...; fields with one possible value can be omitted. (templated)
    :param source_conn_id: the Airflow connection of the source database, or a list with one connection per
        job, in the order of ``jobs``. Only its address is used, not its credentials. (templated)
    :param target_conn_id: the Airflow connection of the destination, or one per job. (templated)
    :param wait_for_completion: wait until every job is in status CONFIGURATION.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = ("jobs", "source_conn_id", "target_conn_id", "drs_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"jobs": "json"}

    def __init__(
        self,
        *,
        jobs: Mapping[str, Any] | Sequence[Mapping[str, Any]] | XComArg,
        source_conn_id: ConnIds = None,
        target_conn_id: ConnIds = None,
        wait_for_completion: bool = True,
        deferrable: bool = DEFERRABLE,
        poke_interval: Duration = 30,
        timeout: Duration = 3600,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            wait_for_completion=wait_for_completion,
            deferrable=deferrable,
            poke_interval=poke_interval,
            timeout=timeout,
            drs_conn_id=drs_conn_id,
            **kwargs,
        )
        check_literal(jobs, _check_specs)
        self.jobs = jobs
        check_conn_ids("source_conn_id", source_conn_id, jobs)
        check_conn_ids("target_conn_id", target_conn_id, jobs)
        self.source_conn_id = source_conn_id
        self.target_conn_id = target_conn_id

    def _perform(self, context: Context) -> list[str]:
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

    def _create_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.protocol.watches import watch_action

        return watch_action("create_jobs", job_ids)

    def _finish(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        return results.finish_wait(watch, context, self.log, what="Not created:")


class DrsGetJobsOperator(DrsJobsOperator):
    """
    Read the details and the progress of jobs, and return their IDs.

    The XCom ``job_details`` has the details of each job as DRS returns them, with secrets masked; the XCom
    ``job_progress`` has status, percent, lag, remaining time and parts of each job.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param progress: also read the progress.
    :param allow_partial: succeed with the jobs that can be read; fail only if there are none.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    hook_method = "get_job_details"
    past_participle = "read"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        progress: bool = True,
        allow_partial: bool = False,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_ids=job_ids, on_empty=on_empty, allow_partial=allow_partial, drs_conn_id=drs_conn_id, **kwargs
        )
        check_flag("progress", progress)
        self.progress = progress

    def _publish(self, answers: Mapping[str, Any], context: Context) -> list[str]:
        from airflow_provider_drs.operators import results
        from airflow_provider_drs.protocol.core.errors import label_error

        found = [job_id for job_id, answer in answers.items() if not isinstance(answer, Exception)]
        names = {job_id: answers[job_id].name for job_id in found}
        if self.progress and found:
            with self._open_hook() as hook:
                progresses = hook.get_job_progresses(found)
            results.publish_progress(progresses, context, self.log, names=names)
        details = [answers[job_id].to_dict() for job_id in found]
        context["ti"].xcom_push(key=results.DETAILS_KEY, value=details)
        errors = results.pick_errors(answers)
        for job_id, error in errors.items():
            self.log.error("Not read: %s", label_error(job_id, error))
        if errors and not (self.allow_partial and found):
            results.raise_for_jobs("Not read:", errors, len(answers), names)
        return found


class DrsListJobsOperator(DrsOperator):
    """
    List jobs, and return their IDs; an empty list if there are none. The XCom ``jobs`` has the row of each
    job.

    :param db_use_type: ``migration``, ``sync`` or ``cloudDataGuard`` (disaster recovery); empty for all
        kinds. (templated)
    :param name: a part of the name. An empty filter matches all jobs. (templated)
    :param engine_type: such as ``mysql``, ``mongodb``, ``postgresql``. (templated)
    :param status: a job status. (templated)
    :param net_type: ``eip``, ``vpn`` or ``vpc``. (templated)
    :param enterprise_project_id: the enterprise project of the jobs. (templated)
    :param tags: tags of the jobs, each with ``key`` and ``value``. (templated)
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = (
        "db_use_type", "name", "engine_type", "status", "net_type", "enterprise_project_id", "tags",
        "drs_conn_id",
    )  # fmt: skip

    def __init__(
        self,
        *,
        db_use_type: str = "",
        name: str = "",
        engine_type: str = "",
        status: str = "",
        net_type: str = "",
        enterprise_project_id: str = "",
        tags: Sequence[Mapping[str, str]] = (),
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(drs_conn_id=drs_conn_id, **kwargs)
        check_choice("db_use_type", db_use_type, ("", "migration", "sync", "cloudDataGuard"))
        check_statuses("status", None if status == "" else status)
        check_choice("net_type", net_type, ("", "eip", "vpn", "vpc"))
        for argument, value in (
            ("name", name),
            ("engine_type", engine_type),
            ("enterprise_project_id", enterprise_project_id),
        ):
            check_text(argument, value, optional=True)
        check_literal(tags or None, _read_tags)
        self.db_use_type = db_use_type
        self.name = name
        self.engine_type = engine_type
        self.status = status
        self.net_type = net_type
        self.enterprise_project_id = enterprise_project_id
        self.tags = tags

    def _perform(self, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        with self._open_hook() as hook:
            jobs = hook.list_jobs(
                self.db_use_type,
                name=self.name,
                engine_type=self.engine_type,
                status=self.status,
                net_type=self.net_type,
                enterprise_project_id=self.enterprise_project_id,
                tags=_read_tags(self.tags) if self.tags else (),
            )
        context["ti"].xcom_push(key=results.JOBS_KEY, value=[job.to_dict() for job in jobs])
        for job in jobs:
            self.log.info("%s %s (%s)", job.job_id, job.name, job.status)
        return [job.job_id for job in jobs]
