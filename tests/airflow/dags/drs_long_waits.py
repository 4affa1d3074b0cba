"""Waits for weeks, in each mode of a sensor, with a connection in Airflow's database."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_drs.sensors.drs import DrsJobStatusSensor

MODES = {"poke": "poke", "reschedule": "reschedule", "deferred": "poke"}

with DAG(
    dag_id="drs_long_waits",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={"job_ids": Param([], type="array")},
):
    for number, (task_id, mode) in enumerate(MODES.items()):
        DrsJobStatusSensor(
            task_id=task_id,
            job_ids=f"{{{{ params.job_ids[{number}] }}}}",
            target_statuses=["FULL_TRANSFER_COMPLETE"],
            drs_conn_id="drs_changing",
            mode=mode,
            deferrable=task_id == "deferred",
            # Airflow fails a rescheduled task that resumes before its scheduler has processed its end, which
            # takes seconds on a busy machine.
            poke_interval=15 if mode == "reschedule" else 1,
            timeout=30 * 24 * 3600,
        )
