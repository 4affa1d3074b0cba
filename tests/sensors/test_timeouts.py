"""A wait that times out keeps what it knows, and a failed job is more than a timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, TaskDeferred
from drs_emulator import Emulator

from airflow_provider_drs.compat import AirflowSensorTimeout
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsPauseJobsOperator
from airflow_provider_drs.sensors.drs import DrsJobStatusSensor, DrsPrecheckSensor

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")

MODES = ["poke", "deferrable"]
GOAL = "INCRE_TRANSFER_STARTED"


def _run(task: Any, context: dict[str, Any]) -> Any:
    try:
        return task.execute(context)
    except TaskDeferred as deferred:
        event = asyncio.run(anext(deferred.trigger.run())).payload
        kwargs = {**(deferred.kwargs or {}), "event": event}
        return task.resume_execution(deferred.method_name, kwargs, context)


def _wait_for_goal(job_ids: list[str], mode: str, **options: Any) -> DrsJobStatusSensor:
    options = {"poke_interval": 0.01, "timeout": 0.05, **options}
    return DrsJobStatusSensor(
        task_id="w", job_ids=job_ids, target_statuses=GOAL, deferrable=mode == "deferrable", **options
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("softening", [{}, {"soft_fail": True}, {"never_fail": True}], ids=str)
def test_failed_job_is_more_than_a_timeout(
    emulator: Emulator, context: dict[str, Any], mode: str, softening: dict[str, bool]
) -> None:
    failed = emulator.seed_job(status="FULL_TRANSFER_FAILED", name="orders-1")
    waiting = emulator.seed_job(status="FULL_TRANSFER_STARTED", name="orders-2")

    with pytest.raises(AirflowFailException) as caught:
        _run(_wait_for_goal([failed, waiting], mode, **softening), context)

    text = str(caught.value)
    assert f"orders-1 ({failed}): not in status {GOAL}, but in status FULL_TRANSFER_FAILED" in text
    assert "1 of 2 jobs have not finished" in text
    assert f"orders-2 ({waiting}): FULL_TRANSFER_STARTED" in text
    rows = {row["job_id"]: (row["name"], row["status"]) for row in context["ti"].xcoms["job_statuses"]}
    assert rows == {
        failed: ("orders-1", "FULL_TRANSFER_FAILED"),
        waiting: ("orders-2", "FULL_TRANSFER_STARTED"),
    }


@pytest.mark.parametrize("mode", MODES)
def test_timeout_shows_name_and_status_of_the_first_jobs(
    emulator: Emulator, context: dict[str, Any], mode: str, log_lines: Callable[[], list[str]]
) -> None:
    jobs = [emulator.seed_job(status="PAUSING", name=f"orders-{n}") for n in range(9)]

    with pytest.raises(AirflowSensorTimeout) as caught:
        _run(_wait_for_goal(jobs, mode), context)

    lines = str(caught.value).splitlines()
    assert "9 of 9 jobs have not finished. Increase timeout if they need longer." in lines[0]
    assert lines[1].startswith(f"orders-0 ({jobs[0]}): PAUSING (pausing or paused)")
    assert (len(lines), lines[-1]) == (7, "and 4 more")
    assert len(context["ti"].xcoms["job_statuses"]) == 9
    assert any(line.startswith(f"orders-8 ({jobs[8]}) PAUSING") for line in log_lines())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("task_class", [DrsPrecheckSensor, DrsBatchPrecheckOperator])
def test_timeout_of_prechecks_keeps_the_report(
    emulator: Emulator, context: dict[str, Any], mode: str, task_class: Any
) -> None:
    good, bad, slow = jobs = [emulator.seed_job(name=f"orders-{n}") for n in range(3)]
    emulator.set_verdict(good, "pass", duration_s=0)
    emulator.set_verdict(bad, "fail", items=["srcBinlogFormatCheck"], duration_s=0)
    emulator.set_verdict(slow, "pass", duration_s=600)
    with DrsHook() as hook:
        hook.precheck_jobs(jobs)
    options = (
        {"wait_for_completion": True, "settle_time": 0} if task_class is DrsBatchPrecheckOperator else {}
    )

    def wait(job_ids: list[str], **more: Any) -> None:
        task = task_class(
            task_id="w",
            job_ids=job_ids,
            deferrable=mode == "deferrable",
            poke_interval=0.01,
            timeout=0.05,
            **options,
            **more,
        )
        _run(task, context)

    with pytest.raises(AirflowSensorTimeout, match=rf"orders-2 \({slow}\): pre-check"):
        wait([good, slow])
    verdicts = {row["job_id"]: row["verdict"] for row in context["ti"].xcoms["precheck_report"]}
    assert verdicts == {good: "passed", slow: "pending"}
    with pytest.raises(AirflowFailException, match=r"(?s)1 pending, 1 failed.*orders-1.*orders-2"):
        wait([bad, slow], **({"soft_fail": True} if task_class is DrsPrecheckSensor else {}))


@pytest.mark.parametrize("mode", MODES)
def test_fail_fast_does_not_wait_for_other_jobs(
    emulator: Emulator, context: dict[str, Any], mode: str
) -> None:
    waiting = emulator.seed_job(status="FULL_TRANSFER_STARTED")
    failed = emulator.seed_job(status="FULL_TRANSFER_FAILED")

    with pytest.raises(AirflowFailException, match="1 of 2 jobs") as caught:
        _run(_wait_for_goal([waiting, failed], mode, fail_fast=True, timeout=60), context)

    assert "Timed out" not in str(caught.value)


@pytest.mark.parametrize("mode", MODES)
def test_allowed_failure_does_not_hide_a_timeout(
    emulator: Emulator, context: dict[str, Any], mode: str
) -> None:
    done = emulator.seed_job(status=GOAL)
    failed = emulator.seed_job(status="FULL_TRANSFER_FAILED")
    waiting = emulator.seed_job(status="FULL_TRANSFER_STARTED")
    sensor = _wait_for_goal([done, failed, waiting], mode, allow_partial=True, soft_fail=True)

    with pytest.raises(AirflowSkipException, match="1 of 3 jobs have not finished"):
        _run(sensor, context)


def test_error_names_the_first_of_many_jobs(
    emulator: Emulator, context: dict[str, Any], log_lines: Callable[[], list[str]]
) -> None:
    jobs = [emulator.seed_job(name=f"orders-{n}") for n in range(30)]

    with pytest.raises(AirflowFailException) as caught:
        DrsPauseJobsOperator(task_id="p", job_ids=jobs).execute(context)

    lines = str(caught.value).splitlines()
    assert lines[0] == "Not paused: 30 of 30 jobs. The log has all of them."
    assert (len(lines), lines[-1]) == (7, "and 25 more")
    assert sum(line.startswith("Not paused: ") for line in log_lines()) == 30
