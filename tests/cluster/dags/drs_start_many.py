"""Pre-check many jobs in groups, and start each group as soon as all of it has passed."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, get_current_context, task, task_group

from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

with DAG(
    dag_id="drs_start_many",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={"groups": Param([], type="array", description="Lists of DRS job IDs")},
    # Tasks are killed with their workers, some of them more than once.
    default_args={"retries": 10, "retry_delay": pendulum.duration(seconds=3)},
    doc_md=__doc__,
) as dag:

    @task
    def read_groups() -> list[list[str]]:
        return list(get_current_context()["params"]["groups"])

    @task_group
    def start_group(job_ids: list[str]) -> None:
        """Start a group without waiting for others, so that all kinds of tasks run at any time."""
        precheck = DrsBatchPrecheckOperator(task_id="precheck", job_ids=job_ids)
        wait_until_passed = DrsPrecheckSensor(
            task_id="wait_until_passed",
            job_ids=precheck.output,
            deferrable=True,
            poke_interval=3,
            timeout=60 * 60,
        )
        start = DrsStartJobsOperator(task_id="start", job_ids=wait_until_passed.output)
        precheck >> wait_until_passed >> start

    start_group.expand(job_ids=read_groups())
