"""Operators for the life of a job from its start on."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_drs.operators.jobs import DrsJobsOperator, DrsWaitingJobsOperator, DrsWaitingOperator
from airflow_provider_drs.operators.lineage import HasLineage

if TYPE_CHECKING:
    import datetime

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_drs.protocol.core.errors import DrsError
    from airflow_provider_drs.protocol.jobs.outcome import JobOutcome
    from airflow_provider_drs.protocol.watches import Watch


class DrsStartJobsOperator(DrsWaitingOperator, HasLineage):
    """
    Start jobs, now or later, and return their ids. None is ever started twice, and none unchecked.

    A job that has been started already is adopted, so that a retried or cleared task goes on instead of
    failing. The XCom ``start_results`` holds job_id, adopted, status and error for each job.

    :param job_ids: a job id, a list of them, or a task's output; the text of a list is understood. Duplicates
        are dropped with a warning, and none at all is an error. (templated)
    :param drs_conn_id: the Airflow connection, of type ``drs``. (templated)
    :param start_time: when to start: a datetime with a time zone, an ISO 8601 text with one, or epoch
        milliseconds. ``None`` starts now. (templated)
    :param wait_for_start: wait until every job is running.
    :param require_passed_precheck: read the pre-check results just before the start, and refuse what has not
        passed.
    :param alarms: what an ALARM item does to that, as with ``DrsPrecheckSensor``. Waivers that have expired
        since do not count. (templated)
    :param allow_partial: start what can be started even if a job is refused; fail only if nothing runs.
        Otherwise nothing is started as long as one job is refused.
    :param deferrable: wait in the triggerer. Default: ``operators.default_deferrable`` of Airflow's
        configuration.
    :param poke_interval: seconds between two polls.
    :param timeout: seconds to wait for the start, from ``start_time`` on if that is later.
    :param stop_on_kill: stop the jobs for good when the task is killed while it waits. A killed wait else
        leaves the migration alone. For a deferred task this takes Airflow 3.3 or later.
    """

    template_fields: Sequence[str] = ("job_ids", "drs_conn_id", "start_time", "alarms")
    template_fields_renderers = {"job_ids": "json", "alarms": "json"}
    template_ext: Sequence[str] = (".json", ".yaml", ".yml")

    def __init__(
        self,
        *,
        job_ids: str | Sequence[str],
        start_time: datetime.datetime | str | int | None = None,
        wait_for_start: bool = False,
        require_passed_precheck: bool = True,
        alarms: str | Collection[str | Mapping[str, Any]] = "allow",
        allow_partial: bool = False,
        stop_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(wait_for_completion=wait_for_start, **kwargs)
        self.job_ids = job_ids
        self.start_time = start_time
        self.wait_for_start = wait_for_start
        self.require_passed_precheck = require_passed_precheck
        self.alarms = alarms
        self.allow_partial = allow_partial
        self.stop_on_kill = stop_on_kill
        self._newly_started: list[str] = []

    def _act(self, context: Context) -> list[str]:
        from airflow_provider_drs.operators import arguments, results

        job_ids = arguments.read_ids(self.job_ids, self.log)
        alarms = arguments.read_alarms(self.alarms, self.log)
        policy = alarms.at(time.time()) if self.require_passed_precheck else None
        with self._open_hook() as hook:
            answers = hook.admit_starts(job_ids, policy)
            to_start = [job_id for job_id in job_ids if job_id not in answers]
            if to_start and (self.allow_partial or not results.pick_errors(answers)):
                self._newly_started = to_start
                # It looks at start_time only now: where an earlier try has started everything, that may well
                # be in the past.
                answers |= hook.start_jobs(to_start, self.start_time, check_preconditions=False)
                self._newly_started = [job_id for job_id in to_start if _is_new(answers[job_id])]
        return self._conclude_starts(context, job_ids, answers)

    def on_kill(self) -> None:
        """
        Stop the jobs that this task has started, if it was told to; a killed wait else leaves them alone.
        """
        from airflow_provider_drs.hooks.drs import DrsHook

        if self._find_to_stop():
            # The task's own hook is in the middle of something.
            with DrsHook(self.drs_conn_id) as hook:
                hook.stop_jobs(self._find_to_stop())

    def _conclude_starts(
        self, context: Context, job_ids: Sequence[str], answers: Mapping[str, JobOutcome | DrsError]
    ) -> list[str]:
        from airflow_provider_drs.operators import results

        errors = results.pick_errors(answers)
        rows = []
        for job_id in job_ids:
            answer = answers.get(job_id)
            row = {"job_id": job_id, "adopted": False, "status": None, "error": None}
            if answer is None:
                self.log.warning("%s not started, because another job of the batch is refused", job_id)
            elif job_id in errors:
                row["error"] = errors[job_id].to_dict()
                self.log.error("%s not started: %s", job_id, answer)
            else:
                row |= answer.to_dict()
                self.log.info("%s %s", job_id, "was started before" if row["adopted"] else "started")
            rows.append(row)
        context["ti"].xcom_push(key=results.STARTS_KEY, value=rows)
        started = [job_id for job_id in job_ids if job_id in answers and job_id not in errors]
        self._tell_replication(started)
        if errors and not (self.allow_partial and started):
            results.raise_for_jobs("Not started:", errors, len(job_ids))
        return started

    def _make_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.protocol.watches import watch_action

        return watch_action("start_jobs", job_ids)

    def _finish(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        if self._lineage is None:
            # After a deferral nothing is known of what was told before.
            self._tell_replication(job_id for job_id in watch.job_ids if job_id not in watch.failures)
        what = "Started, and not running:"
        return results.finish_wait(watch, context, self.log, what=what, allow_partial=self.allow_partial)

    def _deadline(self) -> float:
        from airflow_provider_drs.operators import waiting

        return waiting.find_deadline(self.start_time, self.timeout)

    def _find_to_stop(self) -> Sequence[str]:
        return self._newly_started if self.stop_on_kill else ()


def _is_new(answer: object) -> bool:
    from airflow_provider_drs.protocol.jobs.outcome import JobOutcome

    return isinstance(answer, JobOutcome) and not answer.adopted


class DrsPauseJobsOperator(DrsWaitingJobsOperator):
    """
    Pause jobs, and return their ids; one that is paused already is adopted.

    DRS has one status, PAUSING, for being paused and for having been; that is what a wait waits for. DRS
    advises to resume a job within 24 hours, as long as the source keeps its logs.

    :param pause_mode: ``target`` stops the replay on the destination, ``all`` the capture of logs on the
        source as well. (templated)
    """

    template_fields: Sequence[str] = (*DrsWaitingJobsOperator.template_fields, "pause_mode")
    method = "pause_jobs"
    arguments = ("pause_mode",)
    done = "paused"

    def __init__(self, *, pause_mode: str = "target", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pause_mode = pause_mode


class DrsRetryJobsOperator(DrsWaitingJobsOperator):
    """
    Resume paused jobs and retry failed ones, and return their ids; one that is running is adopted.

    :param is_sync_re_edit: ``True`` when a synchronization job is restarted after its objects were edited.
    """

    method = "retry_jobs"
    arguments = ("is_sync_re_edit",)
    done = "resumed"

    def __init__(self, *, is_sync_re_edit: bool | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_sync_re_edit = is_sync_re_edit


class DrsStopJobsOperator(DrsWaitingJobsOperator):
    """
    Stop jobs for good, and return their ids; DRS releases their resources.

    A job that is stopped already, or gone, is adopted. The parent of a dual-active pair stops both of its
    jobs.

    :param force: stop even if DRS cannot end the replication in order.
    """

    method = "stop_jobs"
    arguments = ("force",)
    done = "stopped"

    def __init__(self, *, force: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.force = force


class DrsDeleteJobsOperator(DrsWaitingJobsOperator):
    """
    Delete jobs that are stopped or whose creation failed, and return their ids; one that is gone is adopted.
    """

    method = "delete_jobs"
    done = "deleted"


class DrsChangePasswordsOperator(DrsJobsOperator):
    """
    Tell running jobs the new passwords of their databases, and return their ids.

    :param source_conn_id: the Airflow connection of the source, whose password is the new one; or one for
        each job, in their order. (templated)
    :param target_conn_id: the same for the destination. (templated)
    """

    template_fields: Sequence[str] = (*DrsJobsOperator.template_fields, "source_conn_id", "target_conn_id")
    method = "change_passwords"
    done = "given new passwords"

    def __init__(
        self,
        *,
        source_conn_id: str | Sequence[str] | None = None,
        target_conn_id: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_conn_id = source_conn_id
        self.target_conn_id = target_conn_id

    def _make_arguments(self, job_ids: Sequence[str]) -> dict[str, Any]:
        from airflow_provider_drs.hooks.endpoints import read_passwords

        return {
            "source_password": read_passwords("source_conn_id", self.source_conn_id, job_ids),
            "target_password": read_passwords("target_conn_id", self.target_conn_id, job_ids),
        }
