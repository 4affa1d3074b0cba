"""The sensors for statuses, replication lag and comparisons."""

from __future__ import annotations

import asyncio
import datetime
import sys
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSkipException,
    BaseSensorOperator,
    TaskDeferred,
)
from drs_emulator import Emulator

from airflow_provider_drs.compat import AirflowSensorTimeout
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.protocol.comparisons.messages import ComparisonSpec
from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.protocol.watches import DelayWatch, StatusWatch, watch_from_dict
from airflow_provider_drs.sensors import drs as sensors
from airflow_provider_drs.triggers.schedule import PollSchedule

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")

REPLICATING = {"status": "INCRE_TRANSFER_STARTED"}
DR = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql", **REPLICATING}
MODES = ["poke", "deferrable"]


def _make(name: str, mode: str = "poke", **options: Any) -> Any:
    options = {"poke_interval": 0.01, "timeout": 30, **options}
    is_deferrable = mode == "deferrable"
    mode = "poke" if is_deferrable else mode
    return getattr(sensors, name)(task_id="wait", mode=mode, deferrable=is_deferrable, **options)


def _run(sensor: Any, context: dict[str, Any], between: Callable[[], Any] = lambda: None) -> Any:
    try:
        return sensor.execute(context)
    except TaskDeferred as deferred:
        between()
        event = asyncio.run(anext(deferred.trigger.run())).payload
        return sensor.resume_execution(deferred.method_name, {"event": event}, context)


@pytest.fixture
def set_first_poll(context: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Return a function that sets the time of the first poll of a rescheduled task; ``None`` for this one."""

    def set_time(time: datetime.datetime | None) -> None:
        # Airflow 3 asks the task instance, 2.11 its database.
        context["ti"].get_first_reschedule_date = lambda _: time
        base = sys.modules[BaseSensorOperator.__module__]
        monkeypatch.setattr(base, "_orig_start_date", lambda *_, **__: time, raising=False)

    return set_time


@pytest.fixture
def started(emulator: Emulator, connect: Any) -> str:
    """Return a job that has just been started."""
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "pass", duration_s=0)
    with DrsHook() as hook:
        hook.precheck_jobs([job_id])
        hook.start_jobs([job_id])
    return job_id


@pytest.mark.parametrize("mode", MODES)
def test_wait_for_status(
    emulator: Emulator,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    started: str,
    log_lines: Callable[[], list[str]],
    mode: str,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: emulator.advance(18))
    _advance_before_polls(emulator, 18, monkeypatch)
    sensor = _make("DrsJobStatusSensor", mode, job_ids=started, target_statuses="INCRE_TRANSFER_STARTED")

    assert _run(sensor, context) == [started]

    assert context["ti"].xcoms["job_statuses"][0]["percent"] == 100
    lines = [line for line in log_lines() if started in line]
    assert any("FULL_TRANSFER_STARTED (full copy running), 50%, 15 s left" in line for line in lines)


def _advance_before_polls(emulator: Emulator, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Advance the emulator's clock before each poll of the shared poller."""
    take = PollSchedule.take_due

    def take_later(schedule: PollSchedule, now_s: float) -> list[list[str]]:
        batches = take(schedule, now_s)
        if batches:
            emulator.advance(seconds)
        return batches

    monkeypatch.setattr(PollSchedule, "take_due", take_later)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("failed", "error"), [(None, AirflowFailException), (["PAUSING"], AirflowFailException)]
)
def test_failed_status_fails_the_wait(
    emulator: Emulator, context: dict[str, Any], mode: str, failed: Any, error: Any
) -> None:
    word = "PAUSING" if failed else "FULL_TRANSFER_FAILED"
    job_id = emulator.seed_job(status=word)
    sensor = _make(
        "DrsJobStatusSensor", mode, job_ids=job_id, target_statuses=["DELETED"], failed_statuses=failed
    )

    with pytest.raises(error, match=word):
        _run(sensor, context)


def test_on_failure_and_allow_partial(emulator: Emulator, context: dict[str, Any]) -> None:
    bad, good = emulator.seed_job(status="CREATE_FAILED"), emulator.seed_job(**REPLICATING)
    wanted = {"job_ids": [bad, good], "target_statuses": ["INCRE_TRANSFER_STARTED"]}

    with pytest.raises(AirflowSkipException, match=bad):
        _run(_make("DrsJobStatusSensor", on_failure="skip", **wanted), context)
    assert _run(_make("DrsJobStatusSensor", allow_partial=True, **wanted), context) == [good]


def test_missing_job_counts_as_deleted(emulator: Emulator, context: dict[str, Any]) -> None:
    unknown = "ffffffff-d0c5-4a11-8a11-fffffffjb999"

    gone = _make("DrsJobStatusSensor", job_ids=unknown, target_statuses="DELETED")
    assert _run(gone, context) == [unknown]
    (row,) = context["ti"].xcoms["job_statuses"]
    assert row == {"job_id": unknown, "name": None, "status": "DELETED"}
    with pytest.raises(AirflowFailException, match=r"DRS\.M00289"):
        _run(_make("DrsJobStatusSensor", job_ids=unknown, target_statuses="PAUSING"), context)


@pytest.mark.parametrize("words", ["DONE", [], ["PAUSING", "DONE"]])
def test_unknown_statuses_are_rejected(emulator: Emulator, context: dict[str, Any], words: Any) -> None:
    sensor = _make("DrsJobStatusSensor", job_ids="a", target_statuses="{{ params.statuses }}")
    sensor.target_statuses = words
    with pytest.raises(AirflowFailException, match="target_statuses"):
        _run(sensor, context)


@pytest.mark.parametrize("mode", MODES)
def test_lag_must_stay_small(
    emulator: Emulator, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch, started: str, mode: str
) -> None:
    steps = [[0, 30], [10, 4], [20, 40], [30, 4]]
    emulator.set_job(started, delay=steps)
    emulator.advance(36)
    monkeypatch.setattr("time.sleep", lambda _: emulator.advance(5))
    _advance_before_polls(emulator, 5, monkeypatch)
    sensor = _make("DrsReplicationDelaySensor", mode, job_ids=started, max_delay_s="5", consecutive=3)

    assert _run(sensor, context) == [started]

    # Behind at 0 and 5 s, close at 10 and 15 s, behind at 20 and 25 s, close from 30 s on.
    assert len(emulator.journal("BatchListProgresses")) == 9
    assert context["ti"].xcoms["job_statuses"][0]["delay_s"] == 4


def test_rescheduled_lag_counts_within_one_poke(
    emulator: Emulator,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    set_first_poll: Callable[[Any], None],
) -> None:
    set_first_poll(None)
    job_id = emulator.seed_job(**REPLICATING)
    naps: list[float] = []
    monkeypatch.setattr("airflow_provider_drs.sensors.drs.time.sleep", naps.append)
    sensor = _make("DrsReplicationDelaySensor", job_ids=job_id, max_delay_s=5, mode="reschedule")

    assert _run(sensor, context) == [job_id]
    assert len(naps) == 2


@pytest.mark.parametrize("end", ["failed", "timeout"])
def test_last_poll_of_a_rescheduled_wait_names_the_jobs(
    emulator: Emulator, context: dict[str, Any], set_first_poll: Callable[[Any], None], end: str
) -> None:
    status = "FULL_TRANSFER_FAILED" if end == "failed" else "FULL_TRANSFER_STARTED"
    job_id = emulator.seed_job(name="orders", status=status)
    sensor = _make(
        "DrsJobStatusSensor",
        job_ids=job_id,
        target_statuses=["FULL_TRANSFER_COMPLETE"],
        mode="reschedule",
        timeout=60,
    )
    # Another process has made the first poll.
    set_first_poll(datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=70))

    with pytest.raises((AirflowFailException, AirflowSensorTimeout), match=rf"orders \({job_id}\)"):
        _run(sensor, context)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("status", ["INCRE_TRANSFER_FAILED", "RELEASE_RESOURCE_COMPLETE"])
def test_stopped_replication_fails_the_wait(
    emulator: Emulator, context: dict[str, Any], mode: str, status: str
) -> None:
    job_ids = [emulator.seed_job(status=status), emulator.seed_job(status="FULL_TRANSFER_STARTED")]

    with pytest.raises(AirflowFailException, match=status):
        _run(_make("DrsReplicationDelaySensor", mode, job_ids=job_ids, max_delay_s=5), context)


@pytest.mark.parametrize("value", ["soon", -1])
def test_invalid_lag_is_rejected(emulator: Emulator, context: dict[str, Any], value: Any) -> None:
    task = _make("DrsReplicationDelaySensor", job_ids="a", max_delay_s="{{ params.lag }}")
    task.max_delay_s = value
    with pytest.raises(AirflowFailException, match="max_delay_s"):
        _run(task, context)


def test_lag_watch_survives_the_triggerer(emulator: Emulator) -> None:
    good, other = emulator.seed_job(**REPLICATING), emulator.seed_job(**REPLICATING)
    unknown = "ffffffff-d0c5-4a11-8a11-fffffffjb999"
    watch = DelayWatch([good, other], 5, consecutive=2)
    with DrsHook() as hook:
        emulator.inject("busy", operation="BatchListProgresses", job_id=other)
        hook.poll(watch)
        twin = watch_from_dict(watch.to_dict())
        assert hook.poll(twin)
        lost = DelayWatch([unknown], 5)
        hook.poll(lost)

    assert twin.is_done
    assert list(lost.failures) == [unknown]
    assert watch_from_dict(lost.to_dict()).results == [{"job_id": unknown}]


def test_status_watch_survives_the_triggerer(emulator: Emulator, started: str) -> None:
    emulator.advance(10)
    watch = StatusWatch([started], ["FULL_TRANSFER_COMPLETE"])
    with DrsHook() as hook:
        hook.poll(watch)
        twin = watch_from_dict(watch.to_dict())
        assert hook.poll(twin) == []

    assert twin.results == watch.results


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("differences", [[], ["shop.orders"]])
def test_wait_for_comparisons(
    emulator: Emulator,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    differences: list[str],
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: emulator.advance(11))
    job_id = emulator.seed_job(differences=differences, **DR)
    with DrsHook() as hook:
        made = hook.create_comparisons([job_id], ComparisonSpec(data="lines", tables={"shop": []}))
    sensor = _make("DrsDataComparisonSensor", mode, comparisons=[made[job_id].to_dict()])

    if differences:
        with pytest.raises(AirflowFailException, match=r"shop\.orders INCONSISTENT"):
            _run(sensor, context, lambda: emulator.advance(11))
    else:
        assert _run(sensor, context, lambda: emulator.advance(11)) == [job_id]
    assert context["ti"].xcoms["comparison_report"][0]["is_consistent"] is not bool(differences)


def test_invalid_literal_comparisons_are_rejected_when_the_dag_is_parsed() -> None:
    with pytest.raises(DrsConfigError, match="comparisons: expected a mapping or a list"):
        _make("DrsDataComparisonSensor", comparisons="none")


@pytest.mark.parametrize("comparisons", [[], [{"job_id": "a"}]])
def test_invalid_comparisons_are_rejected(
    emulator: Emulator, context: dict[str, Any], comparisons: Any
) -> None:
    with pytest.raises(AirflowFailException, match="comparisons"):
        _run(_make("DrsDataComparisonSensor", comparisons=comparisons), context)
