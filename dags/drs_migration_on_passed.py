"""
Start jobs as soon as a batch has passed its pre-check, in a DAG of its own.

The first DAG checks every night, and lets an asset (a dataset in Airflow 2) have an event when the batch has
passed. The second is scheduled on it, and starts the jobs that the event names. They may belong to two teams.
Runs as it is against the emulator.
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
    params={"job_ids": Param(JOB_IDS, type="array", description="Ids of the DRS jobs")},
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
        """Return the jobs that the event names."""
        from airflow_provider_drs.assets.drs import read_job_ids

        return read_job_ids(get_current_context())

    # It looks at the pre-checks once more before it starts anything.
    start = DrsStartJobsOperator(task_id="start", job_ids=passed_jobs())

    DrsJobStatusSensor(
        task_id="full_copy",
        job_ids=start.output,
        target_statuses=["FULL_TRANSFER_COMPLETE", "INCRE_TRANSFER_STARTED"],
        deferrable=True,
        poke_interval=10,
    )
# [END drs_migration_on_passed]
