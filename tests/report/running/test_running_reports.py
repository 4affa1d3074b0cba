"""What the page is told, on a running Airflow of each line."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pytest

from airflow_provider_drs.emulator.http import iam
from dev.stacks.airflow_settings import RESPONSE_S
from tests.report.running.conftest import DAG_ID, OTHER_DAG, Site, place
from tests.watched.main_job import FAILED_JOB, FAILED_RUN, PASSED_RUN, WAITING_RUN

pytestmark = pytest.mark.system


def test_failed_check_has_problem_and_fix(site: Site) -> None:
    answer = site.get_report(FAILED_RUN).json()

    assert answer["summary"]["verdicts"] == {"failed": 1, "unknown": 0, "pending": 0, "passed": 9}
    job = answer["jobs"][0]
    assert (job["job_id"], job["verdict"]) == (site.drs.job_ids[FAILED_JOB], "failed")
    (item,) = job["items"]
    assert (item["item"], item["kind"], item["reason"]) == (
        "srcBinlogFormatCheck",
        "failed",
        "SRC_BINLOG_FORMAT_CHECK_NOT_MET",
    )
    fact = answer["facts"]["srcBinlogFormatCheck"]
    assert fact["fix"].startswith("Set `binlog_format = ROW`")
    assert fact["link"].startswith("https://docs.otc.t-systems.com/")
    assert answer["refresh_s"] is None


def test_map_index_placeholder_is_accepted(site: Site) -> None:
    answer = site.get("data/report", **{**place(FAILED_RUN), "map_index": "{MAP_INDEX}"}).json()

    assert answer["summary"]["jobs"] == 10


def test_waiting_task_has_live_progress(site: Site) -> None:
    site.get_report(WAITING_RUN)
    site.drs.clear_journal()

    answers = [site.get_report(WAITING_RUN, who).json() for who in ("admin", "viewer") * 5]

    assert {answer["live"] for answer in answers} == {"on"}
    assert answers[0]["summary"]["verdicts"] == {"failed": 0, "unknown": 0, "pending": 6, "passed": 4}
    (percent,) = {job["percent"] for job in answers[0]["jobs"] if job["verdict"] == "pending"}
    assert 40 <= percent < 50
    assert answers[0]["refresh_s"] == 5
    asked = [entry for entry in site.drs.journal("BatchCheckResults") if entry["applied"]]
    # The triggerer asks, too, every ten seconds.
    assert len(asked) <= 2


def test_waiting_task_in_worker_has_live_progress(site: Site) -> None:
    run_id = site.seeds.add("rescheduled", None, state="up_for_reschedule")

    answer = _wait_for(site, "on", run_id)

    assert (answer["kind"], answer["summary"]["jobs"]) == ("waiting", 10)


def test_page_has_no_connection_data(site: Site) -> None:
    told = "".join(
        site.get(what, **place(WAITING_RUN)).text for what in ("data/report", "data/history", "data/export")
    )

    for secret in (iam.PASSWORD, iam.USER, iam.DOMAIN, site.drs.url, "drs_default"):
        assert secret not in told


def test_unreachable_drs_is_reported(site: Site) -> None:
    # One that passes: the task itself has to wait on.
    fault = site.drs.inject("status", operation="BatchCheckResults", status=503, times=None)
    try:
        answer = _wait_for(site, "unreachable")
    finally:
        site.drs.remove_fault(fault)

    assert answer["reason"] == "DRS does not respond"
    assert answer["summary"]["jobs"] == 10
    assert site.drs.url not in str(answer)
    _wait_for(site, "on")


def _wait_for(site: Site, live: str, run_id: str = WAITING_RUN) -> dict[str, Any]:
    """Look until a waiting task's report is live in this way; an answer of DRS is good for some seconds."""
    deadline_s = time.monotonic() + 60
    while (answer := site.get_report(run_id).json())["live"] != live:
        assert time.monotonic() < deadline_s, (answer["kind"], answer["live"], answer["task"])
        time.sleep(0.5)
    found: dict[str, Any] = answer
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
def test_task_without_report(site: Site, state: str | None, kind: str, refresh_s: int | None) -> None:
    run_id = site.seeds.add(f"without-{state}", None, state=state or "none")
    site.seeds.set_state(run_id, state)

    answer = site.get_report(run_id).json()

    assert (answer["kind"], answer["refresh_s"], answer["task"]["state"]) == ("nothing", refresh_s, state)


def test_task_without_wait_lists_submissions(site: Site) -> None:
    answer = site.get("data/report", **place(FAILED_RUN, "precheck")).json()

    assert answer["kind"] == "submissions"
    assert {row["status"] for row in answer["submissions"]} == {"submitted"}
    assert answer["neighbours"] == [{"task_id": "wait_until_passed", "map_index": -1}]


def test_invalid_report_is_unreadable(site: Site) -> None:
    run_id = site.seeds.add("no-report", {"jobs": "none"})

    answer = site.get_report(run_id).json()

    assert answer["kind"] == "unreadable"
    assert site.get("data/export", **place(run_id)).status_code == 404


def test_unknown_task(site: Site) -> None:
    answer = site.get("data/report", **place("long-gone")).json()

    assert (answer["kind"], answer["task"]["exists"]) == ("nothing", False)


def test_cleared_task_updates_the_report(site: Site) -> None:
    run_id = site.seeds.add("cleared", [{"job_id": "a", "verdict": "failed"}])
    before = site.get_report(run_id).json()["summary"]["verdicts"]
    site.seeds.replace(run_id, [{"job_id": "a", "verdict": "passed"}])

    after = site.get_report(run_id).json()["summary"]["verdicts"]

    assert (before["failed"], after["failed"], after["passed"]) == (1, 0, 1)
    history = site.get("data/history", **place(run_id)).json()
    assert next(run for run in history["runs"] if run["run_id"] == run_id)["outcome"] == "passed"


def test_history_has_items_by_run(site: Site) -> None:
    answer = site.get("data/history", **place(FAILED_RUN)).json()

    runs = {run["run_id"]: run for run in answer["runs"]}
    failed, passed = runs[FAILED_RUN], runs[PASSED_RUN]
    hits = dict(zip(answer["items"], failed["hits"], strict=True))
    assert hits["srcBinlogFormatCheck"] == [1, 0]
    assert (failed["outcome"], passed["outcome"]) == ("failed", "passed")
    order = [run["at"] for run in answer["runs"]]
    assert order == sorted(order)
    assert len(order) <= 30


def test_report_export(site: Site) -> None:
    text = site.get("data/export", **place(FAILED_RUN), form="csv", view="failed")
    markdown = site.get("data/export", **place(FAILED_RUN), form="markdown")

    (row,) = csv.DictReader(io.StringIO(text.text, newline=""))
    assert (row["item"], row["result"]) == ("srcBinlogFormatCheck", "FAILED")
    assert "precheck.csv" in text.headers["Content-Disposition"]
    assert "| srcBinlogFormatCheck | FAILED |" in markdown.text
    assert "8 jobs passed without alarms." in markdown.text


def test_overview_is_paginated(site: Site) -> None:
    for n in range(30):
        site.seeds.add(
            f"page-{n}", [{"job_id": "a", "verdict": "passed"}], days_ago=100 + n, dag_id=OTHER_DAG
        )

    first = site.get("data/overview").json()
    second = site.get("data/overview", offset=25).json()

    assert [task["run_id"] for task in first["waiting"]][-1] == WAITING_RUN
    assert (len(first["reports"]), first["has_more"]) == (25, True)
    assert (second["waiting"], second["offset"]) == ([], 25)
    order = [report["at"] for report in first["reports"] + second["reports"]]
    assert order == sorted(order, reverse=True)


def test_page_is_registered(site: Site) -> None:
    if site.airflow.major == 2:
        home = site.sessions["admin"].get(f"{site.url}/home", timeout=RESPONSE_S)
        assert "/team/airflow/drs/report" in home.text
        return
    answer = site.sessions["admin"].get(f"{site.url}/api/v2/plugins", timeout=RESPONSE_S)
    (plugin,) = (each for each in answer.json()["plugins"] if each["name"] == "drs_report")
    views = {view["destination"]: view for view in plugin["external_views"]}
    assert views["nav"]["category"] == "browse"
    assert "task_id={TASK_ID}" in views["task_instance"]["href"]
    errors = site.sessions["admin"].get(f"{site.url}/api/v2/plugins/importErrors", timeout=RESPONSE_S)
    assert errors.json()["import_errors"] == []


@pytest.mark.parametrize(
    "file", ["page.css", "page.js", "dom.js", "jobs.js", "plot.js", "overview.js", "theme.js", "icon.svg"]
)
def test_static_files_behind_prefix(site: Site, file: str) -> None:
    answer = site.get(f"static/{file}", None)

    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "html": "text/html"}
    found = answer.headers["Content-Type"].split(";")[0]
    assert (answer.status_code, found) == (200, kinds[file.rsplit(".")[-1]])


def test_task_page_is_linked(site: Site) -> None:
    page = site.get_report(FAILED_RUN).json()["task"]["page"]
    answer = site.sessions["admin"].get(f"{site.url}/{page}", timeout=RESPONSE_S)

    assert answer.status_code == 200
    assert DAG_ID in page
