"""Wait for jobs: poll in a worker, defer to the triggerer, and resume from a trigger event."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

from airflow_provider_drs.protocol.core.errors import DrsError
from airflow_provider_drs.protocol.watches import Watch, watch_from_dict

if TYPE_CHECKING:
    from airflow_provider_drs.hooks.drs import DrsHook
    from airflow_provider_drs.operators.arguments import Log
    from airflow_provider_drs.triggers.drs import DrsWatchTrigger

# A deferral ends by itself at the deadline. Should no triggerer be alive, the scheduler ends it this much
# later.
_GRACE_S = 600.0


@contextlib.contextmanager
def failing_for_good() -> Iterator[None]:
    """
    Turn a ``DrsError`` that no retry can cure into Airflow's final failure.

    :raises AirflowFailException: such an error. A passing one stays what it is, so that Airflow retries the
        task.
    """
    try:
        yield
    except DrsError as error:
        if error.is_transient:
            raise
        raise AirflowFailException(str(error)) from error


def poll(hook: DrsHook, watch: Watch, log: Log) -> bool:
    """
    Poll once, log what has changed, and return whether the wait is done.

    :raises DrsError: what no waiting can cure. A passing fault is a line in the log.
    """
    try:
        lines = hook.poll(watch)
    except DrsError as error:
        if not error.is_transient:
            raise
        log.warning("Polling DRS failed (transient, will retry): %s", error)
        return False
    for line in lines:
        log.info("%s", line)
    return watch.is_done


def wait(hook: DrsHook, watch: Watch, log: Log, *, poke_interval: float, deadline: float) -> None:
    """
    Poll until the watch is over.

    :param deadline: epoch seconds at which to give up.
    :raises AirflowSensorTimeout: the deadline has come.
    """
    began_s = time.time()
    while not poll(hook, watch, log):
        left_s = deadline - time.time()
        if left_s <= 0:
            raise_timeout(watch, began_s)
        time.sleep(min(poke_interval, left_s))
    record_wait(watch, began_s)


def find_deadline(start_time: object, timeout: float) -> float:
    """Return the epoch second until which to wait: *timeout* from now, or from a start that is to come."""
    from airflow_provider_drs.hooks.drs import parse_start_time

    # Another try finds done what was ordered, and start_time may be over by then.
    start_time_ms = parse_start_time(start_time, allow_past=True) or 0
    return max(time.time(), start_time_ms / 1000) + timeout


def make_trigger(
    drs_conn_id: str, watch: Watch, *, poke_interval: float, deadline: float, stop_on_kill: Sequence[str] = ()
) -> tuple[DrsWatchTrigger, datetime.timedelta]:
    """
    Return the trigger that goes on with a wait, and the time after which the scheduler may end it.

    :param stop_on_kill: the jobs to stop for good if a user kills the wait.
    """
    from airflow_provider_drs.triggers.drs import DrsWatchTrigger

    trigger = DrsWatchTrigger(
        drs_conn_id=drs_conn_id,
        watch=watch.to_dict(),
        poke_interval=poke_interval,
        deadline=deadline,
        stop_on_kill=list(stop_on_kill),
    )
    return trigger, datetime.timedelta(seconds=max(deadline - time.time(), 0.0) + _GRACE_S)


def read_event(event: object, began_s: float | None = None) -> Watch:
    """
    Return the watch that a trigger's event carries.

    :param began_s: epoch seconds at which the wait began; ``None`` if nobody knows.
    :raises AirflowSensorTimeout: the trigger gave up at the deadline.
    :raises AirflowFailException: the trigger met what no waiting can cure, or this is no event of ours.
    """
    if not isinstance(event, Mapping) or "status" not in event or "watch" not in event:
        raise AirflowFailException(
            "The trigger's event has no status; the wait counts as failed. Clear the task."
        )
    try:
        watch = watch_from_dict(event["watch"])
    except (KeyError, TypeError, AttributeError):
        raise AirflowFailException(
            "The trigger's event is none that this version of the provider understands. Clear the task."
        ) from None
    if event["status"] == "timed_out":
        raise_timeout(watch, began_s)
    if event["status"] == "failed":
        with failing_for_good():
            raise DrsError.from_dict(event["error"])
    if event["status"] != "done" or not watch.is_done:
        raise AirflowFailException(
            f"The trigger's event has status {event['status']!r}, which is none we know."
        )
    record_wait(watch, began_s)
    return watch


def record_wait(watch: Watch, began_s: float | None) -> None:
    """
    Tell Airflow's metrics how long a wait was.

    :param began_s: epoch seconds at which it began; ``None`` if nobody knows.
    """
    from airflow_provider_drs import metrics

    if began_s is not None:
        metrics.time_wait(watch.kind, max(0.0, time.time() - began_s), is_done=watch.is_done)


def raise_timeout(watch: Watch, began_s: float | None = None) -> NoReturn:
    """Raise the time-out of a wait that began at *began_s*, naming the jobs that are still open."""
    record_wait(watch, began_s)
    raise AirflowSensorTimeout(
        f"Gave up waiting for DRS: {len(watch.pending)} of {len(watch.job_ids)} jobs are still open "
        f"({', '.join(watch.pending)}). Look at them in the DRS console; raise timeout if they need longer."
    )
