from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from airflow_provider_drs.emulator import Emulator
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
from airflow_provider_drs.protocol.watches import PrecheckWatch
from airflow_provider_drs.triggers.drs import DrsWatchTrigger

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")


def _trigger(job_ids: Any, **options: Any) -> DrsWatchTrigger:
    watch = PrecheckWatch(job_ids, AlarmPolicy()).to_dict()
    fields = {
        "drs_conn_id": "drs_default",
        "watch": watch,
        "poke_interval": 0.01,
        "deadline": time.time() + 30,
    }
    return DrsWatchTrigger(**{**fields, **options})


def test_it_survives_serialization(emulator: Emulator) -> None:
    """A restarted triggerer makes an equal one from plain JSON, with no secret in it."""
    path, fields = _trigger(emulator.job_ids).serialize()
    stored = json.dumps(fields)

    assert path == "airflow_provider_drs.triggers.drs.DrsWatchTrigger"
    assert DrsWatchTrigger(**json.loads(stored)).serialize() == (path, fields)
    assert emulator.connection["password"] not in stored


def test_arguments_that_are_not_json_are_refused_where_they_are_made() -> None:
    """Not in the triggerer, much later."""
    with pytest.raises((TypeError, ValueError)):
        _trigger(["a"], deadline=float("nan"))


def test_it_waits_before_its_first_poll(emulator: Emulator) -> None:
    """The worker has just polled."""

    async def look() -> None:
        task = asyncio.ensure_future(anext(_trigger(emulator.job_ids, poke_interval=60).run()))
        await asyncio.sleep(0.2)
        assert emulator.journal() == []
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(look())


def test_at_the_deadline_there_is_a_last_look(emulator: Emulator) -> None:
    """A verdict of the last minute counts; without one it is a time-out."""
    emulator.set_verdict(None, "pass", duration_s=1000)
    with DrsHook() as hook:
        hook.precheck_jobs(emulator.job_ids)

    def wait() -> Any:
        return asyncio.run(
            anext(_trigger(emulator.job_ids, poke_interval=60, deadline=time.time() + 1).run())
        )

    open_event = wait()
    emulator.advance(3600)
    over_event = wait()

    assert open_event.payload["status"] == "timed_out"
    assert over_event.payload["status"] == "done"
    assert [entry["operation"] for entry in emulator.journal()].count("BatchCheckResults") == 2


def test_a_deadline_that_has_passed_is_a_time_out_at_once(emulator: Emulator) -> None:
    """After a long outage of the triggerer nobody waits on."""
    event = asyncio.run(anext(_trigger(emulator.job_ids, deadline=time.time() - 1).run()))

    assert event.payload["status"] == "timed_out"
    assert emulator.journal() == []


def test_a_final_error_is_an_event(emulator: Emulator) -> None:
    """With the error as plain values."""
    emulator.inject("no_permission", times=None, operation="BatchCheckResults")

    event = asyncio.run(anext(_trigger(emulator.job_ids).run()))

    assert event.payload["status"] == "failed"
    assert event.payload["error"]["type"] == "DrsPermissionError"
    json.dumps(event.payload)


def test_a_cancelled_trigger_leaves_nothing_open(emulator: Emulator) -> None:
    """Its connections are closed; warnings are errors here."""

    async def cancel() -> None:
        task = asyncio.ensure_future(anext(_trigger(emulator.job_ids).run()))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
