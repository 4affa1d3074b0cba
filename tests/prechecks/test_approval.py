from __future__ import annotations

from typing import Any

from airflow_provider_drs.protocol.prechecks.approval import render_alarms, waive_alarms
from airflow_provider_drs.protocol.prechecks.messages import CheckItem, PrecheckResult
from airflow_provider_drs.protocol.prechecks.report import report_job
from airflow_provider_drs.protocol.prechecks.verdict import Verdict, read_alarm_policy

ALARM = CheckItem("srcTriggerAndEventCheck", "ALARM", failed_reason="TRIGGERS")


def _report(job_id: str, *items: CheckItem) -> dict[str, Any]:
    result = PrecheckResult(job_id, job_id, 100, True, 100, items=items)
    return report_job(job_id, result, read_alarm_policy("allow")).to_dict()


def test_every_alarm_is_a_row() -> None:
    """Failed items are not in the table: they cannot be approved."""
    table = render_alarms([_report("a", ALARM, CheckItem("srcBinlogFormatCheck", "FAILED")), _report("b")])

    heading, line, row = table.splitlines()
    assert heading == "| Job | Check | Reason | Problem | Fix |"
    assert line == "| --- | --- | --- | --- | --- |"
    assert row.startswith(r"| a | Source triggers and events \(srcTriggerAndEventCheck\) | TRIGGERS | ")


def test_without_alarms_there_is_no_table() -> None:
    """An empty text, so that nobody needs to be asked."""
    assert render_alarms([_report("a")]) == ""


def test_what_drs_says_is_shown_as_it_is() -> None:
    """No markup of its own: neither a column, nor a link, nor HTML."""
    hostile = CheckItem("x", "ALARM", failed_reason="a|b\n<script>[l](http://evil)`c`")

    row = render_alarms([_report("a", hostile)]).splitlines()[2]

    assert r"a\|b \<script\>\[l\]\(http://evil\)\`c\`" in row
    assert "\n" not in row


def test_an_empty_cell_has_a_dash() -> None:
    """DRS may give no reason."""
    row = render_alarms([_report("a", CheckItem("x", "ALARM"))]).splitlines()[2]
    assert row.startswith(r"| a | Unknown check item \(x\) | - |")


def test_waivers_let_these_alarms_pass_and_no_others() -> None:
    """The same item of another job is another alarm."""
    waivers = waive_alarms([_report("a", ALARM), _report("b")], reason="seen", expires="2026-12-31")
    policy = read_alarm_policy(waivers)

    def verdict(job_id: str, item: CheckItem) -> Verdict:
        return report_job(
            job_id, PrecheckResult(job_id, job_id, 100, True, 100, items=(item,)), policy
        ).verdict

    assert verdict("a", ALARM) is Verdict.PASSED
    assert verdict("b", ALARM) is Verdict.FAILED
    assert verdict("a", CheckItem("srcCollHasTtlIndex", "ALARM")) is Verdict.FAILED


def test_without_alarms_there_is_nothing_to_waive() -> None:
    """The empty list lets no alarm pass."""
    assert waive_alarms([_report("a")], reason="seen", expires="2026-12-31") == []
