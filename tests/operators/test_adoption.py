"""Adoption is honest: a started job is adopted only if it has what is requested."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from drs_emulator import Emulator

from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.operators import drs as operators
from tests.conftest import FakeTaskInstance

pytestmark = pytest.mark.usefixtures("connect", "no_backoff", "databases")

SOURCE = {"ip": "192.0.2.1", "db_port": 3306, "db_user": "root"}
RUNNING = {"status": "INCRE_TRANSFER_STARTED", "name": "orders"}
READS = {"BatchListJobDetails", "BatchListJobStatus", "KeystoneCreateUserTokenByPassword"}


@pytest.fixture
def databases(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"conn_type": "mysql", "host": "192.0.2.1", "port": 3306, "login": "root", "password": "not-real"}
    monkeypatch.setenv("AIRFLOW_CONN_THERE", json.dumps(there))
    monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", json.dumps({**there, "host": "192.0.2.99"}))


def _execute(name: str, ti: FakeTaskInstance | None = None, **arguments: Any) -> Any:
    task = getattr(operators, name)(task_id="task", **arguments)
    context = {"ti": ti or FakeTaskInstance()}
    try:
        return task.execute(context)
    except TaskDeferred as deferred:
        event = asyncio.run(anext(deferred.trigger.run())).payload
        return task.resume_execution(
            deferred.method_name, {**(deferred.kwargs or {}), "event": event}, context
        )


def _assert_only_reads(emulator: Emulator) -> None:
    assert {entry["operation"] for entry in emulator.journal()} <= READS


@pytest.mark.parametrize(
    ("name", "seed", "arguments", "values"),
    [
        (
            "DrsTestConnectionsOperator",
            {"ends": {"source": SOURCE}},
            {"source_conn_id": "elsewhere"},
            ["source_endpoint.ip", "192.0.2.1", "192.0.2.99"],
        ),
        (
            "DrsModifyJobsOperator",
            {"ends": {"source": SOURCE}},
            {"source_conn_id": "elsewhere"},
            ["source_endpoint.ip", "192.0.2.1", "192.0.2.99"],
        ),
        (
            "DrsModifyJobsOperator",
            {"ends": {"source": SOURCE}, "task_type": "FULL_INCR_TRANS"},
            {"source_conn_id": "there", "changes": {"task_type": "FULL_TRANS"}},
            ["task_type", "FULL_INCR_TRANS", "FULL_TRANS", "without connections"],
        ),
    ],
)
def test_other_databases_or_values_of_a_started_job_are_an_error(
    emulator: Emulator, name: str, seed: dict[str, Any], arguments: dict[str, Any], values: list[str]
) -> None:
    job_id = emulator.seed_job(**RUNNING, **seed)

    with pytest.raises(AirflowFailException) as failure:
        _execute(name, job_ids=job_id, **arguments)

    assert f"orders ({job_id})" in str(failure.value)
    assert all(value in str(failure.value) for value in values)
    _assert_only_reads(emulator)


def _configure(emulator: Emulator, *calls: tuple[str, dict[str, Any]], **seed: Any) -> str:
    """Return a running synchronization that the operators have configured."""
    job_id = emulator.seed_job(db_use_type="sync", name="orders", **seed)
    for name, arguments in calls:
        _execute(name, job_ids=job_id, **arguments)
    emulator.set_job(job_id, status="INCRE_TRANSFER_STARTED")
    emulator.clear_journal()
    return job_id


CONFIGURED = [
    (
        "DrsSelectObjectsOperator",
        {"objects": ["shop.orders", "crm"]},
        {"objects": ["shop.orders", "billing"]},
        ["only requested: billing", "only in the job: crm"],
    ),
    (
        "DrsSelectObjectsOperator",
        {"objects": {"shop": None}},
        {"objects": {"shop": "store"}},
        ["shop ('store' instead of 'shop')"],
    ),
    ("DrsSelectObjectsOperator", {}, {"objects": ["shop"]}, ["object_switch"]),
    ("DrsSelectObjectsOperator", {"objects": ["shop"]}, {}, ["only in the job: shop"]),
    ("DrsSetDefinersOperator", {"replace_definer": True}, {"replace_definer": False}, ["replace_definer"]),
    (
        "DrsSetSyncPoliciesOperator",
        {"conflict_policy": "stop", "index_trans": True},
        {"conflict_policy": "overwrite", "index_trans": True},
        ["conflict_policy is 'stop' in the job, 'overwrite' was requested"],
    ),
    (
        "DrsTransformDataOperator",
        {"rules": [{"tables": ["shop.orders"], "where": "id > 5"}]},
        {"rules": [{"tables": ["shop.orders"], "where": "id > 6"}]},
        ["shop.orders ('id > 6' instead of 'id > 5')"],
    ),
]


@pytest.mark.parametrize(("name", "first", "other", "texts"), CONFIGURED)
def test_other_configuration_of_a_started_job_is_an_error(
    emulator: Emulator, name: str, first: dict[str, Any], other: dict[str, Any], texts: list[str]
) -> None:
    job_id = _configure(emulator, (name, first))

    assert _execute(name, job_ids=job_id, **first) == [job_id]
    with pytest.raises(AirflowFailException) as failure:
        _execute(name, job_ids=job_id, **other)

    assert all(text in str(failure.value) for text in texts)
    _assert_only_reads(emulator)


def test_cluster_source_of_a_started_job_is_compared(emulator: Emulator) -> None:
    mongodb = {"engine_type": "mongodb", "node_num": 2}
    job_id = emulator.seed_job(**RUNNING, **mongodb, ends={"source": {**SOURCE, "ip": "192.0.2.1:3306"}})
    ti = FakeTaskInstance()
    arguments = {"job_ids": job_id, "cluster_mode": True, "shard_conn_ids": ["there"]}

    _execute("DrsTestConnectionsOperator", ti, source_conn_id="there", **arguments)
    with pytest.raises(AirflowFailException, match=r"source_endpoint\.ip"):
        _execute("DrsTestConnectionsOperator", source_conn_id="elsewhere", **arguments)

    assert "shards" in ti.xcoms["job_results"][0]["not_compared"]


def test_another_rule_of_a_table_is_an_error_before_the_start(emulator: Emulator) -> None:
    job_id = emulator.seed_job(db_use_type="sync", name="orders")
    rule = {"tables": ["shop.orders"], "where": "id > 5"}
    _execute("DrsTransformDataOperator", job_ids=job_id, rules=[rule])
    more, ti = {"tables": ["shop.customers"], "where": "id > 1"}, FakeTaskInstance()

    assert _execute("DrsTransformDataOperator", ti, job_ids=job_id, rules=[rule, more]) == [job_id]
    assert ti.xcoms["job_results"][0]["adopted"] is False
    with pytest.raises(AirflowFailException, match="'id > 6' instead of 'id > 5'"):
        _execute("DrsTransformDataOperator", job_ids=job_id, rules=[{**rule, "where": "id > 6"}])


def test_error_of_a_later_rule_is_not_hidden_by_an_existing_rule(emulator: Emulator) -> None:
    job_id = emulator.seed_job(db_use_type="sync", name="orders")
    rules = [{"tables": [f"shop.{table}"], "where": "id > 5"} for table in ("orders", "customers")]
    _execute("DrsTransformDataOperator", job_ids=job_id, rules=rules[:1])
    emulator.inject("job_error", operation="BatchChangeData", job_id=job_id, code="DRS.M00200", after=1)

    with pytest.raises(AirflowFailException, match=r"DRS\.M00200"):
        _execute("DrsTransformDataOperator", job_ids=job_id, rules=rules)


@pytest.mark.parametrize(("name", "first"), [(name, first) for name, first, _, _ in CONFIGURED[::6]])
def test_what_drs_does_not_return_is_reported(
    emulator: Emulator, log_lines: Callable[[], list[str]], name: str, first: dict[str, Any]
) -> None:
    job_id, ti = _configure(emulator, (name, first), shows_selection=False), FakeTaskInstance()

    assert _execute(name, ti, job_ids=job_id, **first) == [job_id]

    (row,) = ti.xcoms["job_results"]
    assert row["not_compared"] in (["objects"], ["rules"])
    line = f"orders ({job_id}): adopted without comparing {row['not_compared'][0]}, which DRS does not return"
    assert line in log_lines()


def _in(hours: float) -> str:
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)
    return moment.isoformat(timespec="seconds")


def _schedule(emulator: Emulator, start_time: str) -> str:
    job_id = emulator.seed_job(name="orders", verdict={"duration_s": 0})
    _execute("DrsBatchPrecheckOperator", job_ids=job_id)
    assert _execute("DrsStartJobsOperator", job_ids=job_id, start_time=start_time) == [job_id]
    emulator.clear_journal()
    return job_id


@pytest.mark.parametrize("hours", [None, 2.0, 4.0])
def test_scheduled_job_is_adopted_only_for_the_same_time(emulator: Emulator, hours: float | None) -> None:
    job_id = _schedule(emulator, start_time := _in(3))

    assert _execute("DrsStartJobsOperator", job_ids=job_id, start_time=start_time) == [job_id]
    with pytest.raises(AirflowFailException, match=r"start_time is 20.*reschedule") as failure:
        _execute("DrsStartJobsOperator", job_ids=job_id, start_time=_in(hours) if hours else None)

    assert "now was requested" in str(failure.value) or f"{_in(hours or 0)[:13]}" in str(failure.value)
    _assert_only_reads(emulator)


def test_running_job_is_not_adopted_for_a_later_start(emulator: Emulator) -> None:
    job_id = emulator.seed_job(name="orders", verdict={"duration_s": 0})
    _execute("DrsBatchPrecheckOperator", job_ids=job_id)
    _execute("DrsStartJobsOperator", job_ids=job_id)

    assert _execute("DrsStartJobsOperator", job_ids=job_id, start_time=_in(-24)) == [job_id]
    with pytest.raises(AirflowFailException, match="was requested"):
        _execute("DrsStartJobsOperator", job_ids=job_id, start_time=_in(24))


def test_job_that_another_client_schedules_first_is_not_adopted(emulator: Emulator) -> None:
    """The job is scheduled between the review and the start."""
    job_id = _schedule(emulator, _in(3))
    with DrsHook() as hook:
        answer = hook.start_jobs([job_id], check_preconditions=False)[job_id]

    assert "now was requested" in str(answer)


def _recheck(job_id: str) -> None:
    options = {"wait_for_completion": True, "poke_interval": 0.01}
    _execute("DrsBatchPrecheckOperator", job_ids=job_id, precheck_mode="forRetryJob", **options)


def test_objects_of_a_running_synchronization_are_edited(emulator: Emulator) -> None:
    """Edit, pre-check, restart, and wait for the subtask that copies the new table."""
    job_id = _configure(
        emulator,
        ("DrsSelectObjectsOperator", {"objects": ["shop.orders"]}),
        verdict={"duration_s": 0},
    )
    objects = ["shop.orders", "shop.customers"]
    emulator.set_pace(2)

    _execute("DrsSelectObjectsOperator", job_ids=job_id, objects=objects, if_started="edit")
    with pytest.raises(AirflowFailException, match="pre-check has not passed"):
        _execute("DrsRetryJobsOperator", job_ids=job_id, is_sync_re_edit=True)
    _recheck(job_id)
    ti = FakeTaskInstance()
    restarted = _execute(
        "DrsRetryJobsOperator",
        ti,
        job_ids=job_id,
        is_sync_re_edit=True,
        wait_for_completion=True,
        deferrable=True,
        poke_interval=0.01,
        timeout=30,
    )

    assert restarted == [job_id]
    assert len(emulator.journal("BatchRestoreTask")) == 2
    assert _execute("DrsSelectObjectsOperator", job_ids=job_id, objects=objects) == [job_id]
    with DrsHook() as hook:
        (job,) = hook.list_jobs("sync", name="orders")
    assert [child.status for child in job.children] == ["RELEASE_CHILD_TRANSFER_COMPLETE"]


def test_failed_edit_is_reported(emulator: Emulator) -> None:
    job_id = _configure(emulator, verdict={"duration_s": 0}, fails_in=["edit"])
    _execute("DrsSelectObjectsOperator", job_ids=job_id, objects=["shop"], if_started="edit")
    _recheck(job_id)
    emulator.set_pace(1)

    with pytest.raises(AirflowFailException, match="CHANGE_JOB_FAILED"):
        _execute(
            "DrsRetryJobsOperator",
            job_ids=job_id,
            is_sync_re_edit=True,
            wait_for_completion=True,
            poke_interval=0.01,
            timeout=30,
        )


def test_objects_of_a_migration_cannot_be_edited(emulator: Emulator) -> None:
    job_id = emulator.seed_job(**RUNNING)

    with pytest.raises(AirflowFailException, match="Only sync jobs support this"):
        _execute("DrsSelectObjectsOperator", job_ids=job_id, objects=["shop"], if_started="edit")
