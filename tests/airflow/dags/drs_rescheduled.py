"""The sensor in mode reschedule, and a time-out that is softened."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

JOB_IDS = [f"{n:08x}-d0c5-4a11-8a11-{n:07x}jb{100 + n}" for n in range(1, 3)]

with DAG(
    dag_id="drs_rescheduled",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    # Airflow fails a task that comes back before its scheduler has noticed that it went; a verdict is final.
    default_args={"retries": 3, "retry_delay": pendulum.duration(seconds=1)},
):
    precheck = DrsBatchPrecheckOperator(task_id="precheck", job_ids=JOB_IDS)
    wait = {"job_ids": precheck.output, "mode": "reschedule", "poke_interval": 6, "deferrable": False}
    patient = DrsPrecheckSensor(task_id="patient", timeout=600, **wait)
    hasty = DrsPrecheckSensor(task_id="hasty", timeout=0.5, soft_fail=True, **wait)
