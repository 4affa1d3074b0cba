"""Waits in the worker, so that a test can kill it there."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator

JOB_IDS = [f"{n:08x}-d0c5-4a11-8a11-{n:07x}jb{100 + n}" for n in range(1, 11)]

with DAG(
    dag_id="drs_killed_waits",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=1)},
):
    precheck = DrsBatchPrecheckOperator(
        task_id="precheck", job_ids=JOB_IDS, wait_for_completion=True, deferrable=False, poke_interval=1
    )
    start = DrsStartJobsOperator(
        task_id="start", job_ids=precheck.output, wait_for_start=True, deferrable=False, poke_interval=1
    )
