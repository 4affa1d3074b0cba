"""Two jobs, each in a task group that is expanded at run time."""

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

with DAG(
    "drs_mapped_groups",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    # On a busy machine, Airflow 3's scheduler can process the deferral of a task after it has resumed it. It
    # takes that for a crash, and fails the attempt.
    default_args={"retries": 2, "retry_delay": pendulum.duration(seconds=1)},
) as dag:
    drs_migration.partial(
        source_conn_id="shop_source", target_conn_id="shop_target", poke_interval=5, until="configure"
    ).expand(jobs=JOBS)
