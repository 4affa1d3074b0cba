"""One logical call: retries, backoff, the time that is left, and unknown outcomes."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.protocol.core.errors import (
    DrsAuthError,
    DrsConfigError,
    DrsError,
    DrsRequestError,
    DrsResponseError,
    DrsThrottledError,
    DrsUnavailableError,
)
from airflow_provider_drs.protocol.core.exchange import Budget, OutcomeUnknown, exchange, exchange_repeatable
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.retry import backoff_s, read_retry_after_s
from airflow_provider_drs.protocol.core.wire import (
    FailureKind,
    Observation,
    Pause,
    Request,
    Send,
    TransportFailure,
)
from airflow_provider_drs.protocol.jobs.messages import build_job_statuses
from tests.scripted import BROKEN, NOT_SENT, Talk, answer, refusal

_START = build("BatchStartJobs", {"jobs": [{"job_id": "a"}]}, ["a"])


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

    with pytest.raises(RuntimeError, match="bug of the transport"):
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
