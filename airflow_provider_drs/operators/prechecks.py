"""The operator that pre-checks jobs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_drs.operators.jobs import DrsWaitingOperator
from airflow_provider_drs.operators.lineage import HasLineage

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_drs.protocol.core.errors import DrsError
    from airflow_provider_drs.protocol.prechecks.messages import Submission
    from airflow_provider_drs.protocol.watches import Watch


class DrsBatchPrecheckOperator(DrsWaitingOperator, HasLineage):
    """
    Start the pre-checks of any number of jobs, and return the ids of the jobs that DRS accepted.

    A pre-check that is running already is waited for instead of being started again; one that has ended is
    never taken over, since somebody may have mended the source since. The XCom ``precheck_submissions`` holds
    job_id, precheck_id, status and error for each job.

    The task fails, after every batch was sent, if DRS rejected a job; the text names each such job and why.

    :param job_ids: a job id, a list of them, or a task's output; the text of a list is understood. Duplicates
        are dropped with a warning, and none at all is an error. (templated)
    :param drs_conn_id: the Airflow connection, of type ``drs``. (templated)
    :param precheck_mode: ``forStartJob``, or ``forRetryJob`` where the service knows it. (templated)
    :param allow_partial: go on with the accepted jobs; fail only if there are none.
    :param wait_for_completion: do the work of ``DrsPrecheckSensor`` in this task.
    :param deferrable: wait in the triggerer. Default: ``operators.default_deferrable`` of Airflow's
        configuration.
    :param poke_interval: seconds between two polls.
    :param timeout: seconds to wait for completion.
    :param alarms: with ``wait_for_completion``, what an ALARM item does, as with ``DrsPrecheckSensor``.
        (templated)
    :param check_preconditions: read the jobs' details first and refuse what the service would refuse: a
        status other than CONFIGURATION, and a dual-active parent. A backward job whose forward job is
        replicating needs no pre-check and is passed on.
    :param settle_time: seconds to wait at most until DRS shows the new pre-checks instead of the ones before.
    """

    template_fields: Sequence[str] = ("job_ids", "drs_conn_id", "precheck_mode", "alarms")
    template_fields_renderers = {"job_ids": "json", "alarms": "json"}
    template_ext: Sequence[str] = (".json", ".yaml", ".yml")

    def __init__(
        self,
        *,
        job_ids: str | Sequence[str],
        precheck_mode: str = "forStartJob",
        allow_partial: bool = False,
        alarms: str | Collection[str | Mapping[str, Any]] = "allow",
        check_preconditions: bool = True,
        settle_time: float = 20,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.precheck_mode = precheck_mode
        self.allow_partial = allow_partial
        self.alarms = alarms
        self.check_preconditions = check_preconditions
        self.settle_time = settle_time

    def _act(self, context: Context) -> list[str]:
        from airflow_provider_drs.operators import arguments, results

        job_ids = arguments.read_ids(self.job_ids, self.log)
        arguments.read_alarms(self.alarms, self.log)
        with self._open_hook() as hook:
            answers = hook.begin_prechecks(
                job_ids,
                self.precheck_mode,
                check_preconditions=self.check_preconditions,
                settle_time=self.settle_time,
            )
        errors = results.pick_errors(answers)
        self._publish(context, answers)
        accepted = [job_id for job_id in job_ids if job_id not in errors]
        if errors and not (self.allow_partial and accepted):
            results.raise_for_jobs("DRS did not accept the pre-check of", errors, len(job_ids))
        return accepted

    def get_job_status(self, external_id: Any, context: Context) -> str:
        """Tell whether every pre-check of an earlier try is still running, and of the same jobs."""
        from airflow_provider_drs.operators import arguments
        from airflow_provider_drs.protocol.prechecks.messages import PrecheckResult

        # Airflow keeps the id when a task is cleared; its jobs may be others by now.
        if set(external_id) != set(arguments.read_ids(self.job_ids, self.log)):
            return "to do"
        with self._open_hook() as hook:
            answers = hook.get_precheck_results(external_id)
        is_running = [isinstance(each, PrecheckResult) and not each.is_complete for each in answers.values()]
        return "running" if all(is_running) else "to do"

    def _publish(self, context: Context, answers: Mapping[str, Submission | DrsError]) -> None:
        from airflow_provider_drs.operators import results
        from airflow_provider_drs.protocol.prechecks.messages import Submission

        rows = []
        for job_id, answer in answers.items():
            if isinstance(answer, Submission):
                rows.append(answer.to_dict())
                self.log.info("%s %s", job_id, answer)
                if not answer.is_shown:
                    self.log.warning("%s: DRS still shows the pre-check before this one", job_id)
            else:
                row = {"job_id": job_id, "precheck_id": None, "status": "rejected", "error": answer.to_dict()}
                rows.append(row)
                self.log.error("%s pre-check rejected: %s", job_id, answer)
        context["ti"].xcom_push(key=results.SUBMISSIONS_KEY, value=rows)

    def _make_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.operators import arguments
        from airflow_provider_drs.protocol.watches import PrecheckWatch

        return PrecheckWatch(job_ids, arguments.read_alarms(self.alarms, self.log))

    def _finish(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        self._tell_prechecks(watch)
        return results.publish_prechecks(watch, context, self.log, allow_partial=self.allow_partial)
