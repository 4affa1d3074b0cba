"""A DAG starts the jobs that another one has pre-checked, in running Airflow of both lines."""

from __future__ import annotations

import pytest

from tests.airflow.conftest import Stack

pytestmark = pytest.mark.system

CHECKS, STARTS = "drs_precheck_of_nightly_batch", "drs_migration_on_passed"


def _starts(stack: Stack) -> list[int]:
    return [job["starts"] for job in stack.drs.jobs][:3]


def test_only_passed_batch_triggers_the_start(stack: Stack) -> None:
    for dag_id in (STARTS, CHECKS):
        stack.airflow.unpause(dag_id)
    # First the scheduled run, and the run that it triggers.
    stack.airflow.wait(CHECKS, stack.airflow.first_run(CHECKS))
    _wait_for_copy(stack, stack.airflow.first_run(STARTS))
    before = len(stack.airflow.run_ids(STARTS))
    stack.drs.reset()
    two = list(stack.drs.job_ids[:2])

    stack.drs.set_verdict(two[0], "fail")
    run_id = stack.airflow.trigger(CHECKS, "one-fails", {"job_ids": two})
    assert stack.airflow.wait(CHECKS, run_id) == "failed"
    stack.drs.reset()
    run_id = stack.airflow.trigger(CHECKS, "all-pass", {"job_ids": two})
    assert stack.airflow.wait(CHECKS, run_id) == "success", stack.airflow.log(CHECKS, run_id, "*")

    stack.airflow.until(lambda: len(stack.airflow.run_ids(STARTS)) > before, f"{STARTS} was not triggered")
    (started,) = stack.airflow.run_ids(STARTS)[before:]
    _wait_for_copy(stack, started)
    assert stack.airflow.xcom(STARTS, started, "passed_jobs") == two
    assert _starts(stack) == [1, 1, 0]


def _wait_for_copy(stack: Stack, run_id: str) -> None:
    """Wait for the end of a run, with an immediate full copy."""
    stack.airflow.wait_for_task(STARTS, run_id, "full_copy", ["deferred", "success"])
    stack.drs.advance(3600)
    assert stack.airflow.wait(STARTS, run_id) == "success", stack.airflow.log(STARTS, run_id, "*")
