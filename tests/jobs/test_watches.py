"""What waits for statuses take for an end: there, lost for good, or only shown for a moment longer."""

from __future__ import annotations

import json

import pytest

from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.jobs.states import STATUSES
from airflow_provider_drs.protocol.watches import (
    DelayWatch,
    StatusWatch,
    Watch,
    watch_action,
    watch_from_dict,
)
from tests.scripted import ScriptedService, answer


def _poll(watch: Watch, word: str, times: int = 1) -> None:
    row = {"id": "a", "status": word, "job_id": "a", "transfer_status": word}
    for _ in range(times):
        ScriptedService([answer({"results": [row]})] * 2).run(watch.poll(Limits(10, 50, 300.0)))


@pytest.mark.parametrize("word", sorted(STATUSES))
def test_created_job_can_have_any_later_status(word: str) -> None:
    watch = watch_action("create_jobs", ["a"])
    is_done = word in {
        "CREATE_FAILED",
        "RELEASE_RESOURCE_STARTED",
        "RELEASE_RESOURCE_COMPLETE",
        "DELETED",
    }

    _poll(watch, word)

    assert watch.is_done is (word != "CREATING")
    assert bool(watch.failures) is is_done


@pytest.mark.parametrize(
    ("method", "before"),
    [
        ("pause_jobs", "INCRE_TRANSFER_FAILED"),
        ("retry_jobs", "FULL_TRANSFER_FAILED"),
        ("stop_jobs", "FULL_TRANSFER_FAILED"),
        ("stop_jobs", "RELEASE_RESOURCE_FAILED"),
        ("delete_jobs", "CREATE_FAILED"),
    ],
)
def test_previous_status_is_not_a_failure(method: str, before: str) -> None:
    watch = watch_action(method, ["a"])

    _poll(watch, before, times=2)

    assert (watch.is_done, watch.failures) == (False, {})


@pytest.mark.parametrize("method", ["pause_jobs", "retry_jobs"])
def test_stopped_job_ends_the_wait(method: str) -> None:
    watch = watch_action(method, ["a"])

    _poll(watch, "RELEASE_RESOURCE_COMPLETE", times=3)

    assert list(watch.failures) == ["a"]


@pytest.mark.parametrize(
    ("targets", "lost"),
    [
        (["FULL_TRANSFER_COMPLETE", "INCRE_TRANSFER_STARTED"], True),
        (["RELEASE_RESOURCE_COMPLETE"], False),
        (["DELETED"], False),
    ],
)
def test_stop_fails_waits_for_earlier_statuses(targets: list[str], lost: bool) -> None:
    watch = StatusWatch(["a"], targets)

    _poll(watch, "RELEASE_RESOURCE_STARTED")

    assert watch.is_done is bool(watch.failures) is lost


@pytest.mark.parametrize(("task_type", "lost"), [("FULL_TRANS", True), ("FULL_INCR_TRANS", False)])
def test_full_copy_without_replication_fails_the_lag_wait(task_type: str, lost: bool) -> None:
    watch = DelayWatch(["a"], 5)
    row = {"job_id": "a", "transfer_status": "FULL_TRANSFER_COMPLETE", "task_mode": task_type}

    ScriptedService([answer({"results": [row]})]).run(watch.poll(Limits(10, 50, 300.0)))

    assert watch.is_done is bool(watch.failures) is lost
    assert not lost or "with task_type FULL_TRANS" in str(watch.failures["a"])


def _poll_rows(watch: Watch, *rows: dict[str, str]) -> list[str]:
    script = [answer({"results": list(rows)}), *[answer({"results": []})] * 9]
    return ScriptedService(script).run(watch.poll(Limits(10, 50, 1.0)))


def test_start_watch_polls_starting_and_unknown_statuses() -> None:
    watch = watch_action("start_jobs", ["a", "b", "c", "d", "e"])
    rows = [
        {"id": "a", "status": "STARTJOBING"},
        {"id": "b", "status": "START_JOB_FAILED"},
        {"id": "c", "error_code": "DRS.M00289"},
        {"id": "d", "status": "NEW_WORD"},
        {"id": "e", "status": "FULL_TRANSFER_STARTED"},
    ]

    assert len(_poll_rows(watch, *rows)) == 5

    assert watch.pending == ("a", "d")
    assert list(watch.failures) == ["b", "c"]
    restored = watch_from_dict(json.loads(json.dumps(watch.to_dict())))
    assert (restored.pending, restored.to_dict()) == (watch.pending, watch.to_dict())
    assert _poll_rows(restored, rows[0], rows[3]) == []
    assert not watch.is_done


def test_start_watch_polls_a_missing_answer_again() -> None:
    watch = watch_action("start_jobs", ["a"])

    _poll_rows(watch)

    assert (watch.pending, watch.failures) == (("a",), {})
