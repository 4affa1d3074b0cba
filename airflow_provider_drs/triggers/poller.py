"""
One poller for all waits of a process on the same endpoint with the same identity.

Thousands of triggers live in one event loop. Each on its own would send a request an interval; together they
send one for each batch of jobs. A trigger only says what it watches, and gets its event. What one of them
does - come, go, be cancelled, fail - the others do not notice.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from airflow_provider_drs import metrics
from airflow_provider_drs.hooks.drs import DrsAsyncHook
from airflow_provider_drs.protocol.connection.settings import Settings
from airflow_provider_drs.protocol.core.batches import Answers, Limits
from airflow_provider_drs.protocol.core.errors import DrsError
from airflow_provider_drs.protocol.core.watch import Ask, Learning, Topic, Watch
from airflow_provider_drs.transport.aio import AsyncClient
from airflow_provider_drs.triggers.rota import SIDE_BY_SIDE, Rota

# Airflow tells by the context whose line it is, not by the logger; a logger for each trigger would be most of
# what a waiting trigger weighs.
_log = logging.getLogger(__name__)

#: How long a last look at the deadline may take.
LAST_LOOK_S = 30.0
#: For how long triggers that come take what the connection said before. All of them come at once when a
#: triggerer starts.
_SETTINGS_S = 60.0


@dataclass(slots=True, eq=False)
class Wait:
    """
    One trigger's wait.

    :param context: the trigger's, by which Airflow knows whose log a line is for.
    :param outcome: whether the watch is over, or its time.
    """

    watch: Watch
    context: contextvars.Context
    outcome: asyncio.Future[bool]
    lane: _Lane
    timer: asyncio.TimerHandle | None = None
    #: At the deadline: the jobs of which a last answer is still to come.
    last_look: set[str] | None = None
    is_failing: bool = False

    def end(self, *, is_over: bool) -> None:
        """Say that the watch is over, or that its time is."""
        if not self.outcome.done():
            self.outcome.set_result(is_over)

    def break_off(self, error: BaseException) -> None:
        """Say why there is no sense in waiting any longer."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


@dataclass(slots=True)
class _Lesson:
    """
    What a watch is learning from answers about some of its jobs.

    :param ask: what it has to know to go on.
    """

    wait: Wait
    job_ids: tuple[str, ...]
    learning: Learning
    ask: Ask | None = None


class _Lane:
    """The waits that ask the same about their jobs, in the same interval."""

    def __init__(self, client: AsyncClient, limits: Limits, topic: Topic, interval_s: float) -> None:
        self._client = client
        self._limits = limits
        self._topic = topic
        self.key = (topic, interval_s)
        self._rota = Rota(interval_s, limits.read_batch)
        self._waits: dict[str, tuple[Wait, ...]] = {}
        #: Whose turn it is, and who waits for a call to end. A service that is slow, or throttles, is sent no
        #: more than go side by side.
        self._batches: deque[list[str]] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def is_empty(self) -> bool:
        return not self._waits

    def join(self, wait: Wait) -> None:
        wait.watch.teach(self._limits)
        for job_id in wait.watch.job_ids:
            if wait.watch.wants(job_id):
                self._waits[job_id] = (*self._waits.get(job_id, ()), wait)
                self._rota.join(job_id, self._loop.time())
        self._set_timer()

    def leave(self, wait: Wait) -> None:
        for job_id in wait.watch.job_ids:
            self._drop(job_id, wait)
        self._set_timer()

    def look_once_more(self, wait: Wait) -> None:
        """Ask about the jobs of a wait whose deadline has come, at once."""
        wait.last_look = {job_id for job_id in wait.watch.job_ids if wait.watch.wants(job_id)}
        wait.timer = self._loop.call_later(LAST_LOOK_S, partial(wait.end, is_over=False))
        self._rota.hurry(wait.last_look)
        self._set_timer()

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _drop(self, job_id: str, wait: Wait) -> None:
        others = tuple(each for each in self._waits.get(job_id, ()) if each is not wait)
        if others:
            self._waits[job_id] = others
        else:
            self._waits.pop(job_id, None)
            self._rota.leave(job_id)
            self._limits.precheck_ids.pop(job_id, None)

    def _set_timer(self) -> None:
        due_s = self._loop.time() if self._batches else self._rota.next_s
        if len(self._calls) >= SIDE_BY_SIDE or due_s == math.inf:
            return
        if self._timer is not None:
            if self._timer.when() <= due_s:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due_s, self._take_turn)

    def _take_turn(self) -> None:
        self._timer = None
        # It shrinks when the service refuses a batch for its size.
        self._rota.size = self._limits.read_batch
        if not self._batches:
            self._batches.extend(self._rota.take(self._loop.time()))
        while self._batches and len(self._calls) < SIDE_BY_SIDE:
            call = self._loop.create_task(self._ask(self._batches.popleft()))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            call.add_done_callback(lambda _: self._set_timer())
        self._set_timer()

    async def _ask(self, batch: Sequence[str]) -> None:
        try:
            await self._learn(await self._client.run(self._topic(self._limits, batch)))
        except DrsError as error:
            for wait in self._find(batch):
                self._report(wait, error, batch)
        except Exception as error:
            # A fault of ours. Nobody waits for an answer that does not come.
            for wait in self._find(batch):
                wait.break_off(error)
        finally:
            self._rota.done(batch)

    async def _learn(self, answers: Answers[Any]) -> None:
        """Hand answers out, and ask together for what watches want to know beside them."""
        news: dict[Wait, Answers[Any]] = {}
        for job_id, answer in answers.items():
            is_news = False
            for wait in self._waits.get(job_id, ()):
                if wait.watch.is_news(job_id, answer):
                    is_news = True
                    news.setdefault(wait, {})[job_id] = answer
                elif wait.last_look is not None or wait.is_failing:
                    self._conclude(wait, (job_id,))
            if not is_news:
                self._rota.set_near(job_id, False)
        lessons = [_Lesson(wait, tuple(part), wait.watch.learn(part)) for wait, part in news.items()]
        for lesson in lessons:
            self._go_on(lesson, None)
        while asking := [lesson for lesson in lessons if lesson.ask]:
            await self._ask_further(asking)

    async def _ask_further(self, lessons: Sequence[_Lesson]) -> None:
        by_topic: dict[Topic, list[tuple[_Lesson, Ask]]] = {}
        for lesson in lessons:
            if lesson.ask is not None:
                by_topic.setdefault(lesson.ask.topic, []).append((lesson, lesson.ask))
                lesson.ask = None
        for topic, group in by_topic.items():
            job_ids = list(dict.fromkeys(job_id for _, ask in group for job_id in ask.job_ids))
            try:
                answers = await self._client.run(topic(self._limits, job_ids))
            except DrsError as error:
                for lesson, _ in group:
                    self._report(lesson.wait, error, lesson.job_ids)
            else:
                for lesson, ask in group:
                    self._go_on(lesson, {job_id: answers[job_id] for job_id in ask.job_ids})

    def _go_on(self, lesson: _Lesson, answers: Answers[Any] | None) -> None:
        """Let a watch learn, until it asks for more or has learned all."""
        wait = lesson.wait
        if wait.outcome.done():
            return
        try:
            lesson.ask = lesson.learning.send(answers)  # type: ignore[arg-type]  # None starts a generator
        except StopIteration as stop:
            for line in stop.value:
                wait.context.run(_log.info, "%s", line)
            self._conclude(wait, lesson.job_ids)
        except Exception as error:
            wait.break_off(error)

    def _conclude(self, wait: Wait, part: Iterable[str]) -> None:
        """See what answers about some jobs mean for the rota, and for the wait."""
        wait.is_failing = False
        if wait.watch.is_over:
            wait.end(is_over=True)
            return
        for job_id in part:
            if wait.watch.wants(job_id):
                self._rota.set_near(job_id, wait.watch.is_near(job_id))
            else:
                self._drop(job_id, wait)
        self._tick_off(wait, part)

    def _report(self, wait: Wait, error: DrsError, part: Iterable[str]) -> None:
        if not error.passing:
            wait.break_off(error)
            return
        if not wait.is_failing:
            wait.is_failing = True
            wait.context.run(_log.warning, "DRS could not be asked, the wait goes on: %s", error)
        self._tick_off(wait, part)

    def _tick_off(self, wait: Wait, part: Iterable[str]) -> None:
        if wait.last_look is not None:
            wait.last_look.difference_update(part)
            if not wait.last_look:
                wait.end(is_over=False)

    def _find(self, job_ids: Iterable[str]) -> list[Wait]:
        return list(dict.fromkeys(wait for job_id in job_ids for wait in self._waits.get(job_id, ())))


class Poller:
    """Polls for all waits on one endpoint with one identity: one session, one token, few calls."""

    def __init__(self, settings: Settings) -> None:
        self._client = AsyncClient(settings, observer=metrics.count_call_of_triggerer)
        self._limits = Limits(settings.batch_size, settings.poll_batch_size, settings.retry_timeout_s)
        self._lanes: dict[tuple[Topic, float], _Lane] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits here."""
        return not self._lanes

    def join(self, watch: Watch, *, poke_interval: float, deadline: float) -> Wait:
        """
        Begin to wait until a watch is over.

        What changes is logged in the context of the caller, and so in the log of its task.

        :param watch: learns the answers.
        :param poke_interval: seconds between two questions about a job.
        :param deadline: epoch seconds at which the wait is given up, after a last look.
        """
        loop = asyncio.get_running_loop()
        key = (watch.topic, poke_interval)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(self._client, self._limits, watch.topic, poke_interval)
        context = contextvars.copy_context()
        wait = Wait(watch, context, loop.create_future(), lane)
        lane.join(wait)
        wait.timer = loop.call_later(deadline - time.time(), lane.look_once_more, wait, context=context)
        return wait

    async def leave(self, wait: Wait) -> None:
        """End a wait, over or not."""
        if wait.timer is not None:
            wait.timer.cancel()
        wait.lane.leave(wait)
        if wait.lane.is_empty and self._lanes.get(wait.lane.key) is wait.lane:
            del self._lanes[wait.lane.key]
            await wait.lane.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


@dataclass(slots=True)
class _Pollers:
    """The pollers of one event loop."""

    by_settings: dict[Settings, Poller] = field(default_factory=dict)
    settings: dict[str, tuple[float, Settings]] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


_POLLERS: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pollers] = WeakKeyDictionary()


async def wait_together(drs_conn_id: str, watch: Watch, *, poke_interval: float, deadline: float) -> bool:
    """
    Wait with everybody else who waits on the same endpoint with the same identity; see :meth:`Poller.join`.

    :param drs_conn_id: the Airflow connection, of type ``drs``.
    :returns: whether the watch is over; else its time is.
    :raises DrsError: what no waiting can cure.
    """
    pollers = _POLLERS.setdefault(asyncio.get_running_loop(), _Pollers())
    settings = await _read_settings(pollers, drs_conn_id)
    poller = pollers.by_settings.get(settings)
    if poller is None:
        poller = pollers.by_settings[settings] = Poller(settings)
    wait = poller.join(watch, poke_interval=poke_interval, deadline=deadline)
    try:
        return await wait.outcome
    finally:
        await poller.leave(wait)
        if poller.is_idle and pollers.by_settings.get(settings) is poller:
            del pollers.by_settings[settings]
            await poller.close()


async def _read_settings(pollers: _Pollers, drs_conn_id: str) -> Settings:
    async with pollers.lock:
        read_s, settings = pollers.settings.get(drs_conn_id, (0.0, None))
        now_s = time.monotonic()
        if settings is None or now_s - read_s > _SETTINGS_S:
            # The same endpoint and identity are the same, whatever the connection's name.
            settings = replace(await DrsAsyncHook(drs_conn_id).get_settings(), conn_id="", console_url="")
            pollers.settings[drs_conn_id] = (now_s, settings)
        return settings
