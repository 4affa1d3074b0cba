"""Loading live progress for whoever looks: once for all, and never longer than a moment."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from airflow_provider_drs.emulator import Emulator
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
from airflow_provider_drs.protocol.watches import PrecheckWatch
from airflow_provider_drs.report import live
from airflow_provider_drs.report.live import LiveQuery, LiveReports, LiveResult, create_query
from airflow_provider_drs.triggers.drs import DrsWatchTrigger
from tests.conftest import Connect

FIELDS = {"drs_conn_id": "drs_default", "alarms": "allow"}


@pytest.fixture
def question(emulator: Emulator, connect: Connect) -> LiveQuery:
    """Return a question about ten jobs that are being checked, half done."""
    emulator.set_verdict(None, "pass", duration_s=100)
    emulator.set_verdict(emulator.job_ids[1], "alarm", duration_s=10)
    with DrsHook() as hook:
        hook.precheck_jobs(emulator.job_ids)
    emulator.advance(50)
    emulator.clear_journal()
    return LiveQuery("drs_default", tuple(emulator.job_ids))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer stays good for longer than nothing."""
    monkeypatch.setattr(live, "FRESH_S", 0.0)


def _look(reports: LiveReports, question: LiveQuery) -> LiveResult:
    """LiveResult until there is an answer."""
    deadline_s = time.monotonic() + 30
    while not (look := reports.get_result(question)).report and not look.reason:
        assert time.monotonic() < deadline_s
    return look


def test_live_progress_of_prechecks(question: LiveQuery) -> None:
    look = _look(LiveReports(), question)

    assert look.report is not None
    assert look.report.summary["verdicts"] == {"failed": 0, "unknown": 0, "pending": 9, "passed": 1}
    assert look.report.summary["percent"] == 55.0


def test_users_share_one_request(question: LiveQuery, emulator: Emulator) -> None:
    reports = LiveReports()
    threads = [threading.Thread(target=_look, args=(reports, question)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(20):
        _look(reports, question)

    assert len(emulator.journal("BatchCheckResults")) == 1


@pytest.mark.usefixtures("at_once")
def test_finished_jobs_are_not_polled_again(question: LiveQuery, emulator: Emulator) -> None:
    reports = LiveReports()
    _look(reports, question)
    emulator.advance(60)
    look = _look(reports, question)

    assert look.report is not None
    assert look.report.summary["verdicts"]["passed"] == 10
    asked = [entry["job_ids"] for entry in emulator.journal("BatchCheckResults")]
    assert emulator.job_ids[1] not in asked[-1]


def test_alarms_of_the_task_are_applied(question: LiveQuery) -> None:
    strict = LiveQuery(question.conn_id, question.job_ids, "fail")

    look = _look(LiveReports(), strict)

    assert look.report is not None
    assert look.report.summary["verdicts"]["failed"] == 1


def test_slow_drs_does_not_block_the_page(
    question: LiveQuery, emulator: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_WAIT_S", 0.05)
    connect({"read_timeout": 1})
    emulator.inject("hang", operation="BatchCheckResults", times=1)
    reports = LiveReports()

    first = reports.get_result(question)

    assert (first.report, first.reason) == (None, "")
    assert _look(reports, question).report is not None


def test_hanging_drs_is_reported(
    question: LiveQuery, emulator: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_WAIT_S", 0.05)
    monkeypatch.setattr(live, "_UNREACHABLE_S", 0.0)
    connect({"read_timeout": 1})
    emulator.inject("hang", operation="BatchCheckResults", times=1)

    assert LiveReports().get_result(question).reason == "DRS does not respond"


@pytest.mark.parametrize(
    ("changes", "trouble"),
    [
        ({"password": "wrong-and-secret"}, "DRS rejects the credentials of the connection"),
        ({"extra": {"auth": "no-such-way"}}, "the connection does not work on this server"),
        ({"host": "http://127.0.0.1:9", "extra": {"retry_timeout": 0.1}}, "DRS does not respond"),
    ],
)
def test_failure_reason_has_no_secret(
    question: LiveQuery, connect: Connect, changes: dict[str, Any], trouble: str
) -> None:
    connect(**{"extra": None, **changes})

    look = _look(LiveReports(), question)

    assert (look.report, look.reason) == (None, trouble)


def test_missing_connection_is_reported(question: LiveQuery) -> None:
    look = _look(LiveReports(), LiveQuery("no_such_connection", question.job_ids))

    assert look.reason.startswith("polling failed")


@pytest.mark.usefixtures("at_once")
def test_last_result_is_kept_when_drs_fails(question: LiveQuery, emulator: Emulator) -> None:
    reports = LiveReports()
    before = _look(reports, question)
    emulator.inject("no_permission", operation="BatchCheckResults", times=None)
    after = reports.get_result(question)

    assert after.report is before.report
    assert (after.at_s, bool(after.reason)) == (before.at_s, True)


def test_number_of_results_is_limited(emulator: Emulator, connect: Connect) -> None:
    reports = LiveReports()
    for n in range(live._MAX_RESULTS + 10):
        reports.get_result(LiveQuery("drs_default", (f"job-{n}",)))

    assert len(reports._states) == live._MAX_RESULTS


def test_jobs_of_the_trigger_take_precedence() -> None:
    watch = PrecheckWatch(["a", "b"], AlarmPolicy(frozenset()))
    trigger = DrsWatchTrigger(
        drs_conn_id="from_trigger", watch=watch.to_dict(), poke_interval=1, deadline=1e11
    )

    found = create_query(trigger.serialize()[1], {**FIELDS, "job_ids": ["c"]}, ["d"])

    assert found is not None
    assert (found.conn_id, found.job_ids) == ("from_trigger", ("a", "b"))


@pytest.mark.parametrize("value", [["a", "b"], "['a', 'b']", '["a", "b"]'])
def test_jobs_of_a_worker_task_are_its_rendered_field(value: object) -> None:
    found = create_query({}, {**FIELDS, "job_ids": value}, [])

    assert found is not None
    assert found.job_ids == ("a", "b")


def test_truncated_field_is_ignored() -> None:
    cut = "Truncated. You can change this behaviour in [core]max_templated_field_length. ['a', 'b', 'c"

    found = create_query({}, {**FIELDS, "job_ids": cut}, ["a", "b", "c", "d"])

    assert found is not None
    assert found.job_ids == ("a", "b", "c", "d")
    assert create_query({}, {**FIELDS, "job_ids": cut}, []) is None


@pytest.mark.parametrize(
    ("trigger", "fields"),
    [
        ({}, {}),
        ({"watch": {"kind": "status", "job_ids": ["a"]}}, {}),
        ({}, {"drs_conn_id": "x", "job_ids": ["a"]}),
        ({}, {**FIELDS, "job_ids": ["a"], "start_time": None}),
    ],
)
def test_other_tasks_are_not_polled(trigger: Any, fields: Any) -> None:
    assert create_query(trigger, fields, ["b"]) is None


@pytest.mark.parametrize(("value", "is_on"), [(None, True), ("True", True), ("False", False)])
def test_configuration_disables_live_progress(
    value: str | None, is_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is not None:
        monkeypatch.setenv("AIRFLOW__DRS__LIVE_REPORT", value)

    assert live.is_enabled() is is_on
