"""Every operation through both hooks, against the emulator: done, adopted, refused, and lost on the way."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.emulator import Emulator
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


# --- creation
# ----------------------------------------------------------------------------------------------------


def test_a_job_is_created_once_however_often_it_is_asked_for(emulator: Emulator, hook: Any) -> None:
    """The second time it is adopted."""
    first = hook.create_jobs([SPEC])["orders"]
    again = hook.create_jobs(SPEC)["orders"]

    assert (first.adopted, again.adopted, again.job_id) == (False, True, first.job_id)
    assert len(_named(emulator, "orders")) == 1
    assert first.to_dict()["name"] == "orders"


@pytest.mark.parametrize("fault", ["reset_after", "html", "truncated"])
def test_a_lost_answer_leaves_one_job(emulator: Emulator, hook: Any, fault: str) -> None:
    """It is looked up by its name before it would be created again."""
    emulator.inject(fault, operation="BatchCreateJobs")

    created = hook.create_jobs([SPEC, {**SPEC, "name": "orders-2"}])

    assert [each.adopted for each in created.values()] == [True, True]
    assert len(_named(emulator, "orders")) == len(_named(emulator, "orders-2")) == 1


def test_a_creation_that_never_arrived_is_sent_again(emulator: Emulator, hook: Any) -> None:
    """The look-up finds nothing."""
    emulator.inject("reset_before", operation="BatchCreateJobs")

    assert hook.create_jobs([SPEC])["orders"].adopted is False


def test_a_name_that_somebody_took_meanwhile_is_looked_up(emulator: Emulator, hook: Any) -> None:
    """Between our look and our request."""
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
def test_a_name_that_stands_for_something_else_is_an_error(
    emulator: Emulator, hook: Any, seed: dict[str, Any], text: str
) -> None:
    """Another configuration, or a job that has ended."""
    emulator.seed_job(name="orders", **seed)

    answer = hook.create_jobs([SPEC, {**SPEC, "name": "orders-new"}])

    assert type(answer["orders"]) is DrsRequestError
    assert text in str(answer["orders"])
    assert answer["orders-new"].status == "CREATING"


def test_the_jobs_of_a_pair_are_told_apart(emulator: Emulator, hook: Any) -> None:
    """Forward and backward, also when the pair is adopted."""
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
def test_jobs_that_cannot_be_created_are_refused_before_anything_is_sent(
    emulator: Emulator, hook: Any, jobs: Any
) -> None:
    """None, two of one name, incomplete ones."""
    with pytest.raises(DrsConfigError, match="jobs"):
        hook.create_jobs(jobs)

    assert emulator.journal() == []


def test_a_job_that_vanishes_between_two_reads_is_an_error(emulator: Emulator, hook: Any) -> None:
    """It was listed, and has no details."""
    job_id = emulator.seed_job(name="orders")
    emulator.inject("job_error", operation="BatchListJobDetails", job_id=job_id, code="DRS.M00289")

    assert isinstance(hook.create_jobs([SPEC])["orders"], DrsJobNotFoundError)


# --- configuration
# -----------------------------------------------------------------------------------------------


def test_both_ends_are_tested_in_a_call_each(emulator: Emulator, hook: Any) -> None:
    """And a destination only where the source can be reached."""
    good, bad = emulator.job_ids[:2]
    emulator.set_job(bad, unreachable=["so"])

    answers = hook.validate_connections([good, bad], source=SOURCE, target=TARGET)

    assert answers[good].adopted is False
    assert answers[bad].error_code == "DRS.KE0002"
    assert [entry["job_ids"] for entry in emulator.journal("BatchValidateConnections")] == [
        [good, bad],
        [good],
    ]
    assert SECRET not in str(emulator.journal()) + str(answers)


def test_no_destination_is_tested_when_no_source_passes(emulator: Emulator, hook: Any) -> None:
    """There is nobody left to ask for."""
    job_id = emulator.job_ids[0]
    emulator.set_job(job_id, unreachable=["so"])

    hook.validate_connections([job_id], source=SOURCE, target=TARGET)

    assert len(emulator.journal("BatchValidateConnections")) == 1


def test_connections_without_an_endpoint_are_refused(hook: Any) -> None:
    """There is nothing to test."""
    with pytest.raises(DrsConfigError, match="source, target"):
        hook.validate_connections(["a"])
    with pytest.raises(DrsConfigError, match="changes"):
        hook.modify_jobs(["a"])


def test_a_cluster_is_tested_at_once(emulator: Emulator, hook: Any) -> None:
    """By its parent; a subtask is refused before anything is sent."""
    parent = emulator.seed_job(engine_type="mongodb", node_num=2)
    child = next(job["id"] for job in emulator.jobs if job["parent_id"] == parent)
    end = Endpoint("a:1,b:2", None, "root", SECRET)

    answers = hook.validate_cluster_connections([parent, child], source=end, target=end, shards=[end])

    assert answers[parent].adopted is False
    assert isinstance(answers[child], DrsJobStateError)
    assert SECRET not in str(emulator.journal())


def test_databases_are_saved_and_settings_shown(emulator: Emulator, hook: Any) -> None:
    """What was set is what the details show; a password is not."""
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


def test_a_running_job_can_be_renamed_and_is_configured_already(emulator: Emulator, hook: Any) -> None:
    """A change of its name is sent; its databases are left as they are."""
    job_id = emulator.seed_job(**REPLICATING)

    assert hook.modify_jobs([job_id], {"name": "new-name"})[job_id].adopted is False
    assert hook.modify_jobs([job_id], source=SOURCE)[job_id].status == "INCRE_TRANSFER_STARTED"
    assert _details(hook, job_id)["name"] == "new-name"


def test_a_mongodb_job_says_nothing_of_definers(emulator: Emulator, hook: Any) -> None:
    """They are MySQL's."""
    job_id = emulator.seed_job(engine_type="mongodb")
    end = Endpoint("a:1", None, "root", SECRET)

    assert hook.modify_jobs([job_id], source=end)[job_id].adopted is False
    assert isinstance(hook.set_definers([job_id])[job_id], DrsJobStateError)


def test_synchronization_has_policies_and_rules(emulator: Emulator, hook: Any) -> None:
    """A rule that exists already is adopted; a job that is refused holds back no other."""
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
    for bad in ([], {"where": "x"}):
        with pytest.raises(DrsConfigError, match="rules"):
            hook.transform_data([sync], bad)


def test_parameters_are_compared_and_changed(emulator: Emulator, hook: Any) -> None:
    """Only what differs is sent, by groups; the source's value is taken where none is given."""
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
    assert before[job_id].to_dict()["compared"] == 6
    assert isinstance(list(before.values())[1], DrsJobStateError)
    assert changed.details == {"changed": ["max_connections", "binlog_cache_size"], "should_restart": False}
    assert (again.adopted, restart.details["should_restart"]) == (True, True)
    assert [each.key for each in hook.compare_parameters([job_id], refresh=False)[job_id].differences] == []


def test_parameters_that_cannot_be_changed_are_refused(emulator: Emulator, hook: Any) -> None:
    """Unknown here, or out of range there."""
    job_id, other = emulator.job_ids[0], emulator.seed_job(engine_type="mongodb")

    assert "no parameter colour" in str(hook.modify_parameters([job_id], {"colour": 1})[job_id])
    assert hook.modify_parameters([job_id], {"max_connections": 1})[job_id].error_code == "DRS.M00202"
    assert isinstance(hook.modify_parameters([other], {"max_connections": 1})[other], DrsJobStateError)
    emulator.inject("no_permission", operation="BatchShowParams", times=None)
    with pytest.raises(DrsError, match=r"DRS\.M00103"):
        hook.modify_parameters([job_id], {"max_connections": 2000})
    with pytest.raises(DrsConfigError, match="values"):
        hook.modify_parameters([job_id], {})


def test_parameters_that_one_job_is_refused_stand_at_that_job(emulator: Emulator, hook: Any) -> None:
    """The service refuses the whole request, which is about one job."""
    job_id = emulator.job_ids[0]
    _refuse(emulator, "BatchShowParams", times=None)

    assert hook.compare_parameters([job_id])[job_id].error_code == "DRS.M00200"
    assert hook.modify_parameters([job_id], {"max_connections": 2000})[job_id].error_code == "DRS.M00200"


# --- life
# --------------------------------------------------------------------------------------------------------


def test_a_job_is_paused_and_resumed(emulator: Emulator, hook: Any) -> None:
    """Both are adopted the second time."""
    job_id = emulator.seed_job(**REPLICATING)

    assert [hook.pause_jobs([job_id], "all")[job_id].adopted for _ in range(2)] == [False, True]
    assert [hook.retry_jobs([job_id], True)[job_id].adopted for _ in range(2)] == [False, True]
    assert len(emulator.journal("BatchStopJobs")) == len(emulator.journal("BatchRestoreTask")) == 1
    with pytest.raises(DrsConfigError, match="pause_mode"):
        hook.pause_jobs([job_id], "later")


@pytest.mark.parametrize("operation", ["BatchStopJobs", "BatchRestoreTask", "BatchDeleteJobs"])
def test_a_lost_answer_is_not_followed_by_a_second_request(
    emulator: Emulator, hook: Any, operation: str
) -> None:
    """The status says that it was done."""
    job_id = emulator.seed_job(status="PAUSING" if operation == "BatchRestoreTask" else REPLICATING["status"])
    emulator.inject("reset_after", operation=operation)
    method = {
        "BatchStopJobs": hook.pause_jobs,
        "BatchRestoreTask": hook.retry_jobs,
        "BatchDeleteJobs": hook.stop_jobs,
    }[operation]

    assert method([job_id])[job_id].adopted is True
    assert len(emulator.journal(operation)) == 1


def test_a_failed_job_is_retried(emulator: Emulator, hook: Any) -> None:
    """And goes on where it was."""
    job_id = emulator.seed_job(status="FULL_TRANSFER_FAILED")

    assert hook.retry_jobs([job_id])[job_id].adopted is False
    assert hook.get_job_statuses([job_id])[job_id].status == "FULL_TRANSFER_STARTED"


def test_jobs_are_stopped_and_deleted_once(emulator: Emulator, hook: Any) -> None:
    """What is stopped, or gone, counts as stopped, or deleted, and says so."""
    job_id = emulator.seed_job(**REPLICATING)

    assert isinstance(hook.delete_jobs([job_id])[job_id], DrsJobStateError)
    stopped = [hook.stop_jobs([job_id], force=True)[job_id] for _ in range(2)]
    emulator.advance(30)
    deleted = [hook.delete_jobs([job_id])[job_id] for _ in range(2)]

    assert [each.adopted for each in stopped] == [False, True]
    assert [each.to_dict() for each in deleted] == [
        {"job_id": job_id, "adopted": False, "status": None},
        {"job_id": job_id, "adopted": True, "status": "gone"},
    ]
    assert hook.stop_jobs([UNKNOWN])[UNKNOWN].status == "gone"


def test_a_deletion_whose_answer_is_lost_is_done(emulator: Emulator, hook: Any) -> None:
    """The job is not there any more."""
    job_id = emulator.seed_job(status="RELEASE_RESOURCE_COMPLETE")
    emulator.inject("reset_after", operation="BatchDeleteJobs")

    assert hook.delete_jobs([job_id])[job_id].status == "gone"


def test_a_status_that_changed_under_our_hands_is_read_again(emulator: Emulator, hook: Any) -> None:
    """DRS refuses what we had found allowed; the error says where the job stands."""
    job_id = emulator.seed_job(**REPLICATING)
    emulator.inject("job_error", operation="BatchStopJobs", job_id=job_id, code="DRS.M00304")

    answer = hook.pause_jobs([job_id])[job_id]

    assert isinstance(answer, DrsJobStateError)
    assert "INCRE_TRANSFER_STARTED" in str(answer)


def test_new_passwords_reach_both_ends(emulator: Emulator, hook: Any) -> None:
    """One end a call, and never a log."""
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


def test_a_password_that_is_missing_is_named_and_nothing_is_sent(emulator: Emulator, hook: Any) -> None:
    """One for each job means one for each job."""
    jobs = [emulator.seed_job(**REPLICATING) for _ in range(2)]

    with pytest.raises(DrsConfigError, match=f"target_password has no entry for job {jobs[1]}"):
        hook.change_passwords(jobs, target_password={jobs[0]: SECRET})

    assert emulator.journal("BatchResetPassword") == []


def test_jobs_are_listed_by_kind_and_name(emulator: Emulator, hook: Any) -> None:
    """With their children, as plain values for an XCom."""
    parent = emulator.seed_job(engine_type="mongodb", node_num=2, name="catalogue")

    (found,) = hook.list_jobs("migration", name="catalogue", tags=[])

    assert (found.job_id, len(found.children), found.phase.value) == (parent, 2, "configuring")
    assert found.to_dict()["children"][0]["job_id"] == found.children[0].job_id
    assert len(hook.list_jobs("migration")) == 11
    with pytest.raises(DrsConfigError, match="db_use_type"):
        hook.list_jobs("copy")


def test_an_action_that_there_is_not_is_refused(hook: Any) -> None:
    """The text lists those that there are."""
    with pytest.raises(DrsConfigError, match="pause"):
        hook.review_jobs(["a"], "paint")


def test_a_backward_job_is_reviewed_by_its_forward_one(emulator: Emulator, hook: Any) -> None:
    """Its status, and for a start its delay, too."""
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


# --- comparisons and switch-overs
# ---------------------------------------------------------------------------------


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
def test_consistent_data_is_found_so(emulator: Emulator, hook: Any, data: str) -> None:
    """Objects and data, and nothing differs."""
    made, watch = _compare(emulator, hook, ComparisonSpec(data=data, tables={"shop": ["orders"]}))

    assert set(made.task_ids) == {"objects", data}
    assert (watch.is_done, watch.failures) == (True, {})
    assert watch.results[0]["is_consistent"] is True
    assert ComparisonWatch.from_dict(watch.to_dict()).failures == {}


@pytest.mark.parametrize("data", ["lines", "contents"])
def test_a_difference_is_named(emulator: Emulator, hook: Any, data: str) -> None:
    """With the table, and how many rows there are."""
    spec = ComparisonSpec(objects=False, data=data, tables={"shop": []})
    _, watch = _compare(emulator, hook, spec, differences=["shop.orders"])

    (error,) = watch.failures.values()
    assert "shop.orders INCONSISTENT (1200 and 1199)" in str(error)
    assert any(each.get("source_table_name") == "orders" for each in watch.results[0]["differences"])


def test_missing_objects_are_a_difference(emulator: Emulator, hook: Any) -> None:
    """Without any comparison of data."""
    _, watch = _compare(emulator, hook, ComparisonSpec(), differences=["shop.orders"])

    assert "TABLE INCONSISTENT (2 and 1)" in str(next(iter(watch.failures.values())))


def test_many_databases_are_read_page_by_page(emulator: Emulator, hook: Any) -> None:
    """A difference on the second page is not lost."""
    databases = {f"db{n:03}": {"t": 1} for n in range(120)}
    spec = ComparisonSpec(objects=False, data="lines", tables=dict.fromkeys(databases, ()))

    _, watch = _compare(emulator, hook, spec, databases=databases, differences=["db110.t"])

    assert watch.results[0]["compared"] == 120
    assert "db110.t" in str(next(iter(watch.failures.values())))


def test_a_comparison_that_runs_is_adopted_by_whoever_may_have_ordered_it(
    emulator: Emulator, hook: Any
) -> None:
    """One that has ended is not; the data may have changed since."""
    job_id = emulator.seed_job(**DR, **REPLICATING)
    spec = ComparisonSpec(data="lines", tables={"shop": ["orders"]})

    first, second = (hook.create_comparisons([job_id], spec, adopt_running=True)[job_id] for _ in range(2))
    emulator.advance(11)
    third = hook.create_comparisons([job_id], spec, adopt_running=True)[job_id]

    assert (second.adopted, second.task_ids) == (True, first.task_ids)
    assert (third.adopted, third.task_ids == first.task_ids) == (False, False)


def test_a_comparison_of_other_tables_is_not_taken_for_ours(emulator: Emulator, hook: Any) -> None:
    """It would call consistent what nobody has compared; one of objects is always one of all of them."""
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
def test_a_lost_order_is_looked_for_before_it_is_sent_again(
    emulator: Emulator, hook: Any, fault: str, calls: int
) -> None:
    """In the list of comparisons."""
    job_id = emulator.seed_job(**DR, **REPLICATING)
    emulator.inject(fault, operation="CreateCompareTask")

    assert hook.create_comparisons([job_id], ComparisonSpec())[job_id].task_ids
    assert len(emulator.journal("CreateCompareTask")) == calls


def test_another_comparison_of_data_is_kept_or_cancelled(emulator: Emulator, hook: Any) -> None:
    """Depending on conflict_policy; a canceled comparison is not consistent."""
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
    assert "lines CANCELLED" in str(watch.failures[job_id])


def test_a_job_that_cannot_be_compared_says_so(emulator: Emulator, hook: Any) -> None:
    """Another kind of job, an unknown one, a comparison that there is not."""
    job_id = emulator.seed_job(**DR, **REPLICATING)
    answers = hook.create_comparisons([emulator.job_ids[0], UNKNOWN], ComparisonSpec())
    assert [type(each) for each in answers.values()] == [DrsJobStateError, DrsJobNotFoundError]

    lost = Comparison(job_id, {"lines": "00000000-0000-0000-0000-000000000000"})
    assert isinstance(hook.get_comparisons([lost.to_dict()])[job_id], DrsJobNotFoundError)
    _refuse(emulator, "ListCompareResult", times=None)
    assert hook.create_comparisons([job_id], ComparisonSpec())[job_id].error_code == "DRS.M00200"


def test_an_order_that_stays_lost_is_an_error(emulator: Emulator, hook: Any, connect: Any) -> None:
    """Neither sent nor found, within the time that there is."""
    connect({"retry_timeout": 1})
    job_id = emulator.seed_job(**DR, **REPLICATING)
    emulator.inject("reset_before", operation="CreateCompareTask", times=None)
    _refuse(emulator, "ListCompareResult", times=None, after=1)

    assert isinstance(hook.create_comparisons([job_id], ComparisonSpec())[job_id], DrsError)


def test_a_switch_over_is_watched_to_its_end(emulator: Emulator, hook: Any) -> None:
    """One that runs is adopted; one that is complete only if wanted."""
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


def test_a_failed_switch_over_is_a_failure(emulator: Emulator, hook: Any) -> None:
    """With what to look at."""
    job_id = emulator.seed_job(db_use_type="sync", switch_fails=True, **REPLICATING)
    hook.switch_over([job_id])
    emulator.advance(6)
    watch = SwitchOverWatch([job_id])

    hook.poll(watch)

    assert FAILED in str(watch.failures[job_id])


def test_a_switch_over_whose_answer_is_lost_is_not_sent_again(emulator: Emulator, hook: Any) -> None:
    """A second one would undo the first; where nobody can tell, the error says so."""
    job_id = emulator.seed_job(db_use_type="sync", **REPLICATING)
    emulator.inject("reset_after", operation="SwitchVip")
    assert hook.switch_over([job_id])[job_id].status == STARTED
    emulator.advance(6)

    emulator.inject("reset_before", operation="SwitchVip")
    answer = hook.switch_over([job_id])[job_id]

    assert "the outcome of the switchover is unknown" in str(answer)
    assert len(emulator.journal("SwitchVip")) == 2


def test_a_first_switch_over_that_never_arrived_is_sent_again(emulator: Emulator, hook: Any) -> None:
    """There was none before, and there is none now."""
    job_id = emulator.seed_job(db_use_type="sync", **REPLICATING)
    emulator.inject("reset_before", operation="SwitchVip")

    assert hook.switch_over([job_id])[job_id].status == STARTED


def test_an_instance_of_the_cloud_is_not_switched_over(emulator: Emulator, hook: Any) -> None:
    """Only self-built databases have virtual IP addresses; the emulator says so, too."""
    place = {"target_endpoint": {"region": "eu-de", "inst_id": "in01"}}
    made = hook.create_jobs([{**SPEC, "db_use_type": "sync", "engine_type": "mysql", **place}])["orders"]
    emulator.set_job(made.job_id, **REPLICATING)

    answer = hook.switch_over([made.job_id])[made.job_id]

    assert "its database in01 is a cloud instance" in str(answer)
    assert emulator.journal("SwitchVip") == []
    assert hook.get_switch_overs([made.job_id])[made.job_id].error_code == "DRS.M00300"


def test_a_part_of_a_job_across_zones_is_not_switched_over(emulator: Emulator, hook: Any) -> None:
    """Its parent is; the emulator says so, too."""
    parent = emulator.seed_job(db_use_type="sync", **REPLICATING)
    part = emulator.seed_job(db_use_type="sync", parent_id=parent, **REPLICATING)

    assert f"Use its parent, {parent}" in str(hook.switch_over([part])[part])
    assert hook.get_switch_overs([part])[part].error_code == "DRS.M00308"


def test_a_job_that_cannot_be_switched_over_says_so(emulator: Emulator, hook: Any) -> None:
    """Another kind, a refusal, a mode that there is not."""
    job_id = emulator.seed_job(db_use_type="sync", **REPLICATING)
    assert isinstance(hook.switch_over([emulator.job_ids[0]])[emulator.job_ids[0]], DrsJobStateError)
    _refuse(emulator, "SwitchVip")
    assert hook.switch_over([job_id])[job_id].error_code == "DRS.M00200"
    _refuse(emulator, "ShowSwitchVipStatus")
    assert hook.switch_over([job_id])[job_id].error_code == "DRS.M00200"
    with pytest.raises(DrsConfigError, match="mode"):
        hook.switch_over([job_id], "both")
