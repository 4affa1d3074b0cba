"""
A wait for each pre-check, which the scheduler defers without a worker.

SOAK_JOBS is a JSON list with the job IDs of each DAG, SOAK_POKE_S the poll interval in seconds, and
SOAK_DEADLINE the end of the waits in epoch seconds.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.triggers.base import StartTriggerArgs

from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
from airflow_provider_drs.protocol.watches import PrecheckWatch
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor
from airflow_provider_drs.triggers.drs import DrsWatchTrigger


class WaitFromTheStart(DrsPrecheckSensor):
    """The sensor, as if a worker had already deferred it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        trigger = DrsWatchTrigger(
            drs_conn_id="drs_default",
            watch=PrecheckWatch([str(self.job_ids)], AlarmPolicy()).to_dict(),
            poke_interval=float(os.environ["SOAK_POKE_S"]),
            deadline=float(os.environ["SOAK_DEADLINE"]),
        )
        name, arguments = trigger.serialize()
        self.start_from_trigger = True
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=name, trigger_kwargs=arguments, next_method="execute_complete"
        )


for number, job_ids in enumerate(json.loads(os.environ["SOAK_JOBS"])):
    with DAG(
        dag_id=f"soak_{number}", schedule="@once", start_date=pendulum.datetime(2026, 1, 1, tz="UTC")
    ) as dag:
        for job_id in job_ids:
            WaitFromTheStart(task_id=f"wait_{job_id}", job_ids=job_id)
    globals()[dag.dag_id] = dag
