"""Waits for pre-checks."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.core.errors import DrsJobNotFoundError
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict
from airflow_provider_drs.protocol.watches import PrecheckWatch, watch_from_dict
from tests.scripted import ScriptedService, answer

EMPTY_RESULT = {"precheck_id": "b", "error_code": "DRS.M00002"}


def _row(job_id: str, percent: int, result: bool) -> dict[str, Any]:
    return {"precheck_id": job_id, "process": f"{percent}%", "result": result, "total_passed_rate": "100%"}


def _poll(watch: Any, *rows: dict[str, Any]) -> list[str]:
    script = [answer({"results": list(rows)}), *[answer({"results": []})] * 9]
    lines: list[str] = ScriptedService(script).run(watch.poll(Limits(10, 50, 1.0)))
    return lines


def test_changes_are_logged_once_and_only_pending_jobs_are_polled() -> None:
    watch = PrecheckWatch(["a", "b"], AlarmPolicy())

    assert _poll(watch, _row("a", 10, False), _row("b", 100, True)) == [
        "a pre-check at 10%",
        "b pre-check passed, 100% of the items passed",
    ]
    assert watch.pending == ("a",)
    assert _poll(watch, _row("a", 10, False)) == []
    assert _poll(watch, _row("a", 100, True)) == ["a pre-check passed, 100% of the items passed"]
    assert watch.is_done


def test_watch_survives_serialization() -> None:
    """With its answers, and without logging them again."""
    rows = [_row("a", 10, False), EMPTY_RESULT]
    watch = PrecheckWatch(["a", "b"], AlarmPolicy(frozenset({"x"})), fail_fast=True)
    _poll(watch, *rows)

    restored = watch_from_dict(json.loads(json.dumps(watch.to_dict())))

    assert restored.to_dict() == watch.to_dict()
    assert restored.pending == watch.pending == ("a", "b")
    assert _poll(restored, *rows) == []


def test_empty_result_is_polled_again() -> None:
    """Whether the job needs a pre-check is read only once."""
    watch = PrecheckWatch(["b"], AlarmPolicy())

    assert _poll(watch, EMPTY_RESULT) == ["b has no pre-check result yet"]
    assert watch.pending == ("b",)
    assert ScriptedService([answer({"results": [EMPTY_RESULT]})]).run(watch.poll(Limits(10, 50, 1.0))) == []
    assert watch.reports[0].verdict is Verdict.PENDING


def test_unknown_job_ends_the_wait_for_all_jobs() -> None:
    watch = PrecheckWatch(["a", "b"], AlarmPolicy())

    lines = _poll(watch, {"precheck_id": "a", "error_code": "DRS.M00289"}, _row("b", 1, False))

    assert watch.is_done
    assert isinstance(watch.reports[0].error, DrsJobNotFoundError)
    assert "a has no pre-check result: " in lines[0]


def test_failed_job_has_a_failure_and_a_result() -> None:
    watch = PrecheckWatch(["a"], AlarmPolicy())

    _poll(watch, _row("a", 100, False))

    assert list(watch.failures) == ["a"]
    assert watch.results[0]["verdict"] == "failed"
