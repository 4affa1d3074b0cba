from __future__ import annotations

import asyncio
import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from drs_emulator import Emulator

from airflow_provider_drs import metrics
from airflow_provider_drs.compat import AirflowSensorTimeout
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator
from airflow_provider_drs.protocol.prechecks.messages import CheckItem, PrecheckResult
from airflow_provider_drs.protocol.prechecks.report import report_job
from airflow_provider_drs.protocol.prechecks.verdict import read_alarm_policy
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")


class Recorder:
    """Records the calls of Airflow's metrics. A test with a running Airflow covers the StatsD server."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, str]]] = []
        self.seconds: list[float] = []

    def incr(self, name: str, *, tags: dict[str, str]) -> None:
        """Record a count."""
        assert metrics.METRICS[name].kind == "counter"
        self._take(name, tags)

    def timing(self, name: str, span: datetime.timedelta, *, tags: dict[str, str] | None = None) -> None:
        """Record a duration."""
        assert metrics.METRICS[name].kind == "timer"
        self.seconds.append(span.total_seconds())
        self._take(name, tags or {})

    def _take(self, name: str, tags: dict[str, str]) -> None:
        assert set(tags) == set(metrics.METRICS[name].tags)
        self.lines.append((name, tags))

    def of(self, name: str) -> list[dict[str, str]]:
        return [tags for recorded, tags in self.lines if recorded == name]


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(metrics, "Stats", recorder)
    return recorder


@pytest.mark.usefixtures("emulator")
def test_calls_are_counted_by_outcome(stats: Recorder, emulator: Emulator, hook: Any) -> None:
    emulator.inject("status", status=503, operation="BatchListJobStatus", times=1)
    emulator.inject("reset_before", operation="BatchListJobStatus", times=1)

    hook.get_job_statuses(emulator.job_ids[:1])

    calls = [(tags["operation"], tags["outcome"]) for tags in stats.of("drs.calls")]
    sent = [outcome for operation, outcome in calls if operation == "BatchListJobStatus"]
    assert sent == ["503", "broken", "ok"]
    assert len(calls) == len(sent) + 1
    assert len(stats.of("drs.retries")) == 2
    assert len(stats.of("drs.call.duration")) == len(calls)


def test_second_batch_is_not_a_retry(stats: Recorder, emulator: Emulator) -> None:
    with DrsHook() as hook:
        hook.get_job_statuses(emulator.job_ids)
        hook.get_job_statuses(emulator.job_ids)

    assert stats.of("drs.retries") == []


def test_prechecks_are_counted(stats: Recorder, emulator: Emulator, context: dict[str, Any]) -> None:
    alarming, failing = emulator.job_ids[:2]
    emulator.set_verdict(alarming, "alarm", items=["srcTriggerAndEventCheck"], duration_s=0)
    emulator.set_verdict(failing, "fail", items=["srcBinlogFormatCheck"], duration_s=0)
    with DrsHook() as hook:
        hook.precheck_jobs([alarming, failing])

    with pytest.raises(AirflowFailException):
        DrsPrecheckSensor(task_id="w", job_ids=[alarming, failing]).execute(context)

    assert stats.of("drs.precheck.jobs") == [{"verdict": "passed"}, {"verdict": "failed"}]
    assert stats.of("drs.precheck.failed_items") == [{"item": "srcBinlogFormatCheck"}]
    assert stats.of("drs.precheck.alarms") == [{"item": "srcTriggerAndEventCheck"}]
    assert stats.of("drs.wait.duration") == [{"kind": "precheck", "outcome": "done"}]
    assert len(stats.of("drs.precheck.duration")) == 1


def test_unknown_item_is_counted_as_other(stats: Recorder) -> None:
    result = PrecheckResult("j", "j", 100, False, 0, items=(CheckItem("jb101-secret", "FAILED"),))

    metrics.count_prechecks([report_job("j", result, read_alarm_policy("allow"))])

    assert stats.of("drs.precheck.failed_items") == [{"item": "other"}]


def test_timeout_is_counted(stats: Recorder, emulator: Emulator, context: dict[str, Any]) -> None:
    sensor = DrsPrecheckSensor(task_id="w", job_ids=emulator.job_ids[:1], timeout=0, poke_interval=0.01)

    with pytest.raises(AirflowSensorTimeout):
        sensor.execute(context)

    assert stats.of("drs.wait.duration") == [{"kind": "precheck", "outcome": "timed_out"}]
    assert stats.of("drs.precheck.duration") == []


@pytest.mark.parametrize("kind", ["sensor", "operator"])
def test_deferral_is_part_of_the_wait(
    stats: Recorder, emulator: Emulator, context: dict[str, Any], kind: str
) -> None:
    job_ids = list(emulator.job_ids[:1])
    with DrsHook() as hook:
        hook.precheck_jobs(job_ids)
    task: Any = DrsPrecheckSensor(task_id="w", job_ids=job_ids, deferrable=True, poke_interval=0.05)
    if kind == "operator":
        task = DrsBatchPrecheckOperator(
            task_id="p", job_ids=job_ids, wait_for_completion=True, deferrable=True, poke_interval=0.05
        )
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    assert stats.of("drs.wait.duration") == []

    async def fire() -> Any:
        emulator.advance(3600)
        return await anext(deferred.value.trigger.run())

    event = asyncio.run(fire()).payload
    began = {"began_s": deferred.value.kwargs["began_s"] - 120}
    task.execute_complete(context, event, **began)

    assert stats.of("drs.wait.duration") == [{"kind": "precheck", "outcome": "done"}]
    assert max(stats.seconds) >= 120


def test_rescheduled_wait_starts_with_its_first_poll(
    emulator: Emulator, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=300)
    sensor = DrsPrecheckSensor(task_id="w", job_ids=emulator.job_ids[:1], mode="reschedule")

    # Airflow 3, then Airflow 2.11, whose task instances have no such method.
    assert (
        sensor._find_first_poll({"ti": SimpleNamespace(get_first_reschedule_date=lambda _: first)}) == first
    )
    monkeypatch.setattr("airflow_provider_drs.compat.find_first_reschedule", lambda task, ti: first)
    assert sensor._find_first_poll({"ti": SimpleNamespace()}) == first
    sensor.mode = "poke"
    assert sensor._find_first_poll(context) is None


def test_metric_names_are_valid() -> None:
    assert all(name.replace(".", "").replace("_", "").isalpha() for name in metrics.METRICS)
    assert all(name.startswith("drs.") for name in metrics.METRICS)
