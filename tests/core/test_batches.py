"""Any number of jobs in batches: what each job gets back, whatever happens to its batch."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_drs.protocol import conversations
from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.core.errors import (
    DrsAuthError,
    DrsConfigError,
    DrsError,
    DrsJobNotFoundError,
    DrsRequestError,
    DrsUnavailableError,
)
from airflow_provider_drs.protocol.core.wire import (
    Request,
)
from airflow_provider_drs.protocol.jobs.messages import JobStatus
from airflow_provider_drs.protocol.jobs.outcome import JobOutcome
from tests.scripted import BROKEN, ScriptedService, answer, refusal


def _limits(**changes: Any) -> Limits:
    return Limits(**{"write_batch": 10, "read_batch": 50, "retry_timeout_s": 300.0, **changes})


def _statuses(request: Request, word: str = "CONFIGURATION") -> Any:
    return answer({"results": [{"id": job_id, "status": word} for job_id in request.job_ids]})


def _success(request: Request) -> Any:
    return answer({"results": [{"id": job_id, "status": "success"} for job_id in request.job_ids]}, 202)


def _row_error(code: str, *job_ids: str, status: int = 202, silent: bool = False) -> Any:
    def reply(request: Request) -> Any:
        rows: list[dict[str, str]] = [{"id": each, "error_code": code} for each in job_ids]
        rows += [
            {"id": each, "status": "success"}
            for each in request.job_ids
            if each not in job_ids and not silent
        ]
        return answer({"results": rows}, status)

    return reply


@given(st.integers(1, 60), st.integers(1, 20))
def test_batches_are_full(count: int, size: int) -> None:
    job_ids = [f"job-{n}" for n in range(count)]
    talk = ScriptedService([_statuses] * 60)

    found = talk.run(conversations.get_job_statuses(_limits(read_batch=size), job_ids))

    assert list(found) == job_ids
    assert len(talk.requests) == -(-count // size)
    assert all(len(request.job_ids) <= size for request in talk.requests)


@given(st.integers(1, 12), st.lists(st.sampled_from(["ok", "lost", "busy", "never", "refused"]), max_size=6))
def test_started_job_is_never_started_again(count: int, fates: list[str]) -> None:
    job_ids = [f"job-{n}" for n in range(count)]
    starts = dict.fromkeys(job_ids, 0)
    script = iter(fates)

    def service(request: Request) -> Any:
        if request.operation == "BatchListJobStatus":
            rows = [
                {"id": each, "status": "STARTJOBING" if starts[each] else "CONFIGURATION"}
                for each in request.job_ids
            ]
            return answer({"results": rows})
        fate = next(script, "ok")
        if fate in ("ok", "lost"):
            for each in request.job_ids:
                starts[each] += 1
        replies: dict[str, Any] = {
            "ok": lambda: _success(request),
            "lost": lambda: BROKEN,
            "never": lambda: BROKEN,
            "busy": lambda: _row_error("DRS.M01504", *request.job_ids)(request),
            "refused": lambda: refusal("DRS.M01503"),
        }
        return replies[fate]()

    found = ScriptedService([service] * 50, jitter=0.1).run(
        conversations.start_jobs(_limits(write_batch=5), job_ids, None, check_preconditions=False)
    )

    assert set(starts.values()) == {1}
    assert all(isinstance(each, JobOutcome) for each in found.values())


def test_invalid_ids_are_rejected_before_sending() -> None:
    talk = ScriptedService([])

    with pytest.raises(DrsConfigError):
        talk.run(conversations.start_jobs(_limits(), [], None, check_preconditions=False))

    assert talk.steps == []


def test_rejected_job_does_not_affect_its_batch() -> None:
    limits = _limits()

    def service(request: Request) -> Any:
        return refusal("DRS.M00202") if "job-2" in request.job_ids else _statuses(request)

    found = ScriptedService([service] * 9).run(
        conversations.get_job_statuses(limits, [f"job-{n}" for n in range(4)])
    )

    assert [type(each).__name__ for each in found.values()] == [
        "JobStatus",
        "JobStatus",
        "DrsRequestError",
        "JobStatus",
    ]
    assert limits.read_batch == 50


def test_busy_read_fails_after_retry_budget() -> None:
    talk = ScriptedService([_row_error("DRS.M01504", "a")] * 9, seconds_per_step=0.5, jitter=1.0)

    found = talk.run(conversations.get_job_statuses(_limits(retry_timeout_s=2.0), ["a"]))

    assert found["a"].error_code == "DRS.M01504"  # type: ignore[union-attr]
    assert len(talk.requests) == 2


def test_busy_write_fails_after_retry_budget() -> None:
    script = [_row_error("DRS.M01504", "a"), _statuses] * 5

    found = ScriptedService(script, seconds_per_step=0.5, jitter=1.0).run(
        conversations.start_jobs(_limits(retry_timeout_s=3.0), ["a"], None, check_preconditions=False)
    )

    assert found["a"].error_code == "DRS.M01504"  # type: ignore[union-attr]


def test_state_of_missing_job_is_read() -> None:
    silent = answer({"results": []}, 202)

    found = ScriptedService([silent, lambda request: _statuses(request, "STARTJOBING")]).run(
        conversations.start_jobs(_limits(), ["a"], None, check_preconditions=False)
    )

    assert found == {"a": JobOutcome("a", adopted=True, status="STARTJOBING")}


def test_deleted_job_is_an_error() -> None:
    gone = answer({"results": [{"id": "a", "error_code": "DRS.M00289"}]}, 400)

    found = ScriptedService([BROKEN, gone]).run(
        conversations.start_jobs(_limits(), ["a"], None, check_preconditions=False)
    )

    assert isinstance(found["a"], DrsJobNotFoundError)


def test_unreadable_state_keeps_the_error_of_the_write() -> None:
    login = DrsAuthError("no")
    found = ScriptedService([BROKEN, login]).run(
        conversations.start_jobs(_limits(), ["a"], None, check_preconditions=False)
    )
    assert isinstance(found["a"], DrsUnavailableError)

    half = _row_error("DRS.M00304", "b")
    found = ScriptedService([half, DrsAuthError("no")]).run(
        conversations.start_jobs(_limits(), ["a", "b"], None, check_preconditions=False)
    )
    assert [type(each).__name__ for each in found.values()] == ["JobOutcome", "DrsJobStateError"]


def test_rejected_retry_keeps_earlier_results() -> None:
    script = [_row_error("DRS.M01504", "b"), _statuses, refusal("DRS.M00103", 401)]

    found = ScriptedService(script).run(
        conversations.start_jobs(_limits(), ["a", "b"], None, check_preconditions=False)
    )

    assert found["a"] == JobOutcome("a")
    assert found["b"].error_code == "DRS.M00103"  # type: ignore[union-attr]


def test_account_error_in_first_batch_is_raised() -> None:
    with pytest.raises(DrsError, match=r"DRS\.M00103"):
        ScriptedService([refusal("DRS.M00103", 401)]).run(
            conversations.start_jobs(_limits(), ["a"], None, check_preconditions=False)
        )


def test_rejected_batch_does_not_stop_the_next() -> None:
    talk = ScriptedService([refusal("DRS.M00300"), _success])

    found = talk.run(
        conversations.start_jobs(_limits(write_batch=1), ["a", "b"], None, check_preconditions=False)
    )

    assert type(found["a"]) is DrsRequestError
    assert found["b"] == JobOutcome("b")


def test_forward_jobs_are_found_on_every_page() -> None:
    def page(request: Request) -> Any:
        assert request.body is not None
        number = request.body["cur_page"]
        children = [{"id": "fwd", "job_direction": "up", "status": "INCRE_TRANSFER_STARTED"}, "odd"]
        jobs = (
            [{"id": f"other-{number}", "status": "PAUSING"}]
            if number != 3
            else [{"id": "parent", "status": "CONFIGURATION", "children": children}]
        )
        return answer({"jobs": jobs, "total_record": 4})

    found = ScriptedService([page] * 4).run(conversations.get_forward_jobs(_limits(), ["parent"]))
    lost = ScriptedService([page, page, page, lambda _: answer({"jobs": []})]).run(
        conversations.get_forward_jobs(_limits(), ["x"])
    )

    assert found == {"parent": JobStatus("fwd", "INCRE_TRANSFER_STARTED")}
    assert lost == {}
