"""Two jobs, each in a task group of its own that is made when the DAG runs."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_drs.task_groups.drs import drs_migration

JOBS = [
    {
        "name": name,
        "db_use_type": "migration",
        "engine_type": "mysql",
        "subnet_id": "352ad828-3467-4f03-987a-c55a5a9dd417",
    }
    for name in ("mapped-orders", "mapped-billing")
]

# Airflow fails a task whose trigger fires before the scheduler has noticed the deferral; the next try finds
# its job there.
AGAIN = {"retries": 3, "retry_delay": pendulum.duration(seconds=1)}

with DAG(
    "drs_mapped_groups", schedule=None, start_date=pendulum.datetime(2026, 1, 1), default_args=AGAIN
) as dag:
    drs_migration.partial(
        source_conn_id="shop_source", target_conn_id="shop_target", poke_interval=5, until="configure"
    ).expand(jobs=JOBS)
