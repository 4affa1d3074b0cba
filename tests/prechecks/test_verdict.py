"""The verdict on a job, and which alarms are accepted."""

from __future__ import annotations

import pytest

from airflow_provider_drs.protocol.core.errors import (
    DrsConfigError,
    DrsRequestError,
)
from airflow_provider_drs.protocol.prechecks.messages import (
    CheckItem,
    PrecheckResult,
    check_precheck_mode,
    is_new_run,
)
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict, judge, read_alarm_policy

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
