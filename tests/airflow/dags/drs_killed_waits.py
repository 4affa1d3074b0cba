"""Waits in the worker, so that a test can kill it during the wait."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator

with DAG(
    dag_id="drs_killed_waits",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={"job_ids": Param([], type="array")},
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=1)},
):
    precheck = DrsBatchPrecheckOperator(
        task_id="precheck",
        job_ids="{{ params.job_ids }}",
        wait_for_completion=True,
        deferrable=False,
        poke_interval=1,
    )
    start = DrsStartJobsOperator(
        task_id="start", job_ids=precheck.output, wait_for_start=True, deferrable=False, poke_interval=1
    )
