"""Every row of the failure table, over a real socket, for both hooks."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from drs_emulator import Emulator

from airflow_provider_drs.protocol.core.errors import (
    DrsAuthError,
    DrsError,
    DrsPermissionError,
    DrsRequestError,
    DrsResponseError,
    DrsThrottledError,
    DrsUnavailableError,
)
from airflow_provider_drs.protocol.jobs.messages import JobStatus
from airflow_provider_drs.protocol.jobs.outcome import JobOutcome
from airflow_provider_drs.protocol.prechecks.messages import Submission
from tests.transport.forwarder import Forwarder

pytestmark = pytest.mark.usefixtures("no_backoff")

READ, PRECHECK, START = "BatchListJobStatus", "BatchCheckJobs", "BatchStartJobs"

#: Faults after which the outcome is unknown.
MAYBE_APPLIED = [
    {"kind": "reset_before"},
    {"kind": "reset_after"},
    *(
        {"kind": "status", "status": status, "apply": applied}
        for status in (500, 502, 504)
        for applied in (False, True)
    ),
    {"kind": "html"},
    {"kind": "html", "content_type": "text/html"},
    {"kind": "truncated"},
    {"kind": "truncated", "clean": True},
    {"kind": "wrong_shape"},
    {"kind": "wrong_shape", "body": {"results": [17]}},
    {"kind": "wrong_shape", "body": {}},
]
#: Faults after which nothing was done and a retry is allowed.
THROTTLED = [
    {"kind": "status", "status": 429, "body": {"error_code": "APIGW.0308", "error_msg": "slow down"}},
    {"kind": "status", "status": 503},
    {"kind": "too_frequent"},
]


def _name(fault: Any) -> str:
    if isinstance(fault, type):
        return fault.__name__
    return "-".join(str(value) for value in fault.values() if not isinstance(value, dict))


def _passed(emulator: Emulator) -> tuple[str, ...]:
    """Return the jobs, all of them with a passed pre-check."""
    emulator.set_verdict(None, "pass", duration_s=0)
    from airflow_provider_drs.hooks.drs import DrsHook

    with DrsHook() as hook:
        hook.precheck_jobs(emulator.job_ids)
    emulator.clear_journal()
    return emulator.job_ids


def _calls(emulator: Emulator, operation: str) -> int:
    return len(emulator.journal(operation))


def _call(hook: Any, operation: str, job_ids: tuple[str, ...]) -> dict[str, Any]:
    method = {READ: hook.get_job_statuses, PRECHECK: hook.precheck_jobs, START: hook.start_jobs}[operation]
    answers: dict[str, Any] = method(job_ids)
    return answers


@pytest.mark.parametrize("operation", [READ, PRECHECK, START])
def test_refused_connection_is_retried(
    emulator: Emulator, hook: Any, connect: Any, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    job_ids = _passed(emulator)
    with closing(Forwarder(emulator.url)) as service:
        connect(host=service.url)

        def open_after_the_first_failure() -> float:
            if not service.is_open:
                service.open()
            return 0.0

        monkeypatch.setattr("random.random", open_after_the_first_failure)

        answers = _call(hook, operation, job_ids)

    assert not any(isinstance(answer, DrsError) for answer in answers.values())
    assert [entry["applied"] for entry in emulator.journal(operation)] == [True]


@pytest.mark.parametrize("reset", [False, True], ids=["ended", "reset"])
@pytest.mark.parametrize("operation", [READ, PRECHECK, START])
def test_broken_handshake_is_retried(
    secure: Emulator, hook: Any, connect: Any, operation: str, reset: bool
) -> None:
    connect(secure.connection["extra"], host=secure.url)
    job_ids = _passed(secure)
    with closing(Forwarder(secure.url, cuts=1, reset=reset)) as service:
        service.open()
        connect(secure.connection["extra"], host=service.url)

        answers = _call(hook, operation, job_ids)

    assert not any(isinstance(answer, DrsError) for answer in answers.values())
    assert [entry["applied"] for entry in secure.journal(operation)] == [True]
    # The first byte of a TLS handshake record.
    assert [sent[:1] for sent in service.cut] == [b"\x16"]


@pytest.mark.parametrize("fault", [*MAYBE_APPLIED, *THROTTLED], ids=_name)
def test_read_is_retried(emulator: Emulator, hook: Any, fault: dict[str, Any]) -> None:
    emulator.inject(operation=READ, **fault)

    answers = hook.get_job_statuses(emulator.job_ids)

    assert [type(answer) for answer in answers.values()] == [JobStatus] * 10
    assert _calls(emulator, READ) == 2


@pytest.mark.parametrize("fault", [*MAYBE_APPLIED, *THROTTLED], ids=_name)
def test_precheck_is_retried_or_adopted(emulator: Emulator, hook: Any, fault: dict[str, Any]) -> None:
    emulator.inject(operation=PRECHECK, **fault)

    answers = hook.precheck_jobs(emulator.job_ids)

    assert all(isinstance(answer, Submission) for answer in answers.values())
    assert _calls(emulator, PRECHECK) == 2


@pytest.mark.parametrize("fault", MAYBE_APPLIED, ids=_name)
def test_start_with_unknown_outcome_reads_the_state(
    emulator: Emulator, hook: Any, fault: dict[str, Any]
) -> None:
    job_ids = _passed(emulator)
    emulator.inject(operation=START, **fault)

    answers = hook.start_jobs(job_ids)

    assert all(isinstance(answer, JobOutcome) for answer in answers.values())
    assert [job["starts"] for job in emulator.jobs] == [1] * 10
    sent = [entry["operation"] for entry in emulator.journal() if entry["operation"] in (START, READ)]
    applied = emulator.journal(START)[0]["applied"]
    assert sent == ([START, READ] if applied else [START, READ, START])
    assert all(answer.adopted == applied for answer in answers.values())


@pytest.mark.parametrize("fault", THROTTLED, ids=_name)
def test_throttled_start_is_retried(emulator: Emulator, hook: Any, fault: dict[str, Any]) -> None:
    job_ids = _passed(emulator)
    emulator.inject(operation=START, **fault)

    answers = hook.start_jobs(job_ids)

    assert all(answer == JobOutcome(job_id) for job_id, answer in answers.items())
    assert _calls(emulator, READ) == 0


def test_retry_after_beyond_the_budget_fails(emulator: Emulator, hook: Any, connect: Any) -> None:
    connect({"retry_timeout": 5})
    body = {"error_code": "APIGW.0308", "error_msg": "slow down"}
    emulator.inject(
        "status", status=429, headers={"Retry-After": "3600"}, body=body, operation=READ, times=None
    )

    with pytest.raises(DrsThrottledError):
        hook.get_job_statuses(emulator.job_ids)

    assert _calls(emulator, READ) == 1


@pytest.mark.parametrize("operation", [READ, PRECHECK, START])
def test_only_busy_job_is_retried(emulator: Emulator, hook: Any, operation: str) -> None:
    job_ids = _passed(emulator)
    busy = job_ids[3]
    emulator.inject("busy", operation=operation, job_id=busy)
    method = {READ: hook.get_job_statuses, PRECHECK: hook.precheck_jobs, START: hook.start_jobs}[operation]

    answers = method(job_ids)

    assert not any(isinstance(answer, DrsError) for answer in answers.values())
    assert [entry["job_ids"] for entry in emulator.journal(operation)] == [list(job_ids), [busy]]


def test_running_precheck_is_adopted(emulator: Emulator, hook: Any) -> None:
    hook.precheck_jobs(emulator.job_ids)

    answers = hook.precheck_jobs(emulator.job_ids)

    assert all(answer.adopted for answer in answers.values())


@pytest.mark.parametrize("kind", ["expire_token", "gateway_401"])
def test_rejected_token_is_renewed_once(emulator: Emulator, hook: Any, kind: str) -> None:
    hook.get_job_statuses(emulator.job_ids)
    emulator.inject(kind, operation=READ)

    hook.get_job_statuses(emulator.job_ids)

    assert _calls(emulator, "KeystoneCreateUserTokenByPassword") == 2


@pytest.mark.parametrize("kind", ["expire_token", "gateway_401"])
def test_token_rejected_twice_is_an_error(emulator: Emulator, hook: Any, kind: str) -> None:
    emulator.inject(kind, operation=READ, times=None)

    with pytest.raises(DrsAuthError):
        hook.get_job_statuses(emulator.job_ids)

    assert _calls(emulator, "KeystoneCreateUserTokenByPassword") == 2
    assert _calls(emulator, READ) == 2


def test_missing_permission_renews_no_token(emulator: Emulator, hook: Any) -> None:
    emulator.inject("no_permission", operation=READ)

    with pytest.raises(DrsPermissionError, match="permission"):
        hook.get_job_statuses(emulator.job_ids)

    assert _calls(emulator, READ) == 1


@pytest.mark.parametrize("status", [400, 404, 405, 409, 413, 415, 422, 501])
def test_other_rejections_are_permanent(emulator: Emulator, hook: Any, status: int) -> None:
    body = {"error_code": "DRS.M00300", "error_msg": "Invalid request, emulated"}
    emulator.inject("status", status=status, body=body, operation=START, times=None)
    job_ids = _passed(emulator)

    answers = hook.start_jobs(job_ids)

    assert all(type(answer) is DrsRequestError for answer in answers.values())
    assert "Invalid request, emulated" in str(answers[job_ids[0]])
    assert _calls(emulator, START) == 1


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        ({"kind": "reset_before"}, DrsUnavailableError),
        ({"kind": "status", "status": 503}, DrsUnavailableError),
        ({"kind": "too_frequent"}, DrsThrottledError),
        ({"kind": "wrong_shape"}, DrsResponseError),
        ({"kind": "html"}, DrsResponseError),
    ],
    ids=_name,
)
def test_retries_end_with_the_budget(
    emulator: Emulator, hook: Any, connect: Any, fault: dict[str, Any], error_class: type[DrsError]
) -> None:
    connect({"retry_timeout": 0.6})
    emulator.inject(operation=READ, times=None, **fault)

    with pytest.raises(error_class) as caught:
        hook.get_job_statuses(emulator.job_ids)

    assert caught.value.operation == READ
    assert _calls(emulator, READ) > 1


@pytest.mark.parametrize("kind", ["drip", "drip_headers", "hang"])
def test_endless_response_times_out(emulator: Emulator, hook: Any, connect: Any, kind: str) -> None:
    connect({"retry_timeout": 0.4, "read_timeout": 0.3})
    emulator.inject(kind, operation=READ, times=None)

    with pytest.raises((DrsUnavailableError, DrsResponseError)):
        hook.get_job_statuses(emulator.job_ids)


def test_start_with_unknown_outcome_is_an_error_per_job(emulator: Emulator, hook: Any, connect: Any) -> None:
    job_ids = _passed(emulator)
    connect({"retry_timeout": 0.2})
    emulator.inject("reset_before", operation=START, times=None)

    answers = hook.start_jobs(job_ids)

    assert all(isinstance(answer, DrsUnavailableError) for answer in answers.values())
    assert [job["starts"] for job in emulator.jobs] == [0] * 10


def test_account_error_stops_further_batches(emulator: Emulator, hook: Any, connect: Any) -> None:
    job_ids = _passed(emulator)
    connect({"batch_size": 4, "parallel_requests": 1})
    emulator.inject("no_permission", operation=START, after=1, times=None)

    answers = hook.start_jobs(job_ids)

    kinds = [type(answer).__name__ for answer in answers.values()]
    assert kinds == ["JobOutcome"] * 4 + ["DrsPermissionError"] * 6
    assert "was not sent" in str(answers[job_ids[-1]])
    assert _calls(emulator, START) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 413, 451])
def test_refusal_of_a_gateway_is_not_attributed_to_drs(emulator: Emulator, hook: Any, status: int) -> None:
    emulator.inject("html", operation=READ, status=status, content_type="text/html", times=None)

    answer = hook.get_job_statuses(emulator.job_ids[:1])[emulator.job_ids[0]]

    assert type(answer) is DrsRequestError
    assert not answer.is_transient
    assert "the body is not JSON (32 bytes of text/html" in str(answer)
    assert f"(HTTP {status}). Check that the connection's host is the DRS endpoint, not a proxy" in str(
        answer
    )
    assert "rejected" not in str(answer)
    assert len(emulator.journal(READ)) == 1


def test_header_of_an_injected_status_replaces_the_default(emulator: Emulator, hook: Any) -> None:
    emulator.inject("status", operation=READ, status=403, headers={"content-type": "text/plain"}, body="no")

    answer = hook.get_job_statuses(emulator.job_ids[:1])[emulator.job_ids[0]]

    assert "text/plain" in str(answer)
