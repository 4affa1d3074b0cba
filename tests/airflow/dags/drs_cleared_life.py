"""A whole migration in a task group, which is cleared from its first task at several points."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_drs.task_groups.drs import drs_migration

JOB = {
    "name": "cleared-life",
    "db_use_type": "migration",
    "engine_type": "mysql",
    "subnet_id": "352ad828-3467-4f03-987a-c55a5a9dd417",
}

with DAG(
    "drs_cleared_life",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=1)},
) as dag:
    drs_migration(
        JOB, source_conn_id="shop_source", target_conn_id="shop_target", poke_interval=5, until="stop"
    )
