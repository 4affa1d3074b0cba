"""
Migrate a MongoDB cluster with two shards to DDS, and wait until it has caught up.

You decide which alarms are acceptable: in this example, an alarm about TTL indexes is accepted, and any other
alarm blocks the start. Runs unchanged against the emulator, with the connections ``catalog_source`` and
``catalog_target``.
"""

# [START drs_mongodb_cluster_migration]
from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_drs.sensors.drs import DrsPrecheckSensor
from airflow_provider_drs.task_groups.drs import drs_migration

JOB = {
    "name": "catalogue-migration",
    "db_use_type": "migration",
    "engine_type": "mongodb",
    "node_num": 2,
    "subnet_id": "faf513f3-7a88-4a5c-bec7-238699c29c17",
}

with DAG(
    dag_id="drs_mongodb_cluster_migration",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": pendulum.duration(seconds=30)},
    doc_md=__doc__,
    tags=["drs"],
) as dag:
    drs_migration(
        JOB,
        source_conn_id="catalog_source",
        target_conn_id="catalog_target",
        cluster_mode=True,
        poke_interval=5,
        replace={
            "wait_until_passed": lambda job_ids: DrsPrecheckSensor(
                task_id="wait_until_passed",
                job_ids=job_ids,
                alarms=["srcCollHasTtlIndex"],
                deferrable=True,
                poke_interval=5,
            )
        },
    )
# [END drs_mongodb_cluster_migration]
