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


def test_it_shows_how_far_the_checks_are(question: LiveQuery) -> None:
    """As the sensor will report it."""
    look = _look(LiveReports(), question)

    assert look.report is not None
    assert look.report.summary["verdicts"] == {"failed": 0, "unknown": 0, "pending": 9, "passed": 1}
    assert look.report.summary["percent"] == 55.0


def test_many_viewers_cost_one_call(question: LiveQuery, emulator: Emulator) -> None:
    """Twenty at once, and twenty after them."""
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
def test_what_has_ended_is_not_asked_for_again(question: LiveQuery, emulator: Emulator) -> None:
    """A look at a check that goes on costs what is still going on."""
    reports = LiveReports()
    _look(reports, question)
    emulator.advance(60)
    look = _look(reports, question)

    assert look.report is not None
    assert look.report.summary["verdicts"]["passed"] == 10
    asked = [entry["job_ids"] for entry in emulator.journal("BatchCheckResults")]
    assert emulator.job_ids[1] not in asked[-1]


def test_alarms_count_as_the_task_lets_them(question: LiveQuery) -> None:
    """A job that will fail the task is not shown as passed."""
    strict = LiveQuery(question.conn_id, question.job_ids, "fail")

    look = _look(LiveReports(), strict)

    assert look.report is not None
    assert look.report.summary["verdicts"]["failed"] == 1


def test_a_slow_drs_holds_nobody(
    question: LiveQuery, emulator: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The viewer is told that the answer is to come, and gets it at a later look."""
    monkeypatch.setattr(live, "_WAIT_S", 0.05)
    connect({"read_timeout": 1})
    emulator.inject("hang", operation="BatchCheckResults", times=1)
    reports = LiveReports()

    first = reports.get_result(question)

    assert (first.report, first.reason) == (None, "")
    assert _look(reports, question).report is not None


def test_a_drs_that_never_answers_is_told(
    question: LiveQuery, emulator: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before the hook gives up."""
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
def test_trouble_is_told_without_a_secret(
    question: LiveQuery, connect: Connect, changes: dict[str, Any], trouble: str
) -> None:
    """Nor does it say where the connection leads."""
    connect(**{"extra": None, **changes})

    look = _look(LiveReports(), question)

    assert (look.report, look.reason) == (None, trouble)


def test_a_connection_that_is_missing_is_told(question: LiveQuery) -> None:
    """Airflow's own error is none of ours."""
    look = _look(LiveReports(), LiveQuery("no_such_connection", question.job_ids))

    assert look.reason.startswith("polling failed")


@pytest.mark.usefixtures("at_once")
def test_what_is_known_stays_when_drs_goes(question: LiveQuery, emulator: Emulator) -> None:
    """With the time that it is from, and why there is no newer one."""
    reports = LiveReports()
    before = _look(reports, question)
    emulator.inject("no_permission", operation="BatchCheckResults", times=None)
    after = reports.get_result(question)

    assert after.report is before.report
    assert (after.at_s, bool(after.reason)) == (before.at_s, True)


def test_no_more_than_some_questions_are_kept(emulator: Emulator, connect: Connect) -> None:
    """Somebody who looks at everything does not fill the memory of the server."""
    reports = LiveReports()
    for n in range(live._MAX_RESULTS + 10):
        reports.get_result(LiveQuery("drs_default", (f"job-{n}",)))

    assert len(reports._states) == live._MAX_RESULTS


def test_the_jobs_of_the_trigger_go_first() -> None:
    """It knows what else there is to know: alarms, and jobs that need no check."""
    watch = PrecheckWatch(["a", "b"], AlarmPolicy(frozenset()))
    trigger = DrsWatchTrigger(
        drs_conn_id="from_trigger", watch=watch.to_dict(), poke_interval=1, deadline=1e11
    )

    found = create_query(trigger.serialize()[1], {**FIELDS, "job_ids": ["c"]}, ["d"])

    assert found is not None
    assert (found.conn_id, found.job_ids) == ("from_trigger", ("a", "b"))


@pytest.mark.parametrize("value", [["a", "b"], "['a', 'b']", '["a", "b"]'])
def test_the_jobs_of_a_task_in_a_worker_are_its_rendered_field(value: object) -> None:
    """As a list, or as the text of one."""
    found = create_query({}, {**FIELDS, "job_ids": value}, [])

    assert found is not None
    assert found.job_ids == ("a", "b")


def test_a_field_that_airflow_has_cut_is_not_believed() -> None:
    """What the run has submitted is taken instead."""
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
def test_tasks_that_do_other_things_are_not_asked_about(trigger: Any, fields: Any) -> None:
    """Such as those that start jobs, or wait for something else, or belong to another provider."""
    assert create_query(trigger, fields, ["b"]) is None


@pytest.mark.parametrize(("value", "is_on"), [(None, True), ("True", True), ("False", False)])
def test_the_configuration_switches_it_off(
    value: str | None, is_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on by default."""
    if value is not None:
        monkeypatch.setenv("AIRFLOW__DRS__LIVE_REPORT", value)

    assert live.is_enabled() is is_on
