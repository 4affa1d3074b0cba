"""The report on a batch of pre-checks."""

from __future__ import annotations

from airflow_provider_drs.protocol.core.errors import (
    DrsUnavailableError,
)
from airflow_provider_drs.protocol.prechecks.checks import explain
from airflow_provider_drs.protocol.prechecks.messages import (
    CheckItem,
    PrecheckResult,
    SubJob,
)
from airflow_provider_drs.protocol.prechecks.report import (
    JobReport,
    name_failures,
    render_report,
    report_job,
    summarise,
    unchecked_error,
)
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict

ALARM, FAILED, ODD = (
    CheckItem("srcTriggerAndEventCheck", "ALARM"),
    CheckItem("srcDbConnection", "FAILED"),
    CheckItem("x", "NEW"),
)


ANY = AlarmPolicy()


def _result(
    percent: int = 100, result: bool | None = True, rate: int | None = 100, *items: CheckItem
) -> PrecheckResult:
    return PrecheckResult("job-1", "job-1", percent, result, rate, 30, items)


def test_the_table_that_people_read() -> None:
    """A row an item, its meaning and remedy below, a sum at the end."""
    item = CheckItem(
        "srcBinlogFormatCheck",
        "FAILED",
        failed_reason="BINLOG",
        raw_error="a\n b",
        failed_sub_jobs=(SubJob("s", "", "FAILED"),),
    )
    reports = [
        report_job("job-1", _result(100, False, 97, item), ANY),
        report_job("job-2", _result(), ANY),
        report_job("job-3", None, ANY),
        report_job("job-4", DrsUnavailableError("away", error_code="X.1"), ANY),
        report_job("job-5", _result(100, False), ANY),
        JobReport("job-6", Verdict.PENDING),
    ]

    text = explain("srcBinlogFormatCheck")
    assert render_report(reports).splitlines() == [
        "JOB    CHECK ITEM            RESULT      REASON",
        "job-1  srcBinlogFormatCheck  FAILED      BINLOG",
        "    subtasks: s (FAILED)",
        "    error: a b",
        f"    problem: {text.problem}",
        f"    fix: {text.fix}",
        f"    manual: {text.url}",
        "job-3  -                     not needed  its forward job is replicating",
        "job-4  -                     ERROR       X.1",
        "    away",
        "job-5  -                     FAILED      no check item given",
        "    fix: Open the job's pre-check page in the DRS console.",
        "6 jobs: 1 pending, 2 passed, 3 failed",
    ]


def test_a_report_without_anything_to_say_is_one_line() -> None:
    """All well."""
    assert render_report([report_job("a", _result(), ANY)]) == "1 job: 1 passed"
    assert summarise([]) == "0 jobs: nothing"


def test_failures_are_named_in_one_line() -> None:
    """Jobs and items, or the error."""
    reports = [
        report_job("a", _result(100, False, 90, FAILED, ALARM), ANY),
        report_job("b", DrsUnavailableError("away"), ANY),
        report_job("c", _result(100, False), ANY),
        report_job("d", _result(), ANY),
    ]

    assert name_failures(reports, ANY) == (
        "a: srcDbConnection; b: DrsUnavailableError; c: DRS says that the pre-check has not passed"
    )


def test_an_unchecked_job_says_why_it_must_not_start() -> None:
    """An error, a percentage, the items."""
    pending = report_job("a", _result(40), ANY)
    errors = [
        report_job("b", DrsUnavailableError("away"), ANY),
        pending,
        report_job("c", _result(100, False, 9, FAILED), ANY),
    ]

    texts = [str(unchecked_error(report, ANY)) for report in errors]

    assert ["away" in texts[0], "it is at 40%" in texts[1], "srcDbConnection" in texts[2]] == [True] * 3
