"""The sensor in reschedule mode, and a timeout with soft_fail."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

with DAG(
    dag_id="drs_rescheduled",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={"job_ids": Param([], type="array")},
    # Airflow fails a rescheduled task that resumes before its scheduler has processed the end of its process.
    default_args={"retries": 3, "retry_delay": pendulum.duration(seconds=1)},
):
    precheck = DrsBatchPrecheckOperator(task_id="precheck", job_ids="{{ params.job_ids }}")
    wait = {"job_ids": precheck.output, "mode": "reschedule", "poke_interval": 6, "deferrable": False}
    patient = DrsPrecheckSensor(task_id="patient", timeout=600, **wait)
    hasty = DrsPrecheckSensor(task_id="hasty", timeout=0.5, soft_fail=True, **wait)
