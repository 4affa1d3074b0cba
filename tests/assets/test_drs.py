from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias, TaskDeferred

from airflow_provider_drs.assets.drs import read_job_ids, sanitize_uri
from airflow_provider_drs.emulator import Emulator
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
from airflow_provider_drs.protocol.watches import PrecheckWatch
from airflow_provider_drs.provider_info import get_provider_info
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")

PASSED = Asset("drs://drs_default/nightly")


class Events(dict[Any, Any]):
    """The events of a task's outlets, as both Airflow lines let a task have them."""

    def __missing__(self, outlet: Any) -> Any:
        """Return a new one."""
        return self.setdefault(outlet, SimpleNamespace(extra={}))


@pytest.fixture
def events(context: dict[str, Any]) -> Events:
    """Return the events of the task."""
    context["outlet_events"] = Events()
    return context["outlet_events"]


def test_an_event_names_the_jobs_that_passed(
    emulator: Emulator, context: dict[str, Any], events: Events
) -> None:
    """Of a batch that has passed in part, those that did."""
    good, bad = emulator.job_ids[:2]
    emulator.set_verdict(None, "pass", duration_s=0)
    emulator.set_verdict(bad, "fail", duration_s=0)
    with DrsHook() as hook:
        hook.precheck_jobs([good, bad])
    sensor = DrsPrecheckSensor(task_id="w", job_ids=[good, bad], allow_partial=True, outlets=[PASSED])

    assert sensor.execute(context) == [good]
    assert events[PASSED].extra == {"job_ids": [good]}


def test_an_event_names_them_after_a_deferral(
    emulator: Emulator, context: dict[str, Any], events: Events
) -> None:
    """Of the sensor, and of the operator that waits itself."""
    job_ids = list(emulator.job_ids[:2])
    emulator.set_verdict(None, "pass", duration_s=0)
    for task in (
        DrsPrecheckSensor(task_id="w", job_ids=job_ids, deferrable=True, outlets=[PASSED]),
        DrsBatchPrecheckOperator(
            task_id="p", job_ids=job_ids, wait_for_completion=True, deferrable=True, outlets=[PASSED]
        ),
    ):
        with DrsHook() as hook:
            hook.precheck_jobs(job_ids)
            watch = PrecheckWatch(job_ids, AlarmPolicy())
            hook.poll(watch)
        events.clear()

        task.execute_complete(context, {"status": "done", "watch": watch.to_dict()})

        assert events[PASSED].extra == {"job_ids": job_ids}


def test_what_fails_names_nothing(emulator: Emulator, context: dict[str, Any], events: Events) -> None:
    """Airflow has no event for it either."""
    with pytest.raises(Exception, match="pre-check"):
        DrsStartJobsOperator(task_id="s", job_ids=emulator.job_ids[:1], outlets=[PASSED]).execute(context)

    assert events == {}


def test_a_wait_that_goes_on_names_nothing(
    emulator: Emulator, context: dict[str, Any], events: Events
) -> None:
    """Not before it is over."""
    sensor = DrsPrecheckSensor(task_id="w", job_ids=emulator.job_ids[:1], deferrable=True, outlets=[PASSED])
    with pytest.raises(TaskDeferred):
        sensor.execute(context)

    assert events == {}


def test_an_alias_is_left_to_whoever_has_it(
    emulator: Emulator, context: dict[str, Any], events: Events
) -> None:
    """It stands for assets that only the DAG knows."""
    emulator.set_verdict(None, "pass", duration_s=0)
    with DrsHook() as hook:
        hook.precheck_jobs(emulator.job_ids[:1])

    DrsPrecheckSensor(
        task_id="w", job_ids=emulator.job_ids[:1], outlets=[AssetAlias("some"), PASSED]
    ).execute(context)

    assert list(events) == [PASSED]


@pytest.mark.parametrize("key", ["triggering_asset_events", "triggering_dataset_events"])
def test_a_dag_reads_the_jobs_of_all_events(key: str) -> None:
    """Each once, in their order; what names none is somebody else's."""
    events = [SimpleNamespace(extra=extra) for extra in ({"job_ids": ["a", "b"]}, {"job_ids": ["b", "c"]})]
    others = [SimpleNamespace(extra=extra) for extra in (None, {}, {"rows": 5})]

    context: Any = {key: {"drs://c/nightly": events, "s3://x": others}}

    assert read_job_ids(context) == ["a", "b", "c"]


def test_a_run_that_no_event_has_triggered_has_no_jobs() -> None:
    """Somebody has triggered it by hand."""
    context: Any = {}

    assert read_job_ids(context) == []


@pytest.mark.parametrize("uri", ["drs://drs_default/nightly", "drs://drs_default/nightly/"])
def test_a_uri_has_one_form(uri: str) -> None:
    """So that two DAGs mean the same."""
    assert sanitize_uri(urlsplit(uri)).geturl() == "drs://drs_default/nightly"
    assert PASSED.uri == "drs://drs_default/nightly"


@pytest.mark.parametrize(
    "uri", ["drs:///nightly", "drs://drs_default", "drs://u:p@c/nightly", "drs://c/n?x=y", "drs://c/n#x"]
)
def test_another_uri_is_refused(uri: str) -> None:
    """When the DAG is parsed; a secret in it would be seen by everybody."""
    with pytest.raises(ValueError, match="expected drs://"):
        sanitize_uri(urlsplit(uri))


def test_airflow_knows_the_scheme_under_both_names() -> None:
    """Airflow 2 calls assets datasets."""
    info = get_provider_info()

    assert info["asset-uris"] == info["dataset-uris"] != []
