"""What goes wrong around a run: a triggerer dies, a verdict is to be softened, tasks are cleared."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable

from tests.airflow.conftest import Site

OURS = 3


def _starts(site: Site) -> list[int]:
    return [job["starts"] for job in site.drs.jobs][:OURS]


def _calls(site: Site) -> Counter[str]:
    return Counter(entry["operation"] for entry in site.drs.journal())


def _until(site: Site, is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 120
    while not is_so():
        site.airflow.check()
        assert time.monotonic() < deadline_s
        time.sleep(0.2)


def test_a_dead_triggerer_loses_no_wait(site: Site) -> None:
    """Its successor goes on with the wait, and nothing is submitted or started again."""
    dag_id = "drs_deferred_operators"
    site.drs.set_verdict(None, "pass", duration_s=3600)
    site.airflow.unpause(dag_id)
    run_id = site.airflow.trigger(dag_id, "dead-triggerer")
    site.airflow.wait_for_task(dag_id, run_id, "precheck", ["deferred"])
    polls = _calls(site)["BatchCheckResults"]
    _until(site, lambda: _calls(site)["BatchCheckResults"] > polls)

    site.airflow.kill("triggerer")
    site.airflow.start("triggerer")
    polls = _calls(site)["BatchCheckResults"]
    _until(site, lambda: _calls(site)["BatchCheckResults"] > polls)
    site.drs.advance(3600)

    assert site.airflow.wait(dag_id, run_id) == "success", site.airflow.log(dag_id, run_id, "*")
    assert (_calls(site)["BatchCheckJobs"], _calls(site)["BatchStartJobs"]) == (1, 1)
    assert _starts(site) == [1] * OURS
    # What a trigger that shares its poller says stands in the log of its own task.
    logs = (site.airflow.home / "logs").rglob("*.trigger.*")
    told = "".join(file.read_text() for file in logs if f"run_id={run_id}" in str(file))
    assert [f"{job_id} pre-check passed" in told for job_id in site.drs.job_ids[:OURS]] == [True] * OURS


def test_soft_fail_does_not_soften_a_verdict(site: Site) -> None:
    """The sensor fails, though it was told to skip, so that a lenient trigger rule starts nothing."""
    dag_id = "drs_softened"
    bad = site.drs.job_ids[1]
    site.drs.set_verdict(bad, "fail", items=["srcBinlogFormatCheck"])
    site.airflow.unpause(dag_id)
    run_id = site.airflow.trigger(dag_id, "softened")

    assert site.airflow.wait(dag_id, run_id) == "failed"

    states = site.airflow.task_states(dag_id, run_id)
    assert states == {"precheck": "success", "wait_until_passed": "failed", "start": "upstream_failed"}
    assert _calls(site)["BatchStartJobs"] == 0
    report = site.airflow.xcom(dag_id, run_id, "wait_until_passed", "precheck_report")
    assert {job["job_id"]: job["verdict"] for job in report}[bad] == "failed"


def test_cleared_tasks_adopt_what_was_started(site: Site) -> None:
    """Neither a cleared start nor a cleared wait starts a job again, and neither fails because of that."""
    dag_id = "drs_cleared"
    site.airflow.unpause(dag_id)
    run_id = site.airflow.trigger(dag_id, "cleared")
    assert site.airflow.wait(dag_id, run_id) == "success", site.airflow.log(dag_id, run_id, "*")

    for task_id in ("start", "wait_until_passed"):
        tries = site.airflow.tries(dag_id, run_id, "start")
        site.airflow.clear(dag_id, run_id, task_id)
        _until(site, lambda tries=tries: site.airflow.tries(dag_id, run_id, "start") > tries)
        assert site.airflow.wait(dag_id, run_id) == "success", site.airflow.log(dag_id, run_id, "*")

    assert _starts(site) == [1] * OURS
    adopted = site.airflow.xcom(dag_id, run_id, "start", "start_results")
    assert [row["adopted"] for row in adopted] == [True] * OURS


def test_airflow_keeps_no_secret(site: Site) -> None:
    """After a wait in the triggerer, neither the database nor a log has the password or a token."""
    dag_id = "drs_deferred_operators"
    site.airflow.unpause(dag_id)
    run_id = site.airflow.trigger(dag_id, "secrets")
    assert site.airflow.wait(dag_id, run_id) == "success", site.airflow.log(dag_id, run_id, "*")

    kept = {file.name: file.read_bytes() for file in (site.airflow.home / "logs").rglob("*.log*")}
    assert kept
    kept["database"] = site.airflow.dump()
    # The emulator's tokens begin as those of the service do.
    secret = re.compile(re.escape(site.drs.connection["password"].encode()) + rb"|MII[\w-]{60}")
    assert [name for name, text in kept.items() if secret.search(text)] == []
