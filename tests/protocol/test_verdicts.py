from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_drs.protocol.batches import Limits
from airflow_provider_drs.protocol.checks import CHECKS, MANUAL_URL, explain
from airflow_provider_drs.protocol.errors import (
    DrsConfigError,
    DrsJobNotFoundError,
    DrsRequestError,
    DrsUnavailableError,
)
from airflow_provider_drs.protocol.prechecks import (
    AlarmPolicy,
    CheckItem,
    PrecheckResult,
    SubJob,
    Verdict,
    check_precheck_mode,
    is_new_run,
    judge,
    read_alarm_policy,
)
from airflow_provider_drs.protocol.reports import (
    JobReport,
    name_failures,
    render_report,
    report_job,
    summarise,
    unchecked_error,
)
from airflow_provider_drs.protocol.watches import PrecheckWatch, watch_action, watch_from_dict
from tests.protocol.talk import Talk, answer

ALARM, FAILED, ODD = (
    CheckItem("srcTriggerAndEventCheck", "ALARM"),
    CheckItem("srcDbConnection", "FAILED"),
    CheckItem("x", "NEW"),
)
ANY = AlarmPolicy()
NONE = AlarmPolicy(frozenset())


def _result(
    percent: int = 100, result: bool | None = True, rate: int | None = 100, *items: CheckItem
) -> PrecheckResult:
    return PrecheckResult("job-1", "job-1", percent, result, rate, 30, items)


@pytest.mark.parametrize(
    ("result", "policy", "verdict"),
    [
        (_result(99), ANY, Verdict.PENDING),
        (_result(99, False, 10, FAILED), ANY, Verdict.PENDING),
        (_result(), ANY, Verdict.PASSED),
        (_result(100, False), ANY, Verdict.FAILED),
        (_result(100, True, 100, ALARM), ANY, Verdict.PASSED),
        (_result(100, True, 100, ALARM), NONE, Verdict.FAILED),
        (_result(100, True, 100, ALARM), AlarmPolicy(frozenset({ALARM.item})), Verdict.PASSED),
        (_result(100, None, 100), ANY, Verdict.PASSED),
        (_result(100, None, 100, ALARM), ANY, Verdict.PASSED),
        (_result(100, None, 99), ANY, Verdict.FAILED),
        (_result(100, None, None), ANY, Verdict.FAILED),
        (_result(100, None, 100, FAILED), ANY, Verdict.FAILED),
        (_result(100, None, 100, ODD), ANY, Verdict.FAILED),
    ],
)
def test_the_table_of_verdicts(result: PrecheckResult, policy: AlarmPolicy, verdict: Verdict) -> None:
    """DRS's word decides; without it everything must be clean, and a word never seen is no pass."""
    assert judge(result, policy) is verdict


@pytest.mark.parametrize(
    ("alarms", "policy"), [("allow", ANY), ("fail", NONE), (["a"], AlarmPolicy(frozenset("a")))]
)
def test_alarm_policies(alarms: object, policy: AlarmPolicy) -> None:
    """Allow, fail, or by name."""
    assert read_alarm_policy(alarms) == policy


def test_modes_and_alarms_never_heard_of_are_refused() -> None:
    """With the name of the argument."""
    assert check_precheck_mode("forRetryJob") == "forRetryJob"
    with pytest.raises(DrsConfigError, match="precheck_mode"):
        check_precheck_mode("forFun")
    with pytest.raises(DrsConfigError, match="alarms"):
        read_alarm_policy([1])


def test_a_new_run_shows_by_progress_or_another_answer() -> None:
    """The id is the same run after run."""
    assert is_new_run(_result(10), _result())
    assert is_new_run(_result(100, False), _result())
    assert is_new_run(_result(), None)
    assert not is_new_run(_result(), _result())
    assert not is_new_run(DrsRequestError("empty"), None)


def test_every_check_has_words_and_an_address() -> None:
    """A person who has never seen DRS must know what to mend."""
    for name, facts in CHECKS.items():
        assert facts.meaning, name
        assert facts.hint, name
        assert facts.url.startswith(MANUAL_URL)
        assert facts.url.endswith(".html")
    assert "does not know" in explain("brandNewCheck").meaning
    assert explain("brandNewCheck").url.endswith("index.html")


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

    url = explain("srcBinlogFormatCheck").url
    assert render_report(reports).splitlines() == [
        "JOB    CHECK ITEM            RESULT      REASON",
        "job-1  srcBinlogFormatCheck  FAILED      BINLOG",
        "    subtasks: s (FAILED)",
        "    error: a b",
        "    means: Source binlog format is ROW.",
        "    to do: Set binlog_format=ROW on the source and restart it or close existing connections.",
        f"    see:   {url}",
        "job-3  -                     not needed  its forward job is replicating",
        "job-4  -                     ERROR       X.1",
        "    away",
        "job-5  -                     FAILED      DRS says no and names no item",
        "    to do: Look at the job's pre-check page in the DRS console.",
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


def _row(job_id: str, percent: int, result: bool) -> dict[str, Any]:
    return {"precheck_id": job_id, "process": f"{percent}%", "result": result, "total_passed_rate": "100%"}


def _poll(watch: Any, *rows: dict[str, Any]) -> list[str]:
    script = [answer({"results": list(rows)}), *[answer({"results": []})] * 9]
    lines: list[str] = Talk(script).run(watch.poll(Limits(10, 50, 1.0)))
    return lines


def test_a_watch_tells_changes_once_and_asks_for_the_rest_only() -> None:
    """Until every job has its verdict."""
    watch = PrecheckWatch(["a", "b"], ANY)

    assert _poll(watch, _row("a", 10, False), _row("b", 100, True)) == [
        "a pre-check at 10%",
        "b pre-check passed, 100% of the items passed",
    ]
    assert watch.pending == ("a",)
    assert _poll(watch, _row("a", 10, False)) == []
    assert _poll(watch, _row("a", 100, True)) == ["a pre-check passed, 100% of the items passed"]
    assert watch.is_over


def test_a_watch_crosses_processes() -> None:
    """As JSON, with its answers and without telling them again."""
    watch = PrecheckWatch(["a", "b", "c"], AlarmPolicy(frozenset({"x"})), fail_fast=True)
    _poll(watch, _row("a", 10, False), {"precheck_id": "b", "error_code": "DRS.M00002"})
    watch.job_ids = ("a", "b")

    twin = watch_from_dict(json.loads(json.dumps(watch.to_dict())))

    assert twin.to_dict() == watch.to_dict()
    assert twin.pending == watch.pending == ("a", "b")
    same = [_row("a", 10, False), {"precheck_id": "b", "error_code": "DRS.M00002"}]
    assert [line[0] for line in _poll(twin, *same)] == []


def test_an_empty_result_and_a_passing_error_are_waited_out() -> None:
    """The service has not come to it yet."""
    watch = PrecheckWatch(["a"], ANY)

    nothing = {"precheck_id": "a", "error_code": "DRS.M00002"}
    assert _poll(watch, nothing) == ["a has no pre-check result yet"]
    assert watch.pending == ("a",)
    # Whether it needs a pre-check at all is asked once.
    assert Talk([answer({"results": [nothing]})]).run(watch.poll(Limits(10, 50, 1.0))) == []
    assert watch.reports[0].verdict is Verdict.PENDING


def test_an_unknown_job_ends_the_wait_for_all() -> None:
    """At once."""
    watch = PrecheckWatch(["a", "b"], ANY)

    lines = _poll(watch, {"precheck_id": "a", "error_code": "DRS.M00289"}, _row("b", 1, False))

    assert watch.is_over
    assert isinstance(watch.reports[0].error, DrsJobNotFoundError)
    assert "gives no result" in lines[0]


def test_a_start_watch_waits_for_running_jobs() -> None:
    """Starting, failed, unknown to DRS, busy, running."""
    watch = watch_action("start_jobs", ["a", "b", "c", "d", "e"])
    rows = [
        {"id": "a", "status": "STARTJOBING"},
        {"id": "b", "status": "START_JOB_FAILED"},
        {"id": "c", "error_code": "DRS.M00289"},
        {"id": "d", "status": "NEW_WORD"},
        {"id": "e", "status": "FULL_TRANSFER_STARTED"},
    ]

    lines = _poll(watch, *rows)

    assert len(lines) == 5
    assert watch.pending == ("a", "d")
    assert list(watch.failures) == ["b", "c"]
    twin = watch_from_dict(json.loads(json.dumps(watch.to_dict())))
    assert (twin.pending, twin.to_dict()) == (watch.pending, watch.to_dict())
    assert _poll(twin, rows[0], rows[3]) == []
    assert not watch.is_over


def test_a_start_watch_waits_out_what_passes() -> None:
    """An answer that is missing now may be there at the next poll."""
    watch = watch_action("start_jobs", ["a"])

    _poll(watch)

    assert watch.pending == ("a",)
    assert watch.failures == {}
