"""
The example DAGs, as they are, in a running scheduler, triggerer and dag processor, on both Airflow lines.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from typing import Any

import pytest

from tests.airflow.conftest import Site

STORY = "drs_batch_precheck"
MAPPED = "drs_nightly_precheck_mapped"


def _starts(site: Site) -> list[int]:
    return [job["starts"] for job in site.drs.jobs]


def _calls(site: Site) -> Counter[str]:
    return Counter(entry["operation"] for entry in site.drs.journal())


def test_the_story_on_its_schedule(site: Site) -> None:
    """The schedule makes the run; all pass, and each job is started once. Ten jobs cost one call a step."""
    site.airflow.unpause(STORY)
    run_id = site.airflow.first_run(STORY)

    assert site.airflow.wait(STORY, run_id) == "success", site.airflow.log(STORY, run_id, "precheck")

    assert site.airflow.task_states(STORY, run_id) == dict.fromkeys(
        ("precheck", "wait_until_passed", "start"), "success"
    )
    assert _starts(site) == [1] * 10
    calls = _calls(site)
    assert (calls["BatchCheckJobs"], calls["BatchStartJobs"]) == (1, 1)
    # What the jobs are is read before the pre-check, and again before the start.
    assert (calls["BatchListJobDetails"], calls["BatchListJobStatus"]) == (2, 0)
    assert site.drs.connection["password"] not in site.airflow.log(STORY, run_id, "*")


def test_a_failed_check_holds_everything_back_and_is_explained(site: Site) -> None:
    """No start reaches DRS, and the log says what to mend."""
    bad = site.drs.job_ids[2]
    site.drs.set_verdict(bad, "fail", items=["srcBinlogFormatCheck"])
    site.airflow.unpause(STORY)
    run_id = site.airflow.trigger(STORY, "one-job-fails")

    assert site.airflow.wait(STORY, run_id) == "failed"

    assert site.airflow.task_states(STORY, run_id) == {
        "precheck": "success",
        "wait_until_passed": "failed",
        "start": "upstream_failed",
    }
    assert _starts(site) == [0] * 10
    log = site.airflow.log(STORY, run_id, "wait_until_passed")
    for part in (bad, "srcBinlogFormatCheck", "Set binlog_format=ROW on the source", "row-based.html"):
        assert part in log


def test_mapped_groups_start_what_passed_and_report_the_rest(site: Site) -> None:
    """A failure in one group holds back neither its neighbours nor the other groups."""
    bad = site.drs.job_ids[5]
    site.drs.set_verdict(bad, "fail")
    site.airflow.unpause(MAPPED)
    run_id = site.airflow.first_run(MAPPED)

    assert site.airflow.wait(MAPPED, run_id) == "success", site.airflow.log(MAPPED, run_id, "precheck")

    assert _starts(site) == [1] * 5 + [0] + [1] * 4
    assert _calls(site)["BatchCheckJobs"] == 3
    assert bad in site.airflow.log(MAPPED, run_id, "report_the_rest")


def test_dags_test_runs_the_story(site: Site) -> None:
    """What a developer types before anything is deployed."""
    # Else the scheduler may take tasks of the run that the command makes.
    site.airflow.run("dags", "pause", STORY)
    site.airflow.run("dags", "test", STORY)

    assert _starts(site) == [1] * 10


def test_killed_waits_resume_and_nothing_is_done_twice(site: Site) -> None:
    """The worker dies in the middle of each wait; the next try goes on where DRS stands."""
    dag_id = "drs_killed_waits"
    site.drs.set_verdict(None, "pass", duration_s=25)
    site.airflow.unpause(dag_id)
    run_id = site.airflow.trigger(dag_id, "killed")

    _kill_when(site, dag_id, run_id, "precheck", lambda: _calls(site)["BatchCheckResults"] >= 4)
    _kill_when(site, dag_id, run_id, "start", lambda: _calls(site)["BatchStartJobs"] >= 1)

    assert site.airflow.wait(dag_id, run_id) == "success", site.airflow.log(dag_id, run_id, "*")
    assert _starts(site) == [1] * 10
    assert _calls(site)["BatchCheckJobs"] == 1
    tries = dict(site.airflow.query("select task_id, try_number from task_instance where dag_id = ?", dag_id))
    assert tries == {"precheck": 2, "start": 2}


def _kill_when(site: Site, dag_id: str, run_id: str, task_id: str, condition: Any) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, (
            f"{task_id} never came so far: {site.airflow.task_states(dag_id, run_id)}"
        )
        time.sleep(0.2)
    statement = "select pid from task_instance where dag_id = ? and run_id = ? and task_id = ?"
    ((pid,),) = site.airflow.query(statement, dag_id, run_id, task_id)
    os.kill(pid, signal.SIGKILL)


def test_rescheduled_waits_and_softened_time_outs(site: Site) -> None:
    """Mode reschedule comes to the same verdicts; soft_fail skips a time-out."""
    dag_id = "drs_rescheduled"
    site.drs.set_verdict(None, "pass", duration_s=20)
    site.airflow.unpause(dag_id)
    run_id = site.airflow.trigger(dag_id, "rescheduled")

    site.airflow.wait(dag_id, run_id)

    states = site.airflow.task_states(dag_id, run_id)
    assert states == {"precheck": "success", "patient": "success", "hasty": "skipped"}


@pytest.mark.parametrize(("command", "text"), [("list", "airflow-provider-drs"), ("hooks", "drs_conn_id")])
def test_airflow_knows_the_provider(site: Site, command: str, text: str) -> None:
    """And the connection type drs."""
    output = site.airflow.run("providers", command)

    line = next(line for line in output.splitlines() if text in line and "drs" in line)
    assert "drs" in line
