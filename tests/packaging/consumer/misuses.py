"""
A type checker must find an error in each line that is marked as wrong.

Airflow 2.11 does not export the type of a task's output, so that job_ids accepts any type there.
"""

from __future__ import annotations

from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator

DrsBatchPrecheckOperator(task_id="precheck", job_ids=5)  # wrong in Airflow 3
DrsStartJobsOperator(task_id="start", job_ids="a", require_passed_precheck="yes")  # wrong
with DrsHook() as hook:
    hook.stop_jobs()  # wrong
    print(hook.get_job_statuses(["a"])["a"].unknown)  # wrong
