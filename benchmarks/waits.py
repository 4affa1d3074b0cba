"""
The cost of thousands of deferred waits in one triggerer.

They are compared with code without a shared poller: each trigger has its own loop, all with one aiohttp
session. Triggers start at different times, as tasks defer.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks import canned_service
from benchmarks.canned_service import CannedService
from benchmarks.figures import Figure

INTERVAL_S = 4.0
ROUNDS = 3
PROJECT_ID = "0" * 32
Make = Callable[[Sequence[str]], Any]


def measure() -> Iterable[Figure]:
    """Measure all figures, one after the other."""
    with canned_service.start() as service:
        yield from _measure_calls(service)
        yield from _measure_cpu(service)
        yield from _measure_memory(service)
        yield from _measure_lag_and_delay(service)


def _measure_calls(service: CannedService) -> Iterable[Figure]:
    _connect(service, 10)
    for count in (1, 10, 1000, 5000):
        for many in (False, True):
            job_ids = _job_ids(count)
            parts = [[job_id] for job_id in job_ids] if many else [job_ids]
            calls = asyncio.run(_count_calls(service, parts))
            shape = f"{count} triggers" if many else "one trigger"
            what = f"per poll interval, {count:,} jobs in {shape}, 10 jobs per request"
            yield Figure("Requests", what, calls, math.ceil(count / 10) + 1)


async def _count_calls(service: CannedService, parts: Sequence[Sequence[str]]) -> float:
    intervals = 2
    async with _waiting(_ours, parts):
        before = await asyncio.to_thread(lambda: service.calls)
        await asyncio.sleep(intervals * INTERVAL_S)
        return (await asyncio.to_thread(lambda: service.calls) - before) / intervals


def _measure_cpu(service: CannedService) -> Iterable[Figure]:
    cpu_s: dict[str, list[float]] = {"usual": [], "ours, 10": [], "ours, 100": []}
    job_ids = _job_ids(1000)
    for _ in range(ROUNDS):
        for name, times in cpu_s.items():
            _connect(service, 100 if name == "ours, 100" else 10)
            times.append(asyncio.run(_time_interval(_usual(service) if name == "usual" else _ours, job_ids)))
    for name, limit in (("ours, 10", 1 / 8), ("ours, 100", 1 / 30)):
        ratio = statistics.median(a / b for a, b in zip(cpu_s[name], cpu_s["usual"], strict=True))
        what = f"1,000 deferred tasks, {name.split()[1]} jobs per request / one poll loop per trigger"
        yield Figure("CPU", what, ratio, limit)
    _connect(service, 10)
    each = {
        count: statistics.median(
            asyncio.run(_time_interval(_ours, _job_ids(count))) / count for _ in range(ROUNDS)
        )
        for count in (100, 5000)
    }
    yield Figure("CPU", "CPU per deferred task, with 5,000 / with 100 tasks", each[5000] / each[100], 1.2)


async def _time_interval(make: Make, job_ids: Sequence[str]) -> float:
    intervals = 2
    async with _waiting(make, [[job_id] for job_id in job_ids]):
        begin_s = time.process_time()
        await asyncio.sleep(intervals * INTERVAL_S)
        return (time.process_time() - begin_s) / intervals


def _measure_memory(service: CannedService) -> Iterable[Figure]:
    """Measure each in a process of its own, so that none reuses memory of another."""
    kib = {}
    for name in ("usual", "ours"):
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.waits", service.url, name]
        runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(ROUNDS)]
        kib[name] = statistics.median(float(run.stdout.splitlines()[-1]) for run in runs)
    what = f"a waiting trigger ({kib['ours']:.1f} KiB) / a trigger with its own poll loop"
    yield Figure("Memory", what, kib["ours"] / kib["usual"], 1 / 8)


async def _weigh(make: Make) -> float:
    """Return by how many KiB the process grows for each of 5,000 waiting triggers."""
    count = 5000
    # What is loaded and opened once does not count for a trigger.
    async with _waiting(make, [[job_id] for job_id in _job_ids(20)], settle_s=1.5 * INTERVAL_S):
        before_kib = _resident_kib()
        others = [[job_id] for job_id in _job_ids(count + 20)[20:]]
        async with _waiting(make, others, settle_s=6 * INTERVAL_S):
            return (_resident_kib() - before_kib) / count


def _resident_kib() -> float:
    """Return the current resident memory; its peak would include the start."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 1024


def _measure_lag_and_delay(service: CannedService) -> Iterable[Figure]:
    _connect(service, 10)
    idle_s, busy_s, delays_s = asyncio.run(_fire(service, _job_ids(5000)))
    what = "additional event loop delay with 5,000 deferred tasks, compared with an idle event loop, p99"
    yield Figure("Time", what, max(0.0, (_p99(busy_s) - _p99(idle_s)) * 1e3), 10, " ms")
    what = f"from a verdict to its event, 5,000 deferred tasks, interval {INTERVAL_S:.0f} s, p99"
    yield Figure("Time", what, _p99(delays_s), INTERVAL_S + 1, " s")


async def _fire(
    service: CannedService, job_ids: Sequence[str]
) -> tuple[list[float], list[float], list[float]]:
    """Return the lags of an idle and of a busy loop, and the delay of each job's event."""
    idle_s = await _sample_lag(2 * INTERVAL_S)
    async with _waiting(_ours, [[job_id] for job_id in job_ids]) as tasks:
        busy_s = await _sample_lag(2 * INTERVAL_S)
        begin_s, spread_s = time.time() + 1, 4 * INTERVAL_S
        await asyncio.to_thread(service.plan, begin_s, spread_s)
        fired_s: dict[str, float] = {}

        async def note(job_id: str, task: asyncio.Task[Any]) -> None:
            event = await task
            assert event.payload["status"] == "done", event.payload
            fired_s[job_id] = time.time()

        await asyncio.gather(*(note(job_id, task) for job_id, task in zip(job_ids, tasks, strict=True)))
    await asyncio.to_thread(service.forget_plan)
    due_s = {job_id: canned_service.verdict_s(job_id, begin_s, spread_s) for job_id in job_ids}
    return idle_s, busy_s, [fired_s[job_id] - due_s[job_id] for job_id in job_ids]


async def _sample_lag(for_s: float) -> list[float]:
    loop, lags_s, tick_s = asyncio.get_running_loop(), [], 0.005
    end_s = loop.time() + for_s
    while loop.time() < end_s:
        due_s = loop.time() + tick_s
        await asyncio.sleep(tick_s)
        lags_s.append(loop.time() - due_s)
    return lags_s


def _p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def _ours(job_ids: Sequence[str]) -> Any:
    from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
    from airflow_provider_drs.protocol.watches import PrecheckWatch
    from airflow_provider_drs.triggers.drs import DrsWatchTrigger

    return DrsWatchTrigger(
        drs_conn_id="drs_default",
        watch=PrecheckWatch(job_ids, AlarmPolicy()).to_dict(),
        poke_interval=INTERVAL_S,
        deadline=time.time() + 3600,
    )


def _usual(service: CannedService) -> Make:
    from airflow.triggers.base import BaseTrigger, TriggerEvent

    url = f"{service.url}/v3/{PROJECT_ID}/jobs/batch-precheck-result"
    sessions: list[aiohttp.ClientSession] = []

    class OwnLoopTrigger(BaseTrigger):
        """Polls its job, and sleeps."""

        def __init__(self, job_id: str) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.job_id = job_id

        def serialize(self) -> tuple[str, dict[str, Any]]:
            return "benchmarks.waits.OwnLoopTrigger", {"job_id": self.job_id}

        async def run(self) -> AsyncIterator[TriggerEvent]:
            if not sessions:
                sessions.append(aiohttp.ClientSession())
            headers = {"X-Auth-Token": "not-real", "X-Language": "en-us"}
            try:
                while True:
                    async with sessions[0].post(
                        url, json={"jobs": [self.job_id]}, headers=headers
                    ) as response:
                        response.raise_for_status()
                        answer = await response.json()
                    result = answer["results"][0]
                    if result["process"] == "100%":
                        break
                    await asyncio.sleep(INTERVAL_S)
                yield TriggerEvent(result)  # type: ignore[no-untyped-call]
            finally:
                await sessions[0].close()

    return lambda job_ids: OwnLoopTrigger(*job_ids)


@asynccontextmanager
async def _waiting(
    make: Make, parts: Sequence[Sequence[str]], *, settle_s: float = 2 * INTERVAL_S
) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Run waiting triggers that start at different times within the first interval."""
    rng = random.Random(7)  # noqa: S311 - not a secret

    async def wait(part: Sequence[str]) -> Any:
        await asyncio.sleep(rng.random() * INTERVAL_S)
        return await anext(make(part).run())

    tasks = [asyncio.create_task(wait(part)) for part in parts]
    await asyncio.sleep(settle_s)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _job_ids(count: int) -> list[str]:
    return [f"{n:08x}-d0c5-4a11-8a11-{n:07x}jb101" for n in range(count)]


def _connect(service: CannedService, jobs_a_call: int) -> None:
    extra = {"auth": "token", "project_id": PROJECT_ID, "region": "eu-de", "poll_batch_size": jobs_a_call}
    connection = {"conn_type": "drs", "host": service.url, "password": "not-real", "extra": extra}
    os.environ["AIRFLOW_CONN_DRS_DEFAULT"] = json.dumps(connection)


if __name__ == "__main__":
    _here = CannedService(sys.argv[1])
    _connect(_here, 10)
    print(asyncio.run(_weigh(_usual(_here) if sys.argv[2] == "usual" else _ours)))
