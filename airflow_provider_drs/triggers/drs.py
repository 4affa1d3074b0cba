"""The trigger of all deferred operators and sensors."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_drs.hooks.drs import DrsAsyncHook
from airflow_provider_drs.protocol.core.errors import DrsError
from airflow_provider_drs.protocol.watches import Watch, watch_from_dict

#: The poller module, once imported.
_poller: list[ModuleType] = []


class DrsWatchTrigger(BaseTrigger):
    """
    Wait in the triggerer until a watch is done, then fire one event.

    The event has ``status`` (``done``, ``timed_out`` or ``failed``), ``watch`` (with all results) and, if
    failed, ``error``. Transient errors never end the wait. All triggers of a process poll together, see
    :mod:`~airflow_provider_drs.triggers.poller`.

    :param drs_conn_id: the Airflow connection, of type ``drs``.
    :param watch: a watch as plain JSON values.
    :param poke_interval: maximum seconds between two polls of a job. The first poll may come sooner.
    :param deadline: epoch seconds at which the wait times out. It survives restarts of the triggerer.
    :param stop_on_kill: the jobs to stop when a user kills the deferred task: those that its attempt
        has started. In version 0.1, whether to stop all jobs.
    :param added: arguments of later versions of the provider; ignored.
    """

    def __init__(
        self,
        *,
        drs_conn_id: str,
        watch: dict[str, Any],
        poke_interval: float,
        deadline: float,
        stop_on_kill: Sequence[str] | bool = (),
        **added: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.drs_conn_id = drs_conn_id
        self.watch = watch
        self.poke_interval = poke_interval
        self.deadline = deadline
        if isinstance(stop_on_kill, bool):
            stop_on_kill = watch["job_ids"] if stop_on_kill else ()
        self.stop_on_kill = list(stop_on_kill)
        # Airflow stores these as JSON: reject other values here, where the traceback shows their origin.
        json.dumps(self.serialize()[1], allow_nan=False)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, which Airflow stores."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "drs_conn_id": self.drs_conn_id,
                "watch": self.watch,
                "poke_interval": self.poke_interval,
                "deadline": self.deadline,
                "stop_on_kill": self.stop_on_kill,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the watch is done, the deadline passes or an error is permanent; then fire the event."""
        try:
            watch = watch_from_dict(self.watch)
        except DrsError as error:
            yield TriggerEvent({"status": "failed", "watch": self.watch, "error": error.to_dict()})  # type: ignore[no-untyped-call]
            return
        is_done, reason = False, None
        # The deadline may have passed while no triggerer was running.
        if self.deadline > time.time():
            try:
                poller = await _load_poller()
                is_done = await poller.wait_for(
                    self.drs_conn_id, watch, poke_interval=self.poke_interval, deadline=self.deadline
                )
            except DrsError as error:
                reason = error
            except asyncio.CancelledError:
                # Airflow 3.3 and later call on_kill; 2.11 only cancels the trigger.
                if self.stop_on_kill and not AIRFLOW_V_3_0_PLUS:
                    await self._stop_if_killed()
                raise
        yield TriggerEvent(_describe(watch, is_done, reason))  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Stop the jobs in ``stop_on_kill``. Without it, killing the task does not affect the jobs."""
        if self.stop_on_kill:
            results = await asyncio.to_thread(import_module, "airflow_provider_drs.operators.results")
            async with DrsAsyncHook(self.drs_conn_id) as hook:
                answers = await hook.stop_jobs(self.stop_on_kill)
                results.log_stops(answers, self.log, names=hook.job_names)

    async def _stop_if_killed(self) -> None:
        if await asyncio.to_thread(_is_killed, self.task_instance):
            await self.on_kill()


def _is_killed(task_instance: Any) -> bool:
    """Return whether a user has killed the task of a canceled trigger, from the database of Airflow 2.11."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.taskinstancehistory import TaskInstanceHistory
    from airflow.utils.session import create_session

    names = ("dag_id", "task_id", "run_id", "map_index", "try_number")
    attempt = {name: getattr(task_instance, name) for name in names}
    with create_session() as session:
        # The next attempt of a cleared task may have been deferred before the trigger is canceled.
        for table in (TaskInstance, TaskInstanceHistory):
            row = session.query(table.state, table.next_method).filter_by(**attempt).one_or_none()
            if row is not None:
                return is_state_of_killed_task(row.state, can_resume=row.next_method is not None)
    return False


def is_state_of_killed_task(state: str | None, *, can_resume: bool) -> bool:
    """
    Return whether the state of an attempt, whose trigger was canceled, is the result of a user's action.

    A triggerer also cancels its triggers when it stops, or when another triggerer has taken them over and may
    have resumed their tasks.

    :param state: the state of the attempt. In the history, a cleared attempt is ``failed``.
    :param can_resume: whether the task has a ``next_method``. A resumed task keeps it until it ends. Clearing
        a task removes it; marking a task as failed or successful does not.
    """
    if state in ("success", "failed", "skipped"):
        return can_resume
    return not can_resume and state not in ("deferred", "up_for_retry", "upstream_failed", "removed")


async def _load_poller() -> ModuleType:
    # Airflow imports a trigger's module in the event loop, and the HTTP library takes tenths of a second to
    # import: in a thread it does not block the other triggers.
    if not _poller:
        _poller.append(await asyncio.to_thread(import_module, "airflow_provider_drs.triggers.poller"))
    return _poller[0]


def _describe(watch: Watch, is_done: bool, reason: DrsError | None) -> dict[str, Any]:
    fields = {"status": "done" if is_done else "timed_out", "watch": watch.to_dict()}
    return fields if reason is None else fields | {"status": "failed", "error": reason.to_dict()}
