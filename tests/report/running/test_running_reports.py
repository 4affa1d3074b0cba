"""The data of the report page, on a running Airflow of each line."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pytest
from drs_emulator.http import iam

from dev.stacks.airflow_settings import RESPONSE_S
from tests.report.running.conftest import DAG_ID, OTHER_DAG, RunningAirflow, place
from tests.shared_airflow.main_job import FAILED_JOB, FAILED_RUN, PASSED_RUN, WAITING_RUN

pytestmark = pytest.mark.system


def test_failed_check_has_problem_and_fix(running: RunningAirflow) -> None:
    response = running.get_report(FAILED_RUN).json()

    assert response["summary"]["verdicts"] == {"failed": 1, "unknown": 0, "pending": 0, "passed": 9}
    job = response["jobs"][0]
    assert (job["job_id"], job["verdict"]) == (running.drs.job_ids[FAILED_JOB], "failed")
    assert (job["name"], job["engine"]) == (f"orders-migration-{FAILED_JOB + 1:02}", "mysql")
    assert (job["source"], job["destination"]) == ("192.0.2.10:3306", "e05a3679efe241d8b5dee80b17c1a863in01")
    (item,) = job["items"]
    assert (item["item"], item["kind"], item["reason"]) == (
        "srcBinlogFormatCheck",
        "failed",
        "SRC_BINLOG_FORMAT_CHECK_NOT_MET",
    )
    fact = response["facts"]["srcBinlogFormatCheck"]
    assert fact["fix"].startswith("Set `binlog_format = ROW`")
    assert fact["link"].startswith("https://docs.otc.t-systems.com/")
    assert response["refresh_s"] is None


def test_map_index_placeholder_is_accepted(running: RunningAirflow) -> None:
    response = running.get("data/report", **{**place(FAILED_RUN), "map_index": "{MAP_INDEX}"}).json()

    assert response["summary"]["jobs"] == 10


def test_waiting_task_has_live_progress(running: RunningAirflow) -> None:
    running.get_report(WAITING_RUN)
    running.drs.clear_journal()

    responses = [running.get_report(WAITING_RUN, user).json() for user in ("admin", "viewer") * 5]

    assert {response["live"] for response in responses} == {"on"}
    assert responses[0]["summary"]["verdicts"] == {"failed": 0, "unknown": 0, "pending": 6, "passed": 4}
    (percent,) = {job["percent"] for job in responses[0]["jobs"] if job["verdict"] == "pending"}
    assert 40 <= percent < 50
    assert responses[0]["refresh_s"] == 5
    polls = [entry for entry in running.drs.journal("BatchCheckResults") if entry["applied"]]
    # The triggerer also polls, every 10 seconds.
    assert len(polls) <= 2


def test_waiting_task_in_worker_has_live_progress(running: RunningAirflow) -> None:
    run_id = running.seeds.add("rescheduled", None, state="up_for_reschedule")

    response = _wait_for(running, "on", run_id)

    assert (response["kind"], response["summary"]["jobs"]) == ("waiting", 10)


def test_page_has_no_connection_data(running: RunningAirflow) -> None:
    paths = ("data/report", "data/history", "data/export")
    texts = "".join(running.get(path, **place(WAITING_RUN)).text for path in paths)

    for value in (iam.PASSWORD, iam.USER, iam.DOMAIN, running.drs.url, "drs_default"):
        assert value not in texts


def test_unreachable_drs_is_reported(running: RunningAirflow) -> None:
    # A transient error: the task must continue to wait.
    fault = running.drs.inject("status", operation="BatchCheckResults", status=503, times=None)
    try:
        response = _wait_for(running, "unreachable")
    finally:
        running.drs.remove_fault(fault)

    assert response["reason"] == "DRS does not respond"
    assert response["summary"]["jobs"] == 10
    assert running.drs.url not in str(response)
    _wait_for(running, "on")


def _wait_for(running: RunningAirflow, live: str, run_id: str = WAITING_RUN) -> dict[str, Any]:
    """Request the report of a waiting task until ``live`` has this value; results are cached for seconds."""
    deadline_s = time.monotonic() + 300
    while (response := running.get_report(run_id).json())["live"] != live:
        assert time.monotonic() < deadline_s, (response["kind"], response["live"], response["task"])
        time.sleep(0.5)
    found: dict[str, Any] = response
    return found


@pytest.mark.parametrize(
    ("state", "kind", "refresh_s"),
    [
        ("queued", "nothing", 15),
        (None, "nothing", 15),
        ("upstream_failed", "nothing", None),
        ("failed", "nothing", None),
    ],
)
def test_task_without_report(
    running: RunningAirflow, state: str | None, kind: str, refresh_s: int | None
) -> None:
    run_id = running.seeds.add(f"without-{state}", None, state=state or "none")
    running.seeds.set_state(run_id, state)

    response = running.get_report(run_id).json()

    assert (response["kind"], response["refresh_s"], response["task"]["state"]) == (
        "nothing",
        refresh_s,
        state,
    )


def test_task_without_wait_lists_submissions(running: RunningAirflow) -> None:
    response = running.get("data/report", **place(FAILED_RUN, "precheck")).json()

    assert response["kind"] == "submissions"
    assert {row["status"] for row in response["submissions"]} == {"submitted"}
    assert response["neighbors"] == [{"task_id": "wait_until_passed", "map_index": -1}]


def test_invalid_report_is_unreadable(running: RunningAirflow) -> None:
    run_id = running.seeds.add("no-report", {"jobs": "none"})

    response = running.get_report(run_id).json()

    assert response["kind"] == "unreadable"
    assert running.get("data/export", **place(run_id)).status_code == 404


def test_unknown_task(running: RunningAirflow) -> None:
    response = running.get("data/report", **place("long-gone")).json()

    assert (response["kind"], response["task"]["exists"]) == ("nothing", False)


def test_cleared_task_updates_the_report(running: RunningAirflow) -> None:
    run_id = running.seeds.add("cleared", [{"job_id": "a", "verdict": "failed"}])
    before = running.get_report(run_id).json()["summary"]["verdicts"]
    running.seeds.replace(run_id, [{"job_id": "a", "verdict": "passed"}])

    after = running.get_report(run_id).json()["summary"]["verdicts"]

    assert (before["failed"], after["failed"], after["passed"]) == (1, 0, 1)
    history = running.get("data/history", **place(run_id)).json()
    assert next(run for run in history["runs"] if run["run_id"] == run_id)["outcome"] == "passed"


def test_history_has_items_by_run(running: RunningAirflow) -> None:
    response = running.get("data/history", **place(FAILED_RUN)).json()

    runs = {run["run_id"]: run for run in response["runs"]}
    failed, passed = runs[FAILED_RUN], runs[PASSED_RUN]
    hits = dict(zip(response["items"], failed["hits"], strict=True))
    assert hits["srcBinlogFormatCheck"] == [1, 0]
    assert (failed["outcome"], passed["outcome"]) == ("failed", "passed")
    order = [run["at"] for run in response["runs"]]
    assert order == sorted(order)
    assert len(order) <= 30


def test_report_export(running: RunningAirflow) -> None:
    text = running.get("data/export", **place(FAILED_RUN), form="csv", view="failed")
    markdown = running.get("data/export", **place(FAILED_RUN), form="markdown")

    (row,) = csv.DictReader(io.StringIO(text.text, newline=""))
    assert (row["item"], row["result"]) == ("srcBinlogFormatCheck", "FAILED")
    assert "precheck.csv" in text.headers["Content-Disposition"]
    assert "| srcBinlogFormatCheck | FAILED |" in markdown.text
    assert "8 jobs passed without alarms." in markdown.text


def test_overview_is_paginated(running: RunningAirflow) -> None:
    for n in range(30):
        running.seeds.add(
            f"page-{n}", [{"job_id": "a", "verdict": "passed"}], days_ago=100 + n, dag_id=OTHER_DAG
        )

    first = running.get("data/overview").json()
    second = running.get("data/overview", offset=25).json()

    assert [task["run_id"] for task in first["waiting"]][-1] == WAITING_RUN
    assert (len(first["reports"]), first["has_more"]) == (25, True)
    assert (second["waiting"], second["offset"]) == ([], 25)
    order = [report["at"] for report in first["reports"] + second["reports"]]
    assert order == sorted(order, reverse=True)


def test_page_is_registered(running: RunningAirflow) -> None:
    if running.airflow.major == 2:
        home = running.sessions["admin"].get(f"{running.url}/home", timeout=RESPONSE_S)
        assert "/team/airflow/drs/report" in home.text
        return
    response = running.sessions["admin"].get(f"{running.url}/api/v2/plugins", timeout=RESPONSE_S)
    (plugin,) = (plugin for plugin in response.json()["plugins"] if plugin["name"] == "drs_report")
    views = {view["destination"]: view for view in plugin["external_views"]}
    assert views["nav"]["category"] == "browse"
    assert "task_id={TASK_ID}" in views["task_instance"]["href"]
    errors = running.sessions["admin"].get(f"{running.url}/api/v2/plugins/importErrors", timeout=RESPONSE_S)
    assert errors.json()["import_errors"] == []


@pytest.mark.parametrize(
    "file", ["page.css", "page.js", "dom.js", "jobs.js", "plot.js", "overview.js", "theme.js", "icon.svg"]
)
def test_static_files_behind_prefix(running: RunningAirflow, file: str) -> None:
    response = running.get(f"static/{file}", None)

    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "html": "text/html"}
    found = response.headers["Content-Type"].split(";")[0]
    assert (response.status_code, found) == (200, kinds[file.rsplit(".")[-1]])


def test_task_page_is_linked(running: RunningAirflow) -> None:
    page = running.get_report(FAILED_RUN).json()["task"]["page"]
    response = running.sessions["admin"].get(f"{running.url}/{page}", timeout=RESPONSE_S)

    assert response.status_code == 200
    assert DAG_ID in page
