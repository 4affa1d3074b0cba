from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from drs_emulator import Emulator

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


def test_trigger_is_serializable(emulator: Emulator) -> None:
    path, fields = _trigger(emulator.job_ids).serialize()
    stored = json.dumps(fields)

    assert path == "airflow_provider_drs.triggers.drs.DrsWatchTrigger"
    assert DrsWatchTrigger(**json.loads(stored)).serialize() == (path, fields)
    assert emulator.connection["password"] not in stored


def test_non_json_arguments_are_rejected() -> None:
    with pytest.raises((TypeError, ValueError)):
        _trigger(["a"], deadline=float("nan"))


def test_first_poll_is_after_the_interval(emulator: Emulator) -> None:
    async def look() -> None:
        task = asyncio.ensure_future(anext(_trigger(emulator.job_ids, poke_interval=60).run()))
        await asyncio.sleep(0.2)
        assert emulator.journal() == []
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(look())


def test_final_poll_at_the_deadline(emulator: Emulator) -> None:
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


def test_expired_deadline_times_out_immediately(emulator: Emulator) -> None:
    event = asyncio.run(anext(_trigger(emulator.job_ids, deadline=time.time() - 1).run()))

    assert event.payload["status"] == "timed_out"
    assert emulator.journal() == []


def test_permanent_error_is_an_event(emulator: Emulator) -> None:
    emulator.inject("no_permission", times=None, operation="BatchCheckResults")

    event = asyncio.run(anext(_trigger(emulator.job_ids).run()))

    assert event.payload["status"] == "failed"
    assert event.payload["error"]["type"] == "DrsPermissionError"
    json.dumps(event.payload)


def test_canceled_trigger_closes_its_connections(emulator: Emulator) -> None:
    async def cancel() -> None:
        task = asyncio.ensure_future(anext(_trigger(emulator.job_ids).run()))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
