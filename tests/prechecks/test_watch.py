"""Waiting for pre-checks."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.core.errors import (
    DrsJobNotFoundError,
)
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict
from airflow_provider_drs.protocol.watches import PrecheckWatch, watch_action, watch_from_dict
from tests.scripted import Talk, answer

ANY = AlarmPolicy()


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
    assert watch.is_done


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

    assert watch.is_done
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
    assert not watch.is_done


def test_a_start_watch_waits_out_what_passes() -> None:
    """An answer that is missing now may be there at the next poll."""
    watch = watch_action("start_jobs", ["a"])

    _poll(watch)

    assert watch.pending == ("a",)
    assert watch.failures == {}


def test_a_watch_of_prechecks_has_what_every_watch_has() -> None:
    """Failures and results."""
    watch = PrecheckWatch(["a"], AlarmPolicy())
    row = {"precheck_id": "a", "process": "100%", "result": False, "precheck_result": []}

    Talk([answer({"results": [row]}), answer({"results": [{"id": "a", "status": "CONFIGURATION"}]})]).run(
        watch.poll(Limits(10, 50, 300.0))
    )

    assert list(watch.failures) == ["a"]
    assert watch.results[0]["verdict"] == "failed"
