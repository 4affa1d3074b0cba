"""The operator that runs pre-checks."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_drs.operators.jobs import (
    DEFERRABLE,
    ON_EMPTY,
    DrsWaitingOperator,
    Duration,
    JobIds,
    check_alarms,
    check_choice,
    check_flag,
    check_ids,
    read_duration,
)
from airflow_provider_drs.operators.lineage import LineageMixin

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_drs.protocol.core.errors import DrsError
    from airflow_provider_drs.protocol.prechecks.messages import Submission
    from airflow_provider_drs.protocol.watches import Watch


class DrsBatchPrecheckOperator(DrsWaitingOperator, LineageMixin):
    """
    Start the pre-checks of jobs, and return the IDs of the jobs that DRS accepted.

    A running pre-check is adopted; a finished one is not, because the source may have changed since. If DRS
    rejects a job, the task fails after it has submitted all batches, and the error names each rejected job.
    The XCom ``precheck_submissions`` has job_id, name, engine, source, destination, precheck_id, status and
    error of each job.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param if_started: ``adopt`` returns jobs that were already started without pre-checking them; ``fail``
        refuses them.
    :param recheck: ``all`` pre-checks all jobs. ``failed`` reads the latest results from DRS, and pre-checks
        only the jobs that have not passed, for example after you have fixed 3 of 500 sources. The others are
        returned as accepted.
    :param precheck_mode: ``forStartJob``, or ``forRetryJob`` if the service supports it. (templated)
    :param allow_partial: return the accepted jobs, even if others were rejected; fail only if none was
        accepted.
    :param wait_for_completion: also wait for the results, like ``DrsPrecheckSensor``.
    :param alarms: with ``wait_for_completion`` or ``recheck="failed"``, which alarms are accepted, as in
        ``DrsPrecheckSensor``. (templated)
    :param check_preconditions: read the jobs first, and reject those that DRS would reject: jobs in a failed
        status, jobs that have not reached CONFIGURATION, and parents of dual-active pairs. A backward job
        whose forward job is replicating does not need a pre-check, and is returned as accepted.
    :param settle_time: how long to wait, in seconds or as a ``timedelta``, until DRS reports the new
        pre-checks instead of the previous ones.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait.
    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = ("job_ids", "drs_conn_id", "precheck_mode", "alarms")
    template_fields_renderers = {"job_ids": "json", "alarms": "json"}
    template_ext: Sequence[str] = (".json", ".yaml", ".yml")

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        if_started: str = "adopt",
        recheck: str = "all",
        precheck_mode: str = "forStartJob",
        allow_partial: bool = False,
        wait_for_completion: bool = False,
        alarms: str | Collection[str | Mapping[str, Any]] | XComArg = "allow",
        check_preconditions: bool = True,
        settle_time: Duration = 20,
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
        check_ids(job_ids)
        self.job_ids = job_ids
        check_choice("on_empty", on_empty, ON_EMPTY)
        self.on_empty = on_empty
        check_choice("if_started", if_started, ("adopt", "fail"))
        check_choice("recheck", recheck, ("all", "failed"))
        self.if_started = if_started
        self.recheck = recheck
        check_choice("precheck_mode", precheck_mode, ("forStartJob", "forRetryJob"))
        check_alarms(alarms)
        self.precheck_mode = precheck_mode
        check_flag("allow_partial", allow_partial)
        self.allow_partial = allow_partial
        self.alarms = alarms
        check_flag("check_preconditions", check_preconditions)
        self.check_preconditions = check_preconditions
        self.settle_time = read_duration("settle_time", settle_time, allow_zero=True)

    def _perform(self, context: Context) -> list[str]:
        from airflow_provider_drs.operators import arguments, results

        job_ids = arguments.read_ids(self.job_ids, self.log, on_empty=self.on_empty)
        alarms = arguments.read_alarms(self.alarms, self.log)
        with self._open_hook() as hook:
            answers = hook.begin_prechecks(
                job_ids,
                self.precheck_mode,
                check_preconditions=self.check_preconditions,
                if_started=self.if_started,
                recheck=self.recheck,
                alarms=alarms.at(time.time()),
                settle_time=self.settle_time,
            )
        errors = results.pick_errors(answers)
        self._publish(context, answers)
        accepted = [job_id for job_id in job_ids if job_id not in errors]
        if errors and not (self.allow_partial and accepted):
            results.raise_for_jobs("Pre-check rejected:", errors, len(job_ids), hook.job_names)
        return accepted

    def get_job_status(self, external_id: Any, context: Context) -> str:
        """Return ``running`` if all pre-checks of an earlier try are still running, for the same jobs."""
        from airflow_provider_drs.operators import arguments
        from airflow_provider_drs.protocol.prechecks.messages import PrecheckResult

        # Airflow keeps the external ID of a cleared task, whose job_ids may have changed.
        if set(external_id) != set(arguments.read_ids(self.job_ids, self.log)):
            return "to do"
        with self._open_hook() as hook:
            answers = hook.get_precheck_results(external_id)
        is_running = [
            isinstance(answer, PrecheckResult) and not answer.is_complete for answer in answers.values()
        ]
        return "running" if all(is_running) else "to do"

    def _publish(self, context: Context, answers: Mapping[str, Submission | DrsError]) -> None:
        from airflow_provider_drs.operators import results
        from airflow_provider_drs.protocol.core.errors import label_error, label_job
        from airflow_provider_drs.protocol.prechecks.messages import Submission

        rows, names, databases = [], self._open_hook().job_names, self._open_hook().job_databases
        for job_id, answer in answers.items():
            row = {"job_id": job_id, "name": names.get(job_id), "precheck_id": None, "status": "rejected"}
            row |= databases.get(job_id, {})
            label = label_job(job_id, names.get(job_id))
            if isinstance(answer, Submission):
                rows.append(row | answer.to_dict())
                self.log.info("%s: %s", label, answer)
                if not answer.is_shown:
                    self.log.warning(
                        "%s: DRS does not report the new pre-check yet. Increase settle_time if a sensor "
                        "reads the previous result.",
                        label,
                    )
            else:
                rows.append(row | {"error": answer.to_dict()})
                self.log.error("Pre-check rejected: %s", label_error(job_id, answer, names.get(job_id)))
        context["ti"].xcom_push(key=results.SUBMISSIONS_KEY, value=rows)

    def _create_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.operators import arguments
        from airflow_provider_drs.protocol.watches import PrecheckWatch

        return PrecheckWatch(job_ids, arguments.read_alarms(self.alarms, self.log))

    def _finish(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        self._record_prechecks(watch)
        return results.publish_prechecks(watch, context, self.log, allow_partial=self.allow_partial)
