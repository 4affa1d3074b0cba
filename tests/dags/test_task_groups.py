"""Task groups: the documented order; parts omitted, replaced and mapped."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_drs.operators.drs import DrsListJobsOperator
from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.task_groups.drs import (
    drs_disaster_recovery,
    drs_edit_objects,
    drs_migration,
    drs_synchronization,
)

JOB = {"name": "orders", "db_use_type": "migration", "engine_type": "mysql", "subnet_id": "5c6bbb05"}
SYNC_JOB = {**JOB, "db_use_type": "sync"}
DR_JOB = {**JOB, "db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql"}
PAIR = {**DR_JOB, "multi_write": True}
ENDS = {"source_conn_id": "there", "target_conn_id": "here"}
START = ["precheck", "wait_until_passed", "start", "full_copy", "caught_up"]
READY = ["create", "test_connections", "configure"]


def _lay_out(group: Any, *arguments: Any, **options: Any) -> list[str]:
    """Return the tasks of a group in order, without the group's name."""
    with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as dag:
        group(*arguments, **options)
    tasks = {task.task_id: task for task in dag.tasks}
    order: list[str] = []
    while len(order) < len(tasks):
        order += [
            name for name, task in tasks.items() if name not in order and task.upstream_task_ids <= {*order}
        ]
    return [name.rpartition(".")[2] for name in order]


def test_migration_has_the_documented_parts() -> None:
    middle = ["select_objects", "compare_parameters"]

    assert _lay_out(drs_migration, JOB, **ENDS) == READY + middle + START
    assert _lay_out(drs_migration, JOB, **ENDS, until="delete")[-2:] == ["stop", "delete"]


def test_cluster_migration_compares_no_parameters() -> None:
    assert _lay_out(drs_migration, JOB, **ENDS, cluster_mode=True) == [*READY, "select_objects", *START]


def test_synchronization_has_policies_and_rules() -> None:
    rules = [{"tables": ["shop.orders"], "where": "id > 5"}]

    assert _lay_out(drs_synchronization, SYNC_JOB, **ENDS) == [*READY, "select_objects", *START]
    assert _lay_out(drs_synchronization, SYNC_JOB, **ENDS, policies={"ddl_trans": True}, rules=rules) == [
        *READY,
        "select_objects",
        "set_policies",
        "transform",
        *START,
    ]


def test_edit_of_objects_can_omit_the_selection() -> None:
    parts = ["select_objects", "precheck", "wait_until_passed", "restart"]

    assert _lay_out(drs_edit_objects, ["a"], objects=["shop"]) == parts
    assert _lay_out(drs_edit_objects, ["a"], objects=None, replace={"select_objects": None}) == parts[1:]


def test_disaster_recovery_in_one_or_both_directions() -> None:
    back = ["backward_test_connections", "backward_configure", "backward_start", "backward_caught_up"]

    assert _lay_out(drs_disaster_recovery, DR_JOB, **ENDS, until="delete") == [
        *READY,
        *START,
        "stop",
        "delete",
    ]
    assert _lay_out(drs_disaster_recovery, PAIR, **ENDS, dual_active=True, until="delete") == [
        *READY,
        *START,
        *back,
        "stop",
        "delete",
    ]
    assert _lay_out(drs_disaster_recovery, PAIR, **ENDS, dual_active=True) == [*READY, *START, *back]


@pytest.mark.parametrize(
    ("group", "jobs", "options", "text"),
    [
        (drs_disaster_recovery, "pair", {}, "multi_write True, but dual_active is False"),
        (drs_disaster_recovery, "job", {"dual_active": True}, "multi_write False, but dual_active is True"),
        (drs_disaster_recovery, "pair", {"dual_active": "no"}, "dual_active is 'no': expected True or False"),
        (drs_migration, "migration", {"until": None}, "until: None is unknown"),
        (drs_synchronization, "sync", {"policies": "overwrite"}, "policies is 'overwrite'"),
        (drs_migration, "mixed", {}, r"jobs\[1\] is 'x': expected a mapping"),
    ],
)
def test_invalid_arguments_are_named(group: Any, jobs: str, options: dict[str, Any], text: str) -> None:
    sync = {**JOB, "db_use_type": "sync"}
    given = {"pair": PAIR, "job": DR_JOB, "migration": JOB, "sync": sync, "mixed": [JOB, "x"]}[jobs]
    with pytest.raises((ValueError, DrsConfigError), match=text):
        _lay_out(group, given, **ENDS, **options)


def test_parts_can_be_omitted_or_replaced() -> None:
    replace = {
        "create": lambda _: DrsListJobsOperator(task_id="find", db_use_type="migration"),
        "compare_parameters": None,
    }

    assert _lay_out(drs_migration, JOB, **ENDS, replace=replace, until="configure") == ["find", *READY[1:]]


def test_part_can_be_a_decorated_function() -> None:
    @task
    def ask_a_person(job_ids: list[str]) -> list[str]:
        return job_ids

    replace = {"precheck": None, "wait_until_passed": ask_a_person}

    order = _lay_out(drs_migration, JOB, **ENDS, replace=replace, until="start")

    assert order[-2:] == ["ask_a_person", "start"]


@pytest.mark.parametrize("name", ["create", "backward_test_connections", "stop"])
def test_replaced_part_gets_the_ids_of_its_pair(name: str) -> None:
    found: list[Any] = []

    def make(ids: Any) -> DrsListJobsOperator:
        found.append(ids)
        return DrsListJobsOperator(task_id=f"my_{name}", db_use_type="cloudDataGuard")

    options = {**ENDS, "dual_active": True, "until": "delete"}
    order = _lay_out(drs_disaster_recovery, PAIR, **options, replace={name: make})

    assert len(order) == 14
    assert name not in order
    keys = {"backward_test_connections": "backward_job_ids", "stop": "parent_job_ids"}
    assert [getattr(ids, "key", ids) for ids in found] == [keys.get(name, PAIR)]


def test_omitted_part_does_not_mix_up_jobs() -> None:
    replace = {"backward_test_connections": None}
    with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as dag:
        drs_disaster_recovery(PAIR, **ENDS, dual_active=True, replace=replace, until="backward_configure")

    configure = dag.get_task("disaster_recovery.backward_configure")
    assert configure.job_ids.key == "backward_job_ids"
    assert configure.upstream_task_ids == {"disaster_recovery.create", "disaster_recovery.caught_up"}
    with pytest.raises(ValueError, match="'create' cannot be None"):
        _lay_out(drs_disaster_recovery, PAIR, **ENDS, dual_active=True, replace={"create": None})


@pytest.mark.parametrize("options", [{"until": "dawn"}, {"replace": {"dawn": None}}])
def test_unknown_part_is_rejected(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="dawn is unknown: expected one of create"):
        _lay_out(drs_migration, JOB, **ENDS, **options)


def test_group_can_be_mapped() -> None:
    assert _lay_out(drs_migration.partial(**ENDS).expand, jobs=[JOB, {**JOB, "name": "billing"}]) == [
        *READY,
        "select_objects",
        "compare_parameters",
        *START,
    ]


@pytest.mark.parametrize(
    ("group", "use"),
    [(drs_migration, "sync"), (drs_synchronization, "migration"), (drs_disaster_recovery, "sync")],
)
def test_jobs_of_another_kind_are_rejected(group: Any, use: str) -> None:
    with pytest.raises(
        ValueError, match=f"'orders' has db_use_type '{use}', but {group.function.__name__} is for"
    ):
        _lay_out(group, [{**JOB, "db_use_type": use}], **ENDS)


@pytest.mark.parametrize(("part", "text"), [(5, "is 5: expected a function"), (lambda ids: 1, "returned 1")])
def test_invalid_replacement_is_named(part: Any, text: str) -> None:
    with pytest.raises(ValueError, match=rf"replace\['precheck'\] {text}"):
        _lay_out(drs_migration, JOB, **ENDS, replace={"precheck": part})


def test_alarms_apply_to_the_precheck_and_the_start() -> None:
    with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as dag:
        drs_migration(JOB, **ENDS, alarms=["srcTriggerAndEventCheck"])

    parts = ("precheck", "wait_until_passed", "start")
    assert all(dag.get_task(f"migration.{name}").alarms == ["srcTriggerAndEventCheck"] for name in parts)
