"""The operators of a whole replication: returned IDs, XComs, and waits in the worker and the triggerer."""

from __future__ import annotations

import asyncio
import datetime
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from airflow.version import version as airflow_version
from drs_emulator import Emulator
from packaging.version import Version

from airflow_provider_drs.compat import AirflowNotFoundException, AirflowSensorTimeout
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.operators import drs as operators
from airflow_provider_drs.operators.jobs import DrsOperator
from airflow_provider_drs.protocol.core.errors import DrsUnavailableError
from airflow_provider_drs.protocol.core.operations import OPERATIONS
from airflow_provider_drs.sensors import drs as sensors

pytestmark = pytest.mark.usefixtures("connect", "no_backoff", "databases")

SECRET = "not-a-real-database-password"
SPEC = {"name": "orders", "db_use_type": "migration", "engine_type": "mysql", "subnet_id": "5c6bbb05"}
DR = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql"}
REPLICATING = {"status": "INCRE_TRANSFER_STARTED"}
#: Airflow 3.0 and 3.1 treat a connection whose extra is not an object as missing.
IGNORES_BROKEN_CONNECTIONS = (3, 0) <= Version(airflow_version).release[:2] < (3, 2)
ENDS = {"source_conn_id": "there", "target_conn_id": "here"}


@pytest.fixture
def databases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two databases that Airflow knows."""
    there = {"conn_type": "mysql", "host": "192.0.2.1", "port": 3306, "login": "root", "password": SECRET}
    here = {**there, "extra": {"inst_id": "in01", "region": "eu-de", "ssl_link": "false"}}
    monkeypatch.setenv("AIRFLOW_CONN_THERE", json.dumps(there))
    monkeypatch.setenv("AIRFLOW_CONN_HERE", json.dumps(here))


def _make(name: str, /, **options: Any) -> Any:
    return getattr(operators, name)(task_id="task", **options)


def _run(operator: Any, context: dict[str, Any], between: Callable[[], Any] = lambda: None) -> Any:
    """Run a task as Airflow does; *between* happens while it waits in the triggerer."""
    try:
        return operator.execute(context)
    except TaskDeferred as deferred:
        between()
        event = asyncio.run(anext(deferred.trigger.run())).payload
        assert SECRET not in str(event) + str(deferred.trigger.serialize())
        return getattr(operator, deferred.method_name)(context, event=event)


#: Operators, the details of a job, and the arguments. Each acts on one job and returns its ID.
ACTIONS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("DrsTestConnectionsOperator", {}, ENDS),
    ("DrsModifyJobsOperator", {}, {**ENDS, "changes": {"description": "ours"}}),
    ("DrsSelectObjectsOperator", {}, {"objects": ["shop"]}),
    ("DrsSetSyncPoliciesOperator", {"db_use_type": "sync"}, {"conflict_policy": "stop"}),
    (
        "DrsTransformDataOperator",
        {"db_use_type": "sync"},
        {"rules": [{"tables": ["shop.orders"], "where": "id > 5"}]},
    ),
    ("DrsSetFlowControlOperator", {}, {"windows": [{"begin": "08:00", "end": "17:59", "speed": 5}]}),
    ("DrsSetDefinersOperator", {}, {"replace_definer": False}),
    ("DrsCompareParametersOperator", {}, {}),
    ("DrsModifyParametersOperator", {}, {"values": {"max_connections": None}}),
    ("DrsChangePasswordsOperator", REPLICATING, ENDS),
    ("DrsPauseJobsOperator", REPLICATING, {"pause_mode": "all"}),
    ("DrsRetryJobsOperator", {"status": "FULL_TRANSFER_FAILED"}, {"is_sync_re_edit": False}),
    ("DrsStopJobsOperator", REPLICATING, {"force": True}),
    ("DrsDeleteJobsOperator", {"status": "RELEASE_RESOURCE_COMPLETE"}, {}),
    ("DrsCompareDataOperator", {**DR, **REPLICATING}, {"data": "lines", "tables": {"shop": ["orders"]}}),
    ("DrsSwitchOverOperator", {"db_use_type": "sync", **REPLICATING}, {"wait_for_completion": False}),
]


@pytest.mark.parametrize(("name", "seed", "arguments"), ACTIONS, ids=[name for name, _, _ in ACTIONS])
def test_action_returns_ids_and_publishes_results(
    emulator: Emulator, context: dict[str, Any], name: str, seed: dict[str, Any], arguments: dict[str, Any]
) -> None:
    job_id = emulator.seed_job(**seed)

    assert _run(_make(name, job_ids=job_id, **arguments), context) == [job_id]

    (row,) = context["ti"].xcoms["job_results"]
    assert (row["job_id"], row["error"]) == (job_id, None)
    assert SECRET not in str(context["ti"].xcoms) + str(emulator.journal())
    called = {entry["operation"] for entry in emulator.journal()}
    assert called & {operation.name for operation in OPERATIONS.values() if name in operation.faces}


@pytest.mark.parametrize(("name", "seed", "arguments"), ACTIONS, ids=[name for name, _, _ in ACTIONS])
def test_rejected_action_names_the_job(
    emulator: Emulator, context: dict[str, Any], name: str, seed: dict[str, Any], arguments: dict[str, Any]
) -> None:
    good, bad = emulator.seed_job(**seed), emulator.seed_job(**{**seed, "status": "CREATING"})
    if name in ("DrsStopJobsOperator", "DrsSetFlowControlOperator", "DrsSwitchOverOperator"):
        # Their preconditions name no status, so DRS rejects the job.
        emulator.set_job(bad, **({"task_type": "INCR_TRANS"} if "Flow" in name else {}))

    with pytest.raises(AirflowFailException, match=bad):
        _run(_make(name, job_ids=[bad, good], **arguments), context)
    # A second try adopts what the first one did for the other job.
    context["ti"].try_number = 2
    assert _run(_make(name, job_ids=[bad, good], allow_partial=True, **arguments), context) == [good]


def test_every_operation_has_a_public_operator_or_sensor() -> None:
    public = {*operators.__all__, *sensors.__all__}
    named = {face for operation in OPERATIONS.values() for face in operation.faces}

    assert named == public
    assert list(operators.__all__) == sorted(operators.__all__)
    for name in operators.__all__:
        assert issubclass(getattr(operators, name), DrsOperator)


def test_template_fields_are_attributes(emulator: Emulator) -> None:
    needed = {
        "DrsCreateJobsOperator": {"jobs": [SPEC]},
        "DrsListJobsOperator": {"db_use_type": "sync"},
        "DrsTransformDataOperator": {"job_ids": "a", "rules": []},
        "DrsModifyParametersOperator": {"job_ids": "a", "values": {}},
        "DrsTestConnectionsOperator": {"job_ids": "a", "source_conn_id": "there"},
        "DrsModifyJobsOperator": {"job_ids": "a", "source_conn_id": "there"},
        "DrsChangePasswordsOperator": {"job_ids": "a", "source_conn_id": "there"},
        "DrsSetSyncPoliciesOperator": {"job_ids": "a", "ddl_trans": True},
    }
    for name in operators.__all__:
        made = _make(name, **needed.get(name, {"job_ids": "a"}))
        assert all(hasattr(made, field) for field in made.template_fields), name


# Creation.


def test_create_and_wait(emulator: Emulator, context: dict[str, Any]) -> None:
    operator = _make(
        "DrsCreateJobsOperator",
        jobs=json.dumps([SPEC]),
        target_conn_id=["here"],
        deferrable=True,
        poke_interval=0.01,
    )

    (job_id,) = _run(operator, context, lambda: emulator.advance(31))

    assert context["ti"].xcoms["created_jobs"][0]["name"] == "orders"
    (row,) = context["ti"].xcoms["job_statuses"]
    assert row == {"job_id": job_id, "name": None, "status": "CONFIGURATION"}
    with DrsHook() as hook:
        assert hook.get_job_details([job_id])[job_id].endpoint("target")["inst_id"] == "in01"


def test_cleared_creation_adopts_running_job(emulator: Emulator, context: dict[str, Any]) -> None:
    job_id = emulator.seed_job(name="orders", **REPLICATING)

    assert _run(_make("DrsCreateJobsOperator", jobs=SPEC), context) == [job_id]


def test_creation_of_pair_returns_forward_job(emulator: Emulator, context: dict[str, Any]) -> None:
    place = {"region": "eu-de", "inst_id": "in01"}
    spec = {**SPEC, **DR, "multi_write": True, "target_endpoint": place}
    operator = _make("DrsCreateJobsOperator", jobs=[spec], wait_for_completion=False)

    (forward,) = _run(operator, context)

    ways = {job["id"]: (job["job_direction"], job["parent_id"]) for job in emulator.jobs}
    (backward,), (parent,) = (context["ti"].xcoms[key] for key in ("backward_job_ids", "parent_job_ids"))
    assert (ways[forward], ways[backward]) == (("up", parent), ("down", parent))


def test_incomplete_pair_is_retried(emulator: Emulator, context: dict[str, Any]) -> None:
    place = {"region": "eu-de", "inst_id": "in01"}
    spec = {**SPEC, **DR, "multi_write": True, "target_endpoint": place}
    nothing = {"jobs": [], "total_record": 0}
    emulator.inject("wrong_shape", operation="ShowJobList", body=nothing, times=2)
    operator = _make("DrsCreateJobsOperator", jobs=[spec], wait_for_completion=False)

    with pytest.raises(DrsUnavailableError, match="does not list both jobs"):
        _run(operator, context)
    assert context["ti"].xcoms["parent_job_ids"] == []

    (forward,) = _run(operator, context)
    assert next(job for job in emulator.jobs if job["id"] == forward)["job_direction"] == "up"
    assert len(emulator.journal("BatchCreateJobs")) == 1


@pytest.mark.parametrize("jobs", [[], "orders", [{"name": "orders"}], 7])
def test_invalid_jobs_fail_the_task(emulator: Emulator, context: dict[str, Any], jobs: Any) -> None:
    task = _make("DrsCreateJobsOperator", jobs="{{ params.jobs }}")
    task.jobs = jobs
    with pytest.raises(AirflowFailException, match="jobs"):
        _run(task, context)


def test_failed_creation_fails_the_task(emulator: Emulator, context: dict[str, Any]) -> None:
    emulator.plan_job("orders*", fails_in=["create"])
    operator = _make("DrsCreateJobsOperator", jobs=[SPEC], deferrable=True, poke_interval=0.01)

    with pytest.raises(AirflowFailException, match="CREATE_FAILED"):
        _run(operator, context, lambda: emulator.advance(31))


def test_list_jobs_returns_ids(emulator: Emulator, context: dict[str, Any]) -> None:
    assert _run(_make("DrsListJobsOperator", db_use_type="migration"), context) == list(emulator.job_ids)
    assert context["ti"].xcoms["jobs"][0]["name"] == "orders-migration-01"
    assert _run(_make("DrsListJobsOperator", db_use_type="sync", name="x"), context) == []


# Waiting.


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("name", "seed", "seconds", "status"),
    [
        ("DrsPauseJobsOperator", REPLICATING, 1, "PAUSING"),
        ("DrsRetryJobsOperator", {"status": "START_JOB_FAILED"}, 5, "FULL_TRANSFER_STARTED"),
        ("DrsStopJobsOperator", REPLICATING, 11, "RELEASE_RESOURCE_COMPLETE"),
        ("DrsDeleteJobsOperator", {"status": "CREATE_FAILED"}, 1, "DELETED"),
    ],
)
def test_wait_for_completion_of_actions(
    emulator: Emulator,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    seed: dict[str, Any],
    seconds: float,
    status: str,
    deferrable: bool,
) -> None:
    job_id = emulator.seed_job(**seed)
    monkeypatch.setattr(
        "airflow_provider_drs.operators.waiting.time.sleep", lambda _: emulator.advance(seconds)
    )
    options = {"wait_for_completion": True, "deferrable": deferrable, "poke_interval": 0.01}

    found = _run(_make(name, job_ids=[job_id], **options), context, lambda: emulator.advance(seconds))

    assert found == [job_id]
    assert context["ti"].xcoms["job_statuses"][0]["status"] == status


def test_failed_stop_fails_the_task(emulator: Emulator, context: dict[str, Any]) -> None:
    good, bad = emulator.seed_job(**REPLICATING), emulator.seed_job(**REPLICATING, fails_in=["stop"])
    options = {"wait_for_completion": True, "deferrable": True, "poke_interval": 0.01}

    with pytest.raises(AirflowFailException, match="RELEASE_RESOURCE_FAILED"):
        _run(
            _make("DrsStopJobsOperator", job_ids=[good, bad], **options),
            context,
            lambda: emulator.advance(11),
        )


def test_previous_status_does_not_fail_the_wait(emulator: Emulator, context: dict[str, Any]) -> None:
    job_id = emulator.seed_job(status="FULL_TRANSFER_FAILED")
    operator = _make("DrsRetryJobsOperator", job_ids=[job_id], wait_for_completion=True)
    watch = operator._create_watch([job_id])

    with DrsHook() as hook:
        hook.poll(watch)
        hook.poll(watch)
        assert watch.failures == {}
        hook.poll(type(watch).from_dict(watch.to_dict()))
        hook.poll(watch)
    assert list(watch.failures) == [job_id]


def test_timeout_names_the_job(emulator: Emulator, context: dict[str, Any]) -> None:
    job_id = emulator.seed_job(**REPLICATING)
    options = {"wait_for_completion": True, "poke_interval": 0.01, "timeout": 0.03}

    with pytest.raises(AirflowSensorTimeout, match=job_id):
        _run(_make("DrsStopJobsOperator", job_ids=job_id, **options), context)


@pytest.mark.parametrize("differences", [[], ["shop.orders"]])
def test_wait_for_comparison(emulator: Emulator, context: dict[str, Any], differences: list[str]) -> None:
    job_id = emulator.seed_job(**DR, **REPLICATING, differences=differences)
    operator = _make(
        "DrsCompareDataOperator",
        job_ids=[job_id],
        data="contents",
        tables={"shop": []},
        start_time=datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=5),
        wait_for_completion=True,
        deferrable=True,
        poke_interval=0.01,
    )

    if differences:
        with pytest.raises(AirflowFailException, match=r"shop\.orders INCONSISTENT"):
            _run(operator, context, lambda: emulator.advance(20))
    else:
        assert _run(operator, context, lambda: emulator.advance(20)) == [job_id]
    assert context["ti"].xcoms["comparison_report"][0]["is_consistent"] is not bool(differences)
    assert context["ti"].xcoms["comparisons"][0]["job_id"] == job_id


def test_retry_of_comparison_after_start_time(emulator: Emulator, context: dict[str, Any]) -> None:
    job_id = emulator.seed_job(**DR, **REPLICATING)
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)
    options = {"job_ids": [job_id], "data": "lines", "tables": {"shop": []}, "start_time": past}

    with pytest.raises(AirflowFailException, match="has passed"):
        _run(_make("DrsCompareDataOperator", **options), context)
    context["ti"].try_number = 2

    assert _run(_make("DrsCompareDataOperator", **options), context) == [job_id]


def test_timeout_of_comparison_counts_from_start_time(emulator: Emulator, context: dict[str, Any]) -> None:
    at = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(hours=9)
    operator = _make(
        "DrsCompareDataOperator",
        job_ids=[emulator.seed_job(**DR, **REPLICATING)],
        data="lines",
        tables={"shop": []},
        start_time=at,
        wait_for_completion=True,
        deferrable=True,
        timeout=60,
    )

    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)

    assert deferred.value.trigger.deadline == at.timestamp() + 60


@pytest.mark.parametrize(("tries", "calls"), [(1, 2), (2, 1)])
def test_retry_adopts_complete_switchover(
    emulator: Emulator, context: dict[str, Any], tries: int, calls: int
) -> None:
    job_id = emulator.seed_job(db_use_type="sync", **REPLICATING)
    options = {"job_ids": [job_id], "deferrable": True, "poke_interval": 0.01}
    for number in (1, tries):
        context["ti"].try_number = number
        done = _run(_make("DrsSwitchOverOperator", **options), context, lambda: emulator.advance(6))

    assert done == [job_id]
    assert len(emulator.journal("SwitchVip")) == calls


# Arguments.


def test_parameter_differences_can_fail_the_task(
    emulator: Emulator, context: dict[str, Any], log_lines: Callable[[], list[str]]
) -> None:
    job_id = emulator.job_ids[0]
    names = ["max_connections", "binlog_cache_size", "innodb_buffer_pool_size"]

    with pytest.raises(AirflowFailException, match="innodb_buffer_pool_size"):
        _run(
            _make("DrsCompareParametersOperator", job_ids=job_id, on_difference="fail", ignore=names[:2]),
            context,
        )
    strict = _make("DrsCompareParametersOperator", job_ids=job_id, on_difference="fail", ignore=names)
    assert _run(strict, context) == [job_id]

    assert [each["key"] for each in context["ti"].xcoms["parameter_report"][0]["differences"]] == names
    assert any("innodb_buffer_pool_size: source 4294967296" in line for line in log_lines())


def test_cluster_is_tested_by_its_parent(
    emulator: Emulator, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    end = {"conn_type": "mongo", "host": "a,b", "port": 27017, "login": "root", "password": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_SHARD", json.dumps(end))
    parent = emulator.seed_job(engine_type="mongodb", node_num=2)
    ends = {"source_conn_id": "shard", "target_conn_id": "shard", "shard_conn_ids": ["shard"]}

    done = _run(_make("DrsTestConnectionsOperator", job_ids=parent, cluster_mode=True, **ends), context)

    assert done == [parent]
    assert len(emulator.journal("BatchValidateClustersConnections")) == 1
    with pytest.raises(AirflowFailException, match="shard_conn_ids"):
        _run(_make("DrsTestConnectionsOperator", job_ids=parent, **ends), context)


# Airflow 2.11 only warns about unknown arguments, and passes them on.
@pytest.mark.filterwarnings("ignore:Encountered (JSON value|non-JSON)")
@pytest.mark.parametrize(
    ("connection", "text"),
    [
        ({"extra": "[]"}, "extra is not a JSON object"),
        ({"extra": "{"}, "extra is not a JSON object"),
        ({"extra": {"region": 7}}, r"extra\.region must be a string"),
        ({"extra": {"ssl_link": "perhaps"}}, r"extra\.ssl_link must be true or false"),
        ({"password": ""}, "password missing"),
    ],
)
def test_invalid_database_connection_is_named(
    emulator: Emulator,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    connection: dict[str, Any],
    text: str,
) -> None:
    usual = {"conn_type": "mysql", "host": "192.0.2.1", "login": "root", "password": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_BAD", json.dumps({**usual, **connection}))
    operator = _make("DrsTestConnectionsOperator", job_ids=emulator.job_ids[0], source_conn_id="bad")

    error_class: type[Exception] = AirflowFailException
    if text.endswith("JSON object") and IGNORES_BROKEN_CONNECTIONS:
        error_class, text = AirflowNotFoundException, "isn't defined"
    with pytest.raises(error_class, match=text) as caught:
        _run(operator, context)

    assert re.search("['`]bad['`]", str(caught.value))
    assert SECRET not in str(caught.value)
    assert emulator.journal("BatchValidateConnections") == []


def test_one_connection_for_all_jobs_or_one_per_job(emulator: Emulator, context: dict[str, Any]) -> None:
    job_ids = list(emulator.job_ids[:2])

    each = _make("DrsTestConnectionsOperator", job_ids=job_ids, source_conn_id=["there", "here"])
    assert _run(each, context) == job_ids
    with pytest.raises(AirflowFailException, match="1 connections for 2 jobs"):
        text = ",".join(job_ids)
        _run(_make("DrsTestConnectionsOperator", job_ids=text, source_conn_id=["there"]), context)


def test_password_change_requires_passwords(
    emulator: Emulator, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BARE", json.dumps({"conn_type": "mysql", "host": "192.0.2.1"}))
    job_id = emulator.seed_job(**REPLICATING)

    done = _run(_make("DrsChangePasswordsOperator", job_ids=job_id, source_conn_id=["there"]), context)

    assert done == [job_id]
    with pytest.raises(AirflowFailException, match="has no password"):
        _run(_make("DrsChangePasswordsOperator", job_ids=job_id, source_conn_id="bare"), context)


# Reads.


def test_details_and_progress_are_xcoms(
    emulator: Emulator, context: dict[str, Any], log_lines: Callable[[], list[str]]
) -> None:
    job_id = emulator.seed_job(status="FULL_TRANSFER_STARTED", name="orders", echo_secrets=True)
    emulator.advance(6)

    assert _run(_make("DrsGetJobsOperator", job_ids=job_id), context) == [job_id]

    (details,) = context["ti"].xcoms["job_details"]
    (progress,) = context["ti"].xcoms["job_progress"]
    assert (details["name"], details["source_endpoint"]["ip"]) == ("orders", "192.0.2.10")
    assert "emulated-db-password" not in json.dumps(details)
    assert (progress["name"], progress["status"]) == ("orders", "FULL_TRANSFER_STARTED")
    assert {"process_time_ms", "phases_remaining_s", "delay_ms", "apply_rates"} <= progress.keys()
    assert any(line.startswith(f"orders ({job_id}): FULL_TRANSFER_STARTED") for line in log_lines())


def test_unknown_job_is_an_error_or_omitted(emulator: Emulator, context: dict[str, Any]) -> None:
    job_ids = [emulator.job_ids[0], "ffffffff-d0c5-4a11-8a11-fffffffjb999"]

    with pytest.raises(AirflowFailException, match="Not read: 1 of 2 jobs"):
        _run(_make("DrsGetJobsOperator", job_ids=job_ids), context)
    partial = _make("DrsGetJobsOperator", job_ids=job_ids, allow_partial=True, progress=False)
    context["ti"].xcoms.clear()
    assert _run(partial, context) == job_ids[:1]
    assert set(context["ti"].xcoms) >= {"job_details"}
    assert "job_progress" not in context["ti"].xcoms


def test_error_of_a_progress_does_not_fail_the_task(emulator: Emulator, context: dict[str, Any]) -> None:
    job_id = emulator.job_ids[0]
    emulator.inject("job_error", operation="BatchListProgresses", job_id=job_id, code="DRS.M00200")

    assert _run(_make("DrsGetJobsOperator", job_ids=job_id), context) == [job_id]
    assert context["ti"].xcoms["job_progress"][0]["error"]["error_code"] == "DRS.M00200"


def test_results_have_the_request_id(emulator: Emulator, context: dict[str, Any]) -> None:
    job_id = emulator.seed_job(status="INCRE_TRANSFER_STARTED")
    _run(_make("DrsPauseJobsOperator", job_ids=job_id), context)
    _run(_make("DrsBatchPrecheckOperator", job_ids=emulator.job_ids[0]), context)

    assert context["ti"].xcoms["job_results"][0]["request_id"]
    assert context["ti"].xcoms["precheck_submissions"][0]["request_id"]


def test_list_honors_tags_enterprise_project_and_id(emulator: Emulator, context: dict[str, Any]) -> None:
    tags = [{"key": "team", "value": "shop"}]
    tagged = emulator.seed_job(tags=[*tags, {"key": "wave", "value": "1"}])
    owned = emulator.seed_job(enterprise_project_id="ep-1")

    def list_ids(**filters: Any) -> list[str]:
        return list(_run(_make("DrsListJobsOperator", **filters), context))

    assert list_ids(tags=tags) == [tagged]
    assert list_ids(enterprise_project_id="ep-1") == [owned]
    assert list_ids(name=owned) == [owned]
