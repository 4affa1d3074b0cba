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
from tests.scripted import BROKEN, NOT_SENT, ScriptedService, answer, refusal

_START = build("BatchStartJobs", {"jobs": [{"job_id": "a"}]}, ["a"])


def _exchange(
    script: list[Any], *, request: Request | None = None, limit_s: float = 60.0, **talk: Any
) -> tuple[Any, ScriptedService]:
    partner = ScriptedService(script, **talk)
    made = request or build_job_statuses(["a"])
    return partner.run(exchange(made, Budget(limit_s), lambda document, response: document)), partner


def test_backoff_is_exponential_with_full_jitter() -> None:
    assert [backoff_s(attempt, 1.0) for attempt in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert backoff_s(5, 0.0) == 0.0


def test_backoff_stays_within_retry_budget() -> None:
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
def test_retry_after_formats(value: str, seconds: float) -> None:
    assert read_retry_after_s(answer({}, 429, retry_after=value), 1_700_000_000.0) == seconds


def test_retry_after_header_is_honored() -> None:
    _, talk = _exchange([refusal("APIGW.0308", 429, retry_after="7"), answer({})])

    assert talk.pauses == [7.0]


def test_gateway_throttling_is_transient() -> None:
    _, talk = _exchange([refusal("APIGW.0308", 400), answer({})])

    assert len(talk.requests) == 2


def test_send_timeout_is_the_remaining_time() -> None:
    _, talk = _exchange([NOT_SENT, answer({})], limit_s=10.0, seconds_per_step=3.0, jitter=0.0)

    assert [step.timeout_s for step in talk.steps if isinstance(step, Send)] == [10.0, 7.0]


def test_last_response_is_the_error() -> None:
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
def test_connection_errors_are_permanent(failure: Any, text: str) -> None:
    with pytest.raises(DrsConfigError, match=text):
        _exchange([failure])


def test_too_large_response_is_not_retried() -> None:
    too_large = TransportFailure(FailureKind.TOO_LARGE)

    with pytest.raises(DrsResponseError, match="larger than 32 MiB"):
        _exchange([too_large])
    result, _ = _exchange([too_large], request=_START)
    assert isinstance(result, OutcomeUnknown)


def test_success_with_error_code_is_an_error() -> None:
    with pytest.raises(DrsRequestError, match=r"DRS\.M05066"):
        _exchange([refusal("DRS.M05066", 200)])


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_html_body_does_not_hide_the_status(status: int) -> None:
    with pytest.raises(DrsError):
        _exchange([answer(b"<html>", status)] * 99, limit_s=1.0)


def test_unparsable_success_is_retried() -> None:
    with pytest.raises(DrsResponseError, match="no JSON object"):
        _exchange([answer(b"[1]")] * 99, limit_s=1.0, jitter=1.0)


def test_write_without_response_has_unknown_outcome() -> None:
    result, _ = _exchange([BROKEN], request=_START, limit_s=0.1, jitter=1.0)

    assert isinstance(result, OutcomeUnknown)


def test_transport_without_outcome_is_a_bug() -> None:
    conversation = exchange(build_job_statuses(["a"]), Budget(1.0), lambda document, response: document)
    assert isinstance(next(conversation), Send)

    with pytest.raises(RuntimeError, match="bug of the transport"):
        conversation.send(Observation(None, 0.0, 0.0))


def test_repeatable_write_with_unknown_outcome_is_an_error() -> None:
    conversation = exchange_repeatable(_START, Budget(0.1), lambda document, response: document)

    with pytest.raises(DrsUnavailableError):
        ScriptedService([BROKEN], jitter=1.0).run(conversation)


def test_login_error_is_raised() -> None:
    with pytest.raises(DrsAuthError):
        _exchange([DrsAuthError("no")])


def test_pause_step() -> None:
    _, talk = _exchange([NOT_SENT, answer({})], jitter=0.5)

    assert [type(step) for step in talk.steps] == [Send, Pause, Send]
