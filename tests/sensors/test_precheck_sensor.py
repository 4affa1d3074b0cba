from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)
from drs_emulator import Emulator

from airflow_provider_drs.compat import AirflowSensorTimeout
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")

MODES = ["poke", "deferrable"]


def _sensor(job_ids: Any, mode: str = "poke", **options: Any) -> DrsPrecheckSensor:
    options = {"poke_interval": 0.01, "timeout": 30, **options}
    return DrsPrecheckSensor(task_id="wait", job_ids=job_ids, deferrable=mode == "deferrable", **options)


def _wait(sensor: DrsPrecheckSensor, context: dict[str, Any]) -> Any:
    """Run the sensor as Airflow does: execute, and after a deferral resume with the trigger's event."""
    try:
        return sensor.execute(context)
    except TaskDeferred as deferred:
        event = asyncio.run(anext(deferred.trigger.run())).payload
        return sensor.resume_execution(deferred.method_name, {"event": event}, context)


def _precheck(emulator: Emulator, job_ids: tuple[str, ...], outcome: str = "pass", **plan: Any) -> None:
    for job_id in job_ids:
        emulator.set_verdict(job_id, outcome, **{"duration_s": 0, **plan})
    with DrsHook() as hook:
        hook.precheck_jobs(job_ids)
    emulator.clear_journal()


@pytest.mark.parametrize("mode", MODES)
def test_returns_passed_jobs(emulator: Emulator, context: dict[str, Any], mode: str) -> None:
    _precheck(emulator, emulator.job_ids, reads=3)

    assert _wait(_sensor(emulator.job_ids, mode), context) == list(emulator.job_ids)

    report = context["ti"].xcoms["precheck_report"]
    assert report[0]["counts"] == {"passed": 39, "alarm": 0, "failed": 0, "other": 0}
    assert (report[0]["verdict"], report[0]["progress"], report[0]["total_passed_rate"]) == (
        "passed",
        100,
        100,
    )
    assert len(emulator.journal("BatchCheckResults")) == 3


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("softening", [{}, {"soft_fail": True}, {"never_fail": True}], ids=str)
def test_failed_verdict_is_permanent_and_explained(
    emulator: Emulator, context: dict[str, Any], mode: str, softening: dict[str, bool]
) -> None:
    good, bad = emulator.job_ids[:2]
    _precheck(emulator, (good,), reads=2)
    _precheck(emulator, (bad,), "fail", reads=2)

    with pytest.raises(AirflowFailException) as caught:
        _wait(_sensor([good, bad], mode, **softening), context)

    text = str(caught.value)
    for part in (bad, "Source binary log format (srcBinlogFormatCheck)", "2 jobs: 1 passed, 1 failed"):
        assert part in text
    report = context["ti"].xcoms["precheck_report"]
    assert [row["verdict"] for row in report] == ["passed", "failed"]
    assert report[1]["items"][0]["title"] == "Source binary log format"


@pytest.mark.parametrize("mode", MODES)
def test_on_failure_skip_skips(emulator: Emulator, context: dict[str, Any], mode: str) -> None:
    _precheck(emulator, emulator.job_ids[:1], "fail", reads=2)

    with pytest.raises(AirflowSkipException):
        _wait(_sensor(emulator.job_ids[0], mode, on_failure="skip"), context)


@pytest.mark.parametrize("mode", MODES)
def test_allow_partial_returns_passed_jobs(emulator: Emulator, context: dict[str, Any], mode: str) -> None:
    good, bad = emulator.job_ids[:2]
    _precheck(emulator, (good,), reads=2)
    _precheck(emulator, (bad,), "fail", reads=2)

    assert _wait(_sensor([good, bad], mode, allow_partial=True), context) == [good]
    with pytest.raises(AirflowFailException):
        _wait(_sensor([bad], mode, allow_partial=True), context)


@pytest.mark.parametrize("mode", MODES)
def test_alarms_argument(emulator: Emulator, context: dict[str, Any], mode: str) -> None:
    job_id = emulator.job_ids[0]
    _precheck(emulator, (job_id,), "alarm", items=["srcTriggerAndEventCheck"])

    assert _wait(_sensor(job_id, mode), context) == [job_id]
    assert _wait(_sensor(job_id, mode, alarms=["srcTriggerAndEventCheck"]), context) == [job_id]
    for alarms in ("fail", ["dbVersionMeetRequirement"]):
        with pytest.raises(AirflowFailException, match="srcTriggerAndEventCheck"):
            _wait(_sensor(job_id, mode, alarms=alarms), context)


WAIVER = {
    "item": "srcTriggerAndEventCheck",
    "jobs": "*jb101",
    "reason": "the triggers are created again after the cut-over",
    "expires": "2999-12-31",
}


@pytest.mark.parametrize("mode", MODES)
def test_waivers_accept_alarms_until_they_expire(
    emulator: Emulator, context: dict[str, Any], log_lines: Callable[[], list[str]], mode: str
) -> None:
    job_ids = emulator.job_ids[:2]
    _precheck(emulator, job_ids, "alarm", items=["srcTriggerAndEventCheck"])
    expired = {**WAIVER, "jobs": "*", "expires": "2026-01-31"}
    unused = {**WAIVER, "item": "no-such-item"}

    sensor = _sensor(list(job_ids), mode, alarms=[WAIVER, expired, unused], allow_partial=True)
    assert _wait(sensor, context) == [job_ids[0]]

    waived, refused = context["ti"].xcoms["precheck_report"]
    assert (waived["verdict"], waived["items"][0]["waiver"]) == ("passed", WAIVER)
    assert (refused["verdict"], refused["items"][0]["waiver"]) == ("failed", None)
    lines = "\n".join(log_lines())
    assert "ALARM (accepted: waiver until 2999-12-31)" in lines
    assert "waiver: the triggers are created again after the cut-over" in lines
    assert "Waiver ignored, because it has expired: srcTriggerAndEventCheck of *, until 2026-01-31" in lines
    assert "Waiver not used, because no alarm matched it: no-such-item" in lines
    assert "unknown check item no-such-item" in lines


@pytest.mark.parametrize("mode", MODES)
def test_expired_waiver_does_not_fail_a_started_job(
    emulator: Emulator, context: dict[str, Any], mode: str
) -> None:
    """A cleared run goes on, whatever has expired since its start."""
    job_id = emulator.job_ids[0]
    _precheck(emulator, (job_id,), "alarm", items=["srcTriggerAndEventCheck"])
    with DrsHook() as hook:
        hook.start_jobs([job_id])
    expired = {**WAIVER, "jobs": "*", "expires": "2026-01-31"}

    assert _wait(_sensor([job_id], mode, alarms=[expired]), context) == [job_id]

    assert context["ti"].xcoms["precheck_report"][0]["verdict"] == "passed"


@pytest.mark.parametrize("name", ["waivers.yaml", "waivers.json"])
def test_waivers_from_a_file(emulator: Emulator, context: dict[str, Any], tmp_path: Path, name: str) -> None:
    # People write dates without quotes.
    as_yaml = "".join(
        f"{'- ' if field == 'item' else '  '}{field}: {value if field == 'expires' else json.dumps(value)}\n"
        for field, value in WAIVER.items()
    )
    text = json.dumps([WAIVER]) if name.endswith("json") else as_yaml
    (tmp_path / name).write_text(text)
    with DAG("waivers", schedule=None, template_searchpath=str(tmp_path)):
        sensor = _sensor(emulator.job_ids[0], alarms=name)
    _precheck(emulator, emulator.job_ids[:1], "alarm", items=["srcTriggerAndEventCheck"])

    sensor.render_template_fields({})

    assert _wait(sensor, context) == [emulator.job_ids[0]]


@pytest.mark.parametrize(
    ("alarms", "text"),
    [
        ("[1", "neither JSON nor YAML"),
        ("maybe", "expected 'allow', 'fail', or a list"),
        ([{"item": "a"}], r"alarms\[0\].jobs is missing"),
    ],
)
def test_invalid_waivers_fail_before_polling(
    emulator: Emulator, context: dict[str, Any], alarms: Any, text: str
) -> None:
    sensor = _sensor(emulator.job_ids[0], alarms="{{ params.alarms }}")
    sensor.alarms = alarms
    with pytest.raises(AirflowFailException, match=text):
        sensor.execute(context)

    assert not emulator.journal("BatchCheckResults")


@pytest.mark.parametrize("mode", MODES)
def test_fail_fast_does_not_wait_for_the_others(
    emulator: Emulator, context: dict[str, Any], mode: str
) -> None:
    slow, bad = emulator.job_ids[:2]
    _precheck(emulator, (slow,), duration_s=600)
    _precheck(emulator, (bad,), "fail", reads=2)

    with pytest.raises(AirflowFailException):
        _wait(_sensor([slow, bad], mode, fail_fast=True), context)

    assert [row["verdict"] for row in context["ti"].xcoms["precheck_report"]] == ["pending", "failed"]


@pytest.mark.parametrize("mode", MODES)
def test_timeout_names_jobs_and_honors_soft_fail(
    emulator: Emulator, context: dict[str, Any], mode: str
) -> None:
    _precheck(emulator, emulator.job_ids[:2], duration_s=600)

    with pytest.raises(AirflowSensorTimeout, match=emulator.job_ids[1]):
        _wait(_sensor(emulator.job_ids[:2], mode, timeout=0.05), context)
    for softening in ("soft_fail", "never_fail"):
        with pytest.raises(AirflowSkipException):
            _wait(_sensor(emulator.job_ids[:2], mode, timeout=0.05, **{softening: True}), context)


@pytest.mark.parametrize("mode", MODES)
def test_transient_errors_do_not_end_the_wait(
    emulator: Emulator, context: dict[str, Any], connect: Any, mode: str
) -> None:
    _precheck(emulator, emulator.job_ids[:1], reads=2)
    connect({"retry_timeout": 0.05})
    emulator.inject("status", status=503, operation="BatchCheckResults", after=1, times=40)

    assert _wait(_sensor(emulator.job_ids[0], mode), context) == [emulator.job_ids[0]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("softening", [{}, {"soft_fail": True}], ids=str)
def test_unknown_job_fails_immediately(
    emulator: Emulator, context: dict[str, Any], mode: str, softening: dict[str, bool]
) -> None:
    unknown = "ffffffff-d0c5-4a11-8a11-fffffffjb999"
    _precheck(emulator, emulator.job_ids[:1], duration_s=600)

    with pytest.raises(AirflowFailException, match=unknown):
        _wait(_sensor([emulator.job_ids[0], unknown], mode, **softening), context)


@pytest.mark.parametrize("mode", MODES)
def test_permanent_error_fails_immediately(emulator: Emulator, context: dict[str, Any], mode: str) -> None:
    _precheck(emulator, emulator.job_ids[:1], duration_s=600)
    emulator.inject("no_permission", operation="BatchCheckResults", after=1, times=None)

    with pytest.raises(AirflowFailException, match="permission"):
        _wait(_sensor(emulator.job_ids[0], mode, soft_fail=True), context)


@pytest.mark.parametrize("mode", MODES)
def test_one_log_line_per_change(
    emulator: Emulator, context: dict[str, Any], mode: str, log_lines: Any
) -> None:
    job_id = emulator.job_ids[0]
    _precheck(emulator, (job_id,), duration_s=600)

    with pytest.raises(AirflowSensorTimeout):
        _wait(_sensor(job_id, mode, timeout=1), context)

    assert len(emulator.journal("BatchCheckResults")) > 2
    assert sum("pre-check at 0%" in line for line in log_lines()) == 1


def test_backward_job_needs_no_result(emulator: Emulator, context: dict[str, Any]) -> None:
    pair = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql", "multi_write": True}
    parent = emulator.seed_job(**pair)
    emulator.seed_job(parent_id=parent, job_direction="up", status="INCRE_TRANSFER_STARTED", **pair)
    backward = emulator.seed_job(parent_id=parent, job_direction="down", **pair)

    assert _wait(_sensor([backward]), context) == [backward]


def test_verdict_without_result_uses_rate_and_items(emulator: Emulator, context: dict[str, Any]) -> None:
    good, bad = emulator.job_ids[:2]
    _precheck(emulator, (good,), without_result=True)
    _precheck(emulator, (bad,), "fail", without_result=True)

    assert _wait(_sensor([good, bad], allow_partial=True), context) == [good]


@pytest.mark.parametrize(
    "event", [None, {}, "done", {"status": "done"}, {"status": "new word", "watch": None}]
)
def test_unknown_event_fails(context: dict[str, Any], event: object) -> None:
    sensor = _sensor("a", soft_fail=True)
    if isinstance(event, dict) and "watch" in event:
        event["watch"] = {"kind": "start", "job_ids": [], "statuses": {}, "errors": {}}

    with pytest.raises(AirflowFailException):
        sensor.resume_execution("execute_complete", {"event": event}, context)


def test_failed_trigger_is_not_skipped(context: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="Trigger failure"):
        _sensor("a", soft_fail=True).resume_execution("__fail__", {"error": "Trigger failure"}, context)


def test_on_failure_is_validated_when_parsed() -> None:
    with pytest.raises(ValueError, match="on_failure"):
        _sensor("a", on_failure="ignore")
