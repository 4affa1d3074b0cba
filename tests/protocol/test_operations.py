"""
Conversations against scripted answers.

what a socket cannot bring about on demand, and what must never happen.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_drs.protocol import operations
from airflow_provider_drs.protocol.batches import Limits
from airflow_provider_drs.protocol.catalog import build
from airflow_provider_drs.protocol.errors import (
    DrsAuthError,
    DrsConfigError,
    DrsError,
    DrsJobNotFoundError,
    DrsRequestError,
    DrsResponseError,
    DrsThrottledError,
    DrsUnavailableError,
)
from airflow_provider_drs.protocol.exchange import Budget, OutcomeUnknown, exchange, exchange_repeatable
from airflow_provider_drs.protocol.jobs import JobStatus, build_job_statuses
from airflow_provider_drs.protocol.outcomes import JobOutcome
from airflow_provider_drs.protocol.retry import backoff_s, read_retry_after_s
from airflow_provider_drs.protocol.wire import (
    FailureKind,
    Observation,
    Pause,
    Request,
    Send,
    TransportFailure,
)
from tests.protocol.talk import BROKEN, NOT_SENT, Talk, answer, refusal

_START = build("BatchStartJobs", {"jobs": [{"job_id": "a"}]}, ["a"])


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
def test_n_jobs_cost_ceil_n_by_size_calls(count: int, size: int) -> None:
    """And no batch is larger than it may be."""
    job_ids = [f"job-{n}" for n in range(count)]
    talk = Talk([_statuses] * 60)

    found = talk.run(operations.get_job_statuses(_limits(read_batch=size), job_ids))

    assert list(found) == job_ids
    assert len(talk.requests) == -(-count // size)
    assert all(len(request.job_ids) <= size for request in talk.requests)


@given(st.integers(1, 12), st.lists(st.sampled_from(["ok", "lost", "busy", "never", "refused"]), max_size=6))
def test_a_start_is_never_sent_for_a_job_that_is_known_started(count: int, fates: list[str]) -> None:
    """Whatever the service does to the requests, no job is started twice by them."""
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

    found = Talk([service] * 50, jitter=0.1).run(
        operations.start_jobs(_limits(write_batch=5), job_ids, None, check_preconditions=False)
    )

    assert set(starts.values()) == {1}
    assert all(isinstance(each, JobOutcome) for each in found.values())


def test_bad_ids_are_refused_before_anything_is_sent() -> None:
    """Nothing at all."""
    talk = Talk([])

    with pytest.raises(DrsConfigError):
        talk.run(operations.start_jobs(_limits(), [], None, check_preconditions=False))

    assert talk.steps == []


def test_a_refused_read_of_one_job_stands_at_that_job() -> None:
    """The halves are read down to the one that is to blame; sizes are not its fault."""
    limits = _limits()

    def service(request: Request) -> Any:
        return refusal("DRS.M00202") if "job-2" in request.job_ids else _statuses(request)

    found = Talk([service] * 9).run(operations.get_job_statuses(limits, [f"job-{n}" for n in range(4)]))

    assert [type(each).__name__ for each in found.values()] == [
        "JobStatus",
        "JobStatus",
        "DrsRequestError",
        "JobStatus",
    ]
    assert limits.read_batch == 50


def test_a_read_that_stays_busy_reports_the_error_when_time_is_up() -> None:
    """Not silence, and not for ever."""
    talk = Talk([_row_error("DRS.M01504", "a")] * 9, seconds_per_step=0.5, jitter=1.0)

    found = talk.run(operations.get_job_statuses(_limits(retry_timeout_s=2.0), ["a"]))

    assert found["a"].error_code == "DRS.M01504"  # type: ignore[union-attr]
    assert len(talk.requests) == 2


def test_a_write_that_stays_busy_reports_the_error_when_time_is_up() -> None:
    """The state was read, and it is not started."""
    script = [_row_error("DRS.M01504", "a"), _statuses] * 5

    found = Talk(script, seconds_per_step=0.5, jitter=1.0).run(
        operations.start_jobs(_limits(retry_timeout_s=3.0), ["a"], None, check_preconditions=False)
    )

    assert found["a"].error_code == "DRS.M01504"  # type: ignore[union-attr]


def test_a_job_that_a_write_is_silent_about_is_looked_up() -> None:
    """It may have been started."""
    silent = answer({"results": []}, 202)

    found = Talk([silent, lambda request: _statuses(request, "STARTJOBING")]).run(
        operations.start_jobs(_limits(), ["a"], None, check_preconditions=False)
    )

    assert found == {"a": JobOutcome("a", adopted=True, status="STARTJOBING")}


def test_a_job_that_vanished_meanwhile_is_an_error() -> None:
    """The state says that there is no such job."""
    gone = answer({"results": [{"id": "a", "error_code": "DRS.M00289"}]}, 400)

    found = Talk([BROKEN, gone]).run(operations.start_jobs(_limits(), ["a"], None, check_preconditions=False))

    assert isinstance(found["a"], DrsJobNotFoundError)


def test_a_state_that_cannot_be_read_leaves_the_outcome_open() -> None:
    """The error of the start stands, not that of the reading; what was reported as done stays done."""
    login = DrsAuthError("no")
    found = Talk([BROKEN, login]).run(
        operations.start_jobs(_limits(), ["a"], None, check_preconditions=False)
    )
    assert isinstance(found["a"], DrsUnavailableError)

    half = _row_error("DRS.M00304", "b")
    found = Talk([half, DrsAuthError("no")]).run(
        operations.start_jobs(_limits(), ["a", "b"], None, check_preconditions=False)
    )
    assert [type(each).__name__ for each in found.values()] == ["JobOutcome", "DrsJobStateError"]


def test_a_second_try_that_is_refused_as_a_whole_keeps_what_the_first_one_did() -> None:
    """Job a is started; b was busy, and then the account lost its rights."""
    script = [_row_error("DRS.M01504", "b"), _statuses, refusal("DRS.M00103", 401)]

    found = Talk(script).run(operations.start_jobs(_limits(), ["a", "b"], None, check_preconditions=False))

    assert found["a"] == JobOutcome("a")
    assert found["b"].error_code == "DRS.M00103"  # type: ignore[union-attr]


def test_an_error_of_the_account_in_the_first_batch_is_raised() -> None:
    """Nothing was done, so there is nothing to keep."""
    with pytest.raises(DrsError, match=r"DRS\.M00103"):
        Talk([refusal("DRS.M00103", 401)]).run(
            operations.start_jobs(_limits(), ["a"], None, check_preconditions=False)
        )


def test_a_refusal_of_one_batch_does_not_stop_the_next() -> None:
    """It is about its own jobs."""
    talk = Talk([refusal("DRS.M00300"), _success])

    found = talk.run(
        operations.start_jobs(_limits(write_batch=1), ["a", "b"], None, check_preconditions=False)
    )

    assert type(found["a"]) is DrsRequestError
    assert found["b"] == JobOutcome("b")


def test_forward_jobs_are_looked_for_on_every_page() -> None:
    """Until there is no further page."""

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

    found = Talk([page] * 4).run(operations.get_forward_jobs(_limits(), ["parent"]))
    lost = Talk([page, page, page, lambda _: answer({"jobs": []})]).run(
        operations.get_forward_jobs(_limits(), ["x"])
    )

    assert found == {"parent": JobStatus("fwd", "INCRE_TRANSFER_STARTED")}
    assert lost == {}


# --- one exchange
# ---------------------------------------------------------------------------------------------------


def _exchange(
    script: list[Any], *, request: Request | None = None, limit_s: float = 60.0, **talk: Any
) -> tuple[Any, Talk]:
    partner = Talk(script, **talk)
    made = request or build_job_statuses(["a"])
    return partner.run(exchange(made, Budget(limit_s), lambda document, response: document)), partner


def test_backoff_is_exponential_with_full_jitter() -> None:
    """A second, doubled each time, half a minute at most; jitter scales it down to nothing."""
    assert [backoff_s(attempt, 1.0) for attempt in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert backoff_s(5, 0.0) == 0.0


def test_waits_grow_within_the_budget() -> None:
    """Then the last error is raised, not another request sent."""
    with pytest.raises(DrsUnavailableError):
        _exchange([NOT_SENT] * 99, limit_s=20.0, jitter=1.0)

    _, talk = _exchange([NOT_SENT] * 3 + [answer({})], limit_s=20.0, jitter=1.0)
    assert talk.pauses == [1, 2, 4]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("soon", 0.0),
        ("", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float) -> None:
    """Or nothing that makes sense."""
    assert read_retry_after_s(answer({}, 429, retry_after=value), 1_700_000_000.0) == seconds


def test_retry_after_is_waited_for() -> None:
    """Longer than the backoff would be."""
    _, talk = _exchange([refusal("APIGW.0308", 429, retry_after="7"), answer({})])

    assert talk.pauses == [7.0]


def test_a_throttling_gateway_code_passes_whatever_its_status() -> None:
    """The code says more than the status."""
    _, talk = _exchange([refusal("APIGW.0308", 400), answer({})])

    assert len(talk.requests) == 2


def test_each_send_gets_the_time_that_is_left() -> None:
    """A slow answer leaves less for the next try."""
    _, talk = _exchange([NOT_SENT, answer({})], limit_s=10.0, seconds_per_step=3.0, jitter=0.0)

    assert [step.timeout_s for step in talk.steps if isinstance(step, Send)] == [10.0, 7.0]


def test_the_last_word_of_the_service_is_the_error() -> None:
    """Not that the very last try had no time for an answer."""
    timed_out = TransportFailure(FailureKind.TIMED_OUT)

    with pytest.raises(DrsThrottledError):
        _exchange([refusal("DRS.M01503"), timed_out], limit_s=1.0, seconds_per_step=0.6)


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (TransportFailure(FailureKind.CERTIFICATE, "self-signed"), "extra.verify"),
        (TransportFailure(FailureKind.PROXY_REFUSED, "403"), "extra.proxy"),
        (answer({}, 407), "extra.proxy"),
        (answer({}, 302, location="https://elsewhere.example"), "host of the connection"),
    ],
)
def test_what_only_the_connection_can_cure_is_final(failure: Any, text: str) -> None:
    """The text names the field."""
    with pytest.raises(DrsConfigError, match=text):
        _exchange([failure])


def test_an_answer_that_is_too_large_is_not_asked_for_again() -> None:
    """It would be as large; and a write that it follows may have been done."""
    too_large = TransportFailure(FailureKind.TOO_LARGE)

    with pytest.raises(DrsResponseError, match="larger than 32 MiB"):
        _exchange([too_large])
    result, _ = _exchange([too_large], request=_START)
    assert isinstance(result, OutcomeUnknown)


def test_a_success_with_an_error_and_no_results_is_that_error() -> None:
    """The appendix lists codes with HTTP 200 and 202."""
    with pytest.raises(DrsRequestError, match=r"DRS\.M05066"):
        _exchange([refusal("DRS.M05066", 200)])


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_the_status_counts_though_the_body_is_html(status: int) -> None:
    """A gateway's page may be labelled JSON."""
    with pytest.raises(DrsError):
        _exchange([answer(b"<html>", status)] * 99, limit_s=1.0)


def test_an_unparsable_success_is_sent_again() -> None:
    """And raised as what it is."""
    with pytest.raises(DrsResponseError, match="no JSON object"):
        _exchange([answer(b"[1]")] * 99, limit_s=1.0, jitter=1.0)


def test_a_write_whose_time_is_up_is_of_unknown_outcome() -> None:
    """There was no time to ask; the caller must not take it for undone."""
    result, _ = _exchange([BROKEN], request=_START, limit_s=0.1, jitter=1.0)

    assert isinstance(result, OutcomeUnknown)


def test_a_transport_that_says_nothing_is_at_fault() -> None:
    """An outcome is a response or a failure, never nothing."""
    conversation = exchange(build_job_statuses(["a"]), Budget(1.0), lambda document, response: document)
    assert isinstance(next(conversation), Send)

    with pytest.raises(RuntimeError, match="fault of the transport"):
        conversation.send(Observation(None, 0.0, 0.0))


def test_a_write_among_the_reads_is_never_taken_for_undone() -> None:
    """Whoever sends one as repeatable gets the error, not a value."""
    conversation = exchange_repeatable(_START, Budget(0.1), lambda document, response: document)

    with pytest.raises(DrsUnavailableError):
        Talk([BROKEN], jitter=1.0).run(conversation)


def test_errors_of_the_transports_side_pass_through() -> None:
    """A login that failed is thrown into the conversation."""
    with pytest.raises(DrsAuthError):
        _exchange([DrsAuthError("no")])


def test_a_pause_is_a_step() -> None:
    """Nothing sleeps in here."""
    _, talk = _exchange([NOT_SENT, answer({})], jitter=0.5)

    assert [type(step) for step in talk.steps] == [Send, Pause, Send]
