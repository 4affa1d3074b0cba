from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.protocol.prechecks.approval import render_alarms, waive_alarms
from airflow_provider_drs.protocol.prechecks.checks import explain
from airflow_provider_drs.protocol.prechecks.messages import CheckItem, PrecheckResult
from airflow_provider_drs.protocol.prechecks.report import report_job
from airflow_provider_drs.protocol.prechecks.verdict import Verdict, judge, read_alarm_policy

ALARM = CheckItem("srcTriggerAndEventCheck", "ALARM", failed_reason="TRIGGERS")


def _result(job_id: str, *items: CheckItem) -> PrecheckResult:
    return PrecheckResult(job_id, job_id, 100, True, 100, items=items)


def _report(job_id: str, *items: CheckItem) -> dict[str, Any]:
    return report_job(job_id, _result(job_id, *items), read_alarm_policy("allow")).to_dict()


def test_table_has_a_row_for_each_alarm() -> None:
    """Failed items cannot be approved and are not in the table."""
    table = render_alarms([_report("a", ALARM, CheckItem("srcBinlogFormatCheck", "FAILED")), _report("b")])

    heading, line, row = table.splitlines()
    title = explain(ALARM.item).title
    assert heading == "| Job | Check | Reason | Problem | Fix |"
    assert line == "| --- | --- | --- | --- | --- |"
    assert row.startswith(f"| a | {title} \\(srcTriggerAndEventCheck\\) | TRIGGERS | ")


@pytest.mark.parametrize(
    ("reason", "cell"),
    [("a|b\n<script>[l](http://evil)`c`", r"a\|b \<script\>\[l\]\(http://evil\)\`c\`"), ("", "-")],
)
def test_markup_in_a_reason_is_escaped(reason: str, cell: str) -> None:
    """A missing reason is a dash."""
    row = render_alarms([_report("a", CheckItem("x", "ALARM", failed_reason=reason))]).splitlines()[2]
    assert f" | {cell} | " in row


def test_waivers_accept_only_these_alarms() -> None:
    """Neither the same item of another job, nor another item of the same job."""
    policy = read_alarm_policy(
        waive_alarms([_report("a", ALARM), _report("b")], reason="seen", expires="2026-12-31")
    )

    assert judge(_result("a", ALARM), policy) is Verdict.PASSED
    assert judge(_result("b", ALARM), policy) is Verdict.FAILED
    assert judge(_result("a", CheckItem("srcCollHasTtlIndex", "ALARM")), policy) is Verdict.FAILED


def test_without_alarms_table_and_waivers_are_empty() -> None:
    assert render_alarms([_report("a")]) == ""
    assert waive_alarms([_report("a")], reason="seen", expires="2026-12-31") == []
