"""
Start jobs in a separate DAG as soon as a batch has passed its pre-check.

The first DAG runs pre-checks every night, and emits an event of an asset (a dataset in Airflow 2) when the
batch has passed. The second DAG is scheduled on the asset, and starts the jobs of the event. The DAGs can
belong to two teams. Run unchanged against the emulator.
"""

# [START drs_migration_on_passed]
from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset, Param, get_current_context, task

from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator
from airflow_provider_drs.sensors.drs import DrsJobStatusSensor, DrsPrecheckSensor

JOB_IDS = [f"{n:08x}-d0c5-4a11-8a11-{n:07x}jb{100 + n}" for n in range(1, 4)]
PASSED = Asset("drs://drs_default/nightly-batch")
BEGIN = pendulum.datetime(2026, 1, 1, tz="Europe/Berlin")

with DAG(
    dag_id="drs_precheck_of_nightly_batch",
    schedule="0 21 * * *",
    start_date=BEGIN,
    catchup=False,
    max_active_runs=1,
    params={"job_ids": Param(JOB_IDS, type="array", description="DRS job IDs")},
    doc_md=__doc__,
    tags=["drs"],
):
    precheck = DrsBatchPrecheckOperator(task_id="precheck", job_ids="{{ params.job_ids }}")

    DrsPrecheckSensor(
        task_id="wait_until_passed",
        job_ids=precheck.output,
        deferrable=True,
        poke_interval=10,
        timeout=60 * 60,
        outlets=[PASSED],
    )

with DAG(
    dag_id="drs_migration_on_passed",
    schedule=[PASSED],
    start_date=BEGIN,
    catchup=False,
    doc_md=__doc__,
    tags=["drs"],
) as dag:

    @task
    def passed_jobs() -> list[str]:
        """Return the jobs of the event."""
        from airflow_provider_drs.assets.drs import read_job_ids

        return read_job_ids(get_current_context())

    # Checks the pre-check results again before it starts a job.
    start = DrsStartJobsOperator(task_id="start", job_ids=passed_jobs())

    DrsJobStatusSensor(
        task_id="full_copy",
        job_ids=start.output,
        target_statuses=["FULL_TRANSFER_COMPLETE", "INCRE_TRANSFER_STARTED"],
        deferrable=True,
        poke_interval=10,
    )
# [END drs_migration_on_passed]
