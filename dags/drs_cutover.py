"""
Cut over: wait until all jobs have caught up, compare the data, switch the IP addresses, and stop the jobs.

DRS compares the data of disaster recovery jobs, and switches the virtual IP addresses of synchronization jobs
between self-built databases. If both replicate one system, as in this example, the switchover waits for the
comparison. The jobs are found by name. Runs unchanged against the emulator.
"""

# [START drs_cutover]
from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_drs.operators.drs import (
    DrsCompareDataOperator,
    DrsListJobsOperator,
    DrsStopJobsOperator,
    DrsSwitchOverOperator,
)
from airflow_provider_drs.sensors.drs import DrsDataComparisonSensor, DrsReplicationDelaySensor

# Deferred tasks occupy no worker slot.
WAITS = {"deferrable": True, "poke_interval": 5}

with DAG(
    dag_id="drs_cutover",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    params={
        "system": Param("shop", type="string", description="Prefix of the job names"),
        "tables": Param({"shop": ["orders"]}, type="object", description="Tables to compare, by database"),
    },
    render_template_as_native_obj=True,
    default_args={"retries": 3, "retry_delay": pendulum.duration(seconds=30)},
    doc_md=__doc__,
    tags=["drs"],
) as dag:
    recovery = DrsListJobsOperator(
        task_id="recovery_jobs",
        db_use_type="cloudDataGuard",
        name="{{ params.system }}-dr",
        status="INCRE_TRANSFER_STARTED",
    )
    recovery_caught_up = DrsReplicationDelaySensor(
        task_id="recovery_caught_up", job_ids=recovery.output, max_delay_s=5, **WAITS
    )
    compare = DrsCompareDataOperator(
        task_id="compare", job_ids=recovery_caught_up.output, data="lines", tables="{{ params.tables }}"
    )
    consistent = DrsDataComparisonSensor(
        task_id="consistent", comparisons=compare.output["comparisons"], **WAITS
    )

    sync = DrsListJobsOperator(
        task_id="sync_jobs",
        db_use_type="sync",
        name="{{ params.system }}-sync",
        status="INCRE_TRANSFER_STARTED",
    )
    sync_caught_up = DrsReplicationDelaySensor(
        task_id="sync_caught_up", job_ids=sync.output, max_delay_s=5, **WAITS
    )
    switch_over = DrsSwitchOverOperator(
        task_id="switch_over", job_ids=sync_caught_up.output, mode="target", **WAITS
    )
    stop = DrsStopJobsOperator(task_id="stop", job_ids=switch_over.output, wait_for_completion=True, **WAITS)

    consistent >> switch_over >> stop
# [END drs_cutover]
