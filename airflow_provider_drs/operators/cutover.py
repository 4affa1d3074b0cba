"""Operators for the end of a replication: compare the data, and switch over."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_drs.operators.jobs import (
    DEFERRABLE,
    DrsWaitingJobsOperator,
    Duration,
    JobIds,
    check_choice,
    check_flag,
    check_literal,
    check_start_time,
)

if TYPE_CHECKING:
    import datetime

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_drs.protocol.watches import Watch


def _check_tables(tables: object) -> None:
    from airflow_provider_drs.protocol.comparisons.messages import check_tables

    check_tables(tables)


class DrsCompareDataOperator(DrsWaitingJobsOperator):
    """
    Compare the data of source and destination of MySQL disaster recovery jobs, and return the jobs' IDs.

    A retried task adopts its running comparison. The XCom ``comparisons`` identifies the comparisons for
    ``DrsDataComparisonSensor``. With ``wait_for_completion`` the task fails unless all data is consistent,
    and the XCom ``comparison_report`` has every difference.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param objects: compare which objects exist.
    :param data: ``lines`` counts rows, ``contents`` compares them, ``None`` does not compare data.
        (templated)
    :param tables: for ``data``: the tables by database; an empty list selects all tables of the database.
        (templated)
    :param compare_mode: ``quick_comparison`` does not require ``tables``, but must be enabled for your
        account.
    :param conflict_policy: what to do with an unfinished comparison of data: ``keep`` or ``cancel`` it.
    :param start_time: when to compare ``data``: a datetime or an ISO 8601 string, each with a time zone, or
        epoch milliseconds. ``None`` compares immediately; so does a retry after this time. (templated)
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param wait_for_completion: wait until every comparison has finished.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait, counted from ``start_time`` if that is later.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = (*DrsWaitingJobsOperator.template_fields, "data", "tables", "start_time")
    hook_method = "create_comparisons"
    past_participle = "submitted for comparison"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        objects: bool = True,
        data: str | None = None,
        tables: Mapping[str, Sequence[str]] | None = None,
        compare_mode: str | None = None,
        conflict_policy: str = "keep",
        start_time: datetime.datetime | str | int | XComArg | None = None,
        allow_partial: bool = False,
        wait_for_completion: bool = False,
        deferrable: bool = DEFERRABLE,
        poke_interval: Duration = 30,
        timeout: Duration = 3600,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_ids=job_ids,
            on_empty=on_empty,
            allow_partial=allow_partial,
            wait_for_completion=wait_for_completion,
            deferrable=deferrable,
            poke_interval=poke_interval,
            timeout=timeout,
            drs_conn_id=drs_conn_id,
            **kwargs,
        )
        check_choice("data", data, ("lines", "contents"), optional=True)
        check_choice("conflict_policy", conflict_policy, ("keep", "cancel"))
        check_start_time(start_time)
        check_flag("objects", objects)
        self.objects = objects
        self.data = data
        check_literal(tables, _check_tables)
        self.tables = tables
        check_choice("compare_mode", compare_mode, ("quick_comparison",), optional=True)
        self.compare_mode = compare_mode
        self.conflict_policy = conflict_policy
        self.start_time = start_time
        self._is_retry = False
        self._comparisons: list[dict[str, Any]] = []

    def _perform(self, context: Context) -> list[str]:
        self._is_retry = context["ti"].try_number > 1
        return super()._perform(context)

    def _read_arguments(self, job_ids: Sequence[str]) -> dict[str, Any]:
        from airflow_provider_drs.hooks.drs import parse_start_time
        from airflow_provider_drs.protocol.comparisons.messages import ComparisonSpec
        from airflow_provider_drs.protocol.core.literals import read_structure

        start_time_ms = parse_start_time(self.start_time, allow_past=self._is_retry)
        if start_time_ms is not None and start_time_ms <= time.time() * 1000:
            start_time_ms = None
        spec = ComparisonSpec(
            objects=self.objects,
            data=self.data or "",
            tables=read_structure(self.tables, "tables"),
            compare_mode=self.compare_mode,
            conflict_policy=self.conflict_policy,
            start_time_ms=start_time_ms,
        )
        return {"spec": spec, "adopt_running": self._is_retry}

    def _publish(self, answers: Mapping[str, Any], context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        accepted = super()._publish(answers, context)
        self._comparisons = [answers[job_id].to_dict() for job_id in accepted]
        context["ti"].xcom_push(key=results.COMPARISONS_KEY, value=self._comparisons)
        return accepted

    def _create_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.protocol.comparisons.messages import Comparison
        from airflow_provider_drs.protocol.watches import ComparisonWatch

        return ComparisonWatch([Comparison.from_dict(comparison) for comparison in self._comparisons])

    def _deadline(self) -> float:
        from airflow_provider_drs.operators import waiting

        return waiting.find_deadline(self.start_time, self.timeout)

    def _finish(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        return results.finish_wait(
            watch,
            context,
            self.log,
            what="Not consistent:",
            key=results.COMPARISON_REPORT_KEY,
            allow_partial=self.allow_partial,
        )


class DrsSwitchOverOperator(DrsWaitingJobsOperator):
    """
    Switch over the virtual IP addresses of synchronization jobs, and return the jobs' IDs.

    Both databases must be self-managed. For a job across availability zones, specify the ID of its parent. A
    running switchover is adopted. A retried task also adopts a complete one, because a second switchover
    would revert the first.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param mode: which address to switch: that of the ``source`` or of the ``target`` (destination).
        (templated)
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param wait_for_completion: wait until every switchover is complete.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = (*DrsWaitingJobsOperator.template_fields, "mode")
    hook_method = "switch_over"
    hook_arguments = ("mode",)
    past_participle = "switched over"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        mode: str = "target",
        allow_partial: bool = False,
        wait_for_completion: bool = True,
        deferrable: bool = DEFERRABLE,
        poke_interval: Duration = 30,
        timeout: Duration = 3600,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_ids=job_ids,
            on_empty=on_empty,
            allow_partial=allow_partial,
            wait_for_completion=wait_for_completion,
            deferrable=deferrable,
            poke_interval=poke_interval,
            timeout=timeout,
            drs_conn_id=drs_conn_id,
            **kwargs,
        )
        check_choice("mode", mode, ("source", "target"))
        self.mode = mode
        self._is_retry = False

    def _perform(self, context: Context) -> list[str]:
        self._is_retry = context["ti"].try_number > 1
        return super()._perform(context)

    def _read_arguments(self, job_ids: Sequence[str]) -> dict[str, Any]:
        return {**super()._read_arguments(job_ids), "adopt_complete": self._is_retry}

    def _create_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.protocol.watches import SwitchOverWatch

        return SwitchOverWatch(job_ids)
