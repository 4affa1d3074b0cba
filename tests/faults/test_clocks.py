"""Clock skew, revoked tokens, and daylight saving time."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Iterator
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from drs_emulator import Emulator

from airflow_provider_drs.hooks.drs import DrsHook, parse_start_time
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
from airflow_provider_drs.protocol.watches import PrecheckWatch
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor
from airflow_provider_drs.triggers.drs import DrsWatchTrigger

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")

HOUR_S = 3600
TOKEN = "KeystoneCreateUserTokenByPassword"
#: The last second of summer time in Berlin, and the last one of winter time.
NIGHTS = {
    "repeated hour": datetime.datetime(2026, 10, 25, 0, 59, 59, tzinfo=datetime.UTC),
    "skipped hour": datetime.datetime(2027, 3, 28, 0, 59, 59, tzinfo=datetime.UTC),
}


def _move_local_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + seconds)


@pytest.mark.parametrize("skew_s", [-HOUR_S, HOUR_S])
def test_token_lifetime_ignores_the_local_clock(
    hook: Any, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, skew_s: int
) -> None:
    emulator.set_iam(lifetime_s=HOUR_S / 2)
    _move_local_clock(monkeypatch, skew_s)

    for _ in range(3):
        hook.get_job_statuses(emulator.job_ids)

    assert len(emulator.journal(TOKEN)) == 1
    assert {entry["status"] for entry in emulator.journal("BatchListJobStatus")} == {200}


def test_revoked_token_is_renewed_once_for_all_waits(emulator: Emulator) -> None:
    emulator.set_verdict(None, "pass", reads=3)
    with DrsHook() as hook:
        hook.precheck_jobs(emulator.job_ids)
    emulator.clear_journal()
    emulator.revoke_tokens()

    async def wait() -> list[Any]:
        triggers = [
            DrsWatchTrigger(
                drs_conn_id="drs_default",
                watch=PrecheckWatch([job_id], AlarmPolicy()).to_dict(),
                poke_interval=0.1,
                deadline=time.time() + 60,
            )
            for job_id in emulator.job_ids
        ]
        return await asyncio.gather(*(anext(trigger.run()) for trigger in triggers))

    events = asyncio.run(wait())

    assert [event.payload["status"] for event in events] == ["done"] * 10
    assert len(emulator.journal(TOKEN)) == 1


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the local time zone to Europe/Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("moment", NIGHTS.values(), ids=NIGHTS)
def test_deadline_ignores_daylight_saving_time(
    emulator: Emulator, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch, moment: datetime.datetime
) -> None:
    emulator.set_verdict(None, "pass", duration_s=2 * HOUR_S)
    with DrsHook() as hook:
        hook.precheck_jobs(emulator.job_ids)
    monkeypatch.setattr("time.time", moment.timestamp)
    sensor = DrsPrecheckSensor(
        task_id="wait", job_ids=list(emulator.job_ids), deferrable=True, timeout=4 * HOUR_S, poke_interval=0.1
    )

    with pytest.raises(TaskDeferred) as caught:
        sensor.execute(context)
    trigger = caught.value.trigger
    assert isinstance(trigger, DrsWatchTrigger)
    assert trigger.deadline == moment.timestamp() + 4 * HOUR_S

    # After three hours, local time has moved by two or four hours.
    later = moment + datetime.timedelta(hours=3)
    monkeypatch.setattr("time.time", later.timestamp)
    emulator.advance(3 * HOUR_S)
    event = asyncio.run(anext(trigger.run()))
    assert event.payload["status"] == "done"


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("moment", NIGHTS.values(), ids=NIGHTS)
def test_scheduled_start_across_daylight_saving_time(moment: datetime.datetime) -> None:
    start = pendulum.instance(moment).in_timezone("Europe/Berlin").add(hours=1, seconds=1)
    start_ms = int((moment.timestamp() + HOUR_S + 1) * 1000)

    assert parse_start_time(start, allow_past=True) == start_ms
    assert parse_start_time(start.isoformat(), allow_past=True) == start_ms
