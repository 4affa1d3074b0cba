"""Each fault as seen by an independent client: the response, and whether the request was processed."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from drs_emulator import Emulator, EmulatorError

from tests.emulator.caller import PROJECT, Caller

CHECK, READ = "BatchCheckJobs", "BatchListJobStatus"


def _send_check(call: Caller, *job_ids: str, **options: Any) -> requests.Response:
    """Start a pre-check and return the response unchecked."""
    jobs = [{"job_id": job_id, "precheck_mode": "forStartJob"} for job_id in job_ids]
    return call.send(CHECK, {"jobs": jobs}, **options)


def _prechecks(emulator: Emulator) -> int:
    return sum(job["prechecks"] for job in emulator.jobs)


def _send_raw(emulator: Emulator, call: Caller) -> socket.socket:
    """Send a read over a new socket and return the socket."""
    body = json.dumps({"jobs": [emulator.job_ids[0]]}).encode()
    head = [
        f"POST /v3/{PROJECT}/jobs/batch-status HTTP/1.1",
        "Host: emulator",
        f"Content-Length: {len(body)}",
    ]
    head += [f"{name}: {value}" for name, value in call.headers.items()]
    address = urlsplit(emulator.url)
    client = socket.create_connection((address.hostname, address.port), timeout=5)
    client.sendall("\r\n".join([*head, "", ""]).encode() + body)
    return client


# Faults without a readable response.


@pytest.mark.parametrize(("kind", "done"), [("reset_before", 0), ("reset_after", 1)])
def test_reset_before_and_after(emulator: Emulator, call: Caller, kind: str, done: int) -> None:
    emulator.inject(kind, operation=CHECK)

    with pytest.raises(requests.ConnectionError):
        _send_check(call, emulator.job_ids[0])

    assert _prechecks(emulator) == done
    entry = emulator.journal(CHECK)[0]
    assert (entry["applied"], entry["status"], entry["faults"]) == (bool(done), None, [kind])


@pytest.mark.parametrize("apply", [False, True])
def test_hang(emulator: Emulator, call: Caller, apply: bool) -> None:
    emulator.inject("hang", operation=CHECK, apply=apply)

    with pytest.raises(requests.ReadTimeout):
        _send_check(call, emulator.job_ids[0], timeout=0.2)

    assert _prechecks(emulator) == int(apply)


@pytest.mark.parametrize(
    ("kind", "beginning"),
    [("drip", b"HTTP/1.1 200 OK\r\n\r\n  "), ("drip_headers", b"HTTP/1.1 200 OK\r\nX-Drip:   ")],
)
def test_drip(emulator: Emulator, call: Caller, kind: str, beginning: bytes) -> None:
    emulator.inject(kind, operation=READ)
    with _send_raw(emulator, call) as client:
        received = b""
        while len(received) < len(beginning) + 3:
            received += client.recv(100)

    assert received.startswith(beginning)
    assert emulator.journal(READ)[0]["applied"] is True


def test_truncated(emulator: Emulator, call: Caller) -> None:
    emulator.inject("truncated", operation=CHECK)

    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        _send_check(call, emulator.job_ids[0])

    assert _prechecks(emulator) == 1


def test_truncated_json(emulator: Emulator, call: Caller) -> None:
    emulator.inject("truncated", operation=CHECK, clean=True)

    response = _send_check(call, emulator.job_ids[0])

    assert response.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        response.json()


@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
def test_html(emulator: Emulator, call: Caller, content_type: str) -> None:
    emulator.inject("html", operation=CHECK, content_type=content_type, status=502)

    response = _send_check(call, emulator.job_ids[0])

    assert (response.status_code, response.headers["Content-Type"]) == (502, content_type)
    assert response.text.startswith("<html>")
    assert _prechecks(emulator) == 1


# Faults with a different response.


@pytest.mark.parametrize(
    ("kind", "options", "status", "code"),
    [
        ("status", {}, 500, "DRS.M00004"),
        ("status", {"status": 503}, 503, "DRS.M00004"),
        ("too_frequent", {}, 400, "DRS.M01503"),
        ("expire_token", {}, 403, "DRS.M00100"),
        ("gateway_401", {}, 401, "APIGW.0301"),
        ("no_permission", {}, 401, "DRS.M00103"),
        ("refuse_batch", {}, 400, "DRS.M00200"),
    ],
)
def test_rejections(
    emulator: Emulator, call: Caller, kind: str, options: dict[str, Any], status: int, code: str
) -> None:
    one, other = emulator.job_ids[:2]
    emulator.inject(kind, operation=CHECK, **options)

    response = call(
        CHECK, {"jobs": [{"job_id": job_id, "precheck_mode": "forStartJob"} for job_id in (one, other)]}
    )

    assert (response.status_code, response.json()["error_code"]) == (status, code)
    assert _prechecks(emulator) == 0
    assert call.precheck(one, other) == [None, None]


@pytest.mark.parametrize("apply", [False, True])
def test_status(emulator: Emulator, call: Caller, apply: bool) -> None:
    emulator.inject(
        "status", operation=CHECK, status=429, body="slow down", headers={"Retry-After": "7"}, apply=apply
    )

    response = _send_check(call, emulator.job_ids[0])

    assert (response.status_code, response.text, response.headers["Retry-After"]) == (429, "slow down", "7")
    assert _prechecks(emulator) == int(apply)


def test_redirect(emulator: Emulator, call: Caller) -> None:
    emulator.inject("redirect", operation=CHECK, location="http://192.0.2.1/")

    response = _send_check(call, emulator.job_ids[0])

    assert (response.status_code, response.headers["Location"]) == (302, "http://192.0.2.1/")
    assert _prechecks(emulator) == 0


@pytest.mark.parametrize("body", [None, [], {}, {"results": [17]}, "text"], ids=str)
def test_wrong_shape(emulator: Emulator, call: Caller, body: Any) -> None:
    emulator.inject("wrong_shape", operation=CHECK, body=json.dumps(body))

    response = _send_check(call, emulator.job_ids[0])

    assert (response.status_code, response.json()) == (200, body)
    assert _prechecks(emulator) == 1


def test_top_level_error(emulator: Emulator, call: Caller) -> None:
    emulator.inject("top_level_error", operation=CHECK, code="DRS.M05066")

    document = _send_check(call, emulator.job_ids[0]).json()

    assert (document["error_code"], document["results"][0]["status"]) == ("DRS.M05066", "success")


def test_refuse_batch(emulator: Emulator, call: Caller) -> None:
    emulator.inject("refuse_batch", max_jobs=5, times=None)

    seen = [call(READ, {"jobs": emulator.job_ids[:count]}).status_code for count in (10, 5, 6, 1)]

    assert seen == [400, 200, 400, 200]


# Faults of single jobs.


def test_busy(emulator: Emulator, call: Caller) -> None:
    one, other = emulator.job_ids[:2]
    emulator.inject("busy", operation=CHECK, job_id=other)

    assert call.precheck(one, other) == [None, "DRS.M01504"]
    assert _prechecks(emulator) == 1
    assert call.precheck(other) == [None]


def test_job_error(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    emulator.inject("job_error", operation=CHECK, job_id=job_id, code="DRS.M06011", message="no RDS today")

    row = call.rows(CHECK, job_id, precheck_mode="forStartJob")[0]

    assert (row["status"], row["error_code"], row["error_msg"]) == ("failed", "DRS.M06011", "no RDS today")


@pytest.mark.parametrize("precheck_id", [None, "run-17"])
def test_drop_job(emulator: Emulator, call: Caller, precheck_id: str | None) -> None:
    one, other = emulator.job_ids[:2]
    emulator.set_verdict(other, "pass", duration_s=0, precheck_id=precheck_id)
    emulator.inject("drop_job", job_id=other, times=2)

    written = call.rows(CHECK, one, other, precheck_mode="forStartJob")
    read = call.rows("BatchCheckResults", one, other)

    assert [row["id"] for row in written] == [one]
    assert [row["precheck_id"] for row in read] == [one]
    assert _prechecks(emulator) == 2


def test_batch_400(emulator: Emulator, call: Caller) -> None:
    one, other = emulator.job_ids[:2]
    call.precheck(one)
    emulator.inject("batch_400", operation=CHECK)

    response = _send_check(call, one, other)

    assert response.status_code == 400
    assert [row.get("error_code") for row in response.json()["results"]] == ["DRS.M01504", None]


# When a fault takes effect.


@pytest.mark.parametrize(
    ("schedule", "seen"),
    [
        ({}, [503, 200, 200, 200, 200, 200]),
        ({"times": 2}, [503, 503, 200, 200, 200, 200]),
        ({"times": None}, [503] * 6),
        ({"after": 2}, [200, 200, 503, 200, 200, 200]),
        ({"every": 2, "times": None}, [200, 503, 200, 503, 200, 503]),
        ({"after": 1, "every": 2, "times": 1}, [200, 200, 503, 200, 200, 200]),
        ({"after": 1, "every": 2, "times": 2}, [200, 200, 503, 200, 503, 200, 200]),
    ],
    ids=str,
)
def test_times_after_and_every(
    emulator: Emulator, call: Caller, schedule: dict[str, Any], seen: list[int]
) -> None:
    emulator.inject("status", status=503, operation=READ, **schedule)

    assert [call(READ, {"jobs": [emulator.job_ids[0]]}).status_code for _ in seen] == seen


def test_operation_and_job_filter(emulator: Emulator, call: Caller) -> None:
    one, other = emulator.job_ids[:2]
    emulator.inject("status", status=503, operation=READ, job_id=other)

    assert call.precheck(one, other) == [None, None]
    assert [call(READ, {"jobs": [job_id]}).status_code for job_id in (one, other, other)] == [200, 503, 200]


def test_one_fault_per_request(emulator: Emulator, call: Caller) -> None:
    emulator.inject("status", status=502)
    emulator.inject("too_frequent")

    assert [call(READ, {"jobs": [emulator.job_ids[0]]}).status_code for _ in range(3)] == [502, 400, 200]


def test_faults_of_the_login(emulator: Emulator, call: Caller) -> None:
    emulator.inject("status", status=503, operation="KeystoneCreateUserTokenByPassword")

    assert [call.login().status_code for _ in range(2)] == [503, 201]


def test_faults_are_counted_and_removed(emulator: Emulator, call: Caller) -> None:
    first = emulator.inject("status", times=None)
    second = emulator.inject("busy", job_id=emulator.job_ids[0], operation=CHECK)
    call(READ, {"jobs": [emulator.job_ids[0]]})

    assert [(fault["id"], fault["done"]) for fault in emulator.faults] == [(first, 1), (second, 0)]
    emulator.remove_fault(first)
    assert [fault["id"] for fault in emulator.faults] == [second]
    emulator.clear_faults()
    assert emulator.faults == []


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("no-such-fault", {}, "unknown fault"),
        ("busy", {}, "requires a job_id"),
        ("status", {"operation": "BatchChekJobs"}, "unknown operation"),
        ("status", {"statuses": 503}, "does not accept 'statuses'"),
        ("status", {"status": "503"}, "status has the wrong type"),
        ("html", {"body": ""}, "does not accept 'body'"),
        ("status", {"times": 0}, "times must be"),
        ("status", {"times": "once"}, "times must be"),
        ("status", {"every": 0}, "every must be"),
        ("status", {"after": -1}, "after must be"),
    ],
)
def test_unknown_fault_is_rejected(
    emulator: Emulator, kind: str, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(EmulatorError, match=reason):
        emulator.inject(kind, **options)

    assert emulator.faults == []


@pytest.mark.parametrize("kind", ["hang", "drip", "drip_headers"])
def test_stop_during_a_fault(kind: str) -> None:
    with Emulator() as emulator:
        caller = Caller(emulator)
        emulator.inject(kind, operation=READ)
        client = _send_raw(emulator, caller)
        while not emulator.journal(READ):
            pass
    caller.close()

    with client, contextlib.suppress(ConnectionResetError):
        while client.recv(1000):
            pass
