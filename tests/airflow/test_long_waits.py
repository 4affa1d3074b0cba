"""A wait of three weeks, during which credentials change and expire, IAM fails and a triggerer is killed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.airflow.conftest import Run, Stack

# In an Airflow of their own, so that they run concurrently with the other tests.
pytestmark = [pytest.mark.system, pytest.mark.xdist_group("waits")]

CONN_ID = "drs_changing"
THREE_DAYS_S = 3 * 24 * 3600.0


def _connect(stack: Stack, **fields: Any) -> None:
    connection = {**stack.drs.connection_with_agency, **fields}
    # A short retry budget, so that an outage of IAM is longer.
    connection["extra"] = {**connection["extra"], "retry_timeout": 2}
    stack.airflow.control.set_connection(CONN_ID, connection)


def _rotate(stack: Stack, password: str) -> None:
    stack.drs.set_iam(password=password)
    _connect(stack, password=password)
    stack.drs.revoke_tokens()


def _continue(run: Run) -> None:
    """Let three days pass, after which the tokens have expired, and wait until each job was read again."""
    drs = run.stack.drs
    drs.advance(THREE_DAYS_S)
    drs.clear_journal()

    def have_polled() -> bool:
        read = [entry for entry in drs.journal("BatchListJobStatus") if entry["status"] == 200]
        return all(any(job_id in entry["job_ids"] for entry in read) for job_id in run.job_ids)

    run.until(have_polled, "not all jobs were polled")


def test_wait_of_three_weeks_survives_everything(stack: Stack) -> None:
    drs, airflow = stack.drs, stack.airflow
    jobs = [drs.seed_job(status="FULL_TRANSFER_STARTED") for _ in range(3)]
    _connect(stack)
    run = stack.run("drs_long_waits", "weeks", jobs)
    airflow.wait_for_task(run.dag_id, run.run_id, "deferred", ["deferred"])

    _continue(run)
    _rotate(stack, "second-password-not-real")
    _continue(run)

    fault = drs.inject("status", status=503, operation="KeystoneCreateUserTokenByPassword", times=None)
    drs.advance(THREE_DAYS_S)
    # Each mode has tried to log in, and given up for this poll.
    airflow.until(lambda: len(drs.journal("KeystoneCreateUserTokenByPassword")) > 12, "IAM was not called")
    drs.remove_fault(fault)
    _continue(run)

    airflow.kill("triggerer")
    airflow.start("triggerer")
    _continue(run)
    _rotate(stack, "third-password-not-real")
    _continue(run)

    for job_id in jobs:
        drs.set_job(job_id, status="FULL_TRANSFER_COMPLETE")
    drs.advance(THREE_DAYS_S)
    assert run.wait() == "success", run.log()
    assert {airflow.try_number(run.dag_id, run.run_id, task_id) for task_id in run.tasks} == {1}
