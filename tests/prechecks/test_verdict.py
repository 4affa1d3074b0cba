"""The verdict on a job, and which alarms are accepted."""

from __future__ import annotations

import pytest

from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.protocol.prechecks.messages import CheckItem, PrecheckResult
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict, judge, read_alarm_policy

ALARM, FAILED, UNKNOWN = (
    CheckItem("srcTriggerAndEventCheck", "ALARM"),
    CheckItem("srcDbConnection", "FAILED"),
    CheckItem("x", "NEW"),
)
ALLOW, FAIL = AlarmPolicy(), AlarmPolicy(frozenset())


def _result(
    percent: int = 100, result: bool | None = True, rate: int | None = 100, *items: CheckItem
) -> PrecheckResult:
    return PrecheckResult("job-1", "job-1", percent, result, rate, 30, items)


@pytest.mark.parametrize(
    ("result", "policy", "verdict"),
    [
        (_result(99), ALLOW, Verdict.PENDING),
        (_result(99, False, 10, FAILED), ALLOW, Verdict.PENDING),
        (_result(), ALLOW, Verdict.PASSED),
        (_result(100, False), ALLOW, Verdict.FAILED),
        (_result(100, True, 100, ALARM), ALLOW, Verdict.PASSED),
        (_result(100, True, 100, ALARM), FAIL, Verdict.FAILED),
        (_result(100, True, 100, ALARM), AlarmPolicy(frozenset({ALARM.item})), Verdict.PASSED),
        (_result(100, None, 100), ALLOW, Verdict.PASSED),
        (_result(100, None, 100, ALARM), ALLOW, Verdict.PASSED),
        (_result(100, None, 99), ALLOW, Verdict.FAILED),
        (_result(100, None, None), ALLOW, Verdict.FAILED),
        (_result(100, None, 100, FAILED), ALLOW, Verdict.FAILED),
        (_result(100, None, 100, UNKNOWN), ALLOW, Verdict.FAILED),
    ],
)
def test_verdicts(result: PrecheckResult, policy: AlarmPolicy, verdict: Verdict) -> None:
    """The result of DRS decides; without it, rate and items do, and an unknown item result fails the job."""
    assert judge(result, policy) is verdict


@pytest.mark.parametrize(
    ("alarms", "policy"), [("allow", ALLOW), ("fail", FAIL), (["a"], AlarmPolicy(frozenset("a")))]
)
def test_alarm_policies(alarms: object, policy: AlarmPolicy) -> None:
    assert read_alarm_policy(alarms) == policy


def test_invalid_alarms_are_refused() -> None:
    with pytest.raises(DrsConfigError, match="alarms is invalid"):
        read_alarm_policy([1])
    with pytest.raises(DrsConfigError, match="not ''"):
        read_alarm_policy("")
