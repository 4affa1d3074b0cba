"""Every operation through both hooks: applied, adopted, rejected, and with lost requests and responses."""

from __future__ import annotations

from typing import Any

import pytest
from drs_emulator import Emulator

from airflow_provider_drs.protocol.comparisons.messages import Comparison, ComparisonSpec
from airflow_provider_drs.protocol.core.errors import (
    DrsConfigError,
    DrsError,
    DrsJobNotFoundError,
    DrsJobStateError,
    DrsRequestError,
)
from airflow_provider_drs.protocol.jobs.databases import Endpoint
from airflow_provider_drs.protocol.jobs.preconditions import Readiness, Review
from airflow_provider_drs.protocol.switchovers.messages import COMPLETE, FAILED, STARTED
from airflow_provider_drs.protocol.watches import ComparisonWatch, SwitchOverWatch

pytestmark = pytest.mark.usefixtures("no_backoff")

SECRET = "not-a-real-database-password"
SOURCE = Endpoint("192.0.2.1", 3306, "root", SECRET)
TARGET = Endpoint("192.0.2.2", 3306, "root", SECRET, inst_id="in01", region="eu-de")
SPEC = {"name": "orders", "db_use_type": "migration", "engine_type": "mysql", "subnet_id": "5c6bbb05"}
DR = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql"}
PAIR = {
    **{key: value for key, value in SPEC.items() if key != "db_use_type"},
    **DR,
    "multi_write": True,
    "target_endpoint": {"region": "eu-de", "inst_id": "in01"},
}
REPLICATING = {"status": "INCRE_TRANSFER_STARTED"}
UNKNOWN = "ffffffff-d0c5-4a11-8a11-fffffffjb999"


def _named(emulator: Emulator, name: str) -> list[dict[str, Any]]:
    return [job for job in emulator.jobs if job["name"] == name]


def _refuse(emulator: Emulator, operation: str, **options: Any) -> None:
    body = {"error_code": "DRS.M00200", "error_msg": "Parameter error."}
    emulator.inject("status", operation=operation, status=400, body=body, **options)


def _details(hook: Any, job_id: str) -> dict[str, Any]:
    details: dict[str, Any] = hook.get_job_details([job_id])[job_id].to_dict()
    return details


def test_existing_job_is_adopted(emulator: Emulator, hook: Any) -> None:
    first = hook.create_jobs([SPEC])["orders"]
    again = hook.create_jobs(SPEC)["orders"]

    assert (first.adopted, again.adopted, again.job_id) == (False, True, first.job_id)
    assert len(_named(emulator, "orders")) == 1
    assert first.to_dict()["name"] == "orders"


@pytest.mark.parametrize("fault", ["reset_after", "html", "truncated"])
def test_lost_response_creates_one_job(emulator: Emulator, hook: Any, fault: str) -> None:
    emulator.inject(fault, operation="BatchCreateJobs")

    created = hook.create_jobs([SPEC, {**SPEC, "name": "orders-2"}])

    assert [each.adopted for each in created.values()] == [True, True]
    assert len(_named(emulator, "orders")) == len(_named(emulator, "orders-2")) == 1


def test_lost_request_is_retried(emulator: Emulator, hook: Any) -> None:
    emulator.inject("reset_before", operation="BatchCreateJobs")

    assert hook.create_jobs([SPEC])["orders"].adopted is False


def test_name_taken_concurrently_is_looked_up(emulator: Emulator, hook: Any) -> None:
    emulator.inject("wrong_shape", operation="ShowJobList", body={"jobs": [], "total_record": 0})
    emulator.seed_job(name="orders")

    assert hook.create_jobs([SPEC])["orders"].adopted is True


@pytest.mark.parametrize(
    ("seed", "text"),
    [
        ({"task_type": "FULL_TRANS"}, "task_type is 'FULL_TRANS'"),
        ({"status": "RELEASE_RESOURCE_COMPLETE"}, "Delete it"),
        ({"status": "CREATE_FAILED"}, "Delete it"),
    ],
)
def test_name_of_another_job_is_an_error(
    emulator: Emulator, hook: Any, seed: dict[str, Any], text: str
) -> None:
    emulator.seed_job(name="orders", **seed)

    answer = hook.create_jobs([SPEC, {**SPEC, "name": "orders-new"}])

    assert type(answer["orders"]) is DrsRequestError
    assert text in str(answer["orders"])
    assert answer["orders-new"].status == "CREATING"


def test_jobs_of_a_pair_are_distinguished(emulator: Emulator, hook: Any) -> None:
    first = hook.create_jobs([PAIR])["orders"]
    again = hook.create_jobs([PAIR])["orders"]

    ways = {job["id"]: job["job_direction"] for job in emulator.jobs}
    assert (ways[first.forward_id], ways[first.backward_id]) == ("up", "down")
    assert (again.adopted, again.forward_id, again.backward_id) == (
        True,
        first.forward_id,
        first.backward_id,
    )


@pytest.mark.parametrize("jobs", [[], [SPEC, SPEC], [{"name": "x"}], ["orders"]])
def test_invalid_jobs_are_rejected_before_sending(emulator: Emulator, hook: Any, jobs: Any) -> None:
    with pytest.raises(DrsConfigError, match="jobs"):
        hook.create_jobs(jobs)

    assert emulator.journal() == []


def test_job_deleted_between_reads_is_an_error(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(name="orders")
    emulator.inject("job_error", operation="BatchListJobDetails", job_id=job_id, code="DRS.M00289")

    assert isinstance(hook.create_jobs([SPEC])["orders"], DrsJobNotFoundError)


def test_source_then_destination_is_tested(emulator: Emulator, hook: Any) -> None:
    reachable, unreachable = emulator.job_ids[:2]
    emulator.set_job(unreachable, unreachable=["so"])

    answers = hook.validate_connections([reachable, unreachable], source=SOURCE, target=TARGET)

    assert answers[reachable].adopted is False
    assert answers[unreachable].error_code == "DRS.KE0002"
    assert [entry["job_ids"] for entry in emulator.journal("BatchValidateConnections")] == [
        [reachable, unreachable],
        [reachable],
    ]
    assert SECRET not in str(emulator.journal()) + str(answers)


def test_failed_source_skips_the_destination(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_job(job_id, unreachable=["so"])

    hook.validate_connections([job_id], source=SOURCE, target=TARGET)

    assert len(emulator.journal("BatchValidateConnections")) == 1


def test_missing_endpoint_is_rejected(hook: Any) -> None:
    with pytest.raises(DrsConfigError, match="neither source nor target"):
        hook.validate_connections(["a"])
    with pytest.raises(DrsConfigError, match="changes"):
        hook.modify_jobs(["a"])


def test_cluster_is_tested_in_one_call(emulator: Emulator, hook: Any) -> None:
    parent = emulator.seed_job(engine_type="mongodb", node_num=2)
    child = next(job["id"] for job in emulator.jobs if job["parent_id"] == parent)
    end = Endpoint("a:1,b:2", None, "root", SECRET)

    answers = hook.validate_cluster_connections([parent, child], source=end, target=end, shards=[end])

    assert answers[parent].adopted is False
    assert isinstance(answers[child], DrsJobStateError)
    assert SECRET not in str(emulator.journal())


def test_databases_and_settings_are_saved(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.job_ids[0]

    for answers in (
        hook.modify_jobs([job_id], {"description": "ours"}, source=SOURCE, target=TARGET),
        hook.select_objects([job_id], ["shop.orders"], sync_database=True),
        hook.select_objects([job_id]),
        hook.set_definers([job_id], False),
        hook.set_flow_control([job_id], [{"begin": "08:00", "end": "17:59", "speed": 5}]),
    ):
        assert not isinstance(answers[job_id], DrsError), answers

    details = _details(hook, job_id)
    assert details["description"] == "ours"
    assert (details["source_endpoint"]["ip"], details["target_endpoint"]["inst_id"]) == ("192.0.2.1", "in01")
    assert details["replace_definer"] is False
    assert details["speed_limit"][0]["speed"] == "5"
    assert SECRET not in str(details)


def test_running_job_can_be_renamed(emulator: Emulator, hook: Any) -> None:
    ends = {"source": {"ip": SOURCE.ip, "db_port": SOURCE.db_port, "db_user": SOURCE.db_user}}
    job_id = emulator.seed_job(**REPLICATING, ends=ends)

    assert hook.modify_jobs([job_id], {"name": "new-name"})[job_id].adopted is False
    assert hook.modify_jobs([job_id], source=SOURCE)[job_id].status == "INCRE_TRANSFER_STARTED"
    assert _details(hook, job_id)["name"] == "new-name"


def test_mongodb_request_has_no_definers(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(engine_type="mongodb")
    end = Endpoint("a:1", None, "root", SECRET)

    assert hook.modify_jobs([job_id], source=end)[job_id].adopted is False
    assert isinstance(hook.set_definers([job_id])[job_id], DrsJobStateError)


def test_synchronization_policies_and_rules(emulator: Emulator, hook: Any) -> None:
    sync, other = emulator.seed_job(db_use_type="sync"), emulator.job_ids[0]
    rules = [
        {"tables": ["shop.orders"], "where": "id > 5"},
        {"tables": ["shop.customers"], "where": "id > 1"},
    ]

    assert hook.set_sync_policies([sync], conflict_policy="stop")[sync].adopted is False
    first = hook.transform_data([sync, other], rules)
    again = hook.transform_data([sync], rules[:1])

    assert isinstance(first[other], DrsJobStateError)
    assert (first[sync].adopted, again[sync].adopted) == (False, True)
    assert len(emulator.journal("BatchChangeData")) == 3
    assert hook.transform_data([other], rules)[other].job_ids == (other,)
    for invalid in ([], {"where": "x"}):
        with pytest.raises(DrsConfigError, match="rules"):
            hook.transform_data([sync], invalid)


def test_parameters_are_compared_and_changed(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.job_ids[0]
    before = hook.compare_parameters([job_id, emulator.seed_job(engine_type="mongodb")])

    changed = hook.modify_parameters(
        [job_id], {"max_connections": None, "binlog_cache_size": 16384, "sort_buffer_size": "262144"}
    )[job_id]
    again = hook.modify_parameters([job_id], {"max_connections": 2000})[job_id]
    restart = hook.modify_parameters([job_id], {"innodb_buffer_pool_size": None})[job_id]

    assert {each.key for each in before[job_id].differences} == {
        "max_connections",
        "binlog_cache_size",
        "innodb_buffer_pool_size",
    }
    assert before[job_id].to_dict()["compared"] == 8
    assert isinstance(list(before.values())[1], DrsJobStateError)
    assert changed.details == {"changed": ["max_connections", "binlog_cache_size"], "should_restart": False}
    assert (again.adopted, restart.details["should_restart"]) == (True, True)
    assert [each.key for each in hook.compare_parameters([job_id], refresh=False)[job_id].differences] == []


def test_invalid_parameters_are_rejected(emulator: Emulator, hook: Any) -> None:
    job_id, other = emulator.job_ids[0], emulator.seed_job(engine_type="mongodb")

    assert "unknown parameter color" in str(hook.modify_parameters([job_id], {"color": 1})[job_id])
    assert hook.modify_parameters([job_id], {"max_connections": 1})[job_id].error_code == "DRS.M00202"
    assert isinstance(hook.modify_parameters([other], {"max_connections": 1})[other], DrsJobStateError)
    emulator.inject("no_permission", operation="BatchShowParams", times=None)
    with pytest.raises(DrsError, match=r"DRS\.M00103"):
        hook.modify_parameters([job_id], {"max_connections": 2000})
    with pytest.raises(DrsConfigError, match="values"):
        hook.modify_parameters([job_id], {})


def test_rejected_parameters_are_an_error_of_their_job(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.job_ids[0]
    _refuse(emulator, "BatchShowParams", times=None)

    assert hook.compare_parameters([job_id])[job_id].error_code == "DRS.M00200"
    assert hook.modify_parameters([job_id], {"max_connections": 2000})[job_id].error_code == "DRS.M00200"


def test_pause_and_resume_are_idempotent(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(**REPLICATING)

    assert [hook.pause_jobs([job_id], "all")[job_id].adopted for _ in range(2)] == [False, True]
    assert [hook.retry_jobs([job_id], True)[job_id].adopted for _ in range(2)] == [False, True]
    assert len(emulator.journal("BatchStopJobs")) == len(emulator.journal("BatchRestoreTask")) == 1
    with pytest.raises(DrsConfigError, match="pause_mode"):
        hook.pause_jobs([job_id], "later")


@pytest.mark.parametrize("operation", ["BatchStopJobs", "BatchRestoreTask", "BatchDeleteJobs"])
def test_lost_response_is_resolved_by_the_status(emulator: Emulator, hook: Any, operation: str) -> None:
    job_id = emulator.seed_job(status="PAUSING" if operation == "BatchRestoreTask" else REPLICATING["status"])
    emulator.inject("reset_after", operation=operation)
    method = {
        "BatchStopJobs": hook.pause_jobs,
        "BatchRestoreTask": hook.retry_jobs,
        "BatchDeleteJobs": hook.stop_jobs,
    }[operation]

    assert method([job_id])[job_id].adopted is True
    assert len(emulator.journal(operation)) == 1


def test_failed_job_is_retried(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(status="FULL_TRANSFER_FAILED")

    assert hook.retry_jobs([job_id])[job_id].adopted is False
    assert hook.get_job_statuses([job_id])[job_id].status == "FULL_TRANSFER_STARTED"


def test_stop_and_delete_are_idempotent(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(**REPLICATING)

    assert isinstance(hook.delete_jobs([job_id])[job_id], DrsJobStateError)
    stopped = [hook.stop_jobs([job_id], force=True)[job_id] for _ in range(2)]
    emulator.advance(30)
    deleted = [hook.delete_jobs([job_id])[job_id] for _ in range(2)]

    assert [each.adopted for each in stopped] == [False, True]
    assert [(each.adopted, each.status) for each in deleted] == [(False, None), (True, "gone")]
    assert deleted[0].request_id
    assert hook.stop_jobs([UNKNOWN])[UNKNOWN].status == "gone"


def test_lost_response_of_delete_is_resolved(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(status="RELEASE_RESOURCE_COMPLETE")
    emulator.inject("reset_after", operation="BatchDeleteJobs")

    assert hook.delete_jobs([job_id])[job_id].status == "gone"


def test_status_changed_concurrently_is_read_again(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(**REPLICATING)
    emulator.inject("job_error", operation="BatchStopJobs", job_id=job_id, code="DRS.M00304")

    answer = hook.pause_jobs([job_id])[job_id]

    assert isinstance(answer, DrsJobStateError)
    assert "INCRE_TRANSFER_STARTED" in str(answer)


def test_passwords_of_both_databases_are_changed(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(**REPLICATING)
    both = {"source_password": SECRET, "target_password": {job_id: SECRET}}

    assert hook.change_passwords([job_id], **both)[job_id].adopted is False
    assert len(emulator.journal("BatchResetPassword")) == 2
    emulator.set_job(job_id, passwords={"so": "another"})
    assert hook.change_passwords([job_id], **both)[job_id].error_code == "DRS.KE0002"
    assert len(emulator.journal("BatchResetPassword")) == 3
    assert SECRET not in str(emulator.journal())
    with pytest.raises(DrsConfigError, match="source_password"):
        hook.change_passwords([job_id])


def test_missing_password_is_rejected_before_sending(emulator: Emulator, hook: Any) -> None:
    jobs = [emulator.seed_job(**REPLICATING) for _ in range(2)]

    with pytest.raises(DrsConfigError, match=f"target_password has no entry for job {jobs[1]}"):
        hook.change_passwords(jobs, target_password={jobs[0]: SECRET})

    assert emulator.journal("BatchResetPassword") == []


def test_list_jobs_filters(emulator: Emulator, hook: Any) -> None:
    parent = emulator.seed_job(engine_type="mongodb", node_num=2, name="catalog")

    (found,) = hook.list_jobs("migration", name="catalog", tags=[])

    assert (found.job_id, len(found.children), found.phase.value) == (parent, 2, "configuring")
    assert found.to_dict()["children"][0]["job_id"] == found.children[0].job_id
    assert len(hook.list_jobs("migration")) == 11
    sync = emulator.seed_job(db_use_type="sync")
    listed = [job.job_id for job in hook.list_jobs()]
    assert (sync in listed, len(listed)) == (True, 12)
    with pytest.raises(DrsConfigError, match="db_use_type"):
        hook.list_jobs("copy")


def test_unknown_action_is_rejected(hook: Any) -> None:
    with pytest.raises(DrsConfigError, match="pause"):
        hook.review_jobs(["a"], "paint")


def test_backward_job_depends_on_forward_job(emulator: Emulator, hook: Any) -> None:
    pair = {**DR, "multi_write": True}
    parent = emulator.seed_job(**pair)
    forward = emulator.seed_job(parent_id=parent, job_direction="up", **REPLICATING, **pair)
    backward = emulator.seed_job(parent_id=parent, job_direction="down", **pair)

    assert hook.review_jobs([backward], "start")[backward] == Review(Readiness.READY, "CONFIGURATION")
    emulator.set_job(forward, delay=[[0, 90]])
    assert "is 90 s" in str(hook.review_jobs([backward], "start")[backward])
    assert hook.start_jobs([backward])[backward].job_ids == (backward,)
    emulator.inject("job_error", operation="BatchListProgresses", job_id=forward, code="DRS.M00200")
    assert "is unknown" in str(hook.review_jobs([backward, forward], "start")[backward])


def _compare(emulator: Emulator, hook: Any, spec: ComparisonSpec, **seed: Any) -> tuple[Any, ComparisonWatch]:
    job_id = emulator.seed_job(**DR, **REPLICATING, **seed)
    made = hook.create_comparisons([job_id], spec)[job_id]
    watch = ComparisonWatch([made])
    hook.poll(watch)
    assert watch.pending == (job_id,)
    emulator.advance(11)
    hook.poll(watch)
    return made, watch


@pytest.mark.parametrize("data", ["lines", "contents"])
def test_consistent_data(emulator: Emulator, hook: Any, data: str) -> None:
    made, watch = _compare(emulator, hook, ComparisonSpec(data=data, tables={"shop": ["orders"]}))

    assert set(made.task_ids) == {"objects", data}
    assert (watch.is_done, watch.failures) == (True, {})
    assert watch.results[0]["is_consistent"] is True
    assert ComparisonWatch.from_dict(watch.to_dict()).failures == {}


@pytest.mark.parametrize("data", ["lines", "contents"])
def test_difference_is_named(emulator: Emulator, hook: Any, data: str) -> None:
    spec = ComparisonSpec(objects=False, data=data, tables={"shop": []})
    _, watch = _compare(emulator, hook, spec, differences=["shop.orders"])

    (error,) = watch.failures.values()
    assert "shop.orders INCONSISTENT (1200 and 1199)" in str(error)
    assert any(each.get("source_table_name") == "orders" for each in watch.results[0]["differences"])


def test_missing_objects_are_a_difference(emulator: Emulator, hook: Any) -> None:
    _, watch = _compare(emulator, hook, ComparisonSpec(), differences=["shop.orders"])

    assert "TABLE INCONSISTENT (2 and 1)" in str(next(iter(watch.failures.values())))


def test_comparison_details_are_paginated(emulator: Emulator, hook: Any) -> None:
    databases = {f"db{n:03}": {"t": 1} for n in range(120)}
    spec = ComparisonSpec(objects=False, data="lines", tables=dict.fromkeys(databases, ()))

    _, watch = _compare(emulator, hook, spec, databases=databases, differences=["db110.t"])

    assert watch.results[0]["compared"] == 120
    assert "db110.t" in str(next(iter(watch.failures.values())))


def test_running_comparison_is_adopted_by_a_retry(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(**DR, **REPLICATING)
    spec = ComparisonSpec(data="lines", tables={"shop": ["orders"]})

    first, second = (hook.create_comparisons([job_id], spec, adopt_running=True)[job_id] for _ in range(2))
    emulator.advance(11)
    third = hook.create_comparisons([job_id], spec, adopt_running=True)[job_id]

    assert (second.adopted, second.task_ids) == (True, first.task_ids)
    assert (third.adopted, third.task_ids == first.task_ids) == (False, False)


def test_comparison_of_other_tables_is_not_adopted(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(**DR, **REPLICATING)
    hook.create_comparisons([job_id], ComparisonSpec(data="lines", tables={"shop": ["customers"]}))

    refused = hook.create_comparisons([job_id], ComparisonSpec(data="lines", tables={"shop": ["orders"]}))[
        job_id
    ]
    objects = hook.create_comparisons([job_id], ComparisonSpec())[job_id]

    assert refused.error_code == "DRS.M00402"
    assert "conflict_policy='cancel'" in str(refused)
    assert objects.adopted is True


@pytest.mark.parametrize(("fault", "calls"), [("reset_after", 1), ("reset_before", 2)])
def test_lost_comparison_is_looked_up(emulator: Emulator, hook: Any, fault: str, calls: int) -> None:
    job_id = emulator.seed_job(**DR, **REPLICATING)
    emulator.inject(fault, operation="CreateCompareTask")

    assert hook.create_comparisons([job_id], ComparisonSpec())[job_id].task_ids
    assert len(emulator.journal("CreateCompareTask")) == calls


def test_conflict_policy_of_comparisons(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(**DR, **REPLICATING)
    first = hook.create_comparisons(
        [job_id], ComparisonSpec(objects=False, data="lines", tables={"shop": []})
    )[job_id]
    contents = {"objects": False, "data": "contents", "tables": {"shop": []}}

    kept = hook.create_comparisons([job_id], ComparisonSpec(**contents))[job_id]
    made = hook.create_comparisons([job_id], ComparisonSpec(**contents, conflict_policy="cancel"))[job_id]

    assert kept.error_code == "DRS.M00402"
    assert isinstance(made, Comparison)
    watch = ComparisonWatch([first])
    hook.poll(watch)
    assert "lines CANCELLED" in str(watch.failures[job_id])  # codespell:ignore


def test_unsupported_comparison_is_rejected(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(**DR, **REPLICATING)
    answers = hook.create_comparisons([emulator.job_ids[0], UNKNOWN], ComparisonSpec())
    assert [type(each) for each in answers.values()] == [DrsJobStateError, DrsJobNotFoundError]

    lost = Comparison(job_id, {"lines": "00000000-0000-0000-0000-000000000000"})
    assert isinstance(hook.get_comparisons([lost.to_dict()])[job_id], DrsJobNotFoundError)
    _refuse(emulator, "ListCompareResult", times=None)
    assert hook.create_comparisons([job_id], ComparisonSpec())[job_id].error_code == "DRS.M00200"


def test_comparison_with_unknown_outcome_is_an_error(emulator: Emulator, hook: Any, connect: Any) -> None:
    connect({"retry_timeout": 1})
    job_id = emulator.seed_job(**DR, **REPLICATING)
    emulator.inject("reset_before", operation="CreateCompareTask", times=None)
    _refuse(emulator, "ListCompareResult", times=None, after=1)

    assert isinstance(hook.create_comparisons([job_id], ComparisonSpec())[job_id], DrsError)


def test_switchover_is_watched(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(db_use_type="sync", **REPLICATING)

    first, second = (hook.switch_over([job_id])[job_id] for _ in range(2))
    assert [(each.status, each.adopted) for each in (first, second)] == [(STARTED, False), (STARTED, True)]
    watch = SwitchOverWatch([job_id])
    assert hook.poll(watch) == [f"{job_id} {STARTED}"]
    emulator.advance(6)
    hook.poll(watch)
    assert (watch.is_done, watch.failures, watch.results[0]["status"]) == (True, {}, COMPLETE)
    assert SwitchOverWatch.from_dict(watch.to_dict()).is_done
    again = hook.switch_over([job_id], adopt_complete=True)[job_id]
    assert (again.status, again.adopted) == (COMPLETE, True)
    assert hook.switch_over([job_id], "source")[job_id].status == STARTED
    assert len(emulator.journal("SwitchVip")) == 2


def test_failed_switchover_is_a_failure(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(db_use_type="sync", switch_fails=True, **REPLICATING)
    hook.switch_over([job_id])
    emulator.advance(6)
    watch = SwitchOverWatch([job_id])

    hook.poll(watch)

    assert FAILED in str(watch.failures[job_id])


def test_switchover_with_lost_response_is_not_retried(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(db_use_type="sync", **REPLICATING)
    emulator.inject("reset_after", operation="SwitchVip")
    assert hook.switch_over([job_id])[job_id].status == STARTED
    emulator.advance(6)

    emulator.inject("reset_before", operation="SwitchVip")
    answer = hook.switch_over([job_id])[job_id]

    assert "the outcome of the switchover is unknown" in str(answer)
    assert len(emulator.journal("SwitchVip")) == 2


def test_lost_first_switchover_is_retried(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(db_use_type="sync", **REPLICATING)
    emulator.inject("reset_before", operation="SwitchVip")

    assert hook.switch_over([job_id])[job_id].status == STARTED


def test_cloud_instance_is_not_switched_over(emulator: Emulator, hook: Any) -> None:
    place = {"target_endpoint": {"region": "eu-de", "inst_id": "in01"}}
    made = hook.create_jobs([{**SPEC, "db_use_type": "sync", "engine_type": "mysql", **place}])["orders"]
    emulator.set_job(made.job_id, **REPLICATING)

    answer = hook.switch_over([made.job_id])[made.job_id]

    assert "its database in01 is a cloud instance" in str(answer)
    assert emulator.journal("SwitchVip") == []
    assert hook.get_switch_overs([made.job_id])[made.job_id].error_code == "DRS.M00300"


def test_subtask_is_not_switched_over(emulator: Emulator, hook: Any) -> None:
    parent = emulator.seed_job(db_use_type="sync", **REPLICATING)
    part = emulator.seed_job(db_use_type="sync", parent_id=parent, **REPLICATING)

    assert f"Use its parent, {parent}" in str(hook.switch_over([part])[part])
    assert hook.get_switch_overs([part])[part].error_code == "DRS.M00308"


def test_unsupported_switchover_is_rejected(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(db_use_type="sync", **REPLICATING)
    assert isinstance(hook.switch_over([emulator.job_ids[0]])[emulator.job_ids[0]], DrsJobStateError)
    _refuse(emulator, "SwitchVip")
    assert hook.switch_over([job_id])[job_id].error_code == "DRS.M00200"
    _refuse(emulator, "ShowSwitchVipStatus")
    assert hook.switch_over([job_id])[job_id].error_code == "DRS.M00200"
    with pytest.raises(DrsConfigError, match="mode"):
        hook.switch_over([job_id], "both")
