"""
Pre-check many jobs in groups, one mapped task each; start the jobs that passed and report the others.

A failure does not block other groups. Runs unchanged against the emulator.
"""

# [START drs_nightly_precheck_mapped]
from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, TriggerRule, get_current_context, task

from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

JOB_IDS = [f"{n:08x}-d0c5-4a11-8a11-{n:07x}jb{100 + n}" for n in range(1, 11)]
GROUPS = {"orders": JOB_IDS[:4], "billing": JOB_IDS[4:7], "archive": JOB_IDS[7:]}

with DAG(
    dag_id="drs_nightly_precheck_mapped",
    schedule="0 23 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    params={"groups": Param(GROUPS, type="object", description="DRS job IDs by group")},
    default_args={"retries": 2, "retry_delay": pendulum.duration(minutes=5)},
    doc_md=__doc__,
    tags=["drs"],
) as dag:

    @task
    def read_groups() -> list[list[str]]:
        return list(get_current_context()["params"]["groups"].values())

    # A group without jobs is skipped.
    precheck = DrsBatchPrecheckOperator.partial(
        task_id="precheck", on_empty="skip", allow_partial=True
    ).expand(job_ids=read_groups())

    wait_until_passed = DrsPrecheckSensor.partial(
        task_id="wait_until_passed",
        allow_partial=True,
        deferrable=True,
        poke_interval=10,
        timeout=pendulum.duration(hours=1),
    ).expand(job_ids=precheck.output)

    start = DrsStartJobsOperator.partial(task_id="start").expand(job_ids=wait_until_passed.output)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def report_failures() -> list[dict[str, Any]]:
        """Return each job that did not pass, with its check items, for the owner of the job."""
        reports = (
            get_current_context()["ti"].xcom_pull(task_ids="wait_until_passed", key="precheck_report") or []
        )
        failures = [job for report in reports for job in report or [] if job["verdict"] != "passed"]
        for job in failures:
            print(f"{job['job_id']} {job['verdict']}")
            for item in job["items"]:
                print(f"  {item['title']}: {item['problem']} {item['fix']} ({item['link']})")
        return failures

    precheck >> wait_until_passed >> start >> report_failures()
# [END drs_nightly_precheck_mapped]
