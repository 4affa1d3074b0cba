"""
Random sequences of faults, crashes and clears: no job starts twice or without a passed pre-check.

The tasks of a migration of three jobs run as in Airflow: failed attempts are retried, deferred ones continue
in a trigger, and a user clears finished tasks. Faults occur between and during these steps. DRS_SEQUENCES
sets the number of sequences.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from drs_emulator import Emulator
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator
from airflow_provider_drs.protocol.core.wire import Response, TransportFailure
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor
from airflow_provider_drs.transport.aio import AiohttpTransport
from airflow_provider_drs.transport.sync import RequestsTransport
from airflow_provider_drs.transport.tokens import TOKENS
from airflow_provider_drs.triggers.drs import DrsWatchTrigger
from airflow_provider_drs.triggers.schedule import PollSchedule
from tests.conftest import FakeTaskInstance

SEQUENCES = int(os.environ.get("DRS_SEQUENCES", "24"))
MODES = ("poke", "deferrable")
JOBS = 3
#: Emulator seconds between two polls, and until the longest pre-check has its verdict.
POLL_S, LONGEST_S = 20, 120
#: A task that needs more attempts than this without faults hangs.
MOST_ATTEMPTS = 10
#: An attempt that polls more often than this, or a trigger that takes longer, hangs.
MOST_POLLS, LONGEST_WAIT_S = 5000, 60

OPERATIONS = st.sampled_from(
    [
        None,
        "BatchCheckJobs",
        "BatchCheckResults",
        "BatchListJobStatus",
        "BatchListJobDetails",
        "BatchStartJobs",
    ]
)
WHEN = {"operation": OPERATIONS, "times": st.integers(1, 3), "after": st.integers(0, 2)}
#: Faults that the provider retries or resolves.
TRANSIENT = st.one_of(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(
                [
                    "reset_before",
                    "reset_after",
                    "html",
                    "truncated",
                    "wrong_shape",
                    "batch_400",
                    "too_frequent",
                    "expire_token",
                    "gateway_401",
                ]
            ),
            **WHEN,
        }
    ),
    st.fixed_dictionaries({"kind": st.just("hang"), "apply": st.booleans(), **WHEN, "times": st.just(1)}),
    st.fixed_dictionaries(
        {
            "kind": st.just("status"),
            "status": st.sampled_from([429, 500, 502, 503, 504]),
            "apply": st.booleans(),
            **WHEN,
        }
    ),
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["busy", "drop_job"]), "job_id": st.integers(0, JOBS - 1), **WHEN}
    ),
    st.fixed_dictionaries({"kind": st.just("refuse_batch"), "max_jobs": st.integers(1, 2), **WHEN}),
)
#: Faults that fail a task until a user clears it.
PERMANENT = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["no_permission", "redirect", "top_level_error"]), **WHEN}
    ),
    st.fixed_dictionaries({"kind": st.just("job_error"), "job_id": st.integers(0, JOBS - 1), **WHEN}),
)


class Crashed(BaseException):
    """The process was killed."""


class Hangs(BaseException):
    """An attempt polls without end; no package code may catch this."""


class PollLimit:
    """Counts the polls of an attempt and fails if there are too many."""

    def __init__(self) -> None:
        self.polls = 0

    def count(self) -> None:
        """Count a poll."""
        self.polls += 1
        if self.polls > MOST_POLLS:
            raise Hangs


class Crashes:
    """Simulates a crash at one of the next calls, before the request or after the response."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._calls_left: int | None = None
        self._is_after = False
        #: The trigger that a crash of the triggerer cancels.
        self.trigger: asyncio.Task[Any] | None = None
        sync_send, async_send = RequestsTransport.send, AiohttpTransport.send

        def send(transport: Any, outgoing: Any, timeout_s: float) -> Response | TransportFailure:
            self._crash_if_due(after=False)
            outcome = sync_send(transport, outgoing, timeout_s)
            self._crash_if_due(after=True)
            return outcome

        async def send_async(transport: Any, outgoing: Any, timeout_s: float) -> Response | TransportFailure:
            self._crash_if_due(after=False)
            outcome = await async_send(transport, outgoing, timeout_s)
            self._crash_if_due(after=True)
            return outcome

        monkeypatch.setattr(RequestsTransport, "send", send)
        monkeypatch.setattr(AiohttpTransport, "send", send_async)

    def plan(self, calls: int, *, after: bool) -> None:
        """Crash at the call after this number of calls."""
        self._calls_left, self._is_after = calls, after

    def cancel(self) -> None:
        """Cancel the planned crash."""
        self._calls_left = None

    def _crash_if_due(self, *, after: bool) -> None:
        if self._calls_left is None or after != self._is_after:
            return
        if self._calls_left == 0:
            self._calls_left = None
            if self.trigger is not None:
                self.trigger.cancel()
            raise Crashed
        self._calls_left -= 1


class Migration(RuleBasedStateMachine):
    """Three tasks in sequence: pre-check, wait, start."""

    def __init__(self, emulator: Emulator, crashes: Crashes, poll_limit: PollLimit, mode: str) -> None:
        super().__init__()
        self._poll_limit = poll_limit
        self._emulator = emulator
        self._crashes = crashes
        self._is_deferrable = mode == "deferrable"
        self._states: list[str] = ["scheduled"] * 3
        self._deferred: dict[int, tuple[str, dict[str, Any], str]] = {}
        self._attempts = 0

    @initialize(
        verdicts=st.lists(st.sampled_from(["pass", "pass", "pass", "fail"]), min_size=JOBS, max_size=JOBS),
        durations=st.lists(st.integers(0, LONGEST_S), min_size=JOBS, max_size=JOBS),
    )
    def plan(self, verdicts: list[str], durations: list[int]) -> None:
        """Set the verdicts and durations of the pre-checks."""
        TOKENS.clear()
        self._crashes.cancel()
        self._emulator.reset()
        self._job_ids = self._emulator.job_ids[:JOBS]
        self._verdicts = dict(zip(self._job_ids, verdicts, strict=True))
        for job_id, verdict, duration_s in zip(self._job_ids, verdicts, durations, strict=True):
            self._emulator.set_verdict(job_id, verdict, duration_s=duration_s)

    @rule(fault=TRANSIENT | PERMANENT)
    def inject_fault(self, fault: dict[str, Any]) -> None:
        """Inject a fault into some of the next calls."""
        if "job_id" in fault:
            fault = fault | {"job_id": self._job_ids[fault["job_id"]]}
        self._emulator.inject(**fault)

    @rule(seconds=st.integers(1, LONGEST_S))
    def pass_time(self, seconds: int) -> None:
        """Advance the emulator's time."""
        self._emulator.advance(seconds)

    @rule()
    def revoke_tokens(self) -> None:
        """Invalidate all tokens."""
        self._emulator.revoke_tokens()

    @rule(calls=st.integers(0, 4), after=st.booleans())
    def plan_crash(self, calls: int, after: bool) -> None:
        """Crash the worker or the triggerer soon."""
        self._crashes.plan(calls, after=after)

    @precondition(lambda self: "success" in self._states or "failed" in self._states)
    @rule(task=st.integers(0, 2))
    def clear(self, task: int) -> None:
        """Clear a task and its downstream tasks, as a user does."""
        # A started job cannot be pre-checked again; the task would fail.
        first = max(task, 1) if any(job["starts"] for job in self._emulator.jobs) else task
        for number in range(first, 3):
            self._states[number] = "scheduled"
            self._deferred.pop(number, None)

    @rule()
    def run_next(self) -> None:
        """Run one attempt of the next task, or resume its wait."""
        task = next((n for n, state in enumerate(self._states) if state != "success"), None)
        if task is not None and self._states[task] != "failed":
            self._states[task] = self._attempt(task)

    @invariant()
    def no_job_starts_twice_or_unchecked(self) -> None:
        """Each job starts at most once, and only after a passed pre-check."""
        for job in self._emulator.jobs:
            verdict = self._verdicts.get(job["id"]) if hasattr(self, "_verdicts") else None
            assert job["starts"] <= (1 if verdict == "pass" else 0), job

    def teardown(self) -> None:
        """Without further faults, the tasks reach the states that the verdicts require."""
        if not hasattr(self, "_verdicts"):
            return
        self._emulator.clear_faults()
        self._crashes.cancel()
        all_pass = set(self._verdicts.values()) == {"pass"}
        # Clear tasks that failed because of a fault, as a user would.
        if self._states[2] != "success":
            self.clear(next((n for n, state in enumerate(self._states) if state == "failed"), 2))
        for _ in range(MOST_ATTEMPTS):
            if self._states[2] == "success" or "failed" in self._states:
                break
            self.run_next()
        self.no_job_starts_twice_or_unchecked()
        starts = [job["starts"] for job in self._emulator.jobs if job["id"] in self._verdicts]
        assert self._states == (["success"] * 3 if all_pass else ["success", "failed", "scheduled"])
        assert starts == [int(all_pass)] * JOBS

    def _attempt(self, task: int) -> str:
        # A new process has no cached token.
        TOKENS.clear()
        self._poll_limit.polls = 0
        context = {"ti": FakeTaskInstance()}
        operator = self._make(task)
        try:
            if task in self._deferred:
                path, fields, method = self._deferred[task]
                event = asyncio.run(self._fire(path, fields))
                del self._deferred[task]
                operator.resume_execution(method, {"event": event}, context)
            else:
                operator.execute(context)
        except TaskDeferred as deferred:
            path, fields = deferred.trigger.serialize()
            self._deferred[task] = (path, json.loads(json.dumps(fields)), deferred.method_name)
            return "deferred"
        except AirflowFailException:
            return "failed"
        except (Crashed, Exception):
            return self._states[task]
        return "success"

    async def _fire(self, path: str, fields: dict[str, Any]) -> Any:
        assert path.endswith(DrsWatchTrigger.__name__)
        self._crashes.trigger = asyncio.current_task()
        try:
            event = await asyncio.wait_for(anext(DrsWatchTrigger(**fields).run()), LONGEST_WAIT_S)
        except TimeoutError:
            raise Hangs from None
        except asyncio.CancelledError:
            raise Crashed from None
        finally:
            self._crashes.trigger = None
        return event.payload

    def _make(self, task: int) -> Any:
        job_ids = list(self._job_ids)
        if task == 0:
            # Settling uses real time; each poll advances emulator time, so a short time is enough.
            return DrsBatchPrecheckOperator(task_id="precheck", job_ids=job_ids, settle_time=0.2)
        if task == 2:
            return DrsStartJobsOperator(task_id="start", job_ids=job_ids)
        return DrsPrecheckSensor(
            task_id="wait", job_ids=job_ids, deferrable=self._is_deferrable, poke_interval=0.01, timeout=600
        )


@pytest.fixture
def poll_limit(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> PollLimit:
    """Advance the emulator's clock at each wait for the next poll, and count the waits."""
    poll_limit = PollLimit()
    take: Callable[..., list[list[str]]] = PollSchedule.take_due

    def take_later(schedule: PollSchedule, now_s: float) -> list[list[str]]:
        batches = take(schedule, now_s)
        if batches:
            emulator.advance(POLL_S)
        return batches

    monkeypatch.setattr(PollSchedule, "take_due", take_later)

    def sleep(_: float) -> None:
        poll_limit.count()
        emulator.advance(POLL_S)

    monkeypatch.setattr("time.sleep", sleep)
    return poll_limit


@pytest.mark.usefixtures("no_backoff")
@pytest.mark.parametrize("mode", MODES)
def test_random_faults_break_no_invariant(
    emulator: Emulator, connect: Any, monkeypatch: pytest.MonkeyPatch, poll_limit: PollLimit, mode: str
) -> None:
    connect({"read_timeout": 0.2, "retry_timeout": 3})
    crashes = Crashes(monkeypatch)
    run_state_machine_as_test(
        lambda: Migration(emulator, crashes, poll_limit, mode),
        settings=settings(
            max_examples=max(SEQUENCES // len(MODES), 1),
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
