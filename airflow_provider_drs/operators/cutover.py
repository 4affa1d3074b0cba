"""Operators for the end of a replication: compare the data, and switch over."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_drs.operators.jobs import DrsWaitingJobsOperator

if TYPE_CHECKING:
    import datetime

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_drs.protocol.watches import Watch


class DrsCompareDataOperator(DrsWaitingJobsOperator):
    """
    Compare the data of MySQL disaster recovery jobs, and return the jobs' ids.

    When a task is tried again or cleared, a comparison that is running is taken for its own. The XCom
    ``comparisons`` names the comparisons, for ``DrsDataComparisonSensor``. With ``wait_for_completion`` the
    task fails unless all data is consistent, and the XCom ``comparison_report`` has every difference.

    :param objects: compare which objects there are.
    :param data: ``lines`` counts the rows, ``contents`` compares them, ``None`` leaves data alone.
        (templated)
    :param tables: for ``data``: the tables of each database; an empty list stands for all of its.
        (templated)
    :param compare_mode: ``quick_comparison`` needs no tables, and the service's permission.
    :param conflict_policy: what DRS does about another comparison of data that is not finished: ``keep`` or
        ``cancel`` it.
    :param start_time: when to compare ``data``: a datetime with a time zone, an ISO 8601 text with one, or
        epoch milliseconds. ``None`` compares now, and so does another try that comes later. (templated)
    :param timeout: seconds to wait, from ``start_time`` on if that is later.
    """

    template_fields: Sequence[str] = (
        *DrsWaitingJobsOperator.template_fields,
        "data",
        "tables",
        "start_time",
    )
    method = "create_comparisons"
    done = "compared"

    def __init__(
        self,
        *,
        objects: bool = True,
        data: str | None = None,
        tables: Mapping[str, Sequence[str]] | None = None,
        compare_mode: str | None = None,
        conflict_policy: str = "keep",
        start_time: datetime.datetime | str | int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.objects = objects
        self.data = data
        self.tables = tables
        self.compare_mode = compare_mode
        self.conflict_policy = conflict_policy
        self.start_time = start_time
        self._is_again = False
        self._ordered: list[dict[str, Any]] = []

    def _act(self, context: Context) -> list[str]:
        self._is_again = context["ti"].try_number > 1
        return super()._act(context)

    def _make_arguments(self, job_ids: Sequence[str]) -> dict[str, Any]:
        from airflow_provider_drs.hooks.drs import parse_start_time
        from airflow_provider_drs.protocol.comparisons.messages import Order

        start_time_ms = parse_start_time(self.start_time, allow_past=self._is_again)
        if start_time_ms is not None and start_time_ms <= time.time() * 1000:
            start_time_ms = None
        order = Order(
            objects=self.objects,
            data=self.data or "",
            tables=self.tables,
            compare_mode=self.compare_mode,
            conflict_policy=self.conflict_policy,
            start_time_ms=start_time_ms,
        )
        return {"order": order, "adopt_running": self._is_again}

    def _conclude_action(self, answers: Mapping[str, Any], context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        accepted = super()._conclude_action(answers, context)
        self._ordered = [answers[job_id].to_dict() for job_id in accepted]
        context["ti"].xcom_push(key=results.COMPARISONS_KEY, value=self._ordered)
        return accepted

    def _make_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.protocol.comparisons.messages import Comparison
        from airflow_provider_drs.protocol.watches import ComparisonWatch

        return ComparisonWatch([Comparison.from_dict(each) for each in self._ordered])

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
    Switch the virtual IP addresses of synchronization jobs over, and return the jobs' ids.

    Only between self-built databases; a job across zones is named by its parent. A switch-over that is
    running is adopted. When a task is tried again or cleared, one that is complete is taken for its own,
    since a second one would undo the first.

    :param mode: whose address: that of the ``source`` or the ``target``. (templated)
    :param wait_for_completion: wait until it is complete.
    """

    template_fields: Sequence[str] = (*DrsWaitingJobsOperator.template_fields, "mode")
    method = "switch_over"
    arguments = ("mode",)
    done = "switched over"

    def __init__(self, *, mode: str = "target", wait_for_completion: bool = True, **kwargs: Any) -> None:
        super().__init__(wait_for_completion=wait_for_completion, **kwargs)
        self.mode = mode
        self._is_again = False

    def _act(self, context: Context) -> list[str]:
        self._is_again = context["ti"].try_number > 1
        return super()._act(context)

    def _make_arguments(self, job_ids: Sequence[str]) -> dict[str, Any]:
        return {**super()._make_arguments(job_ids), "adopt_complete": self._is_again}

    def _make_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.protocol.watches import SwitchOverWatch

        return SwitchOverWatch(job_ids)

    def _finish(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        what = "Not switched over:"
        return results.finish_wait(watch, context, self.log, what=what, allow_partial=self.allow_partial)
