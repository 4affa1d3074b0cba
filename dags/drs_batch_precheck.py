"""
Pre-check 10 migration jobs every night, and start them only if all pre-checks pass.

Runs unchanged against the emulator: start ``drs-emulator``, and set ``AIRFLOW_CONN_DRS_DEFAULT`` to the
connection that it prints. For your own jobs, change the IDs below, or trigger the DAG with other IDs.
"""

# [START drs_batch_precheck]
from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

JOB_IDS = [f"{n:08x}-d0c5-4a11-8a11-{n:07x}jb{100 + n}" for n in range(1, 11)]

with DAG(
    dag_id="drs_batch_precheck",
    schedule="0 22 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    params={"job_ids": Param(JOB_IDS, type="array", description="DRS job IDs")},
    render_template_as_native_obj=True,
    default_args={"retries": 2, "retry_delay": pendulum.duration(minutes=5)},
    doc_md=__doc__,
    tags=["drs"],
) as dag:
    precheck = DrsBatchPrecheckOperator(task_id="precheck", job_ids="{{ params.job_ids }}")

    wait_until_passed = DrsPrecheckSensor(
        task_id="wait_until_passed",
        job_ids=precheck.output,
        deferrable=True,
        poke_interval=10,
        timeout=60 * 60,
    )

    start = DrsStartJobsOperator(task_id="start", job_ids=wait_until_passed.output)

    precheck >> wait_until_passed >> start
# [END drs_batch_precheck]
