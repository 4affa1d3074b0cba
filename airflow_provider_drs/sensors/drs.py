"""The sensors: each waits for any number of jobs, and returns the ids of those that came to it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseSensorOperator, conf

from airflow_provider_drs.links.drs import DrsConsoleLink, DrsReportLink
from airflow_provider_drs.operators.lineage import HasLineage

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_drs.hooks.drs import DrsHook
    from airflow_provider_drs.protocol.core.errors import DrsError
    from airflow_provider_drs.protocol.watches import Watch

__all__ = [
    "DrsDataComparisonSensor",
    "DrsJobStatusSensor",
    "DrsPrecheckSensor",
    "DrsReplicationDelaySensor",
]


class _DrsSensor(BaseSensorOperator):
    """
    What the sensors share: the modes of waiting, and failing closed.

    Holds no worker while it waits when it is deferrable, or in mode ``reschedule``. A failure is final: it is
    not retried, and neither ``soft_fail`` nor ``never_fail`` softens it, since a skipped gate lets tasks with
    other trigger rules run. Both cover time-outs only.

    An asset in its ``outlets`` has an event when it has succeeded, which names the jobs that it returns.

    :param drs_conn_id: the Airflow connection, of type ``drs``. (templated)
    :param allow_partial: return the jobs that came there even if others failed; fail only if none did.
    :param on_failure: ``fail``, or ``skip`` to skip the task where it would fail.
    :param deferrable: wait in the triggerer. Default: ``operators.default_deferrable`` of Airflow's
        configuration.
    :param timeout: seconds from the first poll, as an absolute deadline across deferrals and restarts.
    :param poke_interval: seconds between two polls.
    """

    template_fields: Sequence[str] = ("drs_conn_id",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"job_ids": "json"}
    operator_extra_links = (DrsConsoleLink(), DrsReportLink())
    ui_color = "#dcecf7"

    def __init__(
        self,
        *,
        drs_conn_id: str = "drs_default",
        allow_partial: bool = False,
        on_failure: str = "fail",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_failure not in ("fail", "skip"):
            raise ValueError(f"on_failure must be 'fail' or 'skip', not {on_failure!r}")
        self.drs_conn_id = drs_conn_id
        self.allow_partial = allow_partial
        self.on_failure = on_failure
        self.deferrable = deferrable
        self._hook: DrsHook | None = None
        self._watch: Watch | None = None
        self._final_error: DrsError | None = None
        self._began_s: float | None = None

    def execute(self, context: Context) -> list[str]:
        """Wait as the mode says, then judge: outside of what ``soft_fail`` softens."""
        from airflow_provider_drs.links.drs import publish_links
        from airflow_provider_drs.operators import waiting

        self._began_s = self._find_begin(context)
        with waiting.failing_for_good(), self._open_hook() as hook:
            publish_links(context, hook)
            self._watch = self._make_watch()
            if self.deferrable:
                self._poll_or_defer(context)
            else:
                self._poke_until_over(context)
        if self._watch is not None:
            waiting.record_wait(self._watch, self._began_s)
        return self._finish(context)

    def poke(self, context: Context) -> bool:
        """Ask DRS once. A final error ends the wait here, and is raised after it."""
        from airflow_provider_drs.operators import waiting
        from airflow_provider_drs.protocol.core.errors import DrsError

        if self._hook is None or self._watch is None:
            raise RuntimeError("poke was called outside of execute")
        try:
            return waiting.poll(self._hook, self._watch, self.log)
        except DrsError as error:
            self._final_error = error
            return True

    def execute_complete(
        self, context: Context, event: Any = None, began_s: float | None = None
    ) -> list[str]:
        """Judge what the trigger found."""
        from airflow_provider_drs.operators import waiting

        self._watch = waiting.read_event(event, began_s)
        return self._finish(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral. Only a time-out is softened by ``soft_fail`` or ``never_fail``."""
        with self._softening_time_outs():
            # The sensor base class would turn every error into a skip here, a failed verdict included: go
            # past it.
            return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)

    @contextlib.contextmanager
    def _softening_time_outs(self) -> Iterator[None]:
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException

        try:
            yield
        except AirflowSensorTimeout as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    def _poll_or_defer(self, context: Context) -> None:
        from airflow_provider_drs.operators import waiting

        deadline = time.time() + self.timeout
        if self.poke(context) or self._watch is None:
            return
        trigger, timeout = waiting.make_trigger(
            self.drs_conn_id, self._watch, poke_interval=self.poke_interval, deadline=deadline
        )
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            timeout=timeout,
            kwargs={"began_s": self._began_s},
        )

    def _poke_until_over(self, context: Context) -> None:
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout

        from airflow_provider_drs.operators import waiting

        with self._softening_time_outs():
            try:
                super().execute(context)
            except AirflowSensorTimeout:
                # The base class says how long it waited; ours says for which jobs.
                if self._watch is not None:
                    waiting.raise_timeout(self._watch, self._began_s)
                raise

    def _find_begin(self, context: Context) -> float:
        """Return when the wait began, in epoch seconds: a rescheduled one with the first of its polls."""
        if not self.reschedule:
            return time.time()
        ti: Any = context["ti"]
        # Airflow 2 has it as the start of the task.
        find = getattr(ti, "get_first_reschedule_date", lambda _: getattr(ti, "start_date", None))
        first = find(context)
        return float(first.timestamp()) if first else time.time()

    def _open_hook(self) -> DrsHook:
        """Return the hook of this task, which reads the connection once."""
        from airflow_provider_drs.hooks.drs import DrsHook

        if self._hook is None:
            self._hook = DrsHook(self.drs_conn_id)
        return self._hook

    def _finish(self, context: Context) -> list[str]:
        from airflow.providers.common.compat.sdk import AirflowFailException

        from airflow_provider_drs.assets.drs import name_jobs

        if self._final_error is not None:
            raise AirflowFailException(str(self._final_error)) from self._final_error
        if self._watch is None:
            raise AirflowFailException(
                "The wait has not begun, so there is nothing to judge. Clear the task."
            )
        job_ids = self._judge(self._watch, context)
        name_jobs(context, self.outlets, job_ids)
        return job_ids

    # What differs between the sensors.

    #: The first words of the text of a failure.
    _what: ClassVar[str]
    #: The XCom for what is known of each job.
    _key: ClassVar[str] = "job_statuses"

    def _make_watch(self) -> Watch:
        raise NotImplementedError

    def _judge(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        return results.finish_wait(
            watch,
            context,
            self.log,
            what=self._what,
            key=self._key,
            allow_partial=self.allow_partial,
            on_failure=self.on_failure,
        )


class DrsPrecheckSensor(_DrsSensor, HasLineage):
    """
    Wait until every job has passed its pre-check, and return the ids of the jobs that may start.

    The XCom ``precheck_report`` says for each job what DRS found, what it means and what to do about it; the
    log and the error show it as a table. A failed verdict is final; ``soft_fail`` and ``never_fail`` cover
    time-outs only.

    :param job_ids: a job id, a list of them, or a task's output; the text of a list is understood.
        (templated)
    :param drs_conn_id: the Airflow connection, of type ``drs``. (templated)
    :param alarms: ``allow`` lets jobs with ALARM items pass, as DRS does; ``fail`` does not. A list has the
        names of check items that may alarm, and waivers: mappings of ``item``, ``jobs`` (a pattern of job
        ids), ``reason`` and ``expires`` (the last day, or an instant with a time zone). The path of a .json,
        .yaml or .yml file with such a list is relative to the DAG's file. (templated)
    :param allow_partial: return the jobs that passed even if others failed; fail only if none did.
    :param fail_fast: fail at the first job that fails, instead of waiting for a whole report.
    :param on_failure: ``fail``, or ``skip`` to skip the task where it would fail.
    :param deferrable: wait in the triggerer. Default: ``operators.default_deferrable`` of Airflow's
        configuration.
    :param timeout: seconds from the first poll, as an absolute deadline across deferrals and restarts.
    :param poke_interval: seconds between two polls.
    """

    template_fields: Sequence[str] = ("job_ids", "drs_conn_id", "alarms")
    template_fields_renderers: ClassVar[dict[str, str]] = {"job_ids": "json", "alarms": "json"}
    template_ext: Sequence[str] = (".json", ".yaml", ".yml")

    def __init__(
        self,
        *,
        job_ids: str | Sequence[str],
        alarms: str | Collection[str | Mapping[str, Any]] = "allow",
        fail_fast: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.alarms = alarms
        self.fail_fast = fail_fast

    def _make_watch(self) -> Watch:
        from airflow_provider_drs.operators import arguments
        from airflow_provider_drs.protocol.watches import PrecheckWatch

        job_ids = arguments.read_ids(self.job_ids, self.log)
        return PrecheckWatch(job_ids, arguments.read_alarms(self.alarms, self.log), fail_fast=self.fail_fast)

    def _judge(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        self._tell_prechecks(watch)
        return results.publish_prechecks(
            watch, context, self.log, allow_partial=self.allow_partial, on_failure=self.on_failure
        )


class DrsJobStatusSensor(_DrsSensor, HasLineage):
    """
    Wait until every job is in one of some statuses, and return the jobs' ids.

    The log shows percent, remaining time and delay as they move; the XCom ``job_statuses`` has the last of
    them. How it waits, and its other arguments, are those of :class:`DrsPrecheckSensor`.

    :param job_ids: a job id, a list of them, or a task's output; the text of a list is understood.
        (templated)
    :param target_statuses: the statuses to wait for, e.g. ``FULL_TRANSFER_COMPLETE``. With ``DELETED``, a job
        that DRS does not know any more is there. (templated)
    :param failed_statuses: the statuses that fail a job; ``None`` for every failed one that is no target,
        and for those of a stopped job unless one of them is a target. (templated)
    """

    template_fields: Sequence[str] = ("job_ids", "drs_conn_id", "target_statuses", "failed_statuses")
    _what = "Not there:"

    def __init__(
        self,
        *,
        job_ids: str | Sequence[str],
        target_statuses: str | Collection[str],
        failed_statuses: str | Collection[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.target_statuses = target_statuses
        self.failed_statuses = failed_statuses

    def _make_watch(self) -> Watch:
        from airflow_provider_drs.operators import arguments
        from airflow_provider_drs.protocol.jobs.status_watch import check_statuses
        from airflow_provider_drs.protocol.watches import StatusWatch

        return StatusWatch(
            arguments.read_ids(self.job_ids, self.log),
            check_statuses("target_statuses", self.target_statuses),
            None if self.failed_statuses is None else check_statuses("failed_statuses", self.failed_statuses),
        )

    def _judge(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.protocol.jobs.states import RUNNING_PHASES, phase_of
        from airflow_provider_drs.protocol.watches import StatusWatch

        job_ids = super()._judge(watch, context)
        if isinstance(watch, StatusWatch) and {phase_of(word) for word in watch.targets} & RUNNING_PHASES:
            self._tell_replication(job_ids)
        return job_ids


class DrsReplicationDelaySensor(_DrsSensor, HasLineage):
    """
    Wait until all jobs at once have been close behind for some polls in a row, and return the jobs' ids.

    For the cut-over: what is close now and was close before will hardly fall back while the application is
    switched. A job that does not replicate any more fails the wait for all.

    :param job_ids: a job id, a list of them, or a task's output; the text of a list is understood.
        (templated)
    :param max_delay_s: how many seconds behind is close. (templated)
    :param consecutive: how many polls in a row.
    """

    template_fields: Sequence[str] = ("job_ids", "drs_conn_id", "max_delay_s")
    _what = "Not replicating:"

    def __init__(
        self,
        *,
        job_ids: str | Sequence[str],
        max_delay_s: float | str,
        consecutive: int = 3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.max_delay_s = max_delay_s
        self.consecutive = consecutive

    def _make_watch(self) -> Watch:
        from airflow_provider_drs.operators import arguments
        from airflow_provider_drs.protocol.watches import DelayWatch

        job_ids = arguments.read_ids(self.job_ids, self.log)
        return DelayWatch(job_ids, arguments.read_number(self.max_delay_s, "max_delay_s"), self.consecutive)

    def _judge(self, watch: Watch, context: Context) -> list[str]:
        job_ids = super()._judge(watch, context)
        self._tell_replication(job_ids)
        return job_ids

    def poke(self, context: Context) -> bool:
        """
        Poll once; in mode ``reschedule`` continue to poll while all jobs are close.

        A rescheduled sensor forgets what it has counted.
        """
        from airflow_provider_drs.protocol.watches import DelayWatch

        is_done = super().poke(context)
        while (
            not is_done and self.reschedule and isinstance(self._watch, DelayWatch) and self._watch.is_close
        ):
            time.sleep(self.poke_interval)
            is_done = super().poke(context)
        return is_done


class DrsDataComparisonSensor(_DrsSensor, HasLineage):
    """
    Wait until comparisons of data have ended, and return the ids of the jobs whose data is consistent.

    A difference fails the task; the XCom ``comparison_report`` has every one.

    :param comparisons: the XCom ``comparisons`` of a ``DrsCompareDataOperator``, as
        ``compare.output["comparisons"]``. (templated)
    """

    template_fields: Sequence[str] = ("comparisons", "drs_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"comparisons": "json"}
    _what = "Not consistent:"
    _key = "comparison_report"

    def __init__(self, *, comparisons: Sequence[Mapping[str, Any]] | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.comparisons = comparisons

    def _make_watch(self) -> Watch:
        from airflow_provider_drs.operators import arguments
        from airflow_provider_drs.protocol.comparisons.messages import Comparison
        from airflow_provider_drs.protocol.watches import ComparisonWatch

        listed = arguments.read_objects(self.comparisons, "comparisons")
        return ComparisonWatch([Comparison.from_dict(each) for each in listed])

    def _judge(self, watch: Watch, context: Context) -> list[str]:
        self._tell_comparisons(watch)
        return super()._judge(watch, context)
