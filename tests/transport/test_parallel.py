"""Calls that are sent side by side, over real sockets and with both transports."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from drs_emulator import Emulator

from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.protocol.core.batches import Limits, run_together
from airflow_provider_drs.protocol.core.errors import DrsError
from airflow_provider_drs.protocol.core.wire import Conversation, Pause, Send
from airflow_provider_drs.protocol.jobs.messages import build_job_statuses
from tests.conftest import Connect

START = "BatchStartJobs"


class _Service(ThreadingHTTPServer):
    """Responds to reads of statuses as soon as *together* of them have arrived."""

    def __init__(self, together: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.barrier = threading.Barrier(together, timeout=20)
        self.lock = threading.Lock()
        self.open = self.most = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ClassVar[_Service]  # type: ignore[misc]  # always this kind

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            self.server.open += 1
            self.server.most = max(self.server.most, self.server.open)
        self.server.barrier.wait()
        with self.server.lock:
            self.server.open -= 1
        rows = [{"id": job_id, "status": "CONFIGURATION"} for job_id in body["jobs"]]
        data = json.dumps({"results": rows, "count": len(rows)}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture
def service() -> Iterator[_Service]:
    server = _Service(together=4)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_default_is_four_requests_side_by_side(
    emulator: Emulator, service: _Service, hook: Any, connect: Any
) -> None:
    job_ids = [f"job-{number:03}" for number in range(120)]
    # Keys, because this service has no login.
    keys = emulator.connection_with_keys
    login = {name: keys[name] for name in ("login", "password")}
    host = f"http://127.0.0.1:{service.server_address[1]}"
    connect({**keys["extra"], "poll_batch_size": 10}, **login, host=host)

    found = hook.get_job_statuses(job_ids)

    assert list(found) == job_ids
    assert {str(getattr(found[job_id], "status", found[job_id])) for job_id in job_ids} == {"CONFIGURATION"}
    assert service.most == 4


@pytest.mark.usefixtures("no_backoff")
def test_general_error_keeps_the_results_of_calls_in_flight(
    emulator: Emulator, hook: Any, connect: Any
) -> None:
    job_ids = list(emulator.job_ids)
    connect({"batch_size": 1})
    emulator.set_verdict(None, "pass", duration_s=0)
    hook.precheck_jobs(job_ids)
    emulator.inject("no_permission", operation=START, after=2, times=None)

    answers = hook.start_jobs(job_ids)

    started = {job["id"] for job in emulator.jobs if job["starts"]}
    assert {job_id for job_id, answer in answers.items() if not isinstance(answer, DrsError)} == started
    assert len(started) == 2
    assert list(answers) == job_ids
    assert len(emulator.journal(START)) < len(job_ids)
    assert "was not sent" in str(answers[job_ids[-1]])


@pytest.mark.usefixtures("no_backoff")
def test_throttled_calls_are_repeated_by_fewer_workers(emulator: Emulator, hook: Any, connect: Any) -> None:
    connect({"poll_batch_size": 1})
    emulator.inject("too_frequent", operation="BatchListJobStatus", times=3)

    found = hook.get_job_statuses(emulator.job_ids)

    assert not any(isinstance(answer, DrsError) for answer in found.values())
    inner = getattr(hook, "_hook", hook)
    assert inner._known_limits().parallel == 1


def test_group_within_a_group_has_no_workers_of_its_own(emulator: Emulator, hook: Any) -> None:
    hook.get_job_statuses(emulator.job_ids)
    lock, running, most = threading.Lock(), 0, 0

    def leaf() -> Conversation[None]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        yield Pause(0.01)
        with lock:
            running -= 1

    def branch() -> Conversation[None]:
        limits = Limits(1, 1, 10.0, parallel=4)
        yield from run_together(limits, (leaf() for _ in range(4)), 4)

    def tree(limits: Limits) -> Conversation[None]:
        yield from run_together(Limits(1, 1, 10.0, parallel=2), (branch() for _ in range(4)), 4)

    # The private method of both hooks that runs any conversation.
    hook._run(tree)

    assert 1 <= most <= 2


@pytest.mark.parametrize("step", ["pause", "send"])
def test_interrupted_group_does_not_wait_and_sends_nothing_more(
    emulator: Emulator, connect: Connect, step: str
) -> None:
    hook = DrsHook()
    begun, interrupted = threading.Barrier(2, timeout=20), threading.Event()
    others: list[threading.Thread] = []

    def part() -> Conversation[None]:
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main:
            others.append(threading.current_thread())
        begun.wait()
        if is_main:
            raise KeyboardInterrupt
        if step == "pause":
            yield Pause(3600.0)
        else:
            interrupted.wait(20)
            yield Send(build_job_statuses(emulator.job_ids), 10.0)

    def both(limits: Limits) -> Conversation[None]:
        yield from run_together(Limits(1, 1, 10.0, parallel=2), (part() for _ in range(2)), 2)

    with hook, pytest.raises(KeyboardInterrupt):
        hook._run(both)

    interrupted.set()
    others[0].join(20)
    assert not others[0].is_alive()
    assert emulator.journal("BatchListJobStatus") == []


@pytest.mark.usefixtures("no_backoff")
def test_rotated_keys_are_used_by_all_calls(emulator: Emulator, hook: Any, connect: Any) -> None:
    keys = emulator.connection_with_keys
    extra = {**keys["extra"], "poll_batch_size": 1}
    connect(extra, login=keys["login"], password=keys["password"])
    hook.get_job_statuses(emulator.job_ids)
    emulator.set_iam(secret_key="new-key-not-real")
    connect(extra, login=keys["login"], password="new-key-not-real")

    # Every worker finds out at the same time that its keys are rejected.
    found = hook.get_job_statuses(emulator.job_ids)

    assert not any(isinstance(answer, DrsError) for answer in found.values())
