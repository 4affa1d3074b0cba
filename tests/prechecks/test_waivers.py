"""Waivers: what they cover, for how long, and that they never let through what has failed."""

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

FIELDS = {"item": "binlogTime", "jobs": "job-1*", "reason": "kept elsewhere", "expires": "2026-12-31"}
NEW_YEAR_S = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC).timestamp()
ALARM = CheckItem("binlogTime", "ALARM", failed_reason="short")


def _result(job_id: str, *items: CheckItem, result: bool | None = True) -> PrecheckResult:
    return PrecheckResult(job_id, job_id, 100, result, 100, items=items)


def _policy(**changes: Any) -> AlarmPolicy:
    return read_alarm_policy([FIELDS | changes])


@pytest.mark.parametrize(
    ("expires", "end_s"),
    [
        ("2026-12-31", NEW_YEAR_S),
        (datetime.date(2026, 12, 31), NEW_YEAR_S),
        ("2026-12-31T23:00:00-01:00", NEW_YEAR_S),
        (datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC), NEW_YEAR_S),
    ],
)
def test_it_ends_with_its_day_or_at_its_instant(expires: object, end_s: float) -> None:
    """As DAGs and YAML files write dates."""
    waiver = read_waiver(FIELDS | {"expires": expires}, "alarms[0]")

    assert waiver.expires_s == end_s
    assert not waiver.has_expired(end_s - 1)
    assert waiver.has_expired(end_s)
    assert read_waiver(waiver.to_dict(), "again") == waiver


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"reason": ""}, r"alarms\[1\]\.reason is missing"),
        ({"item": None}, r"alarms\[1\]\.item is missing"),
        ({"jobs": ["a"]}, r"alarms\[1\]\.jobs is missing"),
        ({"until": "2026-12-31"}, r"alarms\[1\]: until is unknown"),
        ({"expires": "tomorrow"}, r"alarms\[1\]\.expires: 'tomorrow' is no date"),
        ({"expires": "2026-12-31T12:00:00"}, r"alarms\[1\]\.expires: .* has no time zone"),
    ],
)
def test_one_that_is_not_whole_is_refused(changes: dict[str, Any], text: str) -> None:
    """The text names the field and the place."""
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
def test_what_it_covers(job_id: str, policy: AlarmPolicy, verdict: Verdict) -> None:
    """This item, of jobs whose whole id fits, until it expires."""
    assert judge(_result(job_id, ALARM), policy) is verdict


def test_a_report_says_by_which_waiver_an_alarm_was_accepted() -> None:
    """In the table and in the XCom; other items have none."""
    other = CheckItem("srcDbVersion", "FAILED")
    report = report_job("job-17", _result("job-17", ALARM, other, result=False), _policy())

    items = {item["item"]: item["waiver"] for item in report.to_dict()["items"]}
    assert items == {"binlogTime": FIELDS, "srcDbVersion": None}
    assert "    waived: until 2026-12-31, kept elsewhere\n" in render_report([report])
    assert str(*_policy().waivers) == "binlogTime of job-1*, until 2026-12-31: kept elsewhere"


def test_a_watch_carries_its_waivers_and_judges_at_the_end() -> None:
    """What was good when the wait began may have expired since."""
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
    expires=st.just("2026-12-31"),
    expires_s=st.sampled_from([0.0, 10.0, 20.0]),
)


@given(
    st.lists(st.tuples(NAMES, WORDS), max_size=5),
    st.lists(WAIVERS, max_size=4),
    st.sampled_from([5.0, 10.0, 15.0, 25.0]),
    st.sampled_from([True, False, None]),
)
def test_no_waiver_lets_through_what_failed(
    words: list[tuple[str, str]], waivers: list[Waiver], now_s: float, result: bool | None
) -> None:
    """Nor an expired one anything; and what is let through, DRS or the rules without waivers let through."""
    items = [CheckItem(name, word) for name, word in words if word != "PASSED"]
    policy = AlarmPolicy(frozenset(), tuple(waivers)).at(now_s)
    answer = _result("job-1", *items, result=result)

    verdict = judge(answer, policy)

    good = [each for each in waivers if now_s < each.expires_s and fnmatch.fnmatchcase("job-1", each.jobs)]
    open_alarms = {item.item for item in items if item.result == "ALARM"} - {each.item for each in good}
    assert (verdict is Verdict.PASSED) == (not open_alarms and judge(answer, AlarmPolicy()) is Verdict.PASSED)
    if verdict is Verdict.PASSED and result is None:
        assert not [item for item in items if item.result != "ALARM"]
