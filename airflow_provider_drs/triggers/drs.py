"""The trigger behind every deferred wait for DRS."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_drs.hooks.drs import DrsAsyncHook
from airflow_provider_drs.protocol.errors import DrsError
from airflow_provider_drs.protocol.watches import watch_from_dict

#: The last poll may take this long beyond the deadline, so that it is not cut off at its start.
_LAST_POLL_S = 30.0

OVER = "over"
TIMED_OUT = "timed_out"
FAILED = "failed"


class DrsWatchTrigger(BaseTrigger):
    """
    Wait in the triggerer until a watch is over, and fire one event.

    The event's ``status`` is ``over``, ``timed_out`` or ``failed``; ``watch`` is the watch with all its
    answers, and ``error``, with ``failed``, what no waiting can cure. Passing faults never end the wait.

    :param drs_conn_id: the Airflow connection, of type ``drs``.
    :param watch: a watch as plain JSON values.
    :param poke_interval: seconds between two polls; the first comes after one interval.
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
        yield TriggerEvent(await self._wait())  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Stop the jobs that the task asked for; a killed wait else leaves them alone."""
        if self.stop_on_kill:
            async with DrsAsyncHook(self.drs_conn_id) as hook:
                await hook.stop_jobs(self.stop_on_kill)

    async def _wait(self) -> Mapping[str, Any]:
        watch = watch_from_dict(self.watch)
        async with DrsAsyncHook(self.drs_conn_id) as hook:
            while (left_s := self.deadline - time.time()) > 0:
                await asyncio.sleep(min(self.poke_interval, left_s))
                try:
                    async with asyncio.timeout(max(self.deadline - time.time(), _LAST_POLL_S)):
                        lines = await hook.poll(watch)
                except TimeoutError:
                    break
                except DrsError as error:
                    if not error.passing:
                        return {"status": FAILED, "watch": watch.to_dict(), "error": error.to_dict()}
                    self.log.warning("DRS could not be asked, the wait goes on: %s", error)
                    continue
                for line in lines:
                    self.log.info("%s", line)
                if watch.is_over:
                    return {"status": OVER, "watch": watch.to_dict()}
        return {"status": TIMED_OUT, "watch": watch.to_dict()}
