"""Waits whose triggerer is stopped or killed, verdicts with soft_fail, and tasks that are cleared."""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, TriggerRule

from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

JOB_IDS: Any = "{{ params.job_ids }}"
DAG_OPTIONS: dict[str, Any] = {
    "schedule": None,
    "start_date": pendulum.datetime(2026, 1, 1, tz="UTC"),
    "params": {"job_ids": Param([], type="array")},
    # Airflow fails a task whose trigger fires before the scheduler has processed the deferral, which can take
    # seconds on a busy machine. A failed verdict is not retried.
    "default_args": {"retries": 2, "retry_delay": pendulum.duration(seconds=1)},
}
DEFERRED: dict[str, Any] = {"deferrable": True, "poke_interval": 5}

with DAG("drs_deferred_operators", **DAG_OPTIONS):
    precheck = DrsBatchPrecheckOperator(
        task_id="precheck", job_ids=JOB_IDS, wait_for_completion=True, **DEFERRED
    )
    start = DrsStartJobsOperator(task_id="start", job_ids=precheck.output, wait_for_start=True, **DEFERRED)

with DAG("drs_softened", **DAG_OPTIONS):
    precheck = DrsBatchPrecheckOperator(task_id="precheck", job_ids=JOB_IDS)
    wait_until_passed = DrsPrecheckSensor(
        task_id="wait_until_passed", job_ids=precheck.output, soft_fail=True, **DEFERRED
    )
    # Would run after a skip.
    start = DrsStartJobsOperator(task_id="start", job_ids=JOB_IDS, trigger_rule=TriggerRule.NONE_FAILED)
    wait_until_passed >> start

with DAG("drs_cleared", **DAG_OPTIONS):
    precheck = DrsBatchPrecheckOperator(task_id="precheck", job_ids=JOB_IDS)
    wait_until_passed = DrsPrecheckSensor(task_id="wait_until_passed", job_ids=precheck.output, **DEFERRED)
    start = DrsStartJobsOperator(task_id="start", job_ids=wait_until_passed.output)

with DAG("drs_stopped_on_kill", **DAG_OPTIONS):
    precheck = DrsBatchPrecheckOperator(
        task_id="precheck", job_ids=JOB_IDS, wait_for_completion=True, poke_interval=5
    )
    start = DrsStartJobsOperator(
        task_id="start",
        job_ids=precheck.output,
        start_time="{{ dag_run.conf['start_time'] }}",
        wait_for_start=True,
        stop_on_kill=True,
        **DEFERRED,
    )
