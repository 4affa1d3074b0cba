"""The operator that pre-checks jobs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_drs.operators.jobs import DrsWaitingOperator
from airflow_provider_drs.operators.lineage import HasLineage

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_drs.hooks.drs import DrsHook
    from airflow_provider_drs.protocol.errors import DrsError
    from airflow_provider_drs.protocol.prechecks import Submission
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
        from airflow_provider_drs.operators import gate, verdicts
        from airflow_provider_drs.protocol.prechecks import check_precheck_mode

        job_ids = gate.read_ids(self.job_ids, self.log)
        check_precheck_mode(self.precheck_mode)
        gate.read_alarms(self.alarms, self.log)
        with self._open_hook() as hook:
            exempt, answers = self._review(hook, job_ids)
            ready = [job_id for job_id in job_ids if job_id not in answers and job_id not in exempt]
            if ready:
                answers |= self._submit(hook, ready)
        errors = verdicts.pick_errors(answers)
        self._publish(context, job_ids, answers)
        accepted = [job_id for job_id in job_ids if job_id not in errors]
        if errors and not (self.allow_partial and accepted):
            verdicts.raise_for_jobs("DRS did not accept the pre-check of", errors, len(job_ids))
        return accepted

    def get_job_status(self, external_id: Any, context: Context) -> str:
        """Tell whether every pre-check of an earlier try is still running, and of the same jobs."""
        from airflow_provider_drs.operators import gate
        from airflow_provider_drs.protocol.prechecks import PrecheckResult

        # Airflow keeps the id when a task is cleared; its jobs may be others by now.
        if set(external_id) != set(gate.read_ids(self.job_ids, self.log)):
            return "to do"
        with self._open_hook() as hook:
            answers = hook.get_precheck_results(external_id)
        is_running = [isinstance(each, PrecheckResult) and not each.is_complete for each in answers.values()]
        return "running" if all(is_running) else "to do"

    def _review(
        self, hook: DrsHook, job_ids: Sequence[str]
    ) -> tuple[set[str], dict[str, Submission | DrsError]]:
        """Return the jobs that need no pre-check, and those that cannot have one, each with the reason."""
        from airflow_provider_drs.operators import verdicts
        from airflow_provider_drs.protocol.prechecks import PRECHECK_MODES
        from airflow_provider_drs.protocol.rules import Review, Standing

        if not self.check_preconditions:
            return set(), {}
        reviews = hook.review_jobs(
            job_ids, "precheck" if self.precheck_mode == PRECHECK_MODES[0] else "recheck"
        )
        exempt = {
            job_id
            for job_id, review in reviews.items()
            if isinstance(review, Review) and review.standing is Standing.NOT_NEEDED
        }
        for job_id in sorted(exempt):
            self.log.info(
                "%s needs no pre-check: it is a backward job whose forward job is replicating", job_id
            )
        return exempt, dict(verdicts.pick_errors(reviews))

    def _submit(self, hook: DrsHook, job_ids: Sequence[str]) -> dict[str, Submission | DrsError]:
        """Start what is not running yet, and see each new pre-check begin."""
        from airflow_provider_drs.operators import gate
        from airflow_provider_drs.protocol.prechecks import PrecheckResult, Submission

        before = hook.get_precheck_results(job_ids)
        answers: dict[str, Submission | DrsError] = {
            job_id: Submission(job_id, result.precheck_id, adopted=True)
            for job_id, result in before.items()
            if isinstance(result, PrecheckResult) and not result.is_complete
        }
        to_submit = [job_id for job_id in job_ids if job_id not in answers]
        if to_submit:
            answers |= hook.precheck_jobs(to_submit, self.precheck_mode)
        new = [
            job_id for job_id, each in answers.items() if isinstance(each, Submission) and not each.adopted
        ]
        gate.settle(hook, new, before, self.log, settle_time=self.settle_time)
        return answers

    def _publish(
        self, context: Context, job_ids: Sequence[str], answers: Mapping[str, Submission | DrsError]
    ) -> None:
        from airflow_provider_drs.operators import verdicts
        from airflow_provider_drs.protocol.prechecks import Submission

        rows = []
        for job_id in job_ids:
            answer = answers.get(job_id)
            if isinstance(answer, Submission):
                rows.append(answer.to_dict())
                self.log.info(
                    "%s pre-check %s", job_id, "is running already" if answer.adopted else "started"
                )
            else:
                status, error = ("rejected", answer.to_dict()) if answer else ("not needed", None)
                rows.append({"job_id": job_id, "precheck_id": None, "status": status, "error": error})
                if answer:
                    self.log.error("%s pre-check rejected: %s", job_id, answer)
        context["ti"].xcom_push(key=verdicts.SUBMISSIONS_KEY, value=rows)

    def _make_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.operators import gate
        from airflow_provider_drs.protocol.watches import PrecheckWatch

        return PrecheckWatch(job_ids, gate.read_alarms(self.alarms, self.log))

    def _conclude(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import verdicts

        self._tell_prechecks(watch)
        return verdicts.conclude_prechecks(watch, context, self.log, allow_partial=self.allow_partial)
