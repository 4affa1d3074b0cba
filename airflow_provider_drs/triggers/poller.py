"""
One poller for all triggers of a process that use the same endpoint with the same identity.

Thousands of triggers share one event loop. Instead of one request per trigger and interval, the poller sends
one request per batch of jobs. Triggers that start, finish, fail or are canceled do not affect each other.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from airflow_provider_drs import metrics
from airflow_provider_drs.hooks.drs import DrsAsyncHook
from airflow_provider_drs.protocol.connection.settings import Settings
from airflow_provider_drs.protocol.core.batches import Answers, Limits
from airflow_provider_drs.protocol.core.errors import DrsError
from airflow_provider_drs.protocol.core.watch import FollowUpRead, ReadOperation, Updating, Watch
from airflow_provider_drs.transport.aio import AsyncClient
from airflow_provider_drs.triggers.schedule import MAX_CONCURRENT_CALLS, PollSchedule

# Airflow finds the task of a log line by its context, not by its logger. A logger per trigger would be most
# of a waiting trigger's memory.
_log = logging.getLogger(__name__)

#: Seconds that the final poll at the deadline may take.
FINAL_POLL_S = 30.0
#: Seconds for which new triggers reuse the connection that was read before: all start together when a
#: triggerer starts.
_SETTINGS_S = 60.0


@dataclass(slots=True, eq=False)
class Wait:
    """
    The wait of one trigger.

    :param context: the trigger's context, by which Airflow finds the task of a log line.
    :param outcome: whether the watch is done; ``False`` at the deadline.
    :param final_poll_jobs: after the deadline, the jobs that the final poll has not covered yet.
    :param is_failing: polling failed last time, which has been logged.
    """

    watch: Watch
    context: contextvars.Context
    outcome: asyncio.Future[bool]
    group: _PollGroup
    timer: asyncio.TimerHandle | None = None
    final_poll_jobs: set[str] | None = None
    is_failing: bool = False

    def end(self, *, is_done: bool) -> None:
        """End the wait because the watch is done, or because the deadline has passed."""
        if not self.outcome.done():
            self.outcome.set_result(is_done)

    def fail(self, error: BaseException) -> None:
        """End the wait with a permanent error."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


@dataclass(slots=True)
class _PendingUpdate:
    """
    The update of a watch with results, which may need to read more.

    :param follow_up: what it needs to read before it can continue.
    """

    wait: Wait
    job_ids: tuple[str, ...]
    updating: Updating
    follow_up: FollowUpRead | None = None


class _PollGroup:
    """The waits that poll with the same operation at the same interval."""

    def __init__(
        self, client: AsyncClient, limits: Limits, operation: ReadOperation, interval_s: float
    ) -> None:
        self._client = client
        self._limits = limits
        self._operation = operation
        self.key = (operation, interval_s)
        self._schedule = PollSchedule(interval_s, limits.read_batch)
        self._waits: dict[str, tuple[Wait, ...]] = {}
        #: Due batches that wait for a running call to end: a slow or throttling service gets no more calls.
        self._batches: deque[list[str]] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def is_empty(self) -> bool:
        return not self._waits

    def add(self, wait: Wait) -> None:
        wait.watch.seed(self._limits)
        for job_id in wait.watch.job_ids:
            if wait.watch.needs_poll(job_id):
                self._waits[job_id] = (*self._waits.get(job_id, ()), wait)
                self._schedule.add(job_id, self._loop.time())
        self._set_timer()

    def remove(self, wait: Wait) -> None:
        for job_id in wait.watch.job_ids:
            self._drop(job_id, wait)
        self._set_timer()

    def start_final_poll(self, wait: Wait) -> None:
        wait.final_poll_jobs = {job_id for job_id in wait.watch.job_ids if wait.watch.needs_poll(job_id)}
        wait.timer = self._loop.call_later(FINAL_POLL_S, partial(wait.end, is_done=False))
        self._schedule.prioritize(wait.final_poll_jobs)
        self._set_timer()

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _drop(self, job_id: str, wait: Wait) -> None:
        others = tuple(other for other in self._waits.get(job_id, ()) if other is not wait)
        if others:
            self._waits[job_id] = others
        else:
            self._waits.pop(job_id, None)
            self._schedule.remove(job_id)
            self._limits.precheck_ids.pop(job_id, None)

    def _set_timer(self) -> None:
        due_s = self._loop.time() if self._batches else self._schedule.next_s
        if len(self._calls) >= MAX_CONCURRENT_CALLS or due_s == math.inf:
            return
        if self._timer is not None:
            if self._timer.when() <= due_s:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due_s, self._start_calls)

    def _start_calls(self) -> None:
        self._timer = None
        # The batch size shrinks when the service refuses a batch as too large.
        self._schedule.size = self._limits.read_batch
        if not self._batches:
            self._batches.extend(self._schedule.take_due(self._loop.time()))
        while self._batches and len(self._calls) < MAX_CONCURRENT_CALLS:
            call = self._loop.create_task(self._poll(self._batches.popleft()))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            call.add_done_callback(lambda _: self._set_timer())
        self._set_timer()

    async def _poll(self, batch: Sequence[str]) -> None:
        try:
            await self._distribute(await self._client.run(self._operation(self._limits, batch)))
        except DrsError as error:
            for wait in self._waits_of(batch):
                self._report(wait, error, batch)
        except Exception as error:
            # A bug of the provider: fail the triggers instead of waiting for results that never come.
            for wait in self._waits_of(batch):
                wait.fail(error)
        finally:
            self._schedule.mark_done(batch)

    async def _distribute(self, answers: Answers[Any]) -> None:
        """Give results to the watches, and combine what they need to read in addition."""
        changed: dict[Wait, Answers[Any]] = {}
        for job_id, answer in answers.items():
            has_changed = False
            for wait in self._waits.get(job_id, ()):
                if wait.watch.has_changed(job_id, answer):
                    has_changed = True
                    changed.setdefault(wait, {})[job_id] = answer
                elif wait.final_poll_jobs is not None or wait.is_failing:
                    self._finish(wait, (job_id,))
            if not has_changed:
                self._schedule.set_nearly_done(job_id, False)
        for wait in changed:
            wait.watch.set_time(time.time())
        updates = [
            _PendingUpdate(wait, tuple(results), wait.watch.update(results))
            for wait, results in changed.items()
        ]
        for update in updates:
            self._advance(update, None)
        while pending := [update for update in updates if update.follow_up]:
            await self._read_follow_ups(pending)

    async def _read_follow_ups(self, updates: Sequence[_PendingUpdate]) -> None:
        by_operation: dict[ReadOperation, list[tuple[_PendingUpdate, FollowUpRead]]] = {}
        for update in updates:
            if update.follow_up is not None:
                by_operation.setdefault(update.follow_up.operation, []).append((update, update.follow_up))
                update.follow_up = None
        for operation, group in by_operation.items():
            job_ids = list(dict.fromkeys(job_id for _, follow_up in group for job_id in follow_up.job_ids))
            try:
                answers = await self._client.run(operation(self._limits, job_ids))
            except DrsError as error:
                for update, _ in group:
                    self._report(update.wait, error, update.job_ids)
            else:
                for update, follow_up in group:
                    self._advance(update, {job_id: answers[job_id] for job_id in follow_up.job_ids})

    def _advance(self, update: _PendingUpdate, answers: Answers[Any] | None) -> None:
        """Continue an update until it needs to read more or is complete."""
        wait = update.wait
        if wait.outcome.done():
            return
        try:
            update.follow_up = update.updating.send(answers)  # type: ignore[arg-type]  # None starts a generator
        except StopIteration as stop:
            for line in stop.value:
                wait.context.run(_log.info, "%s", line)
            self._finish(wait, update.job_ids)
        except Exception as error:
            wait.fail(error)

    def _finish(self, wait: Wait, job_ids: Iterable[str]) -> None:
        """Apply the results of some jobs to the wait and the schedule."""
        wait.is_failing = False
        if wait.watch.is_done:
            wait.end(is_done=True)
            return
        for job_id in job_ids:
            if wait.watch.needs_poll(job_id):
                self._schedule.set_nearly_done(job_id, wait.watch.is_nearly_done(job_id))
            else:
                self._drop(job_id, wait)
        self._note_final_poll(wait, job_ids)

    def _report(self, wait: Wait, error: DrsError, job_ids: Iterable[str]) -> None:
        if not error.is_transient:
            wait.fail(error)
            return
        if not wait.is_failing:
            wait.is_failing = True
            wait.context.run(_log.warning, "Polling DRS failed (transient, will retry): %s", error)
        self._note_final_poll(wait, job_ids)

    def _note_final_poll(self, wait: Wait, job_ids: Iterable[str]) -> None:
        if wait.final_poll_jobs is not None:
            wait.final_poll_jobs.difference_update(job_ids)
            if not wait.final_poll_jobs:
                wait.end(is_done=False)

    def _waits_of(self, job_ids: Iterable[str]) -> list[Wait]:
        return list(dict.fromkeys(wait for job_id in job_ids for wait in self._waits.get(job_id, ())))


class Poller:
    """
    Polls for all waits on one endpoint with one identity: one session, one token, few calls.

    If the credentials are rejected, all waits continue with those that a connection of theirs has now.

    :param reread: reads the connections of some IDs again, and returns the first with other credentials.
    """

    def __init__(
        self, settings: Settings, reread: Callable[[Poller], Awaitable[Settings | None]] | None = None
    ) -> None:
        self._client = AsyncClient(
            settings,
            observer=metrics.count_call_of_triggerer,
            reread=partial(reread, self) if reread else None,
        )
        #: The connections of the waits, with the number of waits of each.
        self.conn_ids: Counter[str] = Counter()
        self._limits = settings.make_limits()
        self._groups: dict[tuple[ReadOperation, float], _PollGroup] = {}

    @property
    def settings(self) -> Settings:
        """The connection with the credentials in use."""
        return self._client.settings

    @property
    def is_idle(self) -> bool:
        """Whether there is no wait."""
        return not self._groups

    def add(self, watch: Watch, *, poke_interval: float, deadline: float) -> Wait:
        """
        Start to wait until a watch is done.

        Changes are logged in the caller's context, which puts them into the log of its task.

        :param watch: is updated with the results.
        :param poke_interval: seconds between two polls of a job.
        :param deadline: epoch seconds at which the wait ends, after a final poll.
        """
        loop = asyncio.get_running_loop()
        key = (watch.operation, poke_interval)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _PollGroup(self._client, self._limits, watch.operation, poke_interval)
        context = contextvars.copy_context()
        wait = Wait(watch, context, loop.create_future(), group)
        group.add(wait)
        wait.timer = loop.call_later(deadline - time.time(), group.start_final_poll, wait, context=context)
        return wait

    async def remove(self, wait: Wait) -> None:
        """End a wait, whether or not its watch is done."""
        if wait.timer is not None:
            wait.timer.cancel()
        wait.group.remove(wait)
        if wait.group.is_empty and self._groups.get(wait.group.key) is wait.group:
            del self._groups[wait.group.key]
            await wait.group.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


@dataclass(slots=True)
class _Pollers:
    """The pollers of one event loop."""

    by_settings: dict[Settings, Poller] = field(default_factory=dict)
    settings: dict[str, tuple[float, Settings]] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find(self, drs_conn_id: str) -> Poller:
        """Return the poller of a connection."""
        settings = await self._read_settings(drs_conn_id)
        poller = self.by_settings.get(settings)
        if poller is None:
            poller = self.by_settings[settings] = Poller(settings, self._reread)
        poller.conn_ids[drs_conn_id] += 1
        return poller

    async def release(self, poller: Poller, drs_conn_id: str) -> None:
        """Close a poller that has no wait left."""
        poller.conn_ids[drs_conn_id] -= 1
        if poller.is_idle and not poller.conn_ids.total():
            if self.by_settings.get(poller.settings) is poller:
                del self.by_settings[poller.settings]
            await poller.close()

    async def _read_settings(self, drs_conn_id: str) -> Settings:
        async with self.lock:
            read_s, settings = self.settings.get(drs_conn_id, (0.0, None))
            now_s = time.monotonic()
            if settings is None or now_s - read_s > _SETTINGS_S:
                settings = _without_name(await DrsAsyncHook(drs_conn_id).get_settings())
                self.settings[drs_conn_id] = (now_s, settings)
            return settings

    async def _reread(self, poller: Poller) -> Settings | None:
        """Read the connections of a poller again; if one has other credentials, new waits find the poller."""
        old = poller.settings
        for drs_conn_id in list(poller.conn_ids):
            found = await DrsAsyncHook(drs_conn_id).reread_settings()
            # A concurrent call of the poller may have replaced the credentials in the meantime.
            if poller.settings is not old:
                return poller.settings
            if found is not None and found.has_other_credentials(old):
                settings = _without_name(found)
                self.settings[drs_conn_id] = (time.monotonic(), settings)
                if self.by_settings.get(old) is poller:
                    del self.by_settings[old]
                self.by_settings.setdefault(settings, poller)
                return settings
        return None


def _without_name(settings: Settings) -> Settings:
    # Connections that differ in their name alone share a poller.
    return replace(settings, conn_id="", console_url="")


_POLLERS: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pollers] = WeakKeyDictionary()


async def wait_for(drs_conn_id: str, watch: Watch, *, poke_interval: float, deadline: float) -> bool:
    """
    Wait until a watch is done, polling together with all waits on the same endpoint with the same identity.

    See :meth:`Poller.add`.

    :param drs_conn_id: the Airflow connection, of type ``drs``.
    :returns: whether the watch is done; ``False`` at the deadline.
    :raises DrsError: a permanent error.
    """
    pollers = _POLLERS.setdefault(asyncio.get_running_loop(), _Pollers())
    poller = await pollers.find(drs_conn_id)
    try:
        wait = poller.add(watch, poke_interval=poke_interval, deadline=deadline)
        try:
            return await wait.outcome
        finally:
            await poller.remove(wait)
    except DrsError as error:
        # Other connections may share the poller, whose errors therefore name none.
        text = str(error).replace("connection ''", f"connection {drs_conn_id!r}")
        raise DrsError.from_dict(error.to_dict() | {"message": text}) from error
    finally:
        await pollers.release(poller, drs_conn_id)
