"""A user approves alarms in a running Airflow 3, through the API of its UI."""

from __future__ import annotations

import pytest

from airflow_provider_drs.hooks.drs import DrsHook
from dev.stacks.airflow_control import RestControl
from tests.airflow.conftest import Run, Stack

pytestmark = pytest.mark.system

ITEM = "srcTriggerAndEventCheck"
#: The DAG of each run; all runs wait concurrently.
RUNS = {
    "approved": "drs_approved_alarms",
    "rejected": "drs_approved_alarms",
    "unanswered": "drs_unanswered",
    "changed": "drs_approved_alarms",
    "spotless": "drs_approved_alarms",
}


def _wait_for_approval(run: Run) -> RestControl:
    """Return the control of the approval task when it waits for a response."""
    airflow = run.stack.airflow
    airflow.wait_for_task(run.dag_id, run.run_id, "approve", ["awaiting_input", "deferred"])
    assert isinstance(airflow.control, RestControl)
    return airflow.control


def _answer(run: Run, option: str) -> None:
    _wait_for_approval(run).respond(run.dag_id, run.run_id, "approve", option)


@pytest.fixture(scope="module")
def begun(running_stack: Stack) -> dict[str, Run]:
    """Trigger all runs, each with two jobs, of which the second has an alarm."""
    stack, drs = running_stack, running_stack.drs
    if stack.airflow.major < 3:
        pytest.skip("Airflow 2 has no human-in-the-loop operators")
    drs.reset()
    pairs = [drs.job_ids[n : n + 2] for n in range(0, 2 * len(RUNS), 2)]
    for run_id, pair in zip(RUNS, pairs, strict=True):
        if run_id != "spotless":
            drs.set_verdict(pair[1], "alarm", items=[ITEM])
    return {
        run_id: stack.run(dag_id, run_id, pair)
        for (run_id, dag_id), pair in zip(RUNS.items(), pairs, strict=True)
    }


def test_approved_alarms_start_the_jobs(begun: dict[str, Run]) -> None:
    run = begun["approved"]
    control = _wait_for_approval(run)

    table = control.read_request(run.dag_id, run.run_id, "approve")["body"]
    for part in (run.job_ids[1], ITEM, "Fix"):
        assert part in table
    assert run.starts == [0, 0]

    _answer(run, "Approve")
    assert run.wait() == "success", run.log()
    assert run.starts == [1, 1]


def test_rejected_alarms_fail_the_run(begun: dict[str, Run]) -> None:
    run = begun["rejected"]
    _answer(run, "Reject")

    assert (run.wait(), run.tasks["start"]) == ("failed", "upstream_failed")
    assert run.starts == [0, 0]


def test_unanswered_approval_times_out(begun: dict[str, Run]) -> None:
    run = begun["unanswered"]

    assert (run.wait(), run.tasks["start"]) == ("failed", "upstream_failed")
    assert run.starts == [0, 0]


def test_new_alarm_after_approval_starts_nothing(
    begun: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun["changed"]
    drs = run.stack.drs
    _wait_for_approval(run)
    drs.set_verdict(run.job_ids[0], "alarm", duration_s=0)
    monkeypatch.setenv("AIRFLOW_CONN_DRS_DEFAULT", drs.connection_json)
    with DrsHook() as hook:
        hook.precheck_jobs(run.job_ids[:1])

    _answer(run, "Approve")

    assert run.wait() == "failed"
    assert run.starts == [0, 0]


def test_no_approval_without_alarms(begun: dict[str, Run]) -> None:
    run = begun["spotless"]

    assert run.wait() == "success", run.log()
    assert run.tasks["approve"] == "skipped"
    assert run.starts == [1, 1]
