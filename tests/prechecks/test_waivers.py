"""Waivers: which alarms they accept and until when. They never accept a failed item."""

from __future__ import annotations

import datetime
import fnmatch
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.protocol.prechecks.messages import CheckItem, PrecheckResult
from airflow_provider_drs.protocol.prechecks.report import render_report, report_job
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict, judge, read_alarm_policy
from airflow_provider_drs.protocol.prechecks.waivers import Waiver, read_waiver
from airflow_provider_drs.protocol.watches import PrecheckWatch, watch_from_dict

FIELDS = {"item": "binlogTime", "jobs": "job-1*", "reason": "stored elsewhere", "expires": "2026-12-31"}
NEW_YEAR_S = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC).timestamp()
ALARM = CheckItem("binlogTime", "ALARM", failed_reason="short")


def _result(job_id: str, *items: CheckItem, result: bool | None = True) -> PrecheckResult:
    return PrecheckResult(job_id, job_id, 100, result, 100, items=items)


def _policy(**changes: Any) -> AlarmPolicy:
    return read_alarm_policy([FIELDS | changes])


@pytest.mark.parametrize(
    "expires",
    [
        "2026-12-31",
        datetime.date(2026, 12, 31),
        "2026-12-31T23:00:00-01:00",
        datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC),
    ],
)
def test_waiver_expires_after_its_day_or_at_its_timestamp(expires: object) -> None:
    """DAGs and YAML files contain dates as text and as objects."""
    waiver = read_waiver(FIELDS | {"expires": expires}, "alarms[0]")

    assert not waiver.has_expired(NEW_YEAR_S - 1)
    assert waiver.has_expired(NEW_YEAR_S)
    assert Waiver.from_dict(waiver.to_dict()) == waiver


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"reason": ""}, r"alarms\[1\]\.reason is missing"),
        ({"item": None}, r"alarms\[1\]\.item is missing"),
        ({"jobs": ["a"]}, r"alarms\[1\]\.jobs is missing"),
        ({"until": "2026-12-31"}, r"alarms\[1\]: unknown field until"),
        ({"expires": "tomorrow"}, r"alarms\[1\]\.expires is invalid: 'tomorrow'"),
        ({"expires": "2026-12-31T12:00:00"}, r"alarms\[1\]\.expires is invalid: .* time zone"),
    ],
)
def test_invalid_waiver_is_refused(changes: dict[str, Any], text: str) -> None:
    """The message names the position and the field."""
    with pytest.raises(DrsConfigError, match=text):
        read_alarm_policy(["another", FIELDS | changes])


@pytest.mark.parametrize(
    ("job_id", "policy", "verdict"),
    [
        ("job-17", _policy(), Verdict.PASSED),
        ("job-2", _policy(), Verdict.FAILED),
        ("my-job-1", _policy(), Verdict.FAILED),
        ("JOB-17", _policy(), Verdict.FAILED),
        ("job-17", _policy(item="dstDbDiskSize"), Verdict.FAILED),
        ("job-17", _policy().at(NEW_YEAR_S - 1), Verdict.PASSED),
        ("job-17", _policy().at(NEW_YEAR_S), Verdict.FAILED),
        ("job-17", read_alarm_policy(["binlogTime"]).at(NEW_YEAR_S), Verdict.PASSED),
        ("job-17", read_alarm_policy("allow").at(NEW_YEAR_S), Verdict.PASSED),
    ],
)
def test_waiver_accepts_its_item_in_matching_jobs_until_it_expires(
    job_id: str, policy: AlarmPolicy, verdict: Verdict
) -> None:
    assert judge(_result(job_id, ALARM), policy) is verdict


def test_report_names_the_waiver_that_accepted_an_alarm() -> None:
    """In the table and in the XCom; other items have none."""
    failed = CheckItem("srcDbVersion", "FAILED")
    report = report_job("job-17", _result("job-17", ALARM, failed, result=False), _policy())

    items = {item["item"]: item["waiver"] for item in report.to_dict()["items"]}
    assert items == {"binlogTime": FIELDS, "srcDbVersion": None}
    table = render_report([report])
    assert "ALARM (accepted: waiver until 2026-12-31)" in table
    assert "    waiver: stored elsewhere\n" in table
    assert str(*_policy().waivers) == "binlogTime of job-1*, until 2026-12-31: stored elsewhere"


def test_waiver_that_expires_during_a_wait_accepts_nothing() -> None:
    """The policy is serialized with the watch, and applied again when the wait is over."""
    watch = PrecheckWatch(["job-17"], _policy())
    assert not list(watch.update({"job-17": _result("job-17", ALARM)}))

    restored = watch_from_dict(watch.to_dict())
    assert isinstance(restored, PrecheckWatch)
    assert [report.verdict for report in restored.reports] == [Verdict.PASSED]

    restored.set_time(NEW_YEAR_S)
    assert [report.verdict for report in restored.reports] == [Verdict.FAILED]
    assert list(restored.failures) == ["job-17"]


WORDS = st.sampled_from(["PASSED", "ALARM", "FAILED", "NEVER_SEEN"])
NAMES = st.sampled_from(["a", "b", "c"])
WAIVERS = st.builds(
    Waiver,
    item=NAMES,
    jobs=st.sampled_from(["*", "job-?", "job-1", "other", "[jk]ob-*"]),
    reason=st.just("because"),
    expires=st.sampled_from([f"1970-01-01T00:00:{second}Z" for second in ("00", "10", "20")]),
)


@given(
    st.lists(st.tuples(NAMES, WORDS), max_size=5),
    st.lists(WAIVERS, max_size=4),
    st.sampled_from([5.0, 10.0, 15.0, 25.0]),
    st.sampled_from([True, False, None]),
)
def test_waivers_accept_only_alarms(
    words: list[tuple[str, str]], waivers: list[Waiver], now_s: float, result: bool | None
) -> None:
    """A job passes only if it passes with all alarms accepted, and every alarm has a valid waiver."""
    items = [CheckItem(name, word) for name, word in words if word != "PASSED"]
    answer = _result("job-1", *items, result=result)

    verdict = judge(answer, AlarmPolicy(frozenset(), tuple(waivers)).at(now_s))

    valid = {w.item for w in waivers if now_s < w.expires_s and fnmatch.fnmatchcase("job-1", w.jobs)}
    has_open_alarm = bool({item.item for item in items if item.result == "ALARM"} - valid)
    assert (verdict is Verdict.PASSED) == (
        not has_open_alarm and judge(answer, AlarmPolicy()) is Verdict.PASSED
    )
    if verdict is Verdict.PASSED and result is None:
        assert {item.result for item in items} <= {"ALARM"}
