"""Failures around a run: a triggerer is killed, a verdict conflicts with settings, tasks are cleared."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.airflow.conftest import Run, Stack

pytestmark = pytest.mark.system

OURS = 3


@pytest.fixture(scope="module")
def begun(running_stack: Stack) -> dict[str, Run]:
    """Trigger all runs, each with three jobs of its own."""
    stack, drs = running_stack, running_stack.drs
    drs.reset()
    long, softened, cleared = (drs.job_ids[n : n + OURS] for n in range(0, 3 * OURS, OURS))
    for job_id in long:
        drs.set_verdict(job_id, "pass", duration_s=3600)
    drs.set_verdict(softened[1], "fail", items=["srcBinlogFormatCheck"])
    killed = [drs.seed_job() for _ in range(OURS)]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    runs = (
        stack.run("drs_deferred_operators", "dead-triggerer", long),
        stack.run("drs_softened", "softened", softened),
        stack.run("drs_cleared", "cleared", cleared),
        stack.run("drs_stopped_on_kill", "killed", killed, start_time=tomorrow),
    )
    return {run.run_id: run for run in runs}


def test_wait_survives_stopped_and_killed_triggerer(begun: dict[str, Run]) -> None:
    run, killed = begun["dead-triggerer"], begun["killed"]
    airflow = run.stack.airflow
    airflow.wait_for_task(run.dag_id, run.run_id, "precheck", ["deferred"])
    airflow.wait_for_task(killed.dag_id, killed.run_id, "start", ["deferred"])
    run.wait_for_poll()

    for stop in (airflow.terminate, airflow.kill):
        killed.wait_for_poll("BatchListJobStatus")
        stop("triggerer")
        airflow.start("triggerer")
    killed.wait_for_poll("BatchListJobStatus")
    run.wait_for_poll()
    run.stack.drs.advance(3600)

    assert killed.calls["BatchDeleteJobs"] == 0, "stop_on_kill is for killed tasks"

    assert run.wait() == "success", run.log()
    assert (run.calls["BatchCheckJobs"], run.calls["BatchStartJobs"]) == (1, 1)
    assert run.starts == [1] * OURS
    # A trigger that shares its poller logs to its own task.
    logs = (airflow.home / "logs").rglob("*.trigger.*")
    log = "".join(file.read_text() for file in logs if f"run_id={run.run_id}" in str(file))
    assert [f"({job_id}) pre-check passed" in log for job_id in run.job_ids] == [True] * OURS


def test_soft_fail_does_not_skip_failed_verdict(begun: dict[str, Run]) -> None:
    run = begun["softened"]

    assert run.wait() == "failed"

    assert run.tasks == {"precheck": "success", "wait_until_passed": "failed", "start": "upstream_failed"}
    assert run.calls["BatchStartJobs"] == 0
    report = run.stack.airflow.xcom(run.dag_id, run.run_id, "wait_until_passed", "precheck_report")
    assert {job["job_id"]: job["verdict"] for job in report}[run.job_ids[1]] == "failed"


def test_cleared_tasks_adopt_started_jobs(begun: dict[str, Run]) -> None:
    run = begun["cleared"]
    airflow = run.stack.airflow
    assert run.wait() == "success", run.log()

    for task_id in ("start", "wait_until_passed"):
        tries = airflow.try_number(run.dag_id, run.run_id, "start")
        airflow.clear(run.dag_id, run.run_id, task_id)
        airflow.until(
            lambda tries=tries: airflow.try_number(run.dag_id, run.run_id, "start") > tries,
            f"{task_id} was cleared, and does not run again",
        )
        assert run.wait() == "success", run.log()

    assert run.starts == [1] * OURS
    adopted = airflow.xcom(run.dag_id, run.run_id, "start", "start_results")
    assert [row["adopted"] for row in adopted] == [True] * OURS


def test_clearing_a_deferred_task_stops_its_jobs(begun: dict[str, Run]) -> None:
    run = begun["killed"]
    airflow = run.stack.airflow
    airflow.wait_for_task(run.dag_id, run.run_id, "start", ["deferred"])
    run.wait_for_poll("BatchListJobStatus")

    airflow.clear(run.dag_id, run.run_id, "start")
    airflow.until(lambda: run.calls["BatchDeleteJobs"] == 1, "the jobs were not stopped")
    # Its next attempt cannot start stopped jobs.
    assert run.wait() == "failed", run.log()
    assert run.starts == [1] * OURS


def test_database_and_logs_have_no_secret(begun: dict[str, Run]) -> None:
    run = begun["dead-triggerer"]
    logs = run.stack.airflow.home / "logs"
    run.stack.airflow.until(
        lambda: any(f"run_id={run.run_id}" in str(file) for file in logs.rglob("*.trigger.*")),
        "the triggerer has no log",
    )

    kept = {str(file): file.read_bytes() for file in logs.rglob("*.log*")}
    assert kept
    kept["database"] = run.stack.airflow.dump()
    # The emulator's tokens begin like those of the service.
    secret = re.compile(re.escape(run.stack.drs.connection["password"].encode()) + rb"|MII[\w-]{60}")
    assert [name for name, text in kept.items() if secret.search(text)] == []
