"""The unchanged example DAGs in a running scheduler, triggerer and Dag processor, on both Airflow lines."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable

import pytest

from tests.airflow.conftest import Run, Stack

pytestmark = pytest.mark.system

STORY = "drs_batch_precheck"
MAPPED = "drs_nightly_precheck_mapped"
#: The duration of pre-checks in seconds that finish when the clock of the emulator is advanced.
LONG_S = 10_000


@pytest.fixture(scope="module")
def begun(running_stack: Stack) -> dict[str, Run]:
    """Trigger all runs, each with jobs of its own; the scheduled run has the jobs of the DAG."""
    stack, drs = running_stack, running_stack.drs
    drs.reset()
    scheduled = drs.job_ids
    failing, rescheduled = (tuple(drs.seed_job() for _ in range(n)) for n in (3, 2))
    drs.set_verdict(failing[2], "fail", items=["srcBinlogFormatCheck"])
    for job_id in rescheduled:
        drs.set_verdict(job_id, "pass", duration_s=5 * LONG_S)
    stack.airflow.unpause(STORY)
    runs = (
        Run(stack, STORY, stack.airflow.first_run(STORY), scheduled),
        stack.run(STORY, "one-job-fails", failing),
        stack.run("drs_rescheduled", "rescheduled", rescheduled),
    )
    return {run.run_id.partition("__")[0]: run for run in runs}


def test_killed_waits_resume(begun: dict[str, Run]) -> None:
    stack = begun["scheduled"].stack
    job_ids = [stack.drs.seed_job() for _ in range(10)]
    for job_id in job_ids:
        stack.drs.set_verdict(job_id, "pass", duration_s=LONG_S)
    # The worker waits for a response until it is killed, so it cannot finish before.
    stack.drs.inject("hang", operation="BatchStartJobs", job_id=job_ids[0], apply=True)
    run = stack.run("drs_killed_waits", "killed", job_ids)

    _kill_when(run, "precheck", lambda: run.calls["BatchCheckResults"] >= 4)
    # The next poll may have been sent by the killed worker, but not the one after it. A retry adopts a
    # pre-check that is running, and repeats one that has finished.
    for _ in range(2):
        run.wait_for_poll()
    stack.drs.advance(LONG_S)
    _kill_when(run, "start", lambda: run.calls["BatchStartJobs"] >= 1)

    assert run.wait() == "success", run.log()
    assert run.starts == [1] * 10
    assert run.calls["BatchCheckJobs"] == 1
    # A busy machine may need one more attempt.
    assert [stack.airflow.try_number(run.dag_id, run.run_id, task_id) >= 2 for task_id in run.tasks] == [
        True
    ] * 2


def _kill_when(run: Run, task_id: str, is_time: Callable[[], bool]) -> None:
    run.until(is_time, f"{task_id} did not get that far")
    os.kill(run.stack.airflow.task_pid(run.dag_id, run.run_id, task_id), signal.SIGKILL)


def test_scheduled_run_starts_each_job_once(begun: dict[str, Run]) -> None:
    run = begun["scheduled"]

    assert run.wait() == "success", run.log("precheck")

    assert run.tasks == dict.fromkeys(("precheck", "wait_until_passed", "start"), "success")
    assert run.starts == [1] * 10
    calls = run.calls
    assert (calls["BatchCheckJobs"], calls["BatchStartJobs"]) == (1, 1)
    # Job details are read before the pre-check, for the names if a wait begins, and again before the start.
    assert calls["BatchListJobDetails"] in (2, 3)
    assert calls["BatchListJobStatus"] == 0
    assert run.stack.drs.connection["password"] not in run.log()


def test_failed_precheck_starts_nothing_and_is_explained(begun: dict[str, Run]) -> None:
    run = begun["one-job-fails"]

    assert run.wait() == "failed"

    assert run.tasks == {"precheck": "success", "wait_until_passed": "failed", "start": "upstream_failed"}
    assert run.starts == [0] * 3
    log = run.log("wait_until_passed")
    for part in (
        run.job_ids[2],
        "srcBinlogFormatCheck",
        "Set `binlog_format = ROW` in my.cnf",
        "row-based.html",
    ):
        assert part in log


def test_reschedule_mode_and_soft_fail(begun: dict[str, Run]) -> None:
    run = begun["rescheduled"]
    run.stack.airflow.until(lambda: run.tasks.get("hasty") == "skipped", "the task was not skipped")
    assert run.tasks["patient"] in ("up_for_reschedule", "scheduled", "queued", "running")

    run.stack.drs.advance(5 * LONG_S)
    run.wait()

    assert run.tasks == {"precheck": "success", "patient": "success", "hasty": "skipped"}


def _starts(stack: Stack) -> list[int]:
    return [job["starts"] for job in stack.drs.jobs]


def _calls(stack: Stack) -> Counter[str]:
    return Counter(entry["operation"] for entry in stack.drs.journal())


def test_mapped_groups_are_independent(stack: Stack) -> None:
    failing = stack.drs.job_ids[5]
    stack.drs.set_verdict(failing, "fail")
    stack.airflow.unpause(MAPPED)
    run_id = stack.airflow.first_run(MAPPED)

    assert stack.airflow.wait(MAPPED, run_id) == "success", stack.airflow.log(MAPPED, run_id, "precheck")

    assert _starts(stack) == [1] * 5 + [0] + [1] * 4
    assert _calls(stack)["BatchCheckJobs"] == 3
    assert failing in stack.airflow.log(MAPPED, run_id, "report_failures")


def test_dags_test_runs_the_example(stack: Stack) -> None:
    # Otherwise the scheduler may run tasks of the run that the command creates.
    stack.airflow.run("dags", "pause", STORY)
    stack.airflow.run("dags", "test", STORY)

    assert _starts(stack) == [1] * 10


@pytest.mark.parametrize(("command", "text"), [("list", "airflow-provider-drs"), ("hooks", "drs_conn_id")])
def test_airflow_lists_the_provider(stack: Stack, command: str, text: str) -> None:
    output = stack.airflow.run("providers", command)

    line = next(line for line in output.splitlines() if text in line and "drs" in line)
    assert "drs" in line
