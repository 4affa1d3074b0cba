from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from drs_emulator import Emulator

from airflow_provider_drs import lineage
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.operators.drs import (
    DrsBatchPrecheckOperator,
    DrsSelectObjectsOperator,
    DrsStartJobsOperator,
)
from airflow_provider_drs.protocol.comparisons.messages import ComparisonSpec
from airflow_provider_drs.sensors.drs import (
    DrsDataComparisonSensor,
    DrsJobStatusSensor,
    DrsPrecheckSensor,
    DrsReplicationDelaySensor,
)

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")

SOURCE, TARGET = "mysql://192.0.2.10:3306", "mysql://192.0.2.20:3306"


@pytest.fixture
def openlineage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable OpenLineage, which is installed but not configured."""
    from airflow.providers.openlineage import conf

    monkeypatch.setattr(conf, "is_disabled", lambda: False)


@pytest.fixture
def passed(emulator: Emulator, connect: Any) -> list[str]:
    """Return two jobs whose pre-check has passed."""
    job_ids = list(emulator.job_ids[:2])
    emulator.set_verdict(None, "pass", duration_s=0)
    with DrsHook() as hook:
        hook.precheck_jobs(job_ids)
    emulator.clear_journal()
    return job_ids


def _facets(task: Any) -> Any:
    return task.get_openlineage_facets_on_complete(None)


def _names(task: Any) -> list[list[tuple[str, str]]]:
    """Return namespace and name of the inputs and of the outputs."""
    facets = _facets(task)
    return [[(row.namespace, row.name) for row in rows] for rows in (facets.inputs, facets.outputs)]


@pytest.mark.usefixtures("openlineage")
def test_start_moves_data_from_source_to_destination(context: dict[str, Any], passed: list[str]) -> None:
    start = DrsStartJobsOperator(task_id="s", job_ids=passed)

    start.execute(context)

    assert _names(start) == [[(SOURCE, "*")], [(TARGET, "*")]]


@pytest.mark.usefixtures("openlineage")
def test_refused_start_has_no_lineage(emulator: Emulator, context: dict[str, Any]) -> None:
    start = DrsStartJobsOperator(task_id="s", job_ids=emulator.job_ids[:1])

    with pytest.raises(AirflowFailException):
        start.execute(context)

    assert _facets(start) is None


@pytest.mark.usefixtures("openlineage")
def test_selected_objects_are_datasets(emulator: Emulator, context: dict[str, Any]) -> None:
    """With the names of each end."""
    objects = {"shop.orders": "orders_new"}
    task = DrsSelectObjectsOperator(task_id="o", job_ids=emulator.job_ids[:1], objects=objects)

    task.execute(context)

    assert _names(task) == [[(SOURCE, "shop.orders")], [(TARGET, "shop.orders_new")]]


@pytest.mark.usefixtures("openlineage")
def test_waits_for_replication_have_lineage(emulator: Emulator, context: dict[str, Any]) -> None:
    """A wait for the creation of a job does not."""
    job_id = emulator.seed_job(status="INCRE_TRANSFER_STARTED")
    created_id = emulator.job_ids[0]
    sensors = [
        DrsJobStatusSensor(task_id="a", job_ids=[job_id], target_statuses="INCRE_TRANSFER_STARTED"),
        DrsReplicationDelaySensor(task_id="b", job_ids=[job_id], max_delay_s=1e9, consecutive=1),
        DrsJobStatusSensor(task_id="c", job_ids=[created_id], target_statuses="CONFIGURATION"),
    ]

    for sensor in sensors:
        sensor.execute(context)

    assert [_facets(sensor) is not None for sensor in sensors] == [True, True, False]


@pytest.mark.usefixtures("openlineage")
@pytest.mark.parametrize(
    ("task_class", "arguments"),
    [(DrsPrecheckSensor, {}), (DrsBatchPrecheckOperator, {"wait_for_completion": True, "settle_time": 0.1})],
)
def test_failed_precheck_has_assertions(
    emulator: Emulator, context: dict[str, Any], task_class: Any, arguments: dict[str, Any]
) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "fail", items=["srcBinlogFormatCheck"], duration_s=0)
    with DrsHook() as hook:
        hook.precheck_jobs([job_id])
    task = task_class(task_id="p", job_ids=[job_id], **arguments)

    with pytest.raises(AirflowFailException):
        task.execute(context)

    (source, _target) = _facets(task).inputs
    assertions = source.inputFacets["dataQualityAssertions"].assertions
    assert {row.assertion: row.success for row in assertions} == {
        "drs_precheck": False,
        "srcBinlogFormatCheck": False,
    }


@pytest.mark.usefixtures("openlineage")
@pytest.mark.parametrize("differences", [[], ["shop.orders"]])
def test_comparison_has_assertions_and_row_counts(
    emulator: Emulator, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch, differences: list[str]
) -> None:
    """The result for both servers, the difference for the table that differs."""
    monkeypatch.setattr("time.sleep", lambda _: emulator.advance(11))
    job_id = emulator.seed_job(
        status="INCRE_TRANSFER_STARTED",
        db_use_type="cloudDataGuard",
        engine_type="cloudDataGuard-mysql",
        differences=differences,
    )
    with DrsHook() as hook:
        created = hook.create_comparisons([job_id], ComparisonSpec(data="lines", tables={"shop": []}))
    task = DrsDataComparisonSensor(task_id="c", comparisons=[created[job_id].to_dict()], poke_interval=0.01)

    if differences:
        with pytest.raises(AirflowFailException):
            task.execute(context)
    else:
        task.execute(context)

    facets = {(row.namespace, row.name): row.inputFacets for row in _facets(task).inputs}
    first = {place: found["dataQualityAssertions"].assertions[0] for place, found in facets.items()}
    assert {first[end, "*"].success for end in (SOURCE, TARGET)} == {not differences}
    assert {name for _, name in facets} == ({"*", "shop.*", "shop.orders"} if differences else {"*"})
    if differences:
        assert first[SOURCE, "shop.orders"].assertion == "drs_comparison_lines"
        rows = [facets[end, "shop.orders"]["dataQualityMetrics"].rowCount for end in (SOURCE, TARGET)]
        assert rows[0] - rows[1] == 1


@pytest.mark.parametrize(("is_enabled", "calls"), [(False, 0), (True, 1)])
def test_lineage_costs_one_call_if_enabled(
    emulator: Emulator,
    context: dict[str, Any],
    passed: list[str],
    request: pytest.FixtureRequest,
    is_enabled: bool,
    calls: int,
) -> None:
    """It reads the details of all jobs in one batch."""
    if is_enabled:
        request.getfixturevalue("openlineage")
    sensor = DrsPrecheckSensor(task_id="w", job_ids=passed)

    sensor.execute(context)

    assert lineage.is_wanted() is is_enabled
    assert (_facets(sensor) is not None) is is_enabled
    assert len(emulator.journal("BatchListJobDetails")) == calls


def test_lineage_is_disabled_without_openlineage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.conf", None)

    assert not lineage.is_wanted()


@pytest.mark.usefixtures("openlineage")
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503},
        {"kind": "no_permission"},
        {"kind": "wrong_shape"},
        # No response; the read timeout of the connection is 60 seconds.
        {"kind": "hang"},
    ],
)
def test_failed_lineage_does_not_fail_the_task(
    emulator: Emulator,
    context: dict[str, Any],
    passed: list[str],
    fault: dict[str, Any],
    log_lines: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It takes at most a few seconds, and the log has a warning."""
    assert lineage.LONGEST_S < 10
    monkeypatch.setattr(lineage, "LONGEST_S", 0.1)
    emulator.inject(operation="BatchListJobDetails", times=1000, **fault)
    sensor = DrsPrecheckSensor(task_id="w", job_ids=passed)

    assert sensor.execute(context) == passed

    assert _facets(sensor) is None
    assert any("No lineage for these jobs" in line for line in log_lines())


@pytest.mark.usefixtures("openlineage")
def test_lineage_contains_no_secrets(emulator: Emulator, context: dict[str, Any]) -> None:
    """The details of a job can contain passwords."""
    from openlineage.client.serde import Serde

    job_id = emulator.seed_job(status="INCRE_TRANSFER_STARTED", echo_secrets=True)
    sensor = DrsReplicationDelaySensor(task_id="b", job_ids=[job_id], max_delay_s=1e9, consecutive=1)

    sensor.execute(context)

    facets = _facets(sensor)
    text = json.dumps([json.loads(Serde.to_json(row)) for row in [*facets.inputs, *facets.outputs]])
    assert SOURCE in text
    assert "emulated" not in text
    assert "root" not in text
