"""Reports are read, counted, filtered and truncated, whatever the XCom contains."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_drs.protocol.core.errors import EMPTY_RESULT_CODE, make_error
from airflow_provider_drs.protocol.prechecks.messages import CheckItem, PrecheckResult
from airflow_provider_drs.protocol.prechecks.report import JobReport, report_job
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict
from airflow_provider_drs.protocol.prechecks.waivers import read_waiver
from airflow_provider_drs.report.fields import check_link, read_text
from airflow_provider_drs.report.reports import (
    VIEWS,
    Report,
    Unreadable,
    digest,
    gather_facts,
    rank_items,
)
from airflow_provider_drs.report.responses import read_address

WAIVER = {"item": "binLog", "jobs": "*", "reason": "agreed with the owner", "expires": "2999-12-31"}


def _row(job_id: str, *items: tuple[str, str], percent: int = 100, policy: AlarmPolicy | None = None) -> Any:
    """Return a row as the sensor writes it."""
    found = tuple(CheckItem(name, result, failed_reason=f"{name} said no") for name, result in items)
    has_passed = not any(result == "FAILED" for _, result in items)
    result = PrecheckResult(job_id, job_id, percent, has_passed, 100, 40 - len(found), found)
    return report_job(job_id, result, policy or AlarmPolicy()).to_dict()


def _read(*rows: Any) -> Report:
    return Report(json.dumps(rows))


def test_report_of_the_sensor_is_read() -> None:
    report = _read(_row("a", ("srcBinlogFormatCheck", "FAILED")))

    (job,) = (job.to_dict() for job in report.jobs)
    (item,) = job["items"]
    assert (job["job_id"], job["verdict"], job["percent"]) == ("a", "failed", 100)
    assert job["counts"] == {"passed": 39, "alarm": 0, "waived": 0, "failed": 1, "other": 0}
    assert (item["item"], item["kind"]) == ("srcBinlogFormatCheck", "failed")
    assert item["title"] == "Source binary log format"
    assert item["link"].startswith("https://docs.otc.t-systems.com/")


def test_job_without_a_result_yet_is_pending() -> None:
    error = make_error("failed", error_code=EMPTY_RESULT_CODE, job_ids=("a",))
    row = JobReport("a", Verdict.PENDING, error=error).to_dict()

    (job,) = _read(row).jobs

    assert (row["error"]["error_code"], job.verdict, job.error) == (EMPTY_RESULT_CODE, "pending", None)


def test_failed_jobs_come_first() -> None:
    unknown = {"job_id": "unknown", "verdict": "maybe"}
    rows = (_row("fine"), _row("alarmed", ("x", "ALARM")), _row("going-on", percent=40), unknown)
    report = _read(*rows, _row("bad", ("x", "FAILED")), _row("worse", ("x", "FAILED")))

    assert [job.job_id for job in report.jobs] == ["bad", "worse", "unknown", "going-on", "alarmed", "fine"]


@pytest.mark.parametrize("verdict", ["PASSED", "ok", "", None, True, 1, ["passed"], {"verdict": "passed"}])
def test_unknown_verdict_is_not_passed(verdict: object) -> None:
    report = _read({"job_id": "a", "verdict": verdict})

    assert report.summary["verdicts"]["passed"] == 0
    assert [job.job_id for job in report.select("failed")] == ["a"]
    assert report.digest.outcome == "failed"


def test_accepted_alarm_shows_its_waiver() -> None:
    policy = AlarmPolicy(frozenset(), (read_waiver(WAIVER, "waiver"),))
    (job,) = _read(_row("a", ("binLog", "ALARM"), policy=policy)).jobs

    (item,) = job.read_items()
    assert job.verdict == "passed"
    assert item["waiver"] == {"reason": "agreed with the owner", "expires": "2999-12-31", "jobs": "*"}
    assert (item["kind"], job.count("waived"), job.count("alarm")) == ("waived", 1, 0)


@pytest.mark.parametrize(
    ("view", "found"),
    [
        ("all", ["b", "p", "a", "c"]),
        ("failed", ["b"]),
        ("alarm", ["a"]),
        ("pending", ["p"]),
        ("passed", ["a", "c"]),
    ],
)
def test_filters_select_jobs(view: str, found: list[str]) -> None:
    report = _read(_row("a", ("x", "ALARM")), _row("b", ("x", "FAILED")), _row("p", percent=1), _row("c"))

    assert [job.job_id for job in report.select(view)] == found
    assert report.summary["views"][view] == len(found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("JOB-1", ["job-1"]),
        ("binlog", ["job-1"]),
        ("binary LOG", ["job-1"]),
        ("SAID no", ["job-1"]),
        ("quiet", []),
    ],
)
def test_search_in_ids_items_and_reasons(text: str, found: list[str]) -> None:
    report = _read(_row("job-1", ("srcBinlogFormatCheck", "FAILED")), _row("job-2"))

    assert [job.job_id for job in report.select("all", text)] == found


@pytest.mark.parametrize(
    ("fields", "accepted"), [({"accepted": "allowed"}, "allowed"), ({"accepted": None}, None), ({}, "")]
)
def test_alarm_shows_whether_it_was_accepted(fields: dict[str, Any], accepted: str | None) -> None:
    item = {"item": "binLog", "result": "ALARM", **fields}

    (job,) = _read({"job_id": "a", "verdict": "passed", "items": [item]}).jobs

    assert job.read_items()[0]["accepted"] == accepted


def test_name_is_shown_and_searched() -> None:
    row = {**_row("a", ("x", "FAILED")), "name": "orders-db"}
    report = _read(row, _row("b"))

    assert [job.name for job in report.jobs] == ["orders-db", ""]
    assert [job.job_id for job in report.select("all", "ORDERS")] == ["a"]


def test_search_in_errors() -> None:
    row = {"job_id": "a", "verdict": "failed", "error": {"type": "DrsError", "message": "No such job"}}

    assert [job.job_id for job in _read(row).select("all", "no such")] == ["a"]


def test_texts_are_shared_by_all_jobs() -> None:
    jobs = [job.to_dict() for job in _read(_row("a", ("x", "FAILED")), _row("b", ("x", "FAILED"))).jobs]

    facts = gather_facts(jobs)

    assert facts.keys() == {"x"}
    assert not [item for job in jobs for item in job["items"] if "problem" in item]


def test_digest_counts_jobs_by_item() -> None:
    rows = (_row("a", ("x", "FAILED"), ("x", "FAILED")), _row("b", ("x", "ALARM"), ("y", "ALARM")))

    found = digest(json.dumps(rows))

    assert found is not None
    assert (found.jobs, found.failed, found.items) == (2, 1, (("x", 1, 1), ("y", 0, 1)))


def test_items_are_ranked_by_failed_reports() -> None:
    digests = [
        _read(_row("a", *items)).digest
        for items in ([("often", "FAILED"), ("once", "FAILED")], [("often", "FAILED"), ("soft", "ALARM")])
    ]

    assert rank_items(digests, 2) == ["often", "once"]
    assert rank_items(digests, 9) == ["often", "once", "soft"]


@pytest.mark.parametrize(
    "text", ["", "null", "{}", "[1]", '["a"]', "\x80\x04pickle", '[{"items": {}}]', "[[]]"]
)
def test_invalid_report_raises(text: str) -> None:
    with pytest.raises(Unreadable):
        Report(text)
    assert digest(text) is None


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:text/html,<script>",
        "http://docs.otc.t-systems.com/",
        "https://docs.otc.t-systems.com.evil.example/",
        "https://docs.otc.t-systems.com@evil.example/",
        "https://user@docs.otc.t-systems.com/",
        "https://docs.otc.t-systems.com:8443/",
        "https://[evil",
        "https://docs.otc.t-systems.com:port/",
        "//docs.otc.t-systems.com/",
        " https://evil.example",
        None,
        7,
    ],
)
def test_links_lead_to_manuals_only(address: object) -> None:
    assert check_link(address) == ""


def test_manuals_are_allowed_hosts() -> None:
    for host in ("docs.otc.t-systems.com", "support.huaweicloud.com"):
        assert check_link(f"https://{host}/drs/x.html") == f"https://{host}/drs/x.html"


@pytest.mark.parametrize(
    ("text", "map_index"), [("3", 3), ("-1", -1), ("{MAP_INDEX}", -1), ("9" * 5000, 999_999_999)]
)
def test_map_index_formats(text: str, map_index: int) -> None:
    assert read_address("d", "r", "t", text).map_index == map_index


def test_long_text_is_truncated() -> None:
    assert len(read_text("x" * 100_000)) < 3000


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)
FIELDS = ("job_id", "verdict", "progress", "total_passed_rate", "counts", "error", "items")
ITEM_FIELDS = ("item", "result", "group", "raw_error", "failed_sub_jobs", "link", "waiver", "data")
ITEMS = st.lists(st.dictionaries(st.sampled_from(ITEM_FIELDS), JSON), max_size=3)
ROWS = st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON | ITEMS, max_size=7), max_size=4)


@given(ROWS)
def test_any_json_is_a_report_or_rejected(rows: list[dict[str, Any]]) -> None:
    try:
        report = _read(*rows)
    except Unreadable:
        return

    sent = [report.summary, [job.to_dict() for job in report.jobs], report.digest.items]
    json.dumps(sent, allow_nan=False)
    assert all(len(report.select(view)) == report.summary["views"][view] for view in VIEWS)
