"""Many waits in one process share few requests and do not affect each other."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from drs_emulator import Emulator

from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict
from airflow_provider_drs.protocol.watches import (
    DelayWatch,
    PrecheckWatch,
    StatusWatch,
    Watch,
    watch_from_dict,
)
from airflow_provider_drs.transport.aio import AsyncClient
from airflow_provider_drs.triggers import poller
from airflow_provider_drs.triggers.drs import DrsWatchTrigger
from airflow_provider_drs.triggers.schedule import MAX_CONCURRENT_CALLS, PollSchedule
from tests.conftest import Connect

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")

UNKNOWN = "ffffffff-d0c5-4a11-8a11-fffffffjb999"


def _trigger(watch: Watch, conn_id: str = "drs_default", **options: Any) -> DrsWatchTrigger:
    fields = {"poke_interval": 0.2, "deadline": time.time() + 30, **options}
    return DrsWatchTrigger(drs_conn_id=conn_id, watch=watch.to_dict(), **fields)


def _checks(*job_ids: str) -> Watch:
    return PrecheckWatch(job_ids, AlarmPolicy())


def _wait(*triggers: DrsWatchTrigger) -> list[dict[str, Any]]:
    """Run triggers as the triggerer does, side by side in one loop, and return their events."""

    async def run() -> list[Any]:
        return await asyncio.gather(*(anext(trigger.run()) for trigger in triggers))

    events = [event.payload for event in asyncio.run(run())]
    json.dumps(events)
    return events


def _precheck(emulator: Emulator, job_ids: Sequence[str], **plan: Any) -> None:
    for job_id in job_ids:
        emulator.set_verdict(job_id, **{"outcome": "pass", **plan})
    with DrsHook() as hook:
        hook.precheck_jobs(job_ids)
    emulator.clear_journal()


def _calls(emulator: Emulator) -> Counter[str]:
    return Counter(entry["operation"] for entry in emulator.journal())


def test_triggers_share_requests(emulator: Emulator) -> None:
    _precheck(emulator, emulator.job_ids, reads=3)

    events = _wait(*(_trigger(_checks(job_id)) for job_id in emulator.job_ids))

    assert [event["status"] for event in events] == ["done"] * 10
    assert _calls(emulator)["BatchCheckResults"] == 3
    reports = [watch_from_dict(event["watch"]).reports[0] for event in events]
    assert [report.job_id for report in reports] == list(emulator.job_ids)
    assert {report.verdict for report in reports} == {Verdict.PASSED}


def test_trigger_with_many_jobs_is_updated_in_batches(emulator: Emulator, connect: Connect) -> None:
    connect({"poll_batch_size": 3})
    _precheck(emulator, emulator.job_ids, reads=2)

    (event,) = _wait(_trigger(_checks(*emulator.job_ids)))

    sizes = [entry["count"] for entry in emulator.journal("BatchCheckResults")]
    assert event["status"] == "done"
    assert max(sizes) == 3
    assert sum(sizes) <= 2 * 10 + 2


def test_two_triggers_can_wait_for_the_same_job(emulator: Emulator) -> None:
    job_id = emulator.job_ids[0]
    _precheck(emulator, [job_id], outcome="alarm", items=["srcBinlogFormatCheck"], reads=2)
    strict = PrecheckWatch([job_id], AlarmPolicy(frozenset()))

    events = _wait(_trigger(_checks(job_id)), _trigger(strict))

    verdicts = [watch_from_dict(event["watch"]).reports[0].verdict for event in events]
    assert verdicts == [Verdict.PASSED, Verdict.FAILED]
    assert all(entry["count"] == 1 for entry in emulator.journal("BatchCheckResults"))


def test_follow_up_reads_are_shared(emulator: Emulator) -> None:
    _precheck(emulator, emulator.job_ids[:3], outcome="fail", reads=1)

    events = _wait(*(_trigger(_checks(job_id)) for job_id in emulator.job_ids[:3]))

    assert [event["status"] for event in events] == ["done"] * 3
    assert _calls(emulator) == {"BatchCheckResults": 1, "BatchListJobDetails": 1}


def test_unknown_job_does_not_affect_others(emulator: Emulator) -> None:
    _precheck(emulator, emulator.job_ids, reads=3)

    unknown, *others = _wait(*(_trigger(_checks(job_id)) for job_id in (UNKNOWN, *emulator.job_ids)))

    assert UNKNOWN in watch_from_dict(unknown["watch"]).failures
    assert {watch_from_dict(event["watch"]).reports[0].verdict for event in others} == {Verdict.PASSED}


def test_rejected_batch_is_halved(emulator: Emulator) -> None:
    _precheck(emulator, emulator.job_ids, reads=3)
    bad = emulator.job_ids[4]
    body = json.dumps({"error_code": "DRS.M00201", "error_msg": "a parameter is wrong"})
    emulator.inject("status", status=400, body=body, job_id=bad, times=None, operation="BatchCheckResults")

    events = dict(
        zip(emulator.job_ids, _wait(*(_trigger(_checks(each)) for each in emulator.job_ids)), strict=True)
    )

    unwell = watch_from_dict(events.pop(bad)["watch"])
    assert list(unwell.failures) == [bad]
    assert {watch_from_dict(event["watch"]).reports[0].verdict for event in events.values()} == {
        Verdict.PASSED
    }


def test_throttling_limits_concurrent_calls(
    emulator: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    _precheck(emulator, emulator.job_ids, reads=1)
    connect({"poll_batch_size": 1, "retry_timeout": 0.1})
    fault = emulator.inject("too_frequent", times=None, operation="BatchCheckResults")
    in_progress, most, run = 0, [], AsyncClient.run

    async def count(self: AsyncClient, conversation: Any) -> Any:
        nonlocal in_progress
        in_progress += 1
        most.append(in_progress)
        if len(most) == 3 * MAX_CONCURRENT_CALLS:
            await asyncio.to_thread(emulator.remove_fault, fault)
        try:
            return await run(self, conversation)
        finally:
            in_progress -= 1

    monkeypatch.setattr(poller.AsyncClient, "run", count)

    events = _wait(*(_trigger(_checks(job_id)) for job_id in emulator.job_ids))

    assert [event["status"] for event in events] == ["done"] * 10
    # A token is requested within a call.
    assert max(most) <= MAX_CONCURRENT_CALLS + 1


def test_unchanged_job_is_not_polled_early(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = emulator.job_ids[0]
    _precheck(emulator, [job_id], duration_s=100)
    emulator.advance(90)
    marks, set_nearly_done = [], PollSchedule.set_nearly_done

    def note(self: PollSchedule, job_id: str, is_nearly_done: bool) -> None:
        marks.append(is_nearly_done)
        if len(marks) == 2:
            emulator.advance(10)
        set_nearly_done(self, job_id, is_nearly_done)

    monkeypatch.setattr(PollSchedule, "set_nearly_done", note)

    (event,) = _wait(_trigger(_checks(job_id)))

    assert event["status"] == "done"
    assert marks == [True, False]


def test_canceled_trigger_does_not_affect_others(emulator: Emulator) -> None:
    _precheck(emulator, emulator.job_ids, reads=4)

    async def run() -> list[Any]:
        tasks = [
            asyncio.ensure_future(anext(_trigger(_checks(job_id)).run())) for job_id in emulator.job_ids[:9]
        ]
        await asyncio.sleep(0.3)
        tasks[0].cancel()
        tasks.append(asyncio.ensure_future(anext(_trigger(_checks(emulator.job_ids[9])).run())))
        return await asyncio.gather(*tasks, return_exceptions=True)

    canceled, *events = asyncio.run(run())

    assert isinstance(canceled, asyncio.CancelledError)
    assert [event.payload["status"] for event in events] == ["done"] * 9
    (last_poll,) = emulator.journal("BatchCheckResults")[-1:]
    assert emulator.job_ids[0] not in last_poll["job_ids"]


def test_failing_watch_does_not_affect_others(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    _precheck(emulator, emulator.job_ids[:2], reads=2)
    learn = PrecheckWatch.update

    def break_for_one(self: PrecheckWatch, answers: Any) -> Any:
        if self.job_ids == (emulator.job_ids[0],):
            raise RuntimeError("broken")
        return (yield from learn(self, answers))

    monkeypatch.setattr(PrecheckWatch, "update", break_for_one)

    async def run() -> list[Any]:
        triggers = [_trigger(_checks(job_id)) for job_id in emulator.job_ids[:2]]
        return await asyncio.gather(*(anext(each.run()) for each in triggers), return_exceptions=True)

    broken, event = asyncio.run(run())

    assert str(broken) == "broken"
    assert event.payload["status"] == "done"


def test_bug_of_the_poller_fails_the_triggers(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PrecheckWatch, "has_changed", lambda *_: 1 / 0)
    _precheck(emulator, emulator.job_ids[:2], reads=2)

    with pytest.raises(ZeroDivisionError):
        _wait(*(_trigger(_checks(job_id)) for job_id in emulator.job_ids[:2]))


def test_transient_error_is_logged_once(
    emulator: Emulator, connect: Connect, log_lines: Callable[[], list[str]]
) -> None:
    _precheck(emulator, emulator.job_ids[:2], reads=1)
    connect({"retry_timeout": 0.05})
    emulator.inject("status", status=503, times=None, operation="BatchCheckResults")

    async def run() -> list[Any]:
        waits = [anext(_trigger(_checks(job_id)).run()) for job_id in emulator.job_ids[:2]]
        asyncio.get_running_loop().call_later(
            1, lambda: threading.Thread(target=emulator.clear_faults).start()
        )
        return await asyncio.gather(*waits)

    assert [event.payload["status"] for event in asyncio.run(run())] == ["done", "done"]
    assert sum("Polling DRS failed" in line for line in log_lines()) == 2


def test_permanent_error_ends_every_wait(emulator: Emulator) -> None:
    emulator.inject("no_permission", times=None, operation="BatchCheckResults")

    events = _wait(*(_trigger(_checks(job_id)) for job_id in emulator.job_ids))

    assert {(event["status"], event["error"]["type"]) for event in events} == {
        ("failed", "DrsPermissionError")
    }


def test_error_of_follow_up_read_affects_its_waits_only(emulator: Emulator) -> None:
    _precheck(emulator, emulator.job_ids[:1], outcome="fail", reads=1)
    _precheck(emulator, emulator.job_ids[1:2], reads=2)
    emulator.inject("no_permission", times=None, operation="BatchListJobDetails")

    failed, passed = _wait(*(_trigger(_checks(job_id)) for job_id in emulator.job_ids[:2]))

    assert failed["error"]["type"] == "DrsPermissionError"
    assert watch_from_dict(passed["watch"]).reports[0].verdict is Verdict.PASSED


def test_connections_with_one_identity_share_a_poller(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    _precheck(emulator, emulator.job_ids[:3], reads=1)
    other = {**emulator.connection, "extra": {**emulator.connection["extra"], "language": "zh-cn"}}
    monkeypatch.setenv("AIRFLOW_CONN_SAME", emulator.connection_json)
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(other))
    conn_ids = ("drs_default", "same", "other")

    _wait(*(_trigger(_checks(job), conn) for job, conn in zip(emulator.job_ids, conn_ids, strict=False)))

    sizes = sorted(entry["count"] for entry in emulator.journal("BatchCheckResults"))
    assert sizes == [1, 2]


@pytest.mark.parametrize(
    ("make", "calls"),
    [
        (
            lambda ids: StatusWatch(ids, ["INCRE_TRANSFER_STARTED"]),
            {"BatchListJobStatus", "BatchListProgresses"},
        ),
        (lambda ids: DelayWatch(ids, 1000, consecutive=2), {"BatchListProgresses"}),
    ],
)
def test_all_watches_share_requests(
    emulator: Emulator, make: Callable[[Iterable[str]], Watch], calls: set[str]
) -> None:
    jobs = [emulator.seed_job(status="INCRE_TRANSFER_STARTED") for _ in range(4)]

    events = _wait(*(_trigger(make([job_id])) for job_id in jobs))

    assert [event["status"] for event in events] == ["done"] * 4
    made = _calls(emulator)
    assert {name for name in made if name != "KeystoneCreateUserTokenByPassword"} == calls
    assert max(made.values()) <= 2


def test_invalid_connection_is_an_event(connect: Connect) -> None:
    connect({"auth": "magic"})

    (event,) = _wait(_trigger(_checks(UNKNOWN)))

    assert event["error"]["type"] == "DrsConfigError"
    assert "auth" in event["error"]["message"]


def test_idle_poller_is_closed(emulator: Emulator) -> None:
    async def run() -> None:
        task = asyncio.ensure_future(anext(_trigger(_checks(*emulator.job_ids)).run()))
        await asyncio.sleep(0.3)
        pollers = poller._POLLERS[asyncio.get_running_loop()]
        assert len(pollers.by_settings) == 1
        task.cancel()
        await asyncio.wait([task])
        assert not pollers.by_settings
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def _connect(monkeypatch: pytest.MonkeyPatch, conn_id: str, connection: dict[str, Any]) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))


async def _until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_true():
            await asyncio.sleep(0.02)


def test_waits_of_one_identity_continue_with_the_new_credentials_of_one(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [emulator.seed_job(status="STARTJOBING") for _ in range(3)]
    _connect(monkeypatch, "same", emulator.connection)

    async def run() -> list[Any]:
        watches = [StatusWatch([job], ["FULL_TRANSFER_STARTED"]) for job in jobs]
        waits = [
            asyncio.ensure_future(anext(_trigger(watch, conn_id).run()))
            for watch, conn_id in zip(watches[:2], ("drs_default", "same"), strict=True)
        ]
        await _until(lambda: len(emulator.journal("BatchListJobStatus")) > 1)
        emulator.set_iam(password="new-password-not-real")
        _connect(monkeypatch, "same", {**emulator.connection, "password": "new-password-not-real"})
        emulator.revoke_tokens()
        emulator.clear_journal()
        await _until(lambda: len(emulator.journal("BatchListJobStatus")) > 3)
        # A new wait finds the poller with the new credentials.
        waits.append(asyncio.ensure_future(anext(_trigger(watches[2], "same").run())))
        await _until(lambda: any(entry["count"] == 3 for entry in emulator.journal("BatchListJobStatus")))
        for job in jobs:
            emulator.set_job(job, status="FULL_TRANSFER_STARTED")
        events = await asyncio.gather(*waits)
        assert not poller._POLLERS[asyncio.get_running_loop()].by_settings
        return events

    assert [event.payload["status"] for event in asyncio.run(run())] == ["done"] * 3
    logins = [entry["status"] for entry in emulator.journal("KeystoneCreateUserTokenByPassword")]
    assert logins == [401, 201]


@pytest.mark.parametrize("auth", ["password", "aksk"])
def test_refused_credentials_name_the_connection_of_each_wait(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, auth: str
) -> None:
    connection = emulator.connection if auth == "password" else emulator.connection_with_keys
    for conn_id in ("one", "two"):
        _connect(monkeypatch, conn_id, {**connection, "password": "wrong-not-real"})

    events = _wait(
        *(
            _trigger(StatusWatch([job_id], ["STARTJOBING"]), conn_id)
            for job_id, conn_id in zip(emulator.job_ids, ("one", "two"), strict=False)
        )
    )

    for event, conn_id in zip(events, ("one", "two"), strict=True):
        assert event["error"]["type"] == "DrsAuthError"
        assert f"connection '{conn_id}'" in event["error"]["message"]


def test_endpoint_of_a_connection_that_changes_affects_new_waits_only(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, "moved", {**emulator.connection, "password": "wrong-not-real"})

    async def run() -> Any:
        pollers = poller._POLLERS.setdefault(asyncio.get_running_loop(), poller._Pollers())
        found = await pollers.find("moved")
        _connect(monkeypatch, "moved", {**emulator.connection, "host": "https://drs.example"})
        event = await anext(_trigger(StatusWatch(emulator.job_ids[:1], ["STARTJOBING"]), "moved").run())
        await pollers.release(found, "moved")
        return event

    event = asyncio.run(run())
    assert event.payload["error"]["type"] == "DrsAuthError"
