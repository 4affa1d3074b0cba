"""Waits whose triggerer dies, verdicts that somebody would like to soften, and tasks that are cleared."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, TriggerRule

from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

JOB_IDS = [f"{n:08x}-d0c5-4a11-8a11-{n:07x}jb{100 + n}" for n in range(1, 4)]
BEGIN = pendulum.datetime(2026, 1, 1, tz="UTC")
# Airflow fails a task whose trigger fires before the scheduler has noticed the deferral; on a busy machine
# that takes it some seconds.
DEFERRED = {"deferrable": True, "poke_interval": 5}

with DAG(dag_id="drs_deferred_operators", schedule=None, start_date=BEGIN):
    precheck = DrsBatchPrecheckOperator(
        task_id="precheck", job_ids=JOB_IDS, wait_for_completion=True, **DEFERRED
    )
    start = DrsStartJobsOperator(task_id="start", job_ids=precheck.output, wait_for_start=True, **DEFERRED)

with DAG(dag_id="drs_softened", schedule=None, start_date=BEGIN):
    precheck = DrsBatchPrecheckOperator(task_id="precheck", job_ids=JOB_IDS)
    wait_until_passed = DrsPrecheckSensor(
        task_id="wait_until_passed", job_ids=precheck.output, soft_fail=True, **DEFERRED
    )
    # Would run after a skip.
    start = DrsStartJobsOperator(task_id="start", job_ids=JOB_IDS, trigger_rule=TriggerRule.NONE_FAILED)
    wait_until_passed >> start

with DAG(dag_id="drs_cleared", schedule=None, start_date=BEGIN):
    precheck = DrsBatchPrecheckOperator(task_id="precheck", job_ids=JOB_IDS)
    wait_until_passed = DrsPrecheckSensor(task_id="wait_until_passed", job_ids=precheck.output, **DEFERRED)
    start = DrsStartJobsOperator(task_id="start", job_ids=wait_until_passed.output)
