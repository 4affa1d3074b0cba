"""
Set up dual-active disaster recovery for MySQL: first the forward job, and the backward job once it
replicates.

Runs unchanged against the emulator, with the connections ``ledger_there`` and ``ledger_here``, of which the
second is an instance of the cloud.
"""

# [START drs_dual_active_dr]
from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_drs.task_groups.drs import drs_disaster_recovery

JOB = {
    "name": "ledger-dr",
    "db_use_type": "cloudDataGuard",
    "engine_type": "cloudDataGuard-mysql",
    "multi_write": True,
    "subnet_id": "352ad828-3467-4f03-987a-c55a5a9dd417",
}

with DAG(
    dag_id="drs_dual_active_dr",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": pendulum.duration(seconds=30)},
    doc_md=__doc__,
    tags=["drs"],
) as dag:
    drs_disaster_recovery(
        JOB,
        source_conn_id="ledger_there",
        target_conn_id="ledger_here",
        dual_active=True,
        max_delay_s=20,
        poke_interval=5,
    )
# [END drs_dual_active_dr]
