"""
Any sequence of faults, deaths and clears: nothing starts twice, nothing starts unchecked, nothing is lost.

One migration of three jobs is taken through its tasks as Airflow would: attempts that fail are tried again,
deferred ones go to a trigger, a user clears what has ended. Between and during all of that, things break.
DRS_SEQUENCES says how many sequences are tried.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
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

from airflow_provider_drs.emulator import Emulator
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
OURS = 3
#: Emulator seconds between two polls, and until the longest pre-check has its verdict.
POLL_S, LONGEST_S = 20, 120
#: A task that is tried more often than this without faults hangs.
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
#: What passes by itself, or is told apart from what was done.
PASSING = st.one_of(
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
        {"kind": st.sampled_from(["busy", "drop_job"]), "job_id": st.integers(0, OURS - 1), **WHEN}
    ),
    st.fixed_dictionaries({"kind": st.just("refuse_batch"), "max_jobs": st.integers(1, 2), **WHEN}),
)
#: What fails a task for good, until somebody clears it.
FINAL = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["no_permission", "redirect", "top_level_error"]), **WHEN}
    ),
    st.fixed_dictionaries({"kind": st.just("job_error"), "job_id": st.integers(0, OURS - 1), **WHEN}),
)


class Died(BaseException):
    """The process was killed."""


class Hangs(BaseException):
    """An attempt goes on and on, though it polls; nothing of ours may catch this."""


class Patience:
    """Counts the polls of an attempt: a few dozen of them come to its end."""

    def __init__(self) -> None:
        self.polls = 0

    def count(self) -> None:
        self.polls += 1
        if self.polls > MOST_POLLS:
            raise Hangs


class Deaths:
    """Kills the process at one of its next calls, before it is sent or after it was answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._calls_left: int | None = None
        self._is_after = False
        #: The trigger that is lost with the triggerer.
        self.trigger: asyncio.Task[Any] | None = None
        sync_send, async_send = RequestsTransport.send, AiohttpTransport.send

        def send(transport: Any, outgoing: Any, timeout_s: float) -> Response | TransportFailure:
            self._strike(after=False)
            outcome = sync_send(transport, outgoing, timeout_s)
            self._strike(after=True)
            return outcome

        async def send_async(transport: Any, outgoing: Any, timeout_s: float) -> Response | TransportFailure:
            self._strike(after=False)
            outcome = await async_send(transport, outgoing, timeout_s)
            self._strike(after=True)
            return outcome

        monkeypatch.setattr(RequestsTransport, "send", send)
        monkeypatch.setattr(AiohttpTransport, "send", send_async)

    def plan(self, calls: int, *, after: bool) -> None:
        """Let the process die at the call that follows so many others."""
        self._calls_left, self._is_after = calls, after

    def forget(self) -> None:
        """Let it live."""
        self._calls_left = None

    def _strike(self, *, after: bool) -> None:
        if self._calls_left is None or after != self._is_after:
            return
        if self._calls_left == 0:
            self._calls_left = None
            if self.trigger is not None:
                self.trigger.cancel()
            raise Died
        self._calls_left -= 1


class Migration(RuleBasedStateMachine):
    """Three tasks, each after the one before: pre-check, wait, start."""

    def __init__(self, emulator: Emulator, deaths: Deaths, patience: Patience, mode: str) -> None:
        super().__init__()
        self._patience = patience
        self._emulator = emulator
        self._deaths = deaths
        self._is_deferrable = mode == "deferrable"
        self._states: list[str] = ["scheduled"] * 3
        self._deferred: dict[int, tuple[str, dict[str, Any], str]] = {}
        self._attempts = 0

    @initialize(
        verdicts=st.lists(st.sampled_from(["pass", "pass", "pass", "fail"]), min_size=OURS, max_size=OURS),
        durations=st.lists(st.integers(0, LONGEST_S), min_size=OURS, max_size=OURS),
    )
    def plan(self, verdicts: list[str], durations: list[int]) -> None:
        """Choose what DRS is going to find."""
        TOKENS.clear()
        self._deaths.forget()
        self._emulator.reset()
        self._job_ids = self._emulator.job_ids[:OURS]
        self._verdicts = dict(zip(self._job_ids, verdicts, strict=True))
        for job_id, verdict, duration_s in zip(self._job_ids, verdicts, durations, strict=True):
            self._emulator.set_verdict(job_id, verdict, duration_s=duration_s)

    @rule(fault=PASSING | FINAL)
    def break_something(self, fault: dict[str, Any]) -> None:
        """Let some of the next calls fail."""
        if "job_id" in fault:
            fault = fault | {"job_id": self._job_ids[fault["job_id"]]}
        self._emulator.inject(**fault)

    @rule(seconds=st.integers(1, LONGEST_S))
    def pass_time(self, seconds: int) -> None:
        """Let pre-checks go on."""
        self._emulator.advance(seconds)

    @rule()
    def revoke_tokens(self) -> None:
        """Let IAM forget whom it has let in."""
        self._emulator.revoke_tokens()

    @rule(calls=st.integers(0, 4), after=st.booleans())
    def plan_death(self, calls: int, after: bool) -> None:
        """Let the worker or the triggerer die soon."""
        self._deaths.plan(calls, after=after)

    @precondition(lambda self: "success" in self._states or "failed" in self._states)
    @rule(task=st.integers(0, 2))
    def clear(self, task: int) -> None:
        """Clear a task and what follows it, as a user does."""
        # A job that has started cannot be pre-checked any more; the task says so, and stays failed.
        first = max(task, 1) if any(job["starts"] for job in self._emulator.jobs) else task
        for each in range(first, 3):
            self._states[each] = "scheduled"
            self._deferred.pop(each, None)

    @rule()
    def go_on(self) -> None:
        """Try the next task once, or go on with its wait."""
        task = next((n for n, state in enumerate(self._states) if state != "success"), None)
        if task is not None and self._states[task] != "failed":
            self._states[task] = self._attempt(task)

    @invariant()
    def nothing_starts_twice_or_unchecked(self) -> None:
        """Whatever has happened so far."""
        for job in self._emulator.jobs:
            verdict = self._verdicts.get(job["id"]) if hasattr(self, "_verdicts") else None
            assert job["starts"] <= (1 if verdict == "pass" else 0), job

    def teardown(self) -> None:
        """Without more faults the tasks come to their end, and it is the one that the verdicts demand."""
        if not hasattr(self, "_verdicts"):
            return
        self._emulator.clear_faults()
        self._deaths.forget()
        is_good = set(self._verdicts.values()) == {"pass"}
        # What failed for good while something was broken is cleared, as somebody would.
        if self._states[2] != "success":
            self.clear(next((n for n, state in enumerate(self._states) if state == "failed"), 2))
        for _ in range(MOST_ATTEMPTS):
            if self._states[2] == "success" or "failed" in self._states:
                break
            self.go_on()
        self.nothing_starts_twice_or_unchecked()
        starts = [job["starts"] for job in self._emulator.jobs if job["id"] in self._verdicts]
        assert self._states == (["success"] * 3 if is_good else ["success", "failed", "scheduled"])
        assert starts == [int(is_good)] * OURS

    def _attempt(self, task: int) -> str:
        # Another process than before: it has no token.
        TOKENS.clear()
        self._patience.polls = 0
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
        except (Died, Exception):
            return self._states[task]
        return "success"

    async def _fire(self, path: str, fields: dict[str, Any]) -> Any:
        assert path.endswith(DrsWatchTrigger.__name__)
        self._deaths.trigger = asyncio.current_task()
        try:
            event = await asyncio.wait_for(anext(DrsWatchTrigger(**fields).run()), LONGEST_WAIT_S)
        except TimeoutError:
            raise Hangs from None
        except asyncio.CancelledError:
            raise Died from None
        finally:
            self._deaths.trigger = None
        return event.payload

    def _make(self, task: int) -> Any:
        job_ids = list(self._job_ids)
        if task == 0:
            # The emulator's time moves with each poll, and settling takes ours: a little has many polls.
            return DrsBatchPrecheckOperator(task_id="precheck", job_ids=job_ids, settle_time=0.2)
        if task == 2:
            return DrsStartJobsOperator(task_id="start", job_ids=job_ids)
        return DrsPrecheckSensor(
            task_id="wait", job_ids=job_ids, deferrable=self._is_deferrable, poke_interval=0.01, timeout=600
        )


@pytest.fixture
def patience(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Patience:
    """Move the emulator's clock whenever somebody waits for the next poll, and count how often."""
    patience = Patience()
    take: Callable[..., list[list[str]]] = PollSchedule.take_due

    def take_later(schedule: PollSchedule, now_s: float) -> list[list[str]]:
        batches = take(schedule, now_s)
        if batches:
            emulator.advance(POLL_S)
        return batches

    monkeypatch.setattr(PollSchedule, "take_due", take_later)

    def sleep(_: float) -> None:
        patience.count()
        emulator.advance(POLL_S)

    monkeypatch.setattr("time.sleep", sleep)
    return patience


@pytest.mark.usefixtures("no_backoff")
@pytest.mark.parametrize("mode", MODES)
def test_random_faults_break_no_invariant(
    emulator: Emulator, connect: Any, monkeypatch: pytest.MonkeyPatch, patience: Patience, mode: str
) -> None:
    connect({"read_timeout": 0.2, "retry_timeout": 3})
    deaths = Deaths(monkeypatch)
    run_state_machine_as_test(
        lambda: Migration(emulator, deaths, patience, mode),
        settings=settings(
            max_examples=max(SEQUENCES // len(MODES), 1),
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
