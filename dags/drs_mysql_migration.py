"""
Migrate a MySQL database to the cloud, from the creation of the DRS job to its deletion.

Each task is idempotent: you can retry or clear it, and it adopts what was done before. Runs unchanged against
the emulator, with two more connections, ``shop_source`` and ``shop_target``: the databases and the
credentials for DRS.
"""

# [START drs_mysql_migration]
from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_drs.operators.drs import (
    DrsBatchPrecheckOperator,
    DrsCompareParametersOperator,
    DrsCreateJobsOperator,
    DrsDeleteJobsOperator,
    DrsModifyJobsOperator,
    DrsSelectObjectsOperator,
    DrsSetFlowControlOperator,
    DrsStartJobsOperator,
    DrsStopJobsOperator,
    DrsTestConnectionsOperator,
)
from airflow_provider_drs.sensors.drs import (
    DrsJobStatusSensor,
    DrsPrecheckSensor,
    DrsReplicationDelaySensor,
)

JOB = {
    "name": "shop-migration",
    "db_use_type": "migration",
    "engine_type": "mysql",
    "subnet_id": "352ad828-3467-4f03-987a-c55a5a9dd417",
    "task_type": "FULL_INCR_TRANS",
}
DATABASES = {"source_conn_id": "shop_source", "target_conn_id": "shop_target"}
# Deferred tasks occupy no worker slot.
WAITS = {"deferrable": True, "poke_interval": 5}

with DAG(
    dag_id="drs_mysql_migration",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    params={
        "start_time": Param("", type="string", description="Maintenance window; empty to start immediately")
    },
    default_args={"retries": 3, "retry_delay": pendulum.duration(seconds=30)},
    doc_md=__doc__,
    tags=["drs"],
) as dag:
    create = DrsCreateJobsOperator(task_id="create", jobs=[JOB], target_conn_id="shop_target", **WAITS)

    test_connections = DrsTestConnectionsOperator(
        task_id="test_connections", job_ids=create.output, **DATABASES
    )
    configure = DrsModifyJobsOperator(task_id="configure", job_ids=test_connections.output, **DATABASES)
    select_objects = DrsSelectObjectsOperator(
        task_id="select_objects", job_ids=configure.output, objects=["shop"]
    )
    limit_speed = DrsSetFlowControlOperator(
        task_id="limit_speed",
        job_ids=select_objects.output,
        windows=[{"begin": "06:00", "end": "19:59", "speed": 20}],
    )

    precheck = DrsBatchPrecheckOperator(task_id="precheck", job_ids=limit_speed.output)
    wait_until_passed = DrsPrecheckSensor(task_id="wait_until_passed", job_ids=precheck.output, **WAITS)
    compare_parameters = DrsCompareParametersOperator(
        task_id="compare_parameters", job_ids=wait_until_passed.output
    )

    start = DrsStartJobsOperator(
        task_id="start",
        job_ids=compare_parameters.output,
        start_time="{{ params.start_time }}",
        wait_for_start=True,
        **WAITS,
    )
    full_copy = DrsJobStatusSensor(
        task_id="full_copy",
        job_ids=start.output,
        target_statuses=["FULL_TRANSFER_COMPLETE", "INCRE_TRANSFER_STARTED"],
        timeout=7 * 24 * 3600,
        **WAITS,
    )
    caught_up = DrsReplicationDelaySensor(
        task_id="caught_up", job_ids=full_copy.output, max_delay_s=5, consecutive=3, **WAITS
    )

    stop = DrsStopJobsOperator(task_id="stop", job_ids=caught_up.output, wait_for_completion=True, **WAITS)
    delete = DrsDeleteJobsOperator(task_id="delete", job_ids=stop.output)
# [END drs_mysql_migration]
