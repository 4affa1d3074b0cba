"""The base classes of the operators: perform an action for jobs, then wait in the worker or the triggerer."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_drs.compat import ResumableJobMixin, conf
from airflow_provider_drs.links.drs import DrsConsoleLink, DrsReportLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_drs.hooks.drs import DrsHook
    from airflow_provider_drs.operators.waiting import Publish
    from airflow_provider_drs.protocol.watches import Watch

#: One job ID, a list of them, or the output of a task, which may be mapped.
JobIds: TypeAlias = "str | Sequence[str] | Sequence[Sequence[str]] | XComArg"
#: One Airflow connection for all jobs, or one per job in their order.
ConnIds = str | Sequence[str] | None
#: Seconds, or a ``timedelta``.
Duration = float | datetime.timedelta
#: Airflow's default for ``deferrable``.
DEFERRABLE = conf.getboolean("operators", "default_deferrable", fallback=False)
ON_EMPTY = ("fail", "skip")
#: Arguments that Airflow does not render.
_NOT_TEMPLATED = frozenset(
    {"compare_mode", "filter_ddl_policy", "if_started", "on_difference", "on_empty", "recheck"}
)
#: A hundred years. Airflow and its database cannot store any length of time.
_LONGEST_S = 100 * 365 * 24 * 60 * 60.0
#: Airflow reads these files when it renders a task.
_FILES = (".json", ".yaml", ".yml")


def read_duration(argument: str, value: Duration, *, allow_zero: bool = False) -> float:
    """
    Return a duration in seconds.

    :raises ValueError: it is not a positive number or ``timedelta``.
    """
    seconds = value.total_seconds() if isinstance(value, datetime.timedelta) else value
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not (0 <= seconds <= _LONGEST_S) or (seconds == 0 and not allow_zero):
        minimum = "0 or more" if allow_zero else "more than 0"
        raise ValueError(
            f"{argument} is {str(value)[:40]}: expected {minimum} seconds, at most a hundred years, or a "
            "timedelta."
        )
    return seconds


def check_literal(value: object, check: Callable[[Any], object]) -> None:
    """
    Check an argument when the DAG is parsed, if its value is known then.

    Templates, files and outputs of tasks are checked when the task runs.

    :param check: raises an error for an invalid value.
    """
    if value is not None and _is_literal(value):
        check(value)


def _is_literal(value: object) -> bool:
    if isinstance(value, str):
        return "{{" not in value and "{%" not in value and not value.endswith(_FILES)
    if isinstance(value, Mapping):
        return all(map(_is_literal, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_literal, value))
    # The outputs of tasks refer to tasks.
    return not hasattr(value, "iter_references")


def check_choice(argument: str, value: object, choices: Sequence[str], *, optional: bool = False) -> None:
    """
    Check a literal argument that has one of few values.

    :param optional: accept ``None``.
    :raises DrsConfigError: it has another value.
    """
    from airflow_provider_drs.protocol.core.errors import check_choice

    if (_is_literal(value) or argument in _NOT_TEMPLATED) and not (optional and value is None):
        check_choice(argument, value, choices)


def check_flag(argument: str, value: object, *, optional: bool = False) -> None:
    """
    Check an argument that is ``True`` or ``False``. Any text would count as true.

    :param optional: accept ``None``.
    :raises ValueError: it is something else.
    """
    if not isinstance(value, bool) and not (optional and value is None):
        raise ValueError(f"{argument} is {value!r}: expected True or False.")


def check_text(argument: str, value: object, *, optional: bool = False) -> None:
    """
    Check a literal argument that is a text.

    :param optional: accept ``None`` and an empty text.
    :raises ValueError: it is something else, or empty.
    """
    from airflow_provider_drs.protocol.core.literals import MISSING

    is_empty = value is None or value == ""
    is_text = isinstance(value, str) and value.strip() and value.strip() not in MISSING
    if _is_literal(value) and not is_text and not (optional and is_empty):
        raise ValueError(f"{argument} is {str(value)[:40]!r}: expected a string.")


def check_any(**arguments: object) -> None:
    """
    Check that one of several arguments is set.

    :raises DrsConfigError: all are ``None``.
    """
    if all(value is None for value in arguments.values()):
        from airflow_provider_drs.protocol.core.errors import DrsConfigError

        raise DrsConfigError(f"{', '.join(arguments)}: set at least one of them.")


def check_conn_ids(argument: str, conn_ids: object, jobs: object = None) -> None:
    """
    Check literal IDs of the connections of databases.

    :param jobs: the jobs or their IDs; if both are literal lists, they must be equally long.
    :raises DrsConfigError: it is neither a connection ID nor a list of them.
    """
    # One ID, as in most DAGs, needs no import.
    is_one = isinstance(conn_ids, str) and conn_ids.strip() and not conn_ids.lstrip().startswith(("[", "("))
    if conn_ids is not None and not is_one and _is_literal(conn_ids):
        from airflow_provider_drs.hooks.endpoints import check_conn_ids, check_count

        listed = check_conn_ids(argument, conn_ids)
        if isinstance(listed, list) and isinstance(jobs, list | tuple) and jobs and _is_literal(jobs):
            check_count(argument, listed, jobs)


def check_ids(job_ids: object) -> None:
    """
    Check literal job IDs. An empty list is evaluated when the task runs.

    :raises DrsConfigError: an ID is invalid.
    """
    if _is_literal(job_ids):
        from airflow_provider_drs.protocol.core.job_ids import check_job_ids, read_job_ids

        listed = read_job_ids(job_ids)
        if listed:
            check_job_ids(dict.fromkeys(listed))


def check_alarms(alarms: object) -> None:
    """
    Check a literal ``alarms`` argument.

    :raises DrsConfigError: it is invalid.
    """
    # The default needs no import.
    if alarms != "allow" and _is_literal(alarms):
        from airflow_provider_drs.protocol.prechecks.verdict import read_alarm_policy

        read_alarm_policy(alarms)


def check_statuses(argument: str, statuses: object) -> None:
    """
    Check literal job statuses.

    :raises DrsConfigError: a status is unknown.
    """
    from airflow_provider_drs.protocol.jobs.states import check_statuses

    check_literal(statuses, lambda literal: check_statuses(argument, literal))


def check_start_time(start_time: object) -> None:
    """
    Check a literal start time, which may have passed when the DAG is parsed.

    :raises DrsConfigError: it is invalid, or has no time zone.
    """
    if start_time is not None and _is_literal(start_time):
        from airflow_provider_drs.hooks.drs import parse_start_time

        parse_start_time(start_time, allow_past=True)


class DrsOperator(BaseOperator):
    """
    Base class of all operators.

    An asset in ``outlets`` gets an event with the returned job IDs when the task succeeds.

    :param drs_conn_id: the Airflow connection of type ``drs``. (templated)
    """

    template_fields: Sequence[str] = ("drs_conn_id",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"job_ids": "json"}
    operator_extra_links = (DrsConsoleLink(), DrsReportLink())
    ui_color = "#dcecf7"

    def __init__(self, *, drs_conn_id: str = "drs_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_text("drs_conn_id", drs_conn_id)
        self.drs_conn_id = drs_conn_id
        self._hook: DrsHook | None = None

    def execute(self, context: Context) -> list[str]:
        """Perform the action, wait if requested, and return the job IDs."""
        from airflow_provider_drs.assets.drs import attach_job_ids
        from airflow_provider_drs.links.drs import publish_links
        from airflow_provider_drs.operators import arguments, waiting

        with waiting.fail_on_permanent_error():
            arguments.check_rendered(self, context)
            publish_links(context, self._open_hook())
            job_ids = self._run(context)
            attach_job_ids(context, self.outlets, job_ids)
            return job_ids

    def _run(self, context: Context) -> list[str]:
        """Perform the action, wait if requested, and return the job IDs."""
        return self._perform_and_link(context)

    def _perform_and_link(self, context: Context) -> list[str]:
        """
        Perform the action, then point the console link to the page of the jobs, whose kind is now known.
        """
        from airflow_provider_drs.links.drs import publish_console_link

        hook = self._open_hook()
        try:
            return self._perform(context)
        finally:
            if hook.known_uses:
                publish_console_link(context, hook)

    def _perform(self, context: Context) -> list[str]:
        """Perform the action, and return the IDs of the jobs for which it succeeded."""
        raise NotImplementedError

    def _open_hook(self) -> DrsHook:
        """Return the hook of this task, which reads the connection once."""
        from airflow_provider_drs.hooks.drs import DrsHook

        if self._hook is None:
            self._hook = DrsHook(self.drs_conn_id)
        return self._hook


class DrsWaitingOperator(ResumableJobMixin, DrsOperator):
    """
    Base class of operators that can wait for the result of their action.

    Retries are idempotent: a job for which the action was already performed is adopted. If the worker is
    killed during the wait, Airflow 3.3 and later read the jobs to wait for from the task state store.

    :param wait_for_completion: wait for the result of the action.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poke_interval: seconds, or a ``timedelta``, between two polls.
    :param timeout: seconds, or a ``timedelta``, to wait.
    """

    external_id_key = "drs_job_ids"

    def __init__(
        self,
        *,
        wait_for_completion: bool = False,
        deferrable: bool = DEFERRABLE,
        poke_interval: Duration = 30,
        timeout: Duration = 3600,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(drs_conn_id=drs_conn_id, **kwargs)
        check_flag("wait_for_completion", wait_for_completion)
        self.wait_for_completion = wait_for_completion
        check_flag("deferrable", deferrable)
        self.deferrable = deferrable
        self.poke_interval = read_duration("poke_interval", poke_interval)
        self.timeout = read_duration("timeout", timeout)
        self._finished: list[str] | None = None

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
        from airflow_provider_drs.assets.drs import attach_job_ids
        from airflow_provider_drs.operators import waiting

        with waiting.fail_on_permanent_error():
            watch = waiting.read_event(event, self._publisher(context), began_s, execution_deadline)
            job_ids = self._finish(watch, context)
            attach_job_ids(context, self.outlets, job_ids)
            return job_ids

    def _run(self, context: Context) -> list[str]:
        from airflow_provider_drs.operators import waiting

        if not self.wait_for_completion:
            return self._perform_and_link(context)
        if not self.deferrable:
            # The result is evaluated at the end of the wait; there is none if an earlier try has finished.
            job_ids: list[str] = self.execute_resumable(context)
            return job_ids if self._finished is None else self._finished
        execution_deadline = waiting.find_execution_deadline(self)
        watch, began_s = self._create_watch(self._perform_and_link(context)), time.time()
        with self._open_hook() as hook:
            watch.names |= hook.job_names
            if waiting.poll(hook, watch, self.log):
                waiting.record_wait(watch, began_s)
                return self._finish(watch, context)
        self.defer(
            **waiting.create_trigger(
                self.drs_conn_id,
                watch,
                poke_interval=self.poke_interval,
                deadline=self._deadline(),
                execution_deadline=execution_deadline,
                began_s=began_s,
                stop_on_kill=self._jobs_to_stop(),
            )
        )

    # The interface of ResumableJobMixin. Its external ID is the list of the jobs to wait for.

    def submit_job(self, context: Context) -> Any:
        """Perform the action, and return the jobs to wait for."""
        return self._perform_and_link(context)

    def poll_until_complete(self, external_id: Any, context: Context) -> None:
        """Wait in the worker."""
        from airflow_provider_drs.operators import waiting

        watch = self._create_watch(external_id)
        with self._open_hook() as hook:
            watch.names |= hook.job_names
            waiting.wait(
                hook,
                watch,
                self.log,
                self._publisher(context),
                poke_interval=self.poke_interval,
                deadline=self._deadline(),
            )
        self._finished = self._finish(watch, context)

    def get_job_result(self, external_id: Any, context: Context) -> list[str]:
        """Return the jobs of an action that needed no wait."""
        return list(external_id)

    def get_job_status(self, external_id: Any, context: Context) -> str:
        """
        Return ``running`` if a retry can continue the wait of an earlier try, else ``to do``.

        By default the action is performed again, which adopts the jobs for which it was performed before.
        """
        return "to do"

    def is_job_active(self, status: str) -> bool:
        """Continue the wait for jobs that are running."""
        return status == "running"

    def is_job_succeeded(self, status: str) -> bool:
        """Never reuse a result without reading it from DRS."""
        return False

    # What the operators define.

    def _create_watch(self, job_ids: Sequence[str]) -> Watch:
        raise NotImplementedError

    def _finish(self, watch: Watch, context: Context) -> list[str]:
        raise NotImplementedError

    def _publisher(self, context: Context) -> Publish:
        return lambda watch: self._finish(watch, context)

    def _deadline(self) -> float:
        return time.time() + self.timeout

    def _jobs_to_stop(self) -> Sequence[str]:
        """Return the jobs to stop when a user kills the deferred task."""
        return ()


class DrsJobsOperator(DrsOperator):
    """
    Base class of operators that call one hook method for any number of jobs.

    The XCom ``job_results`` has job_id, name, adopted, status and error of each job. If DRS refuses a job,
    the task fails after it has processed the others.

    :param job_ids: DRS job IDs: one, a list, or the output of a task. (templated)
    :param on_empty: ``fail``, or ``skip`` to skip the task if job_ids is empty.
    :param allow_partial: return the jobs that succeeded, even if others failed; fail only if none succeeded.
    """

    template_fields: Sequence[str] = ("job_ids", "drs_conn_id")

    #: The hook method, and the attributes that are passed to it as arguments of the same name.
    hook_method: ClassVar[str]
    hook_arguments: ClassVar[tuple[str, ...]] = ()
    #: What was done to a job, for log lines and errors.
    past_participle: ClassVar[str]

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
        allow_partial: bool = False,
        drs_conn_id: str = "drs_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(drs_conn_id=drs_conn_id, **kwargs)
        check_ids(job_ids)
        self.job_ids = job_ids
        check_choice("on_empty", on_empty, ON_EMPTY)
        self.on_empty = on_empty
        check_flag("allow_partial", allow_partial)
        self.allow_partial = allow_partial

    def _perform(self, context: Context) -> list[str]:
        from airflow_provider_drs.operators import arguments

        job_ids = arguments.read_ids(self.job_ids, self.log, on_empty=self.on_empty)
        with self._open_hook() as hook:
            answers = getattr(hook, self.hook_method)(job_ids, **self._read_arguments(job_ids))
        return self._publish(answers, context)

    def _read_arguments(self, job_ids: Sequence[str]) -> dict[str, Any]:
        """Return the arguments of the hook method in addition to the jobs."""
        from airflow_provider_drs.protocol.core.literals import read_structure

        values = {name: getattr(self, name) for name in self.hook_arguments}
        return {
            name: read_structure(value, name) if name in self.template_fields else value
            for name, value in values.items()
        }

    def _publish(self, answers: Mapping[str, Any], context: Context) -> list[str]:
        """Publish the results, and return the jobs that succeeded."""
        from airflow_provider_drs.operators import results

        return results.publish_outcomes(
            answers,
            context,
            self.log,
            done=self.past_participle,
            names=self._open_hook().job_names,
            allow_partial=self.allow_partial,
        )


class DrsWaitingJobsOperator(DrsJobsOperator, DrsWaitingOperator):
    """
    Base class of operators that call one hook method for any number of jobs, and can wait for its result.

    After a wait, the XCom ``job_statuses`` has status and progress of each job.
    """

    def __init__(
        self,
        *,
        job_ids: JobIds,
        on_empty: str = "fail",
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

    def _create_watch(self, job_ids: Sequence[str]) -> Watch:
        from airflow_provider_drs.protocol.watches import watch_action

        return watch_action(self.hook_method, job_ids)

    def _finish(self, watch: Watch, context: Context) -> list[str]:
        from airflow_provider_drs.operators import results

        what = f"Not {self.past_participle}:"
        return results.finish_wait(
            watch,
            context,
            self.log,
            what=what,
            names=self._open_hook().job_names,
            allow_partial=self.allow_partial,
        )
