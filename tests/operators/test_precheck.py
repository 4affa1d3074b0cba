from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from drs_emulator import Emulator

from airflow_provider_drs.compat import AirflowSensorTimeout
from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator
from airflow_provider_drs.protocol.core.errors import DrsUnavailableError

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")

PAIR = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql", "multi_write": True}


def _operator(job_ids: Any, **options: Any) -> DrsBatchPrecheckOperator:
    return DrsBatchPrecheckOperator(task_id="precheck", job_ids=job_ids, **{"settle_time": 0, **options})


def test_returns_accepted_jobs_and_publishes_submissions(emulator: Emulator, context: dict[str, Any]) -> None:
    accepted = _operator(emulator.job_ids).execute(context)

    rows = context["ti"].xcoms["precheck_submissions"]
    assert accepted == list(emulator.job_ids)
    assert [row["job_id"] for row in rows] == accepted
    assert rows[0].pop("request_id").startswith("emulated-")
    assert rows[0] == {
        "job_id": accepted[0],
        "name": "orders-migration-01",
        "engine": "mysql",
        "source": "192.0.2.10:3306",
        "destination": "e05a3679efe241d8b5dee80b17c1a863in01",
        "precheck_id": accepted[0],
        "status": "submitted",
        "error": None,
    }
    assert len(emulator.journal("BatchCheckJobs")) == 1


@pytest.mark.parametrize(
    ("make", "shape"), [(repr, "Python"), (lambda ids: str(ids).replace("'", '"'), "JSON"), (tuple, "tuple")]
)
def test_rendered_lists_are_parsed(
    emulator: Emulator, context: dict[str, Any], make: Any, shape: str
) -> None:
    job_ids = list(emulator.job_ids[:2])

    assert _operator(make(job_ids)).execute(context) == job_ids


def test_duplicates_are_ignored_with_a_warning(
    emulator: Emulator, context: dict[str, Any], log_lines: Any
) -> None:
    job_id = emulator.job_ids[0]

    assert _operator([job_id, job_id]).execute(context) == [job_id]
    assert f"Ignoring duplicate job IDs in job_ids: {job_id}" in log_lines()


@pytest.mark.parametrize("bad", [[], "", "[]", None, ["a b"], [None], {"a": 1}])
def test_invalid_job_ids_fail_without_request(
    emulator: Emulator, context: dict[str, Any], bad: object
) -> None:
    task = _operator("{{ params.job_ids }}")
    task.job_ids = bad
    with pytest.raises(AirflowFailException, match="job_ids"):
        task.execute(context)

    assert emulator.journal() == []


@pytest.mark.parametrize(
    ("field", "value"), [("precheck_mode", "forFun"), ("alarms", "maybe"), ("alarms", 3)]
)
def test_invalid_arguments_fail_without_request(
    emulator: Emulator, context: dict[str, Any], field: str, value: object
) -> None:
    operator = _operator(emulator.job_ids, **{field: "{{ params.value }}"})
    setattr(operator, field, value)
    with pytest.raises(AirflowFailException, match=field):
        operator.execute(context)

    assert emulator.journal() == []


def test_rejected_job_fails_the_task_after_all_batches(emulator: Emulator, context: dict[str, Any]) -> None:
    running = emulator.seed_job(status="FULL_TRANSFER_FAILED")

    with pytest.raises(AirflowFailException, match="FULL_TRANSFER_FAILED") as caught:
        _operator([running, *emulator.job_ids[:2]]).execute(context)

    assert running in str(caught.value)
    assert [row["status"] for row in context["ti"].xcoms["precheck_submissions"]] == ["rejected"] + [
        "submitted"
    ] * 2


def test_allow_partial_returns_accepted_jobs(emulator: Emulator, context: dict[str, Any]) -> None:
    running = emulator.seed_job(status="FULL_TRANSFER_FAILED")

    assert _operator([running, emulator.job_ids[0]], allow_partial=True).execute(context) == [
        emulator.job_ids[0]
    ]
    with pytest.raises(AirflowFailException):
        _operator([running], allow_partial=True).execute(context)


def test_unknown_jobs_are_named(emulator: Emulator, context: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="Check the job ID"):
        _operator(["ffffffff-d0c5-4a11-8a11-fffffffjb999"]).execute(context)


def test_dual_active_parent_is_rejected(emulator: Emulator, context: dict[str, Any]) -> None:
    parent = emulator.seed_job(**PAIR)

    with pytest.raises(AirflowFailException, match="parent of a dual-active pair"):
        _operator([parent]).execute(context)


def test_backward_job_without_precheck_is_returned(
    emulator: Emulator, context: dict[str, Any], log_lines: Any
) -> None:
    parent = emulator.seed_job(**PAIR)
    emulator.seed_job(parent_id=parent, job_direction="up", status="INCRE_TRANSFER_STARTED", **PAIR)
    backward = emulator.seed_job(parent_id=parent, job_direction="down", **PAIR)

    assert _operator([backward]).execute(context) == [backward]

    assert context["ti"].xcoms["precheck_submissions"][0]["status"] == "not needed"
    assert emulator.journal("BatchCheckJobs") == []
    assert any("needs no pre-check: its forward job is replicating" in line for line in log_lines())


def test_check_preconditions_false(emulator: Emulator, context: dict[str, Any]) -> None:
    running = emulator.seed_job(status="FULL_TRANSFER_FAILED")

    with pytest.raises(AirflowFailException, match=r"DRS\.M00304"):
        _operator([running], check_preconditions=False).execute(context)

    assert emulator.journal("BatchListJobDetails") == []


def test_retry_adopts_running_and_repeats_finished_prechecks(
    emulator: Emulator, context: dict[str, Any]
) -> None:
    ended, running = emulator.job_ids[:2]
    emulator.set_verdict(ended, "pass", duration_s=0)
    emulator.set_verdict(running, "pass", duration_s=60)
    _operator([ended, running]).execute(context)
    emulator.clear_journal()

    _operator([ended, running]).execute(context)

    rows = context["ti"].xcoms["precheck_submissions"]
    assert [row["status"] for row in rows] == ["submitted", "adopted"]
    assert [entry["job_ids"] for entry in emulator.journal("BatchCheckJobs")] == [[ended]]


def test_waits_for_the_new_run(
    emulator: Emulator, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "pass", duration_s=0)
    _operator([job_id]).execute(context)
    emulator.set_verdict(job_id, "fail", duration_s=10, stale_reads=3)
    emulator.clear_journal()
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)

    _operator([job_id], settle_time=20).execute(context)

    assert len(emulator.journal("BatchCheckResults")) == 1 + 4
    assert pauses == [1.0, 2.0, 4.0]


def test_settle_time_limits_the_wait_for_the_new_run(
    emulator: Emulator, context: dict[str, Any], log_lines: Any
) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "pass", duration_s=0)
    _operator([job_id]).execute(context)

    assert _operator([job_id], settle_time=0).execute(context) == [job_id]
    assert any("does not report the new pre-check yet" in line for line in log_lines())


def test_unavailable_service_is_retried_by_airflow(
    emulator: Emulator, context: dict[str, Any], connect: Any
) -> None:
    connect({"retry_timeout": 0.1})
    emulator.inject("status", status=503, times=None)

    with pytest.raises(DrsUnavailableError):
        _operator(emulator.job_ids).execute(context)


def test_wait_for_completion_returns_the_passed_jobs(emulator: Emulator, context: dict[str, Any]) -> None:
    emulator.set_verdict(None, "pass", reads=2)

    passed = _operator(emulator.job_ids, wait_for_completion=True, poke_interval=0.01).execute(context)

    assert passed == list(emulator.job_ids)
    assert {row["verdict"] for row in context["ti"].xcoms["precheck_report"]} == {"passed"}


def test_wait_for_completion_fails_with_the_report(emulator: Emulator, context: dict[str, Any]) -> None:
    emulator.set_verdict(emulator.job_ids[0], "fail", duration_s=0)
    emulator.set_verdict(emulator.job_ids[1], "pass", duration_s=0)

    with pytest.raises(AirflowFailException, match="srcBinlogFormatCheck"):
        _operator(emulator.job_ids[:2], wait_for_completion=True).execute(context)


def test_wait_for_completion_times_out(emulator: Emulator, context: dict[str, Any]) -> None:
    with pytest.raises(AirflowSensorTimeout, match="10 of 10 jobs"):
        _operator(emulator.job_ids, wait_for_completion=True, poke_interval=0.01, timeout=0.05).execute(
            context
        )


def test_deferred_wait_has_the_same_result(emulator: Emulator, context: dict[str, Any]) -> None:
    import asyncio

    operator = _operator(emulator.job_ids, wait_for_completion=True, deferrable=True, poke_interval=0.01)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    emulator.advance(60)

    event = asyncio.run(anext(deferred.value.trigger.run())).payload

    assert getattr(operator, deferred.value.method_name)(context, event=event) == list(emulator.job_ids)


class FakeStore(dict):  # type: ignore[type-arg]
    """Airflow 3.3's task state store, as far as the mixin uses it."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


def test_killed_wait_resumes_on_retry(emulator: Emulator, context: dict[str, Any]) -> None:
    emulator.set_verdict(None, "pass", reads=6)
    context["task_state_store"] = FakeStore()
    operator = _operator(emulator.job_ids, wait_for_completion=True, poke_interval=0.01)
    operator.poll_until_complete = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        operator.execute(context)

    passed = _operator(emulator.job_ids, wait_for_completion=True, poke_interval=0.01).execute(context)

    assert passed == list(emulator.job_ids)
    assert len(emulator.journal("BatchCheckJobs")) == 1


@pytest.mark.parametrize("option", [{"poke_interval": 0}, {"timeout": -1}])
def test_invalid_intervals_are_rejected_when_parsed(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        _operator("a", **option)
