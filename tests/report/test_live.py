"""Live progress: one request for all users, which never blocks a page for long."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from drs_emulator import Emulator

from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
from airflow_provider_drs.protocol.watches import PrecheckWatch
from airflow_provider_drs.report import live
from airflow_provider_drs.report.live import LiveQuery, LiveReports, LiveResult, create_query
from airflow_provider_drs.triggers.drs import DrsWatchTrigger
from tests.conftest import Connect

FIELDS = {"drs_conn_id": "drs_default", "alarms": "allow"}


@pytest.fixture
def query(emulator: Emulator, connect: Connect) -> LiveQuery:
    """Return the query for ten jobs whose pre-checks are half done."""
    emulator.set_verdict(None, "pass", duration_s=100)
    emulator.set_verdict(emulator.job_ids[1], "alarm", duration_s=10)
    with DrsHook() as hook:
        hook.precheck_jobs(emulator.job_ids)
    emulator.advance(50)
    emulator.clear_journal()
    return LiveQuery("drs_default", tuple(emulator.job_ids))


@pytest.fixture
def uncached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results expire immediately."""
    monkeypatch.setattr(live, "FRESH_S", 0.0)


def _wait_for_result(reports: LiveReports, query: LiveQuery) -> LiveResult:
    """Return the first result with a report or a reason why there is none."""
    deadline_s = time.monotonic() + 30
    while not (result := reports.get_result(query)).report and not result.reason:
        assert time.monotonic() < deadline_s
    return result


def test_live_progress_of_prechecks(query: LiveQuery) -> None:
    result = _wait_for_result(LiveReports(), query)

    assert result.report is not None
    assert result.report.summary["verdicts"] == {"failed": 0, "unknown": 0, "pending": 9, "passed": 1}
    assert result.report.summary["percent"] == 55.0


def test_users_share_one_request(query: LiveQuery, emulator: Emulator) -> None:
    reports = LiveReports()
    threads = [threading.Thread(target=_wait_for_result, args=(reports, query)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(20):
        _wait_for_result(reports, query)

    assert len(emulator.journal("BatchCheckResults")) == 1


@pytest.mark.usefixtures("uncached")
def test_finished_jobs_are_not_polled_again(query: LiveQuery, emulator: Emulator) -> None:
    reports = LiveReports()
    _wait_for_result(reports, query)
    emulator.advance(60)
    result = _wait_for_result(reports, query)

    assert result.report is not None
    assert result.report.summary["verdicts"]["passed"] == 10
    polls = [entry["job_ids"] for entry in emulator.journal("BatchCheckResults")]
    assert emulator.job_ids[1] not in polls[-1]


def test_alarms_of_the_task_are_applied(query: LiveQuery) -> None:
    strict = LiveQuery(query.conn_id, query.job_ids, "fail")

    result = _wait_for_result(LiveReports(), strict)

    assert result.report is not None
    assert result.report.summary["verdicts"]["failed"] == 1


def test_slow_drs_does_not_block_the_page(
    query: LiveQuery, emulator: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_WAIT_S", 0.05)
    connect({"read_timeout": 1})
    emulator.inject("hang", operation="BatchCheckResults", times=1)
    reports = LiveReports()

    first = reports.get_result(query)

    assert (first.report, first.reason) == (None, "")
    assert _wait_for_result(reports, query).report is not None


def test_hanging_drs_is_reported(
    query: LiveQuery, emulator: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_WAIT_S", 0.05)
    monkeypatch.setattr(live, "_UNREACHABLE_S", 0.0)
    connect({"read_timeout": 1})
    emulator.inject("hang", operation="BatchCheckResults", times=1)

    assert LiveReports().get_result(query).reason == "DRS does not respond"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": "wrong-and-secret"}, "DRS or IAM rejected the credentials of the connection"),
        ({"extra": {"auth": "no-such-way"}}, "the DRS connection is invalid on this API server; see its log"),
        ({"host": "http://127.0.0.1:9", "extra": {"retry_timeout": 0.1}}, "DRS does not respond"),
    ],
)
def test_failure_reason_has_no_secret(
    query: LiveQuery, connect: Connect, changes: dict[str, Any], reason: str
) -> None:
    connect(**{"extra": None, **changes})

    result = _wait_for_result(LiveReports(), query)

    assert (result.report, result.reason) == (None, reason)


def test_missing_connection_is_reported(query: LiveQuery) -> None:
    result = _wait_for_result(LiveReports(), LiveQuery("no_such_connection", query.job_ids))

    assert result.reason.startswith("polling failed")


@pytest.mark.usefixtures("uncached")
def test_last_result_is_kept_when_drs_fails(query: LiveQuery, emulator: Emulator) -> None:
    reports = LiveReports()
    before = _wait_for_result(reports, query)
    emulator.inject("no_permission", operation="BatchCheckResults", times=None)
    after = reports.get_result(query)

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
