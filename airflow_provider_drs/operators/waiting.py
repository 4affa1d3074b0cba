"""Wait for jobs: poll in a worker, defer to the triggerer, and resume from a trigger event."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout

from airflow_provider_drs.compat import AirflowSensorTimeout
from airflow_provider_drs.protocol.core.errors import DrsError, label_job, name_first
from airflow_provider_drs.protocol.watches import Watch, watch_from_dict

if TYPE_CHECKING:
    from airflow_provider_drs.hooks.drs import DrsHook
    from airflow_provider_drs.operators.arguments import Log

#: Publishes the results of a wait that has timed out.
Publish = Callable[["Watch"], object]

# The deadline ends a deferral. If no triggerer is running, the scheduler ends it this much later.
_GRACE_S = 600.0
# The time that a deferred task usually needs to resume.
_RESUME_S = 15.0


@contextlib.contextmanager
def fail_on_permanent_error() -> Iterator[None]:
    """
    Turn a permanent ``DrsError`` into Airflow's final failure.

    :raises AirflowFailException: a permanent error. A transient one is not changed, so that Airflow retries
        the task.
    """
    try:
        yield
    except DrsError as error:
        if error.is_transient:
            raise
        raise AirflowFailException(str(error)) from error


def poll(hook: DrsHook, watch: Watch, log: Log, *, reads_names: bool = False) -> bool:
    """
    Poll once, log what has changed, and return whether the wait is done.

    :param reads_names: read the names of the jobs that have not succeeded, for log and errors.
    :raises DrsError: a permanent error. A transient one is logged.
    """
    watch.set_time(time.time())
    try:
        lines = hook.poll(watch)
    except DrsError as error:
        if not error.is_transient:
            raise
        log.warning("Polling DRS failed (transient, will retry): %s", error)
        return False
    if reads_names and read_names(hook, watch):
        # The lines of the first poll begin with the ID.
        parts = [line.partition(" ") for line in lines]
        lines = [f"{label_job(job_id, watch.names.get(job_id))} {text}" for job_id, _, text in parts]
    for line in lines:
        log.info("%s", line)
    return watch.is_done


def read_names(hook: DrsHook, watch: Watch) -> bool:
    """
    Read the names of the jobs that have not succeeded, for log and errors.

    :return: whether there were jobs without a name.
    """
    unnamed = [job_id for job_id in (*watch.pending, *watch.failures) if job_id not in watch.names]
    # The poll reports errors.
    with contextlib.suppress(DrsError):
        if unnamed:
            hook.get_job_details(unnamed)
    watch.names |= hook.job_names
    return bool(unnamed)


def wait(
    hook: DrsHook, watch: Watch, log: Log, publish: Publish, *, poke_interval: float, deadline: float
) -> None:
    """
    Poll until the watch is done.

    :param publish: publishes what is known at a timeout.
    :param deadline: epoch seconds at which the wait times out.
    :raises AirflowSensorTimeout: the deadline has passed; see :func:`raise_timeout`.
    """
    began_s = time.time()
    while not poll(hook, watch, log):
        left_s = deadline - time.time()
        if left_s <= 0:
            raise_timeout(watch, publish, began_s)
        time.sleep(min(poke_interval, left_s))
    record_wait(watch, began_s)


def find_deadline(start_time: object, timeout: float) -> float:
    """Return the deadline in epoch seconds: *timeout* from now, or from a later *start_time*."""
    from airflow_provider_drs.hooks.drs import parse_start_time

    # In a retry, start_time may have passed.
    start_time_ms = parse_start_time(start_time, allow_past=True) or 0
    return max(time.time(), start_time_ms / 1000) + timeout


def create_trigger(
    drs_conn_id: str,
    watch: Watch,
    *,
    poke_interval: float,
    deadline: float,
    execution_deadline: float | None,
    began_s: float | None,
    stop_on_kill: Sequence[str] = (),
) -> dict[str, Any]:
    """
    Return the arguments of ``defer``: the trigger that continues a wait, and where the task resumes.

    :param execution_deadline: epoch seconds at which ``execution_timeout`` ends. Airflow 3 does not apply it
        to deferred tasks, so the trigger does.
    :param began_s: epoch seconds at which the wait started.
    :param stop_on_kill: the jobs to stop if a user kills the deferred task.
    """
    from airflow_provider_drs.triggers.drs import DrsWatchTrigger

    if execution_deadline is not None and execution_deadline < deadline:
        deadline = execution_deadline
    else:
        execution_deadline = None
    trigger = DrsWatchTrigger(
        drs_conn_id=drs_conn_id,
        watch=watch.to_dict(),
        poke_interval=poke_interval,
        deadline=deadline,
        stop_on_kill=list(stop_on_kill),
    )
    return {
        "trigger": trigger,
        "method_name": "execute_complete",
        "timeout": datetime.timedelta(seconds=max(deadline - time.time(), 0.0) + _GRACE_S),
        "kwargs": {"began_s": began_s, "execution_deadline": execution_deadline},
    }


def find_execution_deadline(task: Any) -> float | None:
    """
    Return when a wait must end because of the ``execution_timeout`` of a task that starts now, in epoch
    seconds.
    """
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    if task.execution_timeout is None:
        return None
    limit_s: float = task.execution_timeout.total_seconds()
    # Airflow 2.11 fails a task that resumes after its timeout, before the task can report.
    reserve_s = 0.0 if AIRFLOW_V_3_0_PLUS else min(_RESUME_S, limit_s / 10)
    return time.time() + limit_s - reserve_s


def read_event(
    event: object, publish: Publish, began_s: float | None = None, execution_deadline: float | None = None
) -> Watch:
    """
    Return the watch of a trigger event.

    :param publish: publishes what is known at a timeout.
    :param began_s: epoch seconds at which the wait started, if known.
    :param execution_deadline: the deadline if it is that of ``execution_timeout``.
    :raises AirflowSensorTimeout: the deadline has passed.
    :raises AirflowTaskTimeout: the deadline of ``execution_timeout`` has passed.
    :raises AirflowFailException: a permanent error, or an event that this version cannot read.
    """
    if not isinstance(event, Mapping) or "status" not in event or "watch" not in event:
        raise AirflowFailException("The trigger event has no status. Clear the task to poll again.")
    try:
        with fail_on_permanent_error():
            watch = watch_from_dict(event["watch"])
    except (KeyError, TypeError, AttributeError):
        raise AirflowFailException(
            "The trigger event was written by an incompatible provider version. Clear the task to poll again."
        ) from None
    if event["status"] == "timed_out":
        raise_timeout(watch, publish, began_s, is_execution_timeout=execution_deadline is not None)
    if event["status"] == "failed":
        with fail_on_permanent_error():
            raise DrsError.from_dict(event["error"])
    # Version 0.1 called it "over".
    if event["status"] not in ("done", "over") or not watch.is_done:
        raise AirflowFailException(
            f"The trigger event has the unknown status {event['status']!r}. Clear the task to poll again."
        )
    record_wait(watch, began_s)
    return watch


def record_wait(watch: Watch, began_s: float | None) -> None:
    """
    Record the duration of a wait in Airflow's metrics.

    :param began_s: epoch seconds at which the wait started, if known.
    """
    from airflow_provider_drs import metrics

    if began_s is not None:
        metrics.time_wait(watch.kind, max(0.0, time.time() - began_s), is_done=watch.is_done)


def raise_timeout(
    watch: Watch, publish: Publish, began_s: float | None = None, *, is_execution_timeout: bool = False
) -> NoReturn:
    """
    Publish what is known, and raise the timeout of a wait, which names the jobs that have not finished.

    :param publish: publishes the results of the watch, and raises an error if jobs have failed.
    :raises AirflowFailException: jobs have failed: this is more than a timeout.
    :raises AirflowSensorTimeout: the deadline has passed.
    :raises AirflowTaskTimeout: the deadline of ``execution_timeout`` has passed. Airflow then retries the
        task, as it does when one ends in a worker.
    """
    record_wait(watch, began_s)
    argument = "execution_timeout" if is_execution_timeout else "timeout"
    after = "" if began_s is None else f" after {datetime.timedelta(seconds=round(time.time() - began_s))}"
    lines = name_first(watch.list_pending())
    text = (
        f"Timed out{after}: {len(watch.pending)} of {len(watch.job_ids)} jobs have not finished. Increase "
        f"{argument} if they need longer.\n{lines}"
    )
    try:
        publish(watch)
    except AirflowFailException as error:
        if not is_execution_timeout:
            raise AirflowFailException(f"{error}\n{text}") from error
    raise (AirflowTaskTimeout if is_execution_timeout else AirflowSensorTimeout)(text)
