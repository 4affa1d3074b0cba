"""Tasks whose links are read while they run, are deferred, have failed, and have finished."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

JOB_IDS = [f"{n:08x}-d0c5-4a11-8a11-{n:07x}jb{100 + n}" for n in range(1, 4)]

with DAG(dag_id="drs_linked", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")):
    precheck = DrsBatchPrecheckOperator(task_id="precheck", job_ids=JOB_IDS)
    deferred = DrsPrecheckSensor(
        task_id="deferred", job_ids=precheck.output, deferrable=True, poke_interval=5
    )
    running = DrsPrecheckSensor(task_id="running", job_ids=precheck.output, poke_interval=5)
    mapped = DrsPrecheckSensor.partial(task_id="mapped", deferrable=True, poke_interval=5).expand(
        job_ids=precheck.output
    )
    start = DrsStartJobsOperator(task_id="start", job_ids=deferred.output)
