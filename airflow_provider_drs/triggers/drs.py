"""The trigger behind every deferred wait for DRS."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_drs.hooks.drs import DrsAsyncHook
from airflow_provider_drs.protocol.core.errors import DrsError
from airflow_provider_drs.protocol.watches import Watch, watch_from_dict

#: The module that polls, once it is loaded.
_poller: list[ModuleType] = []


class DrsWatchTrigger(BaseTrigger):
    """
    Wait in the triggerer until a watch is over, and fire one event.

    The event's ``status`` is ``over``, ``timed_out`` or ``failed``; ``watch`` is the watch with all its
    answers, and ``error``, with ``failed``, what no waiting can cure. Passing faults never end the wait.
    The triggers of a process ask together, see :mod:`~airflow_provider_drs.triggers.poller`.

    :param drs_conn_id: the Airflow connection, of type ``drs``.
    :param watch: a watch as plain JSON values.
    :param poke_interval: seconds between two questions about a job, at most; asked together with others, the
        first may come sooner.
    :param deadline: epoch seconds at which the wait is given up. It holds across restarts of the triggerer.
    :param stop_on_kill: the jobs to stop for good when a user kills the deferred task (Airflow 3.3 and later
        tell it): those that the task itself has started.
    """

    def __init__(
        self,
        *,
        drs_conn_id: str,
        watch: dict[str, Any],
        poke_interval: float,
        deadline: float,
        stop_on_kill: Sequence[str] = (),
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.drs_conn_id = drs_conn_id
        self.watch = watch
        self.poke_interval = poke_interval
        self.deadline = deadline
        self.stop_on_kill = list(stop_on_kill)
        # Airflow stores these in clear and as JSON; what is none must not get that far.
        json.dumps(self.serialize()[1], allow_nan=False)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, for the database."""
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
        """Poll until the watch is over, the deadline has come, or an error is final; then fire the event."""
        watch = watch_from_dict(self.watch)
        is_over, reason = False, None
        # After a long outage of the triggerer nobody asks first.
        if self.deadline > time.time():
            try:
                poller = await _load_poller()
                is_over = await poller.wait_together(
                    self.drs_conn_id, watch, poke_interval=self.poke_interval, deadline=self.deadline
                )
            except DrsError as error:
                reason = error
        yield TriggerEvent(_describe(watch, is_over, reason))  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Stop the jobs that the task asked for; a killed wait else leaves them alone."""
        if self.stop_on_kill:
            async with DrsAsyncHook(self.drs_conn_id) as hook:
                await hook.stop_jobs(self.stop_on_kill)


async def _load_poller() -> ModuleType:
    # Airflow imports a trigger's module in the event loop. The HTTP library takes tenths of a second, for
    # which every other trigger of the process would wait.
    if not _poller:
        _poller.append(await asyncio.to_thread(import_module, "airflow_provider_drs.triggers.poller"))
    return _poller[0]


def _describe(watch: Watch, is_over: bool, reason: DrsError | None) -> dict[str, Any]:
    fields = {"status": "over" if is_over else "timed_out", "watch": watch.to_dict()}
    return fields if reason is None else fields | {"status": "failed", "error": reason.to_dict()}
