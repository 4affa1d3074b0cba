from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_drs import lineage
from airflow_provider_drs.emulator import Emulator
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.operators.drs import (
    DrsBatchPrecheckOperator,
    DrsSelectObjectsOperator,
    DrsStartJobsOperator,
)
from airflow_provider_drs.protocol.comparisons.messages import Order
from airflow_provider_drs.sensors.drs import (
    DrsDataComparisonSensor,
    DrsJobStatusSensor,
    DrsPrecheckSensor,
    DrsReplicationDelaySensor,
)

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")

SOURCE, TARGET = "mysql://192.0.2.10:3306", "mysql://192.0.2.20:3306"


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenLineage is told where to send events to."""
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


def _names(task: Any) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    told = task.get_openlineage_facets_on_complete(None)
    return ([(each.namespace, each.name) for each in ends] for ends in (told.inputs, told.outputs))  # type: ignore[return-value]


def _detail_calls(emulator: Emulator) -> int:
    return len(emulator.journal("BatchListJobDetails"))


@pytest.mark.usefixtures("wanted")
def test_a_start_tells_where_the_data_goes(context: dict[str, Any], passed: list[str]) -> None:
    """From the source to the destination."""
    start = DrsStartJobsOperator(task_id="s", job_ids=passed)

    start.execute(context)

    inputs, outputs = _names(start)
    assert (inputs, outputs) == ([(SOURCE, "*")], [(TARGET, "*")])


@pytest.mark.usefixtures("wanted")
def test_what_was_not_started_moves_nothing(emulator: Emulator, context: dict[str, Any]) -> None:
    """A refused start has no lineage; OpenLineage is told of the failure alone."""
    start = DrsStartJobsOperator(task_id="s", job_ids=emulator.job_ids[:1])

    with pytest.raises(AirflowFailException):
        start.execute(context)

    assert start.get_openlineage_facets_on_complete(None) is None


@pytest.mark.usefixtures("wanted")
def test_selected_objects_are_told_by_name(emulator: Emulator, context: dict[str, Any]) -> None:
    """Under the name that each end has for them."""
    task = DrsSelectObjectsOperator(
        task_id="o", job_ids=emulator.job_ids[:1], objects={"shop.orders": "orders_new"}
    )

    task.execute(context)

    inputs, outputs = _names(task)
    assert (inputs, outputs) == ([(SOURCE, "shop.orders")], [(TARGET, "shop.orders_new")])


@pytest.mark.usefixtures("wanted")
def test_waits_for_data_tell_that_it_goes_on(emulator: Emulator, context: dict[str, Any]) -> None:
    """A wait for a job that is to be created has no data to tell of."""
    job_id = emulator.seed_job(status="INCRE_TRANSFER_STARTED")
    idle = emulator.job_ids[0]
    waits = {
        True: [
            DrsJobStatusSensor(task_id="a", job_ids=[job_id], target_statuses="INCRE_TRANSFER_STARTED"),
            DrsReplicationDelaySensor(task_id="b", job_ids=[job_id], max_delay_s=1e9, consecutive=1),
        ],
        False: [DrsJobStatusSensor(task_id="c", job_ids=[idle], target_statuses="CONFIGURATION")],
    }

    for tells, sensors in waits.items():
        for sensor in sensors:
            sensor.execute(context)
            assert (sensor.get_openlineage_facets_on_complete(None) is not None) is tells


@pytest.mark.usefixtures("wanted")
@pytest.mark.parametrize("kind", ["sensor", "operator"])
def test_a_failed_pre_check_is_told(emulator: Emulator, context: dict[str, Any], kind: str) -> None:
    """By the sensor, and by the operator that waits itself; after a deferral as well."""
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "fail", items=["srcBinlogFormatCheck"], duration_s=0)
    with DrsHook() as hook:
        hook.precheck_jobs([job_id])
    task: Any = DrsPrecheckSensor(task_id="w", job_ids=[job_id])
    if kind == "operator":
        task = DrsBatchPrecheckOperator(
            task_id="p", job_ids=[job_id], wait_for_completion=True, settle_time=0.1
        )

    with pytest.raises(AirflowFailException):
        task.execute(context)

    (source, _target) = task.get_openlineage_facets_on_complete(None).inputs
    said = source.inputFacets["dataQualityAssertions"].assertions
    assert {each.assertion: each.success for each in said} == {
        "drs_precheck": False,
        "srcBinlogFormatCheck": False,
    }


@pytest.mark.usefixtures("wanted")
@pytest.mark.parametrize("differences", [[], ["shop.orders"]])
def test_a_comparison_is_told(
    emulator: Emulator,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    differences: list[str],
) -> None:
    """Of both ends the verdict; of a table that differs its difference, and how many rows it has."""
    monkeypatch.setattr("time.sleep", lambda _: emulator.advance(11))
    job_id = emulator.seed_job(
        status="INCRE_TRANSFER_STARTED",
        db_use_type="cloudDataGuard",
        engine_type="cloudDataGuard-mysql",
        differences=differences,
    )
    with DrsHook() as hook:
        made = hook.create_comparisons([job_id], Order(data="lines", tables={"shop": []}))
    task = DrsDataComparisonSensor(task_id="c", comparisons=[made[job_id].to_dict()], poke_interval=0.01)

    if differences:
        with pytest.raises(AirflowFailException):
            task.execute(context)
    else:
        task.execute(context)

    told = {
        (each.namespace, each.name): each.inputFacets
        for each in task.get_openlineage_facets_on_complete(None).inputs
    }
    verdicts = {place: facets["dataQualityAssertions"].assertions[0] for place, facets in told.items()}
    assert {verdicts[end, "*"].success for end in (SOURCE, TARGET)} == {not differences}
    assert {name for _, name in told} == ({"*", "shop.*", "shop.orders"} if differences else {"*"})
    if differences:
        assert verdicts[SOURCE, "shop.orders"].assertion == "drs_comparison_lines"
        rows = [told[end, "shop.orders"]["dataQualityMetrics"].rowCount for end in (SOURCE, TARGET)]
        assert rows[0] - rows[1] == 1


def test_without_openlineage_it_costs_nothing(
    emulator: Emulator, context: dict[str, Any], passed: list[str]
) -> None:
    """No call, and nothing to tell: it is installed here, and not told where to send events to."""
    sensor = DrsPrecheckSensor(task_id="w", job_ids=passed)

    sensor.execute(context)

    assert not lineage.is_wanted()
    assert sensor.get_openlineage_facets_on_complete(None) is None
    assert _detail_calls(emulator) == 0


def test_an_environment_without_it_wants_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The import fails, and nothing else."""
    monkeypatch.setitem(__import__("sys").modules, "airflow.providers.openlineage.conf", None)

    assert not lineage.is_wanted()


@pytest.mark.usefixtures("wanted")
def test_with_it_a_wait_costs_one_call_more(
    emulator: Emulator, context: dict[str, Any], passed: list[str]
) -> None:
    """For the jobs' details, however many jobs fit into a call."""
    DrsPrecheckSensor(task_id="w", job_ids=passed).execute(context)

    assert _detail_calls(emulator) == 1


@pytest.mark.usefixtures("wanted")
@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 503}, {"kind": "no_permission"}, {"kind": "wrong_shape"}]
)
def test_what_cannot_be_found_out_fails_nothing(
    emulator: Emulator,
    context: dict[str, Any],
    passed: list[str],
    fault: dict[str, Any],
    told: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The verdict stands; the log says what is missing."""
    monkeypatch.setattr(lineage, "LONGEST_S", 0.05)
    emulator.inject(operation="BatchListJobDetails", times=1000, **fault)
    sensor = DrsPrecheckSensor(task_id="w", job_ids=passed)

    assert sensor.execute(context) == passed

    assert sensor.get_openlineage_facets_on_complete(None) is None
    assert any("No lineage for these jobs" in line for line in told())


@pytest.mark.usefixtures("wanted")
def test_a_service_that_hangs_holds_nothing_up(
    emulator: Emulator, context: dict[str, Any], passed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a few seconds, whatever the connection says that a call may take."""
    monkeypatch.setattr(lineage, "LONGEST_S", 0.2)
    emulator.inject("hang", operation="BatchListJobDetails", times=1000)
    sensor = DrsPrecheckSensor(task_id="w", job_ids=passed)

    assert sensor.execute(context) == passed
    assert sensor.get_openlineage_facets_on_complete(None) is None
    assert lineage.LONGEST_S < 10


@pytest.mark.usefixtures("wanted")
def test_secrets_that_the_service_echoes_are_not_told(emulator: Emulator, context: dict[str, Any]) -> None:
    """Only what a dataset is called leaves the task."""
    from openlineage.client.serde import Serde

    job_id = emulator.seed_job(status="INCRE_TRANSFER_STARTED", echo_secrets=True)
    sensor = DrsReplicationDelaySensor(task_id="b", job_ids=[job_id], max_delay_s=1e9, consecutive=1)

    sensor.execute(context)

    told = sensor.get_openlineage_facets_on_complete(None)
    text = json.dumps([json.loads(Serde.to_json(each)) for each in [*told.inputs, *told.outputs]])
    assert SOURCE in text
    assert "emulated" not in text
    assert "root" not in text
