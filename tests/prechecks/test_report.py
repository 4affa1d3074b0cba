"""The report on a batch of pre-checks."""

from __future__ import annotations

import pytest

from airflow_provider_drs.protocol.core.errors import (
    EMPTY_RESULT_CODE,
    DrsError,
    DrsUnavailableError,
    make_error,
)
from airflow_provider_drs.protocol.prechecks.checks import explain, label_item
from airflow_provider_drs.protocol.prechecks.messages import CheckItem, PrecheckResult, SubJob
from airflow_provider_drs.protocol.prechecks.report import (
    JobReport,
    render_report,
    report_job,
    summarize,
    summarize_failures,
    unchecked_error,
)
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict
from airflow_provider_drs.protocol.prechecks.waivers import read_waiver

ALARM, FAILED = CheckItem("srcTriggerAndEventCheck", "ALARM"), CheckItem("srcDbConnection", "FAILED")


def _report(job_id: str, answer: PrecheckResult | DrsUnavailableError | None) -> JobReport:
    return report_job(job_id, answer, AlarmPolicy())


def _result(*items: CheckItem, percent: int = 100, result: bool = True) -> PrecheckResult:
    return PrecheckResult("job-1", "job-1", percent, result, 97, 30, items)


def test_table_has_errors_and_items_with_their_details() -> None:
    """Each item with its problem and fix below it; the last line counts the jobs."""
    item = CheckItem(
        "srcBinlogFormatCheck",
        "FAILED",
        failed_reason="BINLOG",
        raw_error="a\n b",
        failed_sub_jobs=(SubJob("s", "", "FAILED"),),
    )
    reports = [
        _report("job-1", _result(item, result=False)),
        _report("job-2", _result()),
        _report("job-3", None),
        _report("job-4", DrsUnavailableError("unreachable", error_code="X.1")),
        _report("job-5", _result(result=False)),
        JobReport("job-6", Verdict.PENDING),
    ]

    check = explain("srcBinlogFormatCheck")
    title = f"{check.title} (srcBinlogFormatCheck)"
    assert render_report(reports).splitlines() == [
        f"JOB    RESULT      {'CHECK ITEM':{len(title)}}  REASON",
        f"job-1  FAILED      {title}  BINLOG",
        "    subtasks: s (FAILED)",
        "    error: a b",
        f"    problem: {check.problem}",
        f"    fix: {check.fix}",
        f"    manual: {check.url}",
        f"job-3  not needed  {'-':{len(title)}}  "
        "already passed or started, or its forward job is replicating",
        f"job-4  ERROR       {'-':{len(title)}}  X.1",
        "    unreachable",
        f"job-5  FAILED      {'-':{len(title)}}  DRS returned no failed check item",
        "    fix: Open the job's pre-check page in the DRS console.",
        "6 jobs: 1 pending, 2 passed, 3 failed",
    ]


def test_report_without_findings_is_one_line() -> None:
    assert render_report([_report("a", _result())]) == "1 job: 1 passed"
    assert summarize([]) == "0 jobs: none"


def test_alarms_show_whether_they_were_accepted() -> None:
    other = CheckItem("srcCollHasTtlIndex", "ALARM")
    waiver = read_waiver(
        {"item": other.item, "jobs": "*", "reason": "ours", "expires": "2999-12-31"}, "waiver"
    )
    policies = [AlarmPolicy(), AlarmPolicy(frozenset({ALARM.item}), (waiver,)), AlarmPolicy(frozenset())]

    reports = [report_job("a", _result(ALARM, other), policy) for policy in policies]

    assert [[report.describe_result(item) for item in (ALARM, other)] for report in reports] == [
        ["ALARM (accepted: allowed)"] * 2,
        ["ALARM (accepted: allowed)", "ALARM (accepted: waiver until 2999-12-31)"],
        ["ALARM (not accepted)"] * 2,
    ]
    assert [[item["accepted"] for item in report.to_dict()["items"]] for report in reports] == [
        ["allowed"] * 2,
        ["allowed", "waiver"],
        [None] * 2,
    ]


def test_summary_names_the_first_failed_jobs() -> None:
    """Each job with the items or the error that failed it."""
    reports = [
        _report("a", _result(FAILED, ALARM, result=False)),
        _report("b", DrsUnavailableError("unreachable")),
        _report("c", _result(result=False)),
        _report("d", _result()),
    ]

    assert summarize_failures(reports, AlarmPolicy()).splitlines() == [
        f"a: {label_item('srcDbConnection')}",
        "b: unreachable",
        "c: DRS returned no failed check item",
    ]
    assert summarize_failures(reports[:1] * 500, AlarmPolicy()).splitlines()[5:] == ["and 495 more"]


@pytest.mark.parametrize(
    ("answer", "reason", "remedy"),
    [
        (DrsUnavailableError("unreachable"), "unreachable", "Fix the failed checks"),
        (_result(percent=40), "it is at 40%", "Wait for its verdict"),
        (
            make_error("x", error_code=EMPTY_RESULT_CODE),
            "it has no result yet",
            "Pre-check the job, and wait",
        ),
        (_result(FAILED, result=False), label_item("srcDbConnection"), "Fix the failed checks"),
        (_result(FAILED, ALARM, result=False), label_item("srcDbConnection"), "Fix the failed checks"),
        (_result(ALARM), label_item(ALARM.item), "Accept the alarms"),
    ],
)
def test_unchecked_error_has_reason_and_remedy(
    answer: PrecheckResult | DrsError, reason: str, remedy: str
) -> None:
    policy = AlarmPolicy(frozenset())
    error = unchecked_error(report_job("a", answer, policy), policy)

    assert f"a: the pre-check has not passed: {reason}" in str(error)
    assert remedy in str(error)
