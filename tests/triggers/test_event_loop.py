"""Triggers never block the triggerer's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.jobs.triggerer_job_runner import TriggerRunner
from drs_emulator import Emulator
from drs_emulator.http.iam import Iam

from airflow_provider_drs.hooks.drs import DrsAsyncHook, DrsHook
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
from airflow_provider_drs.protocol.watches import PrecheckWatch
from airflow_provider_drs.transport.tokens import TOKENS
from airflow_provider_drs.triggers.drs import DrsWatchTrigger

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")

#: The number of iterations of the loop that show that it is not blocked.
ITERATIONS = 20
#: Seconds after which a blocked loop is released, so that the test fails instead of hanging.
RELEASE_S = 20
#: A busy machine can also delay a loop; a trigger that blocks it fails every attempt.
ATTEMPTS = 5
MANY = 100

#: Records in which thread the HTTP library is imported, and runs a trigger.
COLD_WAIT = """
import asyncio, json, sys, threading
from airflow.triggers.base import BaseTrigger
threads = []
class Note:
    def find_spec(self, name, path=None, target=None):
        if name == "aiohttp":
            threads.append(threading.current_thread() is threading.main_thread())
sys.meta_path.insert(0, Note())
sys.modules.pop("aiohttp", None)
from airflow_provider_drs.triggers.drs import DrsWatchTrigger
assert not threads, "the trigger's module loads it"
trigger = DrsWatchTrigger(**json.loads(sys.argv[1]))
asyncio.run(anext(trigger.run()))
print(threads)
"""


def _trigger(job_id: str, **options: Any) -> DrsWatchTrigger:
    watch = PrecheckWatch([job_id], AlarmPolicy()).to_dict()
    fields = {"poke_interval": 0.2, "deadline": time.time() + 60, **options}
    return DrsWatchTrigger(drs_conn_id="drs_default", watch=watch, **fields)


def _precheck(job_ids: list[str]) -> None:
    with DrsHook() as hook:
        hook.precheck_jobs(job_ids)


async def _iterate(iterated: threading.Event) -> None:
    """Set *iterated* after some iterations of the loop."""
    for _ in range(ITERATIONS):
        await asyncio.sleep(0)
    iterated.set()


def test_http_library_is_imported_in_a_thread(emulator: Emulator) -> None:
    emulator.set_verdict(None, "pass", reads=1)
    _precheck([emulator.job_ids[0]])
    _, fields = _trigger(emulator.job_ids[0]).serialize()

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COLD_WAIT, json.dumps(fields)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "[False]"


def test_slow_iam_does_not_block_the_loop(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator.set_verdict(None, "pass", reads=2)
    _precheck(list(emulator.job_ids))
    emulator.revoke_tokens()
    requested, iterated, waited = threading.Event(), threading.Event(), []
    issue = Iam.issue

    def issue_late(self: Iam, *arguments: Any, **options: Any) -> Any:
        requested.set()
        waited.append(iterated.wait(RELEASE_S))
        return issue(self, *arguments, **options)

    monkeypatch.setattr(Iam, "issue", issue_late)

    async def run() -> list[Any]:
        waits = [asyncio.ensure_future(anext(_trigger(job_id).run())) for job_id in emulator.job_ids]
        while not requested.is_set():
            await asyncio.sleep(0.01)
        await _iterate(iterated)
        return await asyncio.gather(*waits)

    events = asyncio.run(run())

    assert waited == [True]
    assert [event.payload["status"] for event in events] == ["done"] * 10


def test_renewal_in_a_thread_does_not_block_the_loop(emulator: Emulator) -> None:
    iterated, waited = threading.Event(), []

    async def run() -> None:
        async with DrsAsyncHook() as hook:
            slot = TOKENS.slot((await hook.get_settings()).identity)
            held = threading.Event()

            def hold() -> None:
                with slot.lock:
                    held.set()
                    waited.append(iterated.wait(RELEASE_S))

            thread = threading.Thread(target=hold)
            thread.start()
            held.wait()
            statuses = asyncio.ensure_future(hook.get_job_statuses(emulator.job_ids))
            await asyncio.sleep(0.05)
            await _iterate(iterated)
            assert len(await statuses) == 10
            thread.join()

    asyncio.run(run())

    assert waited == [True]


class _Log:
    """Records what Airflow's watchdog logs, on both lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str, *values: Any) -> None:
        self.lines.append(text % values)

    async def ainfo(self, text: str, *values: Any) -> None:
        self.info(text, *values)


def _watch(*coroutines: Any) -> list[str]:
    """Run coroutines concurrently, and return what Airflow's watchdog logs."""
    log = _Log()
    runner: Any = SimpleNamespace(stop=False, log=log, blocked_main_thread_warning_threshold=0.2)

    async def run() -> None:
        watchdog = asyncio.ensure_future(TriggerRunner.block_watchdog(runner))
        await asyncio.gather(*(coroutine() for coroutine in coroutines))
        # The watchdog checks the loop every 0.1 seconds.
        await asyncio.sleep(0.15)
        watchdog.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watchdog

    asyncio.run(run())
    return log.lines


def test_watchdog_reports_a_blocked_loop() -> None:
    async def block() -> None:
        await asyncio.sleep(0.01)
        time.sleep(0.5)

    assert "blocked for" in _watch(block)[0]


def test_watchdog_reports_nothing(emulator: Emulator) -> None:
    lines = []
    for _ in range(ATTEMPTS):
        emulator.reset()
        job_ids = [emulator.seed_job() for _ in range(MANY)]
        emulator.set_verdict(None, "pass", reads=8)
        _precheck(job_ids)
        emulator.clear_journal()
        emulator.inject("expire_token", operation="BatchCheckResults", every=5, times=None)
        triggers = [_trigger(job_id) for job_id in job_ids]

        async def wait(trigger: DrsWatchTrigger) -> None:
            assert (await anext(trigger.run())).payload["status"] == "done"

        lines = _watch(*((lambda trigger=trigger: wait(trigger)) for trigger in triggers))
        assert len(emulator.journal("KeystoneCreateUserTokenByPassword")) >= 2
        if not lines:
            break

    assert lines == []
