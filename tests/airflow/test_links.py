"""The extra links of tasks in a running Airflow of both lines, as the UI gets them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.airflow.conftest import Stack

pytestmark = pytest.mark.system

DAG_ID = "drs_linked"
CONSOLE, REPORT = "DRS console", "Pre-check report"
FIRST_PAGE = "https://console.otc.t-systems.com/drs/?region=eu-de"


def _check(stack: Stack, run_id: str, task_id: str, map_index: int = -1, console: str = FIRST_PAGE) -> None:
    links = stack.airflow.links(DAG_ID, run_id, task_id, map_index)

    assert links[CONSOLE] == console
    report = urlsplit(str(links[REPORT]))
    assert (report.scheme, report.netloc, report.path) == ("", "", "/drs/report")
    assert {name: value for name, (value,) in parse_qs(report.query).items()} == {
        "dag_id": DAG_ID,
        "run_id": run_id,
        "task_id": task_id,
        "map_index": str(map_index),
    }


@pytest.mark.parametrize("outcome", ["success", "failed"])
def test_links_exist_in_every_task_state(stack: Stack, outcome: str) -> None:
    stack.drs.set_verdict(None, "pass", duration_s=3600)
    if outcome == "failed":
        stack.drs.set_verdict(stack.drs.job_ids[1], "fail", duration_s=3600)
    stack.airflow.unpause(DAG_ID)
    run_id = stack.airflow.trigger(DAG_ID, f"links-{outcome}")

    for task_id, state in (("running", "running"), ("deferred", "deferred"), ("mapped[2]", "deferred")):
        stack.airflow.wait_for_task(DAG_ID, run_id, task_id, [state])
        _until_linked(stack, run_id, task_id)
    _check(stack, run_id, "running")
    _check(stack, run_id, "deferred")
    _check(stack, run_id, "mapped", 2)
    # A task that has not started has no link, and reading it is not an error.
    assert stack.airflow.links(DAG_ID, run_id, "start")[CONSOLE] is None
    # The operator reads the job details, and so the console's list of these jobs.
    _check(stack, run_id, "precheck", console=f"{FIRST_PAGE}#/drs/migrate/list")

    stack.drs.advance(3600)
    stack.airflow.wait(DAG_ID, run_id)
    states = stack.airflow.task_states(DAG_ID, run_id)
    assert (states["running"], states["deferred"], states["mapped[1]"]) == (outcome,) * 3
    _check(stack, run_id, "running")
    _check(stack, run_id, "deferred")
    _check(stack, run_id, "mapped", 1)


def _until_linked(stack: Stack, run_id: str, task_id: str) -> None:
    """Wait for the first link: it is pushed after the task is running."""
    name, _, index = task_id.rstrip("]").partition("[")
    map_index = int(index or -1)
    stack.airflow.until(
        lambda: stack.airflow.links(DAG_ID, run_id, name, map_index)[CONSOLE] is not None,
        f"{task_id} has no link",
    )
