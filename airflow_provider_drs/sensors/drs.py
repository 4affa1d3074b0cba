"""The sensors. Each waits for any number of jobs, and returns the IDs of those that succeeded."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseSensorOperator

from airflow_provider_drs.compat import conf
from airflow_provider_drs.links.drs import DrsConsoleLink, DrsReportLink
from airflow_provider_drs.operators.jobs import (
    DEFERRABLE,
    ON_EMPTY,
    Duration,
    JobIds,
    check_alarms,
    check_choice,
    check_flag,
    check_ids,
    check_literal,
    check_statuses,
    check_text,
    read_duration,
)
from airflow_provider_drs.operators.lineage import LineageMixin

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_drs.hooks.drs import DrsHook
    from airflow_provider_drs.operators.waiting import Publish
    from airflow_provider_drs.protocol.core.errors import DrsError
    from airflow_provider_drs.protocol.watches import Watch

__all__ = [
    "DrsDataComparisonSensor",
    "DrsJobStatusSensor",
    "DrsPrecheckSensor",
    "DrsReplicationDelaySensor",
]


#: Airflow's default for the ``timeout`` of sensors.
TIMEOUT_S = conf.getfloat("sensors", "default_timeout", fallback=7 * 24 * 60 * 60.0)


class _DrsSensor(BaseSensorOperator):
    """
    Base class of the sensors: modes of waiting, and failure handling.

    Deferrable, or in mode ``reschedule``, a waiting sensor occupies no worker slot. A failed job fails the
    task without a retry. ``soft_fail`` and ``never_fail`` apply to timeouts only: a skipped pre-check would
    let tasks with other trigger rules run.

    An asset in ``outlets`` gets an event with the returned job IDs when the task succeeds.
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
        deferrable: bool = DEFERRABLE,
        **kwargs: Any,
    ) -> None:
        for name in ("poke_interval", "timeout"):
            # Airflow accepts 0, and its own error for infinity does not name the argument.
            if name in kwargs:
                read_duration(name, kwargs[name], allow_zero=name == "timeout")
        super().__init__(**kwargs)
        if on_failure not in ("fail", "skip"):
            raise ValueError(f"on_failure is {on_failure!r}: expected 'fail' or 'skip'.")
        check_text("drs_conn_id", drs_conn_id)
        self.drs_conn_id = drs_conn_id
        check_flag("allow_partial", allow_partial)
        self.allow_partial = allow_partial
        self.on_failure = on_failure
        check_flag("deferrable", deferrable)
        self.deferrable = deferrable
        self._hook: DrsHook | None = None
        self._watch: Watch | None = None
        self._final_error: DrsError | None = None
        self._began_s: float | None = None
        self._reads_names = False

    def execute(self, context: Context) -> list[str]:
        """Wait, then evaluate the results, to which ``soft_fail`` does not apply."""
        from airflow_provider_drs.links.drs import publish_links
        from airflow_provider_drs.operators import arguments, waiting

        first_poll = self._find_first_poll(context)
        self._began_s = first_poll.timestamp() if first_poll else time.time()
        self._reads_names = first_poll is None
        with waiting.fail_on_permanent_error(), self._open_hook() as hook:
            arguments.check_rendered(self, context)
            publish_links(context, hook)
            self._watch = self._create_watch()
            if self.deferrable:
                self._poll_or_defer(context)
            else:
                self._poke_until_done(context)
            if self._watch is not None and self.reschedule and self._final_error is None:
                # Only the first poll has read them, in another process.
                waiting.read_names(hook, self._watch)
        if self._watch is not None:
            waiting.record_wait(self._watch, self._began_s)
        return self._finish(context)

    def poke(self, context: Context) -> bool:
        """Poll once. A permanent error ends the wait, and is raised after it."""
        from airflow_provider_drs.operators import waiting
        from airflow_provider_drs.protocol.core.errors import DrsError

        if self._hook is None or self._watch is None:
            raise RuntimeError("poke was called outside of execute")
        try:
            reads_names, self._reads_names = self._reads_names, False
            return waiting.poll(self._hook, self._watch, self.log, reads_names=reads_names)
        except DrsError as error:
            self._final_error = error
            return True

    def execute_complete(
        self,
        context: Context,
        event: Any = None,
        began_s: float | None = None,
        execution_deadline: float | None = None,
        **added: Any,
    ) -> list[str]:
        """
        Resume after a deferral: evaluate the trigger event, and return the job IDs.

        :param added: arguments of later versions of the provider; ignored.
        """
        from airflow_provider_drs.operators import waiting

        publish = self._publisher(context)
        self._watch = waiting.read_event(event, publish, began_s, execution_deadline)
        return self._finish(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a deferral; ``soft_fail`` and ``never_fail`` apply to timeouts only."""
        with self._skipping_timeouts():
            # Bypass the sensor base class, which would turn every error into a skip, including a failed
            # verdict.
            return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)

    @contextlib.contextmanager
    def _skipping_timeouts(self) -> Iterator[None]:
        from airflow.providers.common.compat.sdk import AirflowSkipException

        from airflow_provider_drs.compat import AirflowSensorTimeout

        try:
            yield
        except AirflowSensorTimeout as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    def _poll_or_defer(self, context: Context) -> None:
        from airflow_provider_drs.operators import waiting

        deadline = time.time() + self.timeout
        execution_deadline = waiting.find_execution_deadline(self)
        if self.poke(context) or self._watch is None:
            return
        self.defer(
            **waiting.create_trigger(
                self.drs_conn_id,
                self._watch,
                poke_interval=self.poke_interval,
                deadline=deadline,
                execution_deadline=execution_deadline,
                began_s=self._began_s,
            )
        )

    def _poke_until_done(self, context: Context) -> None:
        from airflow.providers.common.compat.sdk import AirflowSkipException

        from airflow_provider_drs.compat import AirflowSensorTimeout
        from airflow_provider_drs.operators import waiting

        with self._skipping_timeouts():
            try:
                super().execute(context)
            # With soft_fail, the base class skips the task even if jobs have failed.
            except (AirflowSensorTimeout, AirflowSkipException):
                pass
            else:
                return
            # Outside of the handler: the base class's error, which names no jobs, would be logged as well.
            if self._watch is not None and self._hook is not None:
                waiting.read_names(self._hook, self._watch)
                waiting.raise_timeout(self._watch, self._publisher(context), self._began_s)

    def _publisher(self, context: Context) -> Publish:
        return lambda watch: self._publish(watch, context)

    def _find_first_poll(self, context: Context) -> datetime.datetime | None:
        """Return when the first poll of a rescheduled task started; ``None`` in the first poll."""
        ti: Any = context["ti"]
        if not self.reschedule:
            return None
        from airflow_provider_drs.compat import find_first_reschedule

        found: datetime.datetime | None
        if hasattr(ti, "get_first_reschedule_date"):
            found = ti.get_first_reschedule_date(context)
        else:
            found = find_first_reschedule(self, ti)
        return found

    def _open_hook(self) -> DrsHook:
        """Return the hook of this task, which reads the connection once."""
        from airflow_provider_drs.hooks.drs import DrsHook

        if self._hook is None:
            self._hook = DrsHook(self.drs_conn_id)
        return self._hook

    def _finish(self, context: Context) -> list[str]:
        from airflow.providers.common.compat.sdk import AirflowFailException

        from airflow_provider_drs.assets.drs import attach_job_ids

        if self._final_error is not None:
            raise AirflowFailException(str(self._final_error)) from self._final_error
        if self._watch is None:
            raise AirflowFailException(
                "The wait has not started, so there is no result. Clear the task to poll again."
            )
        job_ids = self._publish(self._watch, context)
        attach_job_ids(context, self.outlets, job_ids)
        return job_ids

    # What the sensors define.

    #: The first words of the error.
    _what: ClassVar[str]
    #: The XCom with the result of each job.
    _key: ClassVar[str] = "job_statuses"

    def _create_watch(self) -> Watch:
        raise NotImplementedError

    def _publish(self, watch: Watch, context: Context) -> list[str]:
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


class DrsPrecheckSensor(_DrsSensor, LineageMixin):
    """
    Wait for pre-checks, and return the IDs of the jobs that may start.

    The XCom ``precheck_report`` has, for each job, the failed check items with title, problem and fix; the
    log and the error show them as a table. Jobs that failed fail the task without a retry. ``soft_fail`` and
    ``never_fail`` apply to timeouts only.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param alarms: ``allow`` accepts all alarms, as DRS does; ``fail`` accepts none. A list accepts the named
        check items and waivers: mappings of ``item``, ``jobs`` (a pattern of job IDs), ``reason`` and
        ``expires`` (the last day, or a timestamp with a time zone). The path of a .json, .yaml or .yml file
        with such a list is relative to the DAG file. (templated)
    :param fail_fast: fail when the first job fails, without waiting for the others.
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param on_failure: ``fail``, or ``skip`` to skip the task instead of failing it.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait, counted from the first poll. A deferral does not
        extend it.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = ("job_ids", "drs_conn_id", "alarms")
    template_fields_renderers: ClassVar[dict[str, str]] = {"job_ids": "json", "alarms": "json"}
    template_ext: Sequence[str] = (".json", ".yaml", ".yml")

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        alarms: str | Collection[str | Mapping[str, Any]] | XComArg = "allow",
        fail_fast: bool = False,
        allow_partial: bool = False,
        on_failure: str = "fail",
        deferrable: bool = DEFERRABLE,
        poke_interval: Duration = 60,
        timeout: Duration = TIMEOUT_S,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            allow_partial=allow_partial,
            on_failure=on_failure,
            deferrable=deferrable,
            poke_interval=poke_interval,
            timeout=timeout,
            drs_conn_id=drs_conn_id,
            **kwargs,
        )
        check_ids(job_ids)
        self.job_ids = job_ids
        check_choice("on_empty", on_empty, ON_EMPTY)
        self.on_empty = on_empty
        check_alarms(alarms)
        self.alarms = alarms
        check_flag("fail_fast", fail_fast)
        self.fail_fast = fail_fast

    def _create_watch(self) -> Watch:
        from airflow_provider_drs.operators import arguments
        from airflow_provider_drs.protocol.watches import PrecheckWatch

        job_ids = arguments.read_ids(self.job_ids, self.log, on_empty=self.on_empty)
        return PrecheckWatch(job_ids, arguments.read_alarms(self.alarms, self.log), fail_fast=self.fail_fast)

    def _publish(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        self._record_prechecks(watch)
        return results.publish_prechecks(
            watch, context, self.log, allow_partial=self.allow_partial, on_failure=self.on_failure
        )


class DrsJobStatusSensor(_DrsSensor, LineageMixin):
    """
    Wait until every job has one of the target statuses, and return the jobs' IDs.

    The log shows changes of percent, remaining time and lag; the XCom ``job_statuses`` has the last values.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param target_statuses: the statuses to wait for, such as ``FULL_TRANSFER_COMPLETE``. ``DELETED`` includes
        jobs that DRS no longer lists. (templated)
    :param failed_statuses: the statuses in which a job counts as failed. ``None`` means all failed statuses,
        and the statuses of stopped jobs unless a target status is among them. (templated)
    :param fail_fast: fail when the first job fails, without waiting for the others.
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param on_failure: ``fail``, or ``skip`` to skip the task instead of failing it.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait, counted from the first poll. A deferral does not
        extend it.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = ("job_ids", "drs_conn_id", "target_statuses", "failed_statuses")
    _what = "Target status not reached:"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        target_statuses: str | Collection[str],
        failed_statuses: str | Collection[str] | None = None,
        fail_fast: bool = False,
        allow_partial: bool = False,
        on_failure: str = "fail",
        deferrable: bool = DEFERRABLE,
        poke_interval: Duration = 60,
        timeout: Duration = TIMEOUT_S,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            allow_partial=allow_partial,
            on_failure=on_failure,
            deferrable=deferrable,
            poke_interval=poke_interval,
            timeout=timeout,
            drs_conn_id=drs_conn_id,
            **kwargs,
        )
        check_ids(job_ids)
        self.job_ids = job_ids
        check_choice("on_empty", on_empty, ON_EMPTY)
        self.on_empty = on_empty
        check_statuses("target_statuses", "None" if target_statuses is None else target_statuses)
        check_statuses("failed_statuses", failed_statuses)
        check_literal([target_statuses, failed_statuses or ()], _check_disjoint)
        self.target_statuses = target_statuses
        self.failed_statuses = failed_statuses
        check_flag("fail_fast", fail_fast)
        self.fail_fast = fail_fast

    def _create_watch(self) -> Watch:
        from airflow_provider_drs.operators import arguments
        from airflow_provider_drs.protocol.jobs.states import check_statuses
        from airflow_provider_drs.protocol.watches import StatusWatch

        return StatusWatch(
            arguments.read_ids(self.job_ids, self.log, on_empty=self.on_empty),
            check_statuses("target_statuses", self.target_statuses),
            None if self.failed_statuses is None else check_statuses("failed_statuses", self.failed_statuses),
            fail_fast=self.fail_fast,
        )

    def _publish(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.protocol.jobs.states import RUNNING_PHASES, phase_of
        from airflow_provider_drs.protocol.watches import StatusWatch

        job_ids = super()._publish(watch, context)
        if isinstance(watch, StatusWatch) and {phase_of(word) for word in watch.targets} & RUNNING_PHASES:
            self._record_replication(job_ids)
        return job_ids


def _check_disjoint(statuses: Sequence[Any]) -> None:
    from airflow_provider_drs.protocol.jobs.states import check_statuses

    targets, failed = (check_statuses("statuses", words) if words else frozenset() for words in statuses)
    if both := sorted(targets & failed):
        raise ValueError(
            f"failed_statuses: {', '.join(both)} is also in target_statuses. Remove it from one."
        )


def _check_lag(value: Duration | str) -> None:
    from airflow_provider_drs.operators.arguments import read_number

    lag = read_number(value, "max_delay_s") if isinstance(value, str) else value
    read_duration("max_delay_s", lag, allow_zero=True)


class DrsReplicationDelaySensor(_DrsSensor, LineageMixin):
    """
    Wait until the lag of all jobs is at most ``max_delay_s`` in consecutive polls, and return the jobs' IDs.

    Use it before a cutover: a lag that stays small is unlikely to grow while you switch the application. A
    job that is not replicating ends the wait for all jobs.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param max_delay_s: maximum lag in seconds, or as a ``timedelta``. (templated)
    :param consecutive: number of consecutive polls.
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param on_failure: ``fail``, or ``skip`` to skip the task instead of failing it.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait, counted from the first poll. A deferral does not
        extend it.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = ("job_ids", "drs_conn_id", "max_delay_s")
    _what = "Not replicating:"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        max_delay_s: Duration | str,
        consecutive: int = 3,
        allow_partial: bool = False,
        on_failure: str = "fail",
        deferrable: bool = DEFERRABLE,
        poke_interval: Duration = 60,
        timeout: Duration = TIMEOUT_S,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            allow_partial=allow_partial,
            on_failure=on_failure,
            deferrable=deferrable,
            poke_interval=poke_interval,
            timeout=timeout,
            drs_conn_id=drs_conn_id,
            **kwargs,
        )
        check_ids(job_ids)
        self.job_ids = job_ids
        check_choice("on_empty", on_empty, ON_EMPTY)
        self.on_empty = on_empty
        if max_delay_s is None:
            raise ValueError("max_delay_s is None: expected seconds, or a timedelta.")
        check_literal(max_delay_s, _check_lag)
        if isinstance(max_delay_s, datetime.timedelta):
            max_delay_s = max_delay_s.total_seconds()
        if isinstance(consecutive, bool) or not isinstance(consecutive, int) or consecutive < 1:
            raise ValueError(f"consecutive is {consecutive!r}: expected a number of polls, at least 1.")
        self.max_delay_s = max_delay_s
        self.consecutive = consecutive

    def _create_watch(self) -> Watch:
        from airflow_provider_drs.operators import arguments
        from airflow_provider_drs.protocol.watches import DelayWatch

        job_ids = arguments.read_ids(self.job_ids, self.log, on_empty=self.on_empty)
        return DelayWatch(job_ids, arguments.read_number(self.max_delay_s, "max_delay_s"), self.consecutive)

    def _publish(self, watch: Watch, context: Context) -> list[str]:
        job_ids = super()._publish(watch, context)
        self._record_replication(job_ids)
        return job_ids

    def poke(self, context: Context) -> bool:
        """
        Poll once; in mode ``reschedule`` continue to poll while all jobs are close.

        A rescheduled sensor loses its count of consecutive polls.
        """
        from airflow_provider_drs.protocol.watches import DelayWatch

        is_done = super().poke(context)
        while (
            not is_done and self.reschedule and isinstance(self._watch, DelayWatch) and self._watch.is_close
        ):
            time.sleep(self.poke_interval)
            is_done = super().poke(context)
        return is_done


def _check_comparisons(comparisons: object) -> None:
    from airflow_provider_drs.operators.arguments import read_objects

    # An empty list is evaluated when the task runs.
    if comparisons not in ([], ()):
        read_objects(comparisons, "comparisons")


class DrsDataComparisonSensor(_DrsSensor, LineageMixin):
    """
    Wait until comparisons of data have finished, and return the IDs of the jobs whose data is consistent.

    A difference fails the task; the XCom ``comparison_report`` has all differences.

    :param comparisons: the XCom ``comparisons`` of a ``DrsCompareDataOperator``:
        ``compare.output["comparisons"]``. (templated)
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param on_failure: ``fail``, or ``skip`` to skip the task instead of failing it.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait, counted from the first poll. A deferral does not
        extend it.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = ("comparisons", "drs_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"comparisons": "json"}
    _what = "Not consistent:"
    _key = "comparison_report"

    def __init__(
        self,
        *,
        comparisons: Sequence[Mapping[str, Any]] | str | XComArg,
        allow_partial: bool = False,
        on_failure: str = "fail",
        deferrable: bool = DEFERRABLE,
        poke_interval: Duration = 60,
        timeout: Duration = TIMEOUT_S,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            allow_partial=allow_partial,
            on_failure=on_failure,
            deferrable=deferrable,
            poke_interval=poke_interval,
            timeout=timeout,
            drs_conn_id=drs_conn_id,
            **kwargs,
        )
        check_literal(comparisons, _check_comparisons)
        self.comparisons = comparisons

    def _create_watch(self) -> Watch:
        from airflow_provider_drs.operators import arguments
        from airflow_provider_drs.protocol.comparisons.messages import Comparison
        from airflow_provider_drs.protocol.watches import ComparisonWatch

        listed = arguments.read_objects(self.comparisons, "comparisons")
        return ComparisonWatch([Comparison.from_dict(fields) for fields in listed])

    def _publish(self, watch: Watch, context: Context) -> list[str]:
        self._record_comparisons(watch)
        return super()._publish(watch, context)
