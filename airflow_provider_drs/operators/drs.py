"""Operators that pre-check and start migration jobs."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator, ResumableJobMixin, conf

if TYPE_CHECKING:
    import datetime

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_drs.hooks.drs import DrsHook
    from airflow_provider_drs.protocol.errors import DrsError
    from airflow_provider_drs.protocol.jobs import JobStart
    from airflow_provider_drs.protocol.prechecks import Submission
    from airflow_provider_drs.protocol.watch import Watch


class _DrsJobsOperator(ResumableJobMixin, BaseOperator):
    """
    What the operators share: do something for jobs, then perhaps wait, in the worker or in the triggerer.

    A worker that is killed while it waits leaves jobs behind that run. On Airflow 3.3 and later the next try
    finds in the task state store which jobs to wait for; on earlier versions it finds out from DRS alone.
    Either way DRS has the last word: what is done is adopted, and nothing is done twice.
    """

    template_fields: Sequence[str] = ("job_ids", "drs_conn_id")
    template_fields_renderers = {"job_ids": "json"}
    ui_color = "#dcecf7"
    external_id_key = "drs_job_ids"

    def __init__(
        self,
        *,
        job_ids: str | Sequence[str],
        drs_conn_id: str = "drs_default",
        deferrable: bool = False,
        poke_interval: float = 30,
        timeout: float = 3600,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if poke_interval <= 0 or timeout <= 0:
            raise ValueError("poke_interval and timeout are seconds and must be above 0")
        self.job_ids = job_ids
        self.drs_conn_id = drs_conn_id
        self.deferrable = deferrable
        self.poke_interval = poke_interval
        self.timeout = timeout
        self._judged: list[str] | None = None

    def execute(self, context: Context) -> list[str]:
        """Do it, and wait as the arguments say."""
        from airflow_provider_drs.operators import gate

        with gate.failing_for_good():
            if not self._waits():
                return self._act(context)
            if not self.deferrable:
                # What was waited for is judged there; without a wait, jobs of an earlier try were found done.
                found: list[str] = self.execute_resumable(context)
                return found if self._judged is None else self._judged
            watch = self._make_watch(self._act(context))
            with self._open_hook() as hook:
                if gate.poll(hook, watch, self.log):
                    return self._conclude(watch, context)
            trigger, timeout = gate.make_trigger(
                self.drs_conn_id,
                watch,
                poke_interval=self.poke_interval,
                deadline=self._deadline(),
                stop_on_kill=self._stops_on_kill(),
            )
            self.defer(trigger=trigger, method_name="execute_complete", timeout=timeout)

    def execute_complete(self, context: Context, event: Any = None) -> list[str]:
        """Judge what the trigger found."""
        from airflow_provider_drs.operators import gate

        with gate.failing_for_good():
            return self._conclude(gate.read_event(event), context)

    # What ResumableJobMixin asks of an operator. The external id is the list of the jobs to wait for.

    def submit_job(self, context: Context) -> Any:
        """Do it, and return the jobs to wait for."""
        return self._act(context)

    def poll_until_complete(self, external_id: Any, context: Context) -> None:
        """Wait in the worker."""
        from airflow_provider_drs.operators import gate

        watch = self._make_watch(external_id)
        with self._open_hook() as hook:
            gate.wait(hook, watch, self.log, poke_interval=self.poke_interval, deadline=self._deadline())
        self._judged = self._conclude(watch, context)

    def get_job_result(self, external_id: Any, context: Context) -> list[str]:
        """Return the jobs that were done, if no wait was needed to see it."""
        return list(external_id)

    # What differs between the operators.

    def _act(self, context: Context) -> list[str]:
        """Do what the operator is for, and return the jobs to go on with."""
        raise NotImplementedError

    def _waits(self) -> bool:
        raise NotImplementedError

    def _make_watch(self, job_ids: Sequence[str]) -> Watch:
        raise NotImplementedError

    def _conclude(self, watch: Watch, context: Context) -> list[str]:
        raise NotImplementedError

    def _deadline(self) -> float:
        return time.time() + self.timeout

    def _stops_on_kill(self) -> bool:
        return False

    def _open_hook(self) -> DrsHook:
        from airflow_provider_drs.hooks.drs import DrsHook

        return DrsHook(self.drs_conn_id)


class DrsBatchPrecheckOperator(_DrsJobsOperator):
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
    :param alarms: with ``wait_for_completion``, what an ALARM item does: ``allow``, ``fail``, or a list of
        the items that may alarm. (templated)
    :param check_preconditions: read the jobs' details first and refuse what the service would refuse: a
        status other than CONFIGURATION, and a dual-active parent. A backward job whose forward job is
        replicating needs no pre-check and is passed on.
    :param settle_time: seconds to wait at most until DRS shows the new pre-checks instead of the ones before.
    """

    template_fields: Sequence[str] = ("job_ids", "drs_conn_id", "precheck_mode", "alarms")
    template_fields_renderers = {"job_ids": "json", "alarms": "json"}

    def __init__(
        self,
        *,
        job_ids: str | Sequence[str],
        drs_conn_id: str = "drs_default",
        precheck_mode: str = "forStartJob",
        allow_partial: bool = False,
        wait_for_completion: bool = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: float = 30,
        timeout: float = 3600,
        alarms: str | Collection[str] = "allow",
        check_preconditions: bool = True,
        settle_time: float = 20,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_ids=job_ids,
            drs_conn_id=drs_conn_id,
            deferrable=deferrable,
            poke_interval=poke_interval,
            timeout=timeout,
            **kwargs,
        )
        self.precheck_mode = precheck_mode
        self.allow_partial = allow_partial
        self.wait_for_completion = wait_for_completion
        self.alarms = alarms
        self.check_preconditions = check_preconditions
        self.settle_time = settle_time

    def _act(self, context: Context) -> list[str]:
        from airflow_provider_drs.operators import gate
        from airflow_provider_drs.protocol.prechecks import check_precheck_mode, read_alarm_policy

        job_ids = gate.read_ids(self.job_ids, self.log)
        check_precheck_mode(self.precheck_mode)
        read_alarm_policy(self.alarms)
        with self._open_hook() as hook:
            exempt, answers = self._review(hook, job_ids)
            ready = [job_id for job_id in job_ids if job_id not in answers and job_id not in exempt]
            if ready:
                answers |= self._submit(hook, ready)
        errors = gate.pick_errors(answers)
        self._publish(context, job_ids, answers)
        accepted = [job_id for job_id in job_ids if job_id not in errors]
        if errors and not (self.allow_partial and accepted):
            gate.raise_for_jobs("DRS did not accept the pre-check of", errors, len(job_ids))
        return accepted

    def get_job_status(self, external_id: Any, context: Context) -> str:
        """Tell whether every pre-check of an earlier try is still running."""
        from airflow_provider_drs.protocol.prechecks import PrecheckResult

        with self._open_hook() as hook:
            answers = hook.get_precheck_results(external_id)
        is_running = [isinstance(each, PrecheckResult) and not each.is_complete for each in answers.values()]
        return "running" if all(is_running) else "ended"

    def is_job_active(self, status: str) -> bool:
        """Attach to pre-checks that are running."""
        return status == "running"

    def is_job_succeeded(self, status: str) -> bool:
        """Never take over a pre-check that has ended, whatever its verdict."""
        return False

    def _review(
        self, hook: DrsHook, job_ids: Sequence[str]
    ) -> tuple[set[str], dict[str, Submission | DrsError]]:
        """Return the jobs that need no pre-check, and those that cannot have one, each with the reason."""
        from airflow_provider_drs.operators import gate
        from airflow_provider_drs.protocol.operations import Readiness

        if not self.check_preconditions:
            return set(), {}
        reviews = hook.review_jobs(job_ids, self.precheck_mode)
        exempt = {job_id for job_id, review in reviews.items() if review is Readiness.NOT_NEEDED}
        for job_id in sorted(exempt):
            self.log.info(
                "%s needs no pre-check: it is a backward job whose forward job is replicating", job_id
            )
        return exempt, dict(gate.pick_errors(reviews))

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
        from airflow_provider_drs.operators import gate
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
        context["ti"].xcom_push(key=gate.SUBMISSIONS_KEY, value=rows)

    def _waits(self) -> bool:
        return self.wait_for_completion

    def _make_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.protocol.prechecks import read_alarm_policy
        from airflow_provider_drs.protocol.watch import PrecheckWatch

        return PrecheckWatch(job_ids, read_alarm_policy(self.alarms))

    def _conclude(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import gate

        return gate.conclude_prechecks(watch, context, self.log, allow_partial=self.allow_partial)


class DrsStartJobsOperator(_DrsJobsOperator):
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
    :param alarms: what an ALARM item does to that: ``allow``, ``fail``, or a list of the items that may
        alarm. (templated)
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

    def __init__(
        self,
        *,
        job_ids: str | Sequence[str],
        drs_conn_id: str = "drs_default",
        start_time: datetime.datetime | str | int | None = None,
        wait_for_start: bool = False,
        require_passed_precheck: bool = True,
        alarms: str | Collection[str] = "allow",
        allow_partial: bool = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: float = 30,
        timeout: float = 3600,
        stop_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_ids=job_ids,
            drs_conn_id=drs_conn_id,
            deferrable=deferrable,
            poke_interval=poke_interval,
            timeout=timeout,
            **kwargs,
        )
        self.start_time = start_time
        self.wait_for_start = wait_for_start
        self.require_passed_precheck = require_passed_precheck
        self.alarms = alarms
        self.allow_partial = allow_partial
        self.stop_on_kill = stop_on_kill
        self._start_time_ms: int | None = None
        self._to_stop: list[str] = []

    def _act(self, context: Context) -> list[str]:
        from airflow_provider_drs.hooks.drs import parse_start_time
        from airflow_provider_drs.operators import gate
        from airflow_provider_drs.protocol.operations import plan_starts
        from airflow_provider_drs.protocol.prechecks import read_alarm_policy

        job_ids = gate.read_ids(self.job_ids, self.log)
        read_alarm_policy(self.alarms)
        with self._open_hook() as hook:
            plan = plan_starts(hook.get_job_statuses(job_ids))
            answers: dict[str, JobStart | DrsError] = {**plan.adopted, **plan.errors}
            if plan.to_start:
                # Only now: where an earlier try has started everything, its start_time may well be in the
                # past.
                self._start_time_ms = parse_start_time(self.start_time)
                if self.require_passed_precheck:
                    answers |= self._refuse_unchecked(hook, plan.to_start)
            to_start = [job_id for job_id in plan.to_start if job_id not in answers]
            if to_start and (self.allow_partial or not gate.pick_errors(answers)):
                self._to_stop = to_start
                answers |= hook.start_jobs(to_start, self._start_time_ms)
        return self._conclude_starts(context, job_ids, answers)

    def get_job_status(self, external_id: Any, context: Context) -> str:
        """Tell whether the jobs of an earlier try are starting or running."""
        from airflow_provider_drs.protocol.jobs import JobStatus
        from airflow_provider_drs.protocol.states import RUNNING_PHASES, STARTED_PHASES

        with self._open_hook() as hook:
            answers = hook.get_job_statuses(external_id)
        phases = {answer.phase if isinstance(answer, JobStatus) else None for answer in answers.values()}
        if phases <= RUNNING_PHASES:
            return "running"
        return "starting" if phases <= STARTED_PHASES else "other"

    def is_job_active(self, status: str) -> bool:
        """Attach to jobs that are starting."""
        return status == "starting"

    def is_job_succeeded(self, status: str) -> bool:
        """Take jobs that are running for started."""
        return status == "running"

    def on_kill(self) -> None:
        """
        Stop the jobs that this task has started, if it was told to; a killed wait else leaves them alone.
        """
        if self.stop_on_kill and self._to_stop:
            with self._open_hook() as hook:
                hook.stop_jobs(self._to_stop)

    def _refuse_unchecked(self, hook: DrsHook, job_ids: Sequence[str]) -> dict[str, DrsError]:
        """Return an error for each job whose pre-check has not passed, as DRS says just now."""
        from airflow_provider_drs.protocol.prechecks import Verdict, read_alarm_policy
        from airflow_provider_drs.protocol.reports import unchecked_error
        from airflow_provider_drs.protocol.watch import PrecheckWatch

        policy = read_alarm_policy(self.alarms)
        watch = PrecheckWatch(job_ids, policy)
        hook.poll(watch)
        return {
            report.job_id: unchecked_error(report, policy)
            for report in watch.reports
            if report.verdict is not Verdict.PASSED
        }

    def _conclude_starts(
        self, context: Context, job_ids: Sequence[str], answers: Mapping[str, JobStart | DrsError]
    ) -> list[str]:
        from airflow_provider_drs.operators import gate

        errors = gate.pick_errors(answers)
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
        context["ti"].xcom_push(key=gate.STARTS_KEY, value=rows)
        started = [job_id for job_id in job_ids if job_id in answers and job_id not in errors]
        if errors and not (self.allow_partial and started):
            gate.raise_for_jobs("Not started:", errors, len(job_ids))
        return started

    def _waits(self) -> bool:
        return self.wait_for_start

    def _make_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.protocol.watch import StartWatch

        return StartWatch(job_ids)

    def _conclude(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import gate
        from airflow_provider_drs.protocol.watch import StartWatch

        failures = watch.failures if isinstance(watch, StartWatch) else {}
        if failures:
            gate.raise_for_jobs("Started, and not running:", failures, len(watch.job_ids))
        return list(watch.job_ids)

    def _deadline(self) -> float:
        return max(time.time(), (self._start_time_ms or 0) / 1000) + self.timeout

    def _stops_on_kill(self) -> bool:
        return self.stop_on_kill
