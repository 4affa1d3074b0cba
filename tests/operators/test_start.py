from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat import version_compat
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from airflow.triggers.base import BaseTrigger
from drs_emulator import Emulator

from airflow_provider_drs.compat import AirflowSensorTimeout
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.operators.drs import (
    DrsDeleteJobsOperator,
    DrsStartJobsOperator,
    DrsStopJobsOperator,
)
from airflow_provider_drs.operators.lifecycle import _can_detect_kills
from airflow_provider_drs.triggers.drs import is_state_of_killed_task

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")


@pytest.fixture
def passed(emulator: Emulator, connect: Any) -> tuple[str, ...]:
    """Return three jobs whose pre-check has passed."""
    job_ids = emulator.job_ids[:3]
    emulator.set_verdict(None, "pass", duration_s=0)
    with DrsHook() as hook:
        hook.precheck_jobs(job_ids)
    emulator.clear_journal()
    return job_ids


def _operator(job_ids: Any, **options: Any) -> DrsStartJobsOperator:
    return DrsStartJobsOperator(task_id="start", job_ids=job_ids, **options)


def _starts(emulator: Emulator) -> list[int]:
    return [job["starts"] for job in emulator.jobs]


def test_starts_passed_jobs(emulator: Emulator, context: dict[str, Any], passed: tuple[str, ...]) -> None:
    assert _operator(passed).execute(context) == list(passed)

    assert _starts(emulator) == [1, 1, 1] + [0] * 7
    row = context["ti"].xcoms["start_results"][0]
    assert row.pop("request_id").startswith("emulated-")
    assert row == {
        "job_id": passed[0],
        "name": "orders-migration-01",
        "adopted": False,
        "status": None,
        "error": None,
    }


def test_unchecked_job_starts_nothing(
    emulator: Emulator, context: dict[str, Any], passed: tuple[str, ...]
) -> None:
    unchecked = emulator.job_ids[5]

    with pytest.raises(AirflowFailException, match="has not passed") as caught:
        _operator([*passed, unchecked]).execute(context)

    assert unchecked in str(caught.value)
    assert sum(_starts(emulator)) == 0
    assert emulator.journal("BatchStartJobs") == []


def test_allow_partial_starts_the_others(
    emulator: Emulator, context: dict[str, Any], passed: tuple[str, ...]
) -> None:
    unchecked = emulator.job_ids[5]

    assert _operator([*passed, unchecked], allow_partial=True).execute(context) == list(passed)
    assert context["ti"].xcoms["start_results"][-1]["error"]["type"] == "DrsJobStateError"


@pytest.mark.parametrize(("outcome", "why"), [("fail", "srcBinlogFormatCheck"), ("pass", "it is at 0%")])
def test_failed_or_running_precheck_prevents_the_start(
    emulator: Emulator, context: dict[str, Any], outcome: str, why: str
) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, outcome, duration_s=0 if outcome == "fail" else 60)
    with DrsHook() as hook:
        hook.precheck_jobs([job_id])

    with pytest.raises(AirflowFailException, match=why):
        _operator([job_id]).execute(context)

    assert sum(_starts(emulator)) == 0


def test_alarms_can_prevent_the_start(emulator: Emulator, context: dict[str, Any]) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "alarm", duration_s=0)
    with DrsHook() as hook:
        hook.precheck_jobs([job_id])

    with pytest.raises(AirflowFailException, match="srcTriggerAndEventCheck"):
        _operator([job_id], alarms="fail").execute(context)
    waiver = {"item": "srcTriggerAndEventCheck", "jobs": "*", "reason": "known", "expires": "2026-01-31"}
    with pytest.raises(AirflowFailException, match="srcTriggerAndEventCheck"):
        _operator([job_id], alarms=[waiver]).execute(context)
    still_good = waiver | {"expires": "2999-01-31"}
    assert _operator([job_id], alarms=[still_good]).execute(context) == [job_id]


def test_retry_adopts_started_jobs(
    emulator: Emulator, context: dict[str, Any], passed: tuple[str, ...]
) -> None:
    _operator(passed).execute(context)

    again = _operator(passed, start_time="2020-01-01T00:00:00Z").execute(context)

    assert again == list(passed)
    assert all(row["adopted"] for row in context["ti"].xcoms["start_results"])
    assert _starts(emulator)[:3] == [1, 1, 1]


def test_lost_response_starts_no_job_twice(
    emulator: Emulator, context: dict[str, Any], passed: tuple[str, ...]
) -> None:
    emulator.inject("reset_after", operation="BatchStartJobs")

    assert _operator(passed).execute(context) == list(passed)
    assert _starts(emulator)[:3] == [1, 1, 1]


@pytest.mark.parametrize("start_time", ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00", "soon"])
def test_invalid_start_time_fails_the_task(
    emulator: Emulator, context: dict[str, Any], passed: tuple[str, ...], start_time: str
) -> None:
    operator = _operator(passed, start_time="{{ params.start_time }}")
    operator.start_time = start_time
    with pytest.raises(AirflowFailException, match="start_time"):
        operator.execute(context)

    assert emulator.journal("BatchStartJobs") == []


def test_scheduled_start(emulator: Emulator, context: dict[str, Any], passed: tuple[str, ...]) -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=3)

    assert _operator(passed, start_time=later).execute(context) == list(passed)
    assert {job["status"] for job in emulator.jobs[:3]} == {"WAITING_FOR_START"}


@pytest.mark.parametrize("status", ["START_JOB_FAILED", "RELEASE_RESOURCE_COMPLETE", "BRAND_NEW"])
def test_job_that_cannot_start_fails_the_task(
    emulator: Emulator, context: dict[str, Any], status: str
) -> None:
    job_id = emulator.seed_job(status=status)

    with pytest.raises(AirflowFailException, match=status):
        _operator([job_id]).execute(context)


def test_wait_for_start_waits_until_the_jobs_run(
    emulator: Emulator, context: dict[str, Any], passed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: emulator.advance(2))

    assert _operator(passed, wait_for_start=True).execute(context) == list(passed)
    assert {job["status"] for job in emulator.jobs[:3]} == {"FULL_TRANSFER_STARTED"}


def test_wait_for_start_names_the_failed_job(
    emulator: Emulator, context: dict[str, Any], passed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: emulator.set_job(passed[1], status="START_JOB_FAILED"))
    operator = _operator(passed[1:2], wait_for_start=True)

    with pytest.raises(AirflowFailException, match="START_JOB_FAILED .start failed"):
        operator.execute(context)


def test_wait_for_start_times_out(
    emulator: Emulator, context: dict[str, Any], passed: tuple[str, ...]
) -> None:
    with pytest.raises(AirflowSensorTimeout, match=passed[0]):
        _operator(passed, wait_for_start=True, poke_interval=0.01, timeout=0.05).execute(context)


def test_deferred_wait_for_start_has_the_same_result(
    emulator: Emulator, context: dict[str, Any], passed: tuple[str, ...]
) -> None:
    operator = _operator(passed, wait_for_start=True, deferrable=True, poke_interval=0.01)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    emulator.advance(5)

    event = asyncio.run(anext(deferred.value.trigger.run())).payload

    assert operator.execute_complete(context, event) == list(passed)


@pytest.mark.parametrize("stop_on_kill", [False, True])
def test_stop_on_kill_in_the_worker(
    emulator: Emulator,
    context: dict[str, Any],
    passed: tuple[str, ...],
    stop_on_kill: bool,
    log_lines: Callable[[], list[str]],
) -> None:
    operator = _operator(passed, stop_on_kill=stop_on_kill)
    operator.execute(context)
    emulator.inject("job_error", operation="BatchDeleteJobs", job_id=passed[1])

    operator.on_kill()

    assert len(emulator.journal("BatchDeleteJobs")) == stop_on_kill
    _check_stop_lines(log_lines(), passed, stop_on_kill)


def test_stop_on_kill_stops_jobs_whose_start_response_was_lost(
    emulator: Emulator,
    context: dict[str, Any],
    passed: tuple[str, ...],
    log_lines: Callable[[], list[str]],
) -> None:
    emulator.inject("reset_after", operation="BatchStartJobs")
    operator = _operator(passed, stop_on_kill=True)
    operator.execute(context)

    operator.on_kill()

    (stop,) = emulator.journal("BatchDeleteJobs")
    assert sorted(stop["job_ids"]) == sorted(passed)
    assert not any("was already started" in line for line in log_lines())


@pytest.mark.parametrize(("major", "is_allowed"), [(2, True), (3, False)])
def test_stop_on_kill_of_deferred_task_requires_detectable_kills(
    monkeypatch: pytest.MonkeyPatch, major: int, is_allowed: bool
) -> None:
    monkeypatch.delattr(BaseTrigger, "on_kill", raising=False)
    monkeypatch.setattr(version_compat, "AIRFLOW_V_3_0_PLUS", major == 3)
    options = {"wait_for_start": True, "stop_on_kill": True}

    if is_allowed:
        assert _operator("a", deferrable=True, **options).stop_on_kill
    else:
        with pytest.raises(ValueError, match="not supported in deferred tasks of Airflow 3.0 to 3.2"):
            _operator("a", deferrable=True, **options)
    assert _operator("a", deferrable=False, **options).stop_on_kill


@pytest.mark.parametrize(
    ("state", "can_resume", "is_killed"),
    [
        ("deferred", True, False),
        # Resumed by another triggerer, in all its states until it ends.
        ("scheduled", True, False),
        ("queued", True, False),
        ("running", True, False),
        ("success", False, False),
        ("failed", False, False),
        ("up_for_retry", False, False),
        # Cleared, and what follows.
        (None, False, True),
        ("scheduled", False, True),
        ("queued", False, True),
        ("running", False, True),
        # Marked by a user.
        ("failed", True, True),
        ("success", True, True),
    ],
)
def test_killed_tasks_are_detected(state: str | None, can_resume: bool, is_killed: bool) -> None:
    assert is_state_of_killed_task(state, can_resume=can_resume) is is_killed


@pytest.mark.parametrize(
    "stop_on_kill",
    [
        False,
        pytest.param(True, marks=pytest.mark.skipif(not _can_detect_kills(), reason="not supported here")),
    ],
)
def test_stop_on_kill_in_the_triggerer(
    emulator: Emulator,
    context: dict[str, Any],
    passed: tuple[str, ...],
    stop_on_kill: bool,
    log_lines: Callable[[], list[str]],
) -> None:
    operator = _operator(passed, wait_for_start=True, deferrable=True, stop_on_kill=stop_on_kill)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    emulator.inject("job_error", operation="BatchDeleteJobs", job_id=passed[1])

    asyncio.run(deferred.value.trigger.on_kill())

    assert len(emulator.journal("BatchDeleteJobs")) == stop_on_kill
    _check_stop_lines(log_lines(), passed, stop_on_kill)


def _check_stop_lines(lines: list[str], job_ids: tuple[str, ...], stop_on_kill: bool) -> None:
    assert any(f"({job_ids[0]}) stopped, because" in line for line in lines) is stop_on_kill
    assert any(f"({job_ids[1]}) is still running" in line for line in lines) is stop_on_kill


@pytest.mark.parametrize("task_class", [DrsStopJobsOperator, DrsDeleteJobsOperator])
def test_job_that_drs_does_not_know_is_a_warning(
    emulator: Emulator, context: dict[str, Any], task_class: Any, log_lines: Callable[[], list[str]]
) -> None:
    unknown = emulator.job_ids[0].upper()

    assert task_class(task_id="s", job_ids=unknown).execute(context) == [unknown]
    assert any("DRS does not know the job. It was deleted, or its ID" in line for line in log_lines())


@pytest.mark.parametrize(("seconds", "calls"), [(0, 1), (10, 1)])
def test_killed_wait_resumes_on_retry(
    emulator: Emulator, context: dict[str, Any], passed: tuple[str, ...], seconds: float, calls: int
) -> None:
    from tests.operators.test_precheck import FakeStore

    context["task_state_store"] = FakeStore(drs_job_ids=list(passed))
    _operator(passed).execute(context)
    emulator.advance(seconds)
    operator = _operator(passed, wait_for_start=True, poke_interval=0.01, timeout=0.05 if not seconds else 5)

    if seconds:
        assert operator.execute(context) == list(passed)
    else:
        with pytest.raises(AirflowSensorTimeout):
            operator.execute(context)
    assert len(emulator.journal("BatchStartJobs")) == calls


def test_backward_job_starts_without_precheck(emulator: Emulator, context: dict[str, Any]) -> None:
    pair = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql", "multi_write": True}
    parent = emulator.seed_job(**pair)
    emulator.seed_job(parent_id=parent, job_direction="up", status="INCRE_TRANSFER_STARTED", **pair)
    backward = emulator.seed_job(parent_id=parent, job_direction="down", **pair)

    assert _operator([backward]).execute(context) == [backward]
