"""
Start jobs whose pre-check has alarms only after a user has approved exactly these alarms.

Without alarms, the jobs start automatically. After a rejection, or without a response in time, no job starts.
Needs Airflow 3.1 or later, which has human-in-the-loop operators, and apache-airflow-providers-standard
1.12.2 or later. On older versions of Airflow the DAG is not defined.
Runs unchanged against the emulator.
"""

# [START drs_approved_alarms]
from __future__ import annotations

import datetime

import pendulum
from airflow.providers.common.compat.sdk import (
    DAG,
    Param,
    TriggerRule,
    get_current_context,
    task,
)

from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except Exception:
    # Airflow before 3.1 raises different errors.
    ApprovalOperator = None

JOB_IDS = [f"{n:08x}-d0c5-4a11-8a11-{n:07x}jb{100 + n}" for n in range(1, 4)]

if ApprovalOperator is not None:
    with DAG(
        dag_id="drs_approved_alarms",
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"),
        params={"job_ids": Param(JOB_IDS, type="array", description="DRS job IDs")},
        render_template_as_native_obj=True,
        doc_md=__doc__,
        tags=["drs"],
    ) as dag:
        precheck = DrsBatchPrecheckOperator(task_id="precheck", job_ids="{{ params.job_ids }}")

        wait_until_passed = DrsPrecheckSensor(
            task_id="wait_until_passed",
            job_ids=precheck.output,
            deferrable=True,
            poke_interval=10,
            timeout=60 * 60,
        )

        @task.branch
        def find_alarms() -> str:
            """Continue with the approval if there are alarms, otherwise with the start."""
            from airflow_provider_drs.protocol.prechecks.approval import render_alarms, waive_alarms

            ti = get_current_context()["ti"]
            reports = ti.xcom_pull(task_ids="wait_until_passed", key="precheck_report")
            tomorrow = pendulum.now("UTC").add(days=1).to_date_string()
            ti.xcom_push(key="table", value=render_alarms(reports))
            ti.xcom_push(
                key="waivers", value=waive_alarms(reports, reason="approved in this run", expires=tomorrow)
            )
            return "approve" if render_alarms(reports) else "start"

        approve = ApprovalOperator(
            task_id="approve",
            subject="Start the DRS jobs despite these alarms?",
            body="{{ ti.xcom_pull(task_ids='find_alarms', key='table') }}",
            response_timeout=datetime.timedelta(hours=12),
            # A rejection, or no response, fails the run, and no job starts.
            fail_on_reject=True,
        )

        start = DrsStartJobsOperator(
            task_id="start",
            job_ids=wait_until_passed.output,
            # The results are checked again: a job with an alarm that was not approved does not start.
            alarms="{{ ti.xcom_pull(task_ids='find_alarms', key='waivers') }}",
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        )

        alarms = find_alarms()
        precheck >> wait_until_passed >> alarms >> approve >> start
        alarms >> start
# [END drs_approved_alarms]
