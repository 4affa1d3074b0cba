"""Operators that start, pause, resume, stop and delete jobs, and change their passwords."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_drs.operators.jobs import (
    DEFERRABLE,
    ON_EMPTY,
    ConnIds,
    DrsJobsOperator,
    DrsWaitingJobsOperator,
    DrsWaitingOperator,
    Duration,
    JobIds,
    check_alarms,
    check_any,
    check_choice,
    check_conn_ids,
    check_flag,
    check_ids,
    check_start_time,
)
from airflow_provider_drs.operators.lineage import LineageMixin

if TYPE_CHECKING:
    import datetime

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_drs.protocol.core.errors import DrsError
    from airflow_provider_drs.protocol.jobs.outcome import JobOutcome
    from airflow_provider_drs.protocol.watches import Watch


class DrsStartJobsOperator(DrsWaitingOperator, LineageMixin):
    """
    Start jobs, now or later, and return their IDs.

    Idempotent: a job that was started before is adopted, and no job is started twice. A job whose pre-check
    has not passed is not started. The XCom ``start_results`` has job_id, name, adopted, status and error of
    each job.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param start_time: when to start: a datetime or an ISO 8601 string, each with a time zone, or epoch
        milliseconds. ``None`` starts the jobs immediately. (templated)
    :param wait_for_start: wait until every job is running.
    :param require_passed_precheck: read the pre-check results just before the start, and refuse jobs that
        have not passed.
    :param alarms: which alarms are accepted, as in ``DrsPrecheckSensor``; expired waivers are not.
        (templated)
    :param allow_partial: start the jobs that can be started; fail only if none of them starts. By default, no
        job is started if any job is refused.
    :param stop_on_kill: if the task is killed during the wait, stop the jobs that this attempt has started.
        Clearing a task or marking it as failed kills it; so does marking a deferred task as successful. DRS
        cannot start a stopped job again. By default, jobs keep running. Not supported in deferrable tasks of
        Airflow 3.0 to 3.2: the operator raises ``ValueError`` when the DAG is parsed.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait for the start, counted from ``start_time`` if that is
        later.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = ("job_ids", "drs_conn_id", "start_time", "alarms")
    template_fields_renderers = {"job_ids": "json", "alarms": "json"}
    template_ext: Sequence[str] = (".json", ".yaml", ".yml")

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        start_time: datetime.datetime | str | int | XComArg | None = None,
        wait_for_start: bool = False,
        require_passed_precheck: bool = True,
        alarms: str | Collection[str | Mapping[str, Any]] | XComArg = "allow",
        allow_partial: bool = False,
        stop_on_kill: bool = False,
        deferrable: bool = DEFERRABLE,
        poke_interval: Duration = 30,
        timeout: Duration = 3600,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        check_flag("wait_for_start", wait_for_start)
        super().__init__(
            wait_for_completion=wait_for_start,
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
        check_start_time(start_time)
        check_alarms(alarms)
        self.start_time = start_time
        self.wait_for_start = wait_for_start
        check_flag("require_passed_precheck", require_passed_precheck)
        self.require_passed_precheck = require_passed_precheck
        self.alarms = alarms
        check_flag("allow_partial", allow_partial)
        self.allow_partial = allow_partial
        if stop_on_kill and wait_for_start and self.deferrable and not _can_detect_kills():
            raise ValueError(
                "stop_on_kill=True is not supported in deferred tasks of Airflow 3.0 to 3.2, whose triggers "
                "cannot determine whether a task was killed. Set deferrable=False or stop_on_kill=False."
            )
        check_flag("stop_on_kill", stop_on_kill)
        self.stop_on_kill = stop_on_kill
        self._newly_started: list[str] = []

    def _perform(self, context: Context) -> list[str]:
        from airflow_provider_drs.hooks.drs import parse_start_time
        from airflow_provider_drs.operators import arguments, results

        job_ids = arguments.read_ids(self.job_ids, self.log, on_empty=self.on_empty)
        alarms = arguments.read_alarms(self.alarms, self.log)
        policy = alarms.at(time.time()) if self.require_passed_precheck else None
        with self._open_hook() as hook:
            start_time_ms = parse_start_time(self.start_time, allow_past=True)
            answers = hook.admit_starts(job_ids, policy, start_time_ms)
            to_start = [job_id for job_id in job_ids if job_id not in answers]
            if to_start and (self.allow_partial or not results.pick_errors(answers)):
                self._newly_started = to_start
                # start_time is validated here: after an earlier try has started all jobs, it may have passed.
                answers |= hook.start_jobs(to_start, self.start_time, check_preconditions=False)
                self._newly_started = [job_id for job_id in to_start if _is_new(answers[job_id])]
        return self._publish(context, job_ids, answers)

    def on_kill(self) -> None:
        """Stop the jobs that this task has started if ``stop_on_kill`` is set."""
        from airflow_provider_drs.hooks.drs import DrsHook
        from airflow_provider_drs.operators import results

        if self._jobs_to_stop():
            # The task's own hook is in use.
            with DrsHook(self.drs_conn_id) as hook:
                answers = hook.stop_jobs(self._jobs_to_stop())
                results.log_stops(answers, self.log, names=hook.job_names)

    def _publish(
        self, context: Context, job_ids: Sequence[str], answers: Mapping[str, JobOutcome | DrsError]
    ) -> list[str]:
        from airflow_provider_drs.operators import results
        from airflow_provider_drs.protocol.core.errors import label_error, label_job

        errors, names = results.pick_errors(answers), self._open_hook().job_names
        rows = []
        for job_id in job_ids:
            answer, label = answers.get(job_id), label_job(job_id, names.get(job_id))
            row: dict[str, Any] = {
                "job_id": job_id,
                "name": names.get(job_id),
                "adopted": False,
                "status": None,
                "error": None,
            }
            if answer is None:
                self.log.warning(
                    "%s not started: another job was refused. Set allow_partial=True to start the others.",
                    label,
                )
            elif job_id in errors:
                row["error"] = errors[job_id].to_dict()
                self.log.error("Not started: %s", label_error(job_id, errors[job_id], names.get(job_id)))
            else:
                row |= answer.to_dict()
                self.log.info("%s %s", label, "started" if _is_new(answer) else "was already started")
                results.log_not_compared(label, row, self.log)
            rows.append(row)
        context["ti"].xcom_push(key=results.STARTS_KEY, value=rows)
        started = [job_id for job_id in job_ids if job_id in answers and job_id not in errors]
        self._record_replication(started)
        if errors and not (self.allow_partial and started):
            results.raise_for_jobs("Not started:", errors, len(job_ids), names)
        return started

    def _create_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.protocol.watches import watch_action

        return watch_action("start_jobs", job_ids)

    def _finish(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        if self._lineage is None:
            # A deferral does not keep what was recorded before.
            self._record_replication(job_id for job_id in watch.job_ids if job_id not in watch.failures)
        what = "Started, but not running:"
        return results.finish_wait(
            watch,
            context,
            self.log,
            what=what,
            names=self._open_hook().job_names,
            allow_partial=self.allow_partial,
        )

    def _deadline(self) -> float:
        from airflow_provider_drs.operators import waiting

        return waiting.find_deadline(self.start_time, self.timeout)

    def _jobs_to_stop(self) -> Sequence[str]:
        return self._newly_started if self.stop_on_kill else ()


def _can_detect_kills() -> bool:
    """Whether a trigger of this Airflow can determine that a user has killed its task."""
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
    from airflow.triggers.base import BaseTrigger

    return hasattr(BaseTrigger, "on_kill") or not AIRFLOW_V_3_0_PLUS


def _is_new(answer: object) -> bool:
    from airflow_provider_drs.protocol.jobs.outcome import JobOutcome

    return isinstance(answer, JobOutcome) and (not answer.adopted or answer.in_doubt)


class DrsPauseJobsOperator(DrsWaitingJobsOperator):
    """
    Pause jobs, and return their IDs. Idempotent: a paused job is adopted.

    DRS reports PAUSING both for a job that is being paused and for a paused job, so a wait ends as soon as
    the job has this status. DRS recommends resuming a job within 24 hours, while the source still has its
    logs.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param pause_mode: ``target`` stops the replay on the destination, ``all`` also stops reading the logs of
        the source. (templated)
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param wait_for_completion: wait until every job is paused.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = (*DrsWaitingJobsOperator.template_fields, "pause_mode")
    hook_method = "pause_jobs"
    hook_arguments = ("pause_mode",)
    past_participle = "paused"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        pause_mode: str = "target",
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
        check_choice("pause_mode", pause_mode, ("target", "all"))
        self.pause_mode = pause_mode


class DrsRetryJobsOperator(DrsWaitingJobsOperator):
    """
    Resume paused jobs and retry failed ones, and return their IDs. Idempotent: a running job is adopted.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param is_sync_re_edit: ``True`` to restart running synchronization jobs whose objects were edited.
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param wait_for_completion: wait until every job is running; with ``is_sync_re_edit``, until DRS has
        copied the new objects.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    hook_method = "retry_jobs"
    hook_arguments = ("is_sync_re_edit",)
    past_participle = "resumed"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        is_sync_re_edit: bool | None = None,
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
        check_flag("is_sync_re_edit", is_sync_re_edit, optional=True)
        self.is_sync_re_edit = is_sync_re_edit

    def _create_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.protocol.watches import watch_action

        return watch_action("restart_jobs" if self.is_sync_re_edit else self.hook_method, job_ids)


class DrsStopJobsOperator(DrsWaitingJobsOperator):
    """
    Stop jobs, and return their IDs; DRS releases their resources. A stopped job cannot be started again.

    Idempotent: a job that is stopped or deleted is adopted. Stopping the parent of a dual-active pair stops
    both of its jobs.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param force: stop even if DRS cannot end the replication cleanly.
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param wait_for_completion: wait until every job is stopped.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    hook_method = "stop_jobs"
    hook_arguments = ("force",)
    past_participle = "stopped"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        force: bool = False,
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
        check_flag("force", force)
        self.force = force


class DrsDeleteJobsOperator(DrsWaitingJobsOperator):
    """
    Delete jobs that are stopped or whose creation failed, and return their IDs.

    Idempotent: a job that is already deleted is adopted.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param wait_for_completion: wait until every job is deleted.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    hook_method = "delete_jobs"
    past_participle = "deleted"


class DrsChangePasswordsOperator(DrsJobsOperator):
    """
    Update the database passwords that running jobs use, and return the jobs' IDs.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param source_conn_id: the Airflow connection of the source with the new password, or a list with one
        connection per job, in the order of ``job_ids``. (templated)
    :param target_conn_id: the Airflow connection of the destination, or one per job. (templated)
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "source_conn_id", "target_conn_id")
    hook_method = "change_passwords"
    past_participle = "updated with the new passwords"

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        source_conn_id: ConnIds = None,
        target_conn_id: ConnIds = None,
        allow_partial: bool = False,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_ids=job_ids, on_empty=on_empty, allow_partial=allow_partial, drs_conn_id=drs_conn_id, **kwargs
        )
        check_any(source_conn_id=source_conn_id, target_conn_id=target_conn_id)
        check_conn_ids("source_conn_id", source_conn_id, job_ids)
        check_conn_ids("target_conn_id", target_conn_id, job_ids)
        self.source_conn_id = source_conn_id
        self.target_conn_id = target_conn_id

    def _read_arguments(self, job_ids: Sequence[str]) -> dict[str, Any]:
        from airflow_provider_drs.hooks.endpoints import read_passwords

        return {
            "source_password": read_passwords("source_conn_id", self.source_conn_id, job_ids),
            "target_password": read_passwords("target_conn_id", self.target_conn_id, job_ids),
        }
