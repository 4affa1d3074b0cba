"""
Keep PostgreSQL databases synchronized, with a task group for each database in a list.

The task group has the same tasks as ``drs_mysql_migration``. Runs unchanged against the emulator, with the
connections ``orders_source``, ``orders_target``, ``billing_source`` and ``billing_target``.
"""

# [START drs_postgresql_sync]
from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_drs.task_groups.drs import drs_synchronization

DATABASES = ["orders", "billing"]

with DAG(
    dag_id="drs_postgresql_sync",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": pendulum.duration(seconds=30)},
    doc_md=__doc__,
    tags=["drs"],
) as dag:
    for name in DATABASES:
        drs_synchronization.override(group_id=name)(
            {
                "name": f"{name}-sync",
                "db_use_type": "sync",
                "engine_type": "postgresql",
                "subnet_id": "352ad828-3467-4f03-987a-c55a5a9dd417",
            },
            source_conn_id=f"{name}_source",
            target_conn_id=f"{name}_target",
            objects=[name],
            policies={"conflict_policy": "overwrite", "ddl_trans": True, "index_trans": True},
            max_delay_s=5,
            poke_interval=5,
        )
# [END drs_postgresql_sync]
