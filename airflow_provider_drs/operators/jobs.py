"""What all operators are made of: do something for jobs, then wait, in the worker or the triggerer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator, ResumableJobMixin, conf

from airflow_provider_drs.links.drs import DrsConsoleLink, DrsReportLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_drs.hooks.drs import DrsHook
    from airflow_provider_drs.protocol.watches import Watch


class DrsOperator(BaseOperator):
    """
    An operator that asks something of DRS.

    An asset in its ``outlets`` has an event when it has succeeded, which names the jobs that it returns.

    :param drs_conn_id: the Airflow connection, of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = ("drs_conn_id",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"job_ids": "json"}
    operator_extra_links = (DrsConsoleLink(), DrsReportLink())
    ui_color = "#dcecf7"

    def __init__(self, *, drs_conn_id: str = "drs_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.drs_conn_id = drs_conn_id
        self._hook: DrsHook | None = None

    def execute(self, context: Context) -> list[str]:
        """Do it."""
        from airflow_provider_drs.assets.drs import name_jobs
        from airflow_provider_drs.links.drs import publish_links
        from airflow_provider_drs.operators import waiting

        with waiting.failing_for_good():
            publish_links(context, self._open_hook())
            job_ids = self._do(context)
            name_jobs(context, self.outlets, job_ids)
            return job_ids

    def _do(self, context: Context) -> list[str]:
        """Do all that the operator is for, and return the jobs to go on with."""
        return self._begin(context)

    def _begin(self, context: Context) -> list[str]:
        """Act, and let the link to the console lead to the jobs, whose kind is known by then."""
        from airflow_provider_drs.links.drs import publish_console_link

        hook = self._open_hook()
        try:
            return self._act(context)
        finally:
            if hook.known_uses:
                publish_console_link(context, hook)

    def _act(self, context: Context) -> list[str]:
        """Do what the operator is for, and return the jobs to go on with."""
        raise NotImplementedError

    def _open_hook(self) -> DrsHook:
        """Return the hook of this task, which reads the connection once."""
        from airflow_provider_drs.hooks.drs import DrsHook

        if self._hook is None:
            self._hook = DrsHook(self.drs_conn_id)
        return self._hook


class DrsWaitingOperator(ResumableJobMixin, DrsOperator):
    """
    An operator that can wait for what it has set going.

    A worker that is killed while it waits leaves jobs behind that run. On Airflow 3.3 and later the next try
    finds in the task state store which jobs to wait for; on earlier versions it finds out from DRS alone.
    Either way DRS has the last word: what is done is adopted, and nothing is done twice.

    :param wait_for_completion: wait until the jobs are where they shall be.
    :param deferrable: wait in the triggerer. Default: ``operators.default_deferrable`` of Airflow's
        configuration.
    :param poke_interval: seconds between two polls.
    :param timeout: seconds to wait.
    """

    external_id_key = "drs_job_ids"

    def __init__(
        self,
        *,
        wait_for_completion: bool = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: float = 30,
        timeout: float = 3600,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if poke_interval <= 0 or timeout <= 0:
            raise ValueError("poke_interval and timeout are seconds and must be above 0")
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poke_interval = poke_interval
        self.timeout = timeout
        self._judged: list[str] | None = None

    def execute_complete(
        self, context: Context, event: Any = None, began_s: float | None = None
    ) -> list[str]:
        """Judge what the trigger found."""
        from airflow_provider_drs.assets.drs import name_jobs
        from airflow_provider_drs.operators import waiting

        with waiting.failing_for_good():
            job_ids = self._finish(waiting.read_event(event, began_s), context)
            name_jobs(context, self.outlets, job_ids)
            return job_ids

    def _do(self, context: Context) -> list[str]:
        from airflow_provider_drs.operators import waiting

        if not self.wait_for_completion:
            return self._begin(context)
        if not self.deferrable:
            # What was waited for is judged there; without a wait, jobs of an earlier try were found done.
            found: list[str] = self.execute_resumable(context)
            return found if self._judged is None else self._judged
        watch, began_s = self._make_watch(self._begin(context)), time.time()
        with self._open_hook() as hook:
            if waiting.poll(hook, watch, self.log):
                waiting.record_wait(watch, began_s)
                return self._finish(watch, context)
        trigger, timeout = waiting.make_trigger(
            self.drs_conn_id,
            watch,
            poke_interval=self.poke_interval,
            deadline=self._deadline(),
            stop_on_kill=self._find_to_stop(),
        )
        self.defer(
            trigger=trigger, method_name="execute_complete", timeout=timeout, kwargs={"began_s": began_s}
        )

    # What ResumableJobMixin asks of an operator. The external id is the list of the jobs to wait for.

    def submit_job(self, context: Context) -> Any:
        """Do it, and return the jobs to wait for."""
        return self._begin(context)

    def poll_until_complete(self, external_id: Any, context: Context) -> None:
        """Wait in the worker."""
        from airflow_provider_drs.operators import waiting

        watch = self._make_watch(external_id)
        with self._open_hook() as hook:
            waiting.wait(hook, watch, self.log, poke_interval=self.poke_interval, deadline=self._deadline())
        self._judged = self._finish(watch, context)

    def get_job_result(self, external_id: Any, context: Context) -> list[str]:
        """Return the jobs that were done, if no wait was needed to see it."""
        return list(external_id)

    def get_job_status(self, external_id: Any, context: Context) -> str:
        """
        Tell whether the jobs of an earlier try are under way.

        By default it is found out by doing it again, since every action adopts what was done.
        """
        return "to do"

    def is_job_active(self, status: str) -> bool:
        """Attach to jobs that are under way."""
        return status == "running"

    def is_job_succeeded(self, status: str) -> bool:
        """Never take over what has ended without a look at it."""
        return False

    # What differs between the operators.

    def _make_watch(self, job_ids: Sequence[str]) -> Watch:
        raise NotImplementedError

    def _finish(self, watch: Watch, context: Context) -> list[str]:
        raise NotImplementedError

    def _deadline(self) -> float:
        return time.time() + self.timeout

    def _find_to_stop(self) -> Sequence[str]:
        """Return the jobs to stop when a user kills the wait."""
        return ()


class DrsJobsOperator(DrsOperator):
    """
    One method of the hook, for any number of jobs.

    The operators below differ in data: which method, which of their arguments it takes, what it has done. The
    XCom ``job_results`` holds job_id, adopted, status and error for each job. A job that DRS refuses fails
    the task, after the others were done.

    :param job_ids: a job id, a list of them, or a task's output; the text of a list is understood. Duplicates
        are dropped with a warning, and none at all is an error. (templated)
    :param allow_partial: go on with the jobs that it was done for; fail only if there are none.
    """

    template_fields: Sequence[str] = ("job_ids", "drs_conn_id")

    #: The method of the hook.
    method: ClassVar[str]
    #: The attributes of the operator that it takes as arguments of the same name.
    arguments: ClassVar[tuple[str, ...]] = ()
    #: What it has done to a job, for texts.
    done: ClassVar[str]

    def __init__(self, *, job_ids: str | Sequence[str], allow_partial: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.allow_partial = allow_partial

    def _act(self, context: Context) -> list[str]:
        from airflow_provider_drs.operators import arguments

        job_ids = arguments.read_ids(self.job_ids, self.log)
        with self._open_hook() as hook:
            answers = getattr(hook, self.method)(job_ids, **self._make_arguments(job_ids))
        return self._conclude_action(answers, context)

    def _make_arguments(self, job_ids: Sequence[str]) -> dict[str, Any]:
        """Return the arguments of the hook's method, beside the jobs."""
        return {name: getattr(self, name) for name in self.arguments}

    def _conclude_action(self, answers: Mapping[str, Any], context: Context) -> list[str]:
        """Publish what came of it, and return the jobs that it was done for."""
        from airflow_provider_drs.operators import results

        return results.publish_outcomes(
            answers, context, self.log, done=self.done, allow_partial=self.allow_partial
        )


class DrsWaitingJobsOperator(DrsJobsOperator, DrsWaitingOperator):
    """
    One method of the hook, for any number of jobs, and a wait for what it sets going.

    After a wait, the XCom ``job_statuses`` holds status and progress of each job.
    """

    def _make_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.protocol.watches import watch_action

        return watch_action(self.method, job_ids)

    def _finish(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        what = f"Not {self.done}:"
        return results.finish_wait(watch, context, self.log, what=what, allow_partial=self.allow_partial)
