"""A user clears a whole run: finished steps are adopted, nothing is done twice, nothing is skipped."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from drs_emulator import Emulator

from airflow_provider_drs.operators import drs as operators
from airflow_provider_drs.sensors import drs as sensors
from tests.conftest import FakeTaskInstance

pytestmark = pytest.mark.usefixtures("connect", "no_backoff", "databases")

JOB = {"name": "orders", "engine_type": "mysql", "subnet_id": "5c6bbb05"}
ENDS = {"source_conn_id": "there", "target_conn_id": "here"}
#: The databases of ENDS.
DATABASES = {
    "source": {"ip": "192.0.2.1", "db_port": 3306, "db_user": "root"},
    "target": {"ip": "192.0.2.1", "db_port": 3306, "db_user": "root", "inst_id": "in01", "region": "eu-de"},
}
#: The statuses of a job when its run is cleared.
LIVES = [
    "STARTJOBING",
    "FULL_TRANSFER_STARTED",
    "FULL_TRANSFER_COMPLETE",
    "INCRE_TRANSFER_STARTED",
    "PAUSING",
]
FAILED = ["START_JOB_FAILED", "FULL_TRANSFER_FAILED", "INCRE_TRANSFER_FAILED"]
#: The operators before the start, and the kind of job.
BEFORE_START: list[tuple[str, dict[str, Any], str]] = [
    ("DrsTestConnectionsOperator", ENDS, "migration"),
    ("DrsModifyJobsOperator", ENDS, "migration"),
    ("DrsSelectObjectsOperator", {"objects": ["shop"]}, "migration"),
    ("DrsSetDefinersOperator", {}, "migration"),
    ("DrsCompareParametersOperator", {}, "migration"),
    ("DrsModifyParametersOperator", {"values": {"max_connections": 900}}, "migration"),
    ("DrsSetSyncPoliciesOperator", {"conflict_policy": "stop"}, "sync"),
    ("DrsTransformDataOperator", {"rules": [{"tables": ["shop.orders"], "where": "id > 5"}]}, "sync"),
    ("DrsBatchPrecheckOperator", {}, "migration"),
]
_WRITES = {
    "BatchCheckJobs",
    "BatchStartJobs",
    "BatchCreateJobs",
    "BatchSetObjects",
    "BatchValidateConnections",
}


@pytest.fixture
def databases(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"conn_type": "mysql", "host": "192.0.2.1", "port": 3306, "login": "root", "password": "not-real"}
    here = {**there, "extra": {"inst_id": "in01", "region": "eu-de"}}
    monkeypatch.setenv("AIRFLOW_CONN_THERE", json.dumps(there))
    monkeypatch.setenv("AIRFLOW_CONN_HERE", json.dumps(here))


def _make(name: str, **arguments: Any) -> Any:
    return getattr(operators, name, getattr(sensors, name, None))(task_id="task", **arguments)


def _execute(task: Any) -> Any:
    """Run a task as Airflow does, with its wait in the triggerer."""
    context = {"ti": FakeTaskInstance()}
    try:
        return task.execute(context)
    except TaskDeferred as deferred:
        event = asyncio.run(anext(deferred.trigger.run())).payload
        arguments = {**(deferred.kwargs or {}), "event": event}
        return task.resume_execution(deferred.method_name, arguments, context)


def _migrate(until: str) -> list[str]:
    """Run the tasks of ``drs_migration`` up to one of them."""
    waits = {"deferrable": True, "poke_interval": 0.01, "timeout": 20}
    create = _make("DrsCreateJobsOperator", jobs={**JOB, "db_use_type": "migration"}, **ENDS, **waits)
    ids: list[str] = _execute(create)
    parts: list[tuple[str, str, dict[str, Any]]] = [
        ("test", "DrsTestConnectionsOperator", ENDS),
        ("configure", "DrsModifyJobsOperator", ENDS),
        ("select", "DrsSelectObjectsOperator", {"objects": ["shop"]}),
        ("compare", "DrsCompareParametersOperator", {}),
        ("precheck", "DrsBatchPrecheckOperator", {"settle_time": 0.1}),
        ("wait", "DrsPrecheckSensor", waits),
        ("start", "DrsStartJobsOperator", {}),
        ("running", "DrsStartJobsOperator", {"wait_for_start": True, **waits}),
        ("copied", "DrsJobStatusSensor", {"target_statuses": "INCRE_TRANSFER_STARTED", **waits}),
        ("stop", "DrsStopJobsOperator", {"wait_for_completion": True, **waits}),
    ]
    for part, name, arguments in parts:
        ids = _execute(_make(name, job_ids=ids, **arguments))
        if part == until:
            break
    return ids


@pytest.mark.parametrize("cleared_after", ["select", "precheck", "start", "running", "copied"])
def test_cleared_run_continues(emulator: Emulator, cleared_after: str) -> None:
    emulator.set_pace(1)
    emulator.set_verdict(None, "pass", reads=1)
    first = _migrate(cleared_after)
    before = Counter(entry["operation"] for entry in emulator.journal())

    again = _migrate("copied")

    assert again == first
    done = Counter(entry["operation"] for entry in emulator.journal())
    assert (done["BatchCreateJobs"], done["BatchStartJobs"]) == (1, 1)
    if before["BatchStartJobs"]:
        assert {name: done[name] - before[name] for name in _WRITES} == dict.fromkeys(_WRITES, 0)
    (job,) = (job for job in emulator.jobs if job["id"] == first[0])
    assert (job["starts"], job["status"]) == (1, "INCRE_TRANSFER_STARTED")


def test_cleared_run_of_a_stopped_job_changes_nothing(emulator: Emulator) -> None:
    emulator.set_pace(1)
    emulator.set_verdict(None, "pass", reads=1)
    _migrate("stop")
    emulator.clear_journal()

    with pytest.raises(AirflowFailException, match="orders"):
        _migrate("stop")

    assert not [entry for entry in emulator.journal() if entry["operation"] in _WRITES]


@pytest.mark.parametrize("status", LIVES)
@pytest.mark.parametrize(
    ("name", "arguments", "use"), BEFORE_START, ids=[name for name, _, _ in BEFORE_START]
)
def test_started_job_is_adopted_or_refused(
    emulator: Emulator, name: str, arguments: dict[str, Any], use: str, status: str
) -> None:
    job_id = emulator.seed_job(status=status, db_use_type=use, ends=DATABASES)

    assert _execute(_make(name, job_ids=job_id, **arguments)) == [job_id]
    with pytest.raises(AirflowFailException, match=f"{status}.*Expected CONFIGURATION"):
        _execute(_make(name, job_ids=job_id, if_started="fail", **arguments))

    reads = {"BatchListJobDetails", "KeystoneCreateUserTokenByPassword"}
    assert {entry["operation"] for entry in emulator.journal()} <= reads


@pytest.mark.parametrize("status", FAILED)
@pytest.mark.parametrize(
    ("name", "arguments", "use"), BEFORE_START, ids=[name for name, _, _ in BEFORE_START]
)
def test_failed_job_is_never_adopted(
    emulator: Emulator, name: str, arguments: dict[str, Any], use: str, status: str
) -> None:
    job_id = emulator.seed_job(status=status, db_use_type=use)

    with pytest.raises(AirflowFailException, match=f"{status}.*DrsRetryJobsOperator"):
        _execute(_make(name, job_ids=job_id, **arguments))


def _precheck(job_ids: list[str], **arguments: Any) -> Any:
    """Return a task that does not wait for results that equal the previous ones."""
    return _make("DrsBatchPrecheckOperator", job_ids=job_ids, settle_time=0.1, **arguments)


def test_only_failed_jobs_are_checked_again(emulator: Emulator) -> None:
    passed, failed, alarmed, new = emulator.job_ids[:4]
    emulator.set_verdict(None, "pass", duration_s=0)
    emulator.set_verdict(failed, "fail", duration_s=0, items=["srcBinlogFormatCheck"])
    emulator.set_verdict(alarmed, "alarm", duration_s=0, items=["srcTriggerAndEventCheck"])
    _execute(_precheck([passed, failed, alarmed]))
    emulator.clear_journal()
    emulator.set_verdict(None, "pass", duration_s=0)
    ids = [passed, failed, alarmed, new]

    assert _execute(_precheck(ids, recheck="failed")) == ids
    (first,) = emulator.journal("BatchCheckJobs")
    emulator.set_verdict(alarmed, "alarm", duration_s=0, items=["srcTriggerAndEventCheck"])
    _execute(_precheck(ids))
    emulator.clear_journal()
    _execute(_precheck(ids, recheck="failed", alarms="fail"))

    assert first["job_ids"] == [failed, new]
    assert [entry["job_ids"] for entry in emulator.journal("BatchCheckJobs")] == [[alarmed]]


def test_started_job_needs_no_passed_precheck(emulator: Emulator) -> None:
    job_id = emulator.seed_job(verdict={"outcome": "fail", "duration_s": 0, "items": ["binLog"]})
    _execute(_make("DrsBatchPrecheckOperator", job_ids=job_id))
    emulator.set_job(job_id, status="INCRE_TRANSFER_STARTED")

    assert _execute(_make("DrsPrecheckSensor", job_ids=job_id)) == [job_id]
