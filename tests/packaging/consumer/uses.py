"""How a typed project uses the provider: no type checker may find an error."""

from __future__ import annotations

import datetime

from airflow_provider_drs.assets.drs import read_job_ids
from airflow_provider_drs.hooks.drs import DrsAsyncHook, DrsHook
from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator
from airflow_provider_drs.protocol.core.errors import DrsError
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

precheck = DrsBatchPrecheckOperator(task_id="precheck", job_ids=["0123-4567-89ab-cdef-0123jb1"])
wait = DrsPrecheckSensor(
    task_id="wait", job_ids=precheck.output, timeout=datetime.timedelta(hours=1), alarms=["log_bin"]
)
start = DrsStartJobsOperator(task_id="start", job_ids=wait.output, deferrable=True)


def read_statuses(job_ids: list[str]) -> dict[str, str]:
    with DrsHook("drs_default", region="eu-de") as hook:
        answers = hook.get_job_statuses(job_ids)
    return {
        job_id: str(answer) if isinstance(answer, DrsError) else answer.status
        for job_id, answer in answers.items()
    }


async def stop(job_ids: list[str]) -> list[str]:
    async with DrsAsyncHook() as hook:
        answers = await hook.stop_jobs(job_ids)
    return [job_id for job_id, answer in answers.items() if not isinstance(answer, DrsError)]


reader = read_job_ids
