from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias, TaskDeferred
from drs_emulator import Emulator

from airflow_provider_drs.assets.drs import read_job_ids, sanitize_uri
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.operators.drs import DrsBatchPrecheckOperator, DrsStartJobsOperator
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
from airflow_provider_drs.protocol.watches import PrecheckWatch
from airflow_provider_drs.provider_info import get_provider_info
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")

PASSED = Asset("drs://drs_default/nightly")


class Events(dict[Any, Any]):
    """The events of a task's outlets, on both Airflow lines."""

    def __getitem__(self, outlet: Any) -> Any:
        # Not by the asset, which Airflow 3.1 cannot hash.
        return self.setdefault(repr(outlet), SimpleNamespace(extra={}))


@pytest.fixture
def events(context: dict[str, Any]) -> Events:
    context["outlet_events"] = Events()
    return context["outlet_events"]


def test_event_has_the_passed_jobs(emulator: Emulator, context: dict[str, Any], events: Events) -> None:
    good, bad = emulator.job_ids[:2]
    emulator.set_verdict(None, "pass", duration_s=0)
    emulator.set_verdict(bad, "fail", duration_s=0)
    with DrsHook() as hook:
        hook.precheck_jobs([good, bad])
    sensor = DrsPrecheckSensor(task_id="w", job_ids=[good, bad], allow_partial=True, outlets=[PASSED])

    assert sensor.execute(context) == [good]
    assert events[PASSED].extra == {"job_ids": [good]}


def test_event_has_the_jobs_after_a_deferral(
    emulator: Emulator, context: dict[str, Any], events: Events
) -> None:
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


def test_failed_task_has_no_event(emulator: Emulator, context: dict[str, Any], events: Events) -> None:
    with pytest.raises(Exception, match="pre-check"):
        DrsStartJobsOperator(task_id="s", job_ids=emulator.job_ids[:1], outlets=[PASSED]).execute(context)

    assert events == {}


def test_deferred_task_has_no_event(emulator: Emulator, context: dict[str, Any], events: Events) -> None:
    sensor = DrsPrecheckSensor(task_id="w", job_ids=emulator.job_ids[:1], deferrable=True, outlets=[PASSED])
    with pytest.raises(TaskDeferred):
        sensor.execute(context)

    assert events == {}


def test_asset_alias_is_not_changed(emulator: Emulator, context: dict[str, Any], events: Events) -> None:
    emulator.set_verdict(None, "pass", duration_s=0)
    with DrsHook() as hook:
        hook.precheck_jobs(emulator.job_ids[:1])

    DrsPrecheckSensor(
        task_id="w", job_ids=emulator.job_ids[:1], outlets=[AssetAlias("some"), PASSED]
    ).execute(context)

    assert list(events) == [repr(PASSED)]


@pytest.mark.parametrize("key", ["triggering_asset_events", "triggering_dataset_events"])
def test_read_job_ids_merges_events(key: str) -> None:
    events = [SimpleNamespace(extra=extra) for extra in ({"job_ids": ["a", "b"]}, {"job_ids": ["b", "c"]})]
    others = [SimpleNamespace(extra=extra) for extra in (None, {}, {"rows": 5})]

    context: Any = {key: {"drs://c/nightly": events, "s3://x": others}}

    assert read_job_ids(context) == ["a", "b", "c"]


def test_manual_run_has_no_jobs() -> None:
    context: Any = {}

    assert read_job_ids(context) == []


@pytest.mark.parametrize("uri", ["drs://drs_default/nightly", "drs://drs_default/nightly/"])
def test_uri_is_normalized(uri: str) -> None:
    assert sanitize_uri(urlsplit(uri)).geturl() == "drs://drs_default/nightly"
    assert PASSED.uri == "drs://drs_default/nightly"


@pytest.mark.parametrize(
    "uri", ["drs:///nightly", "drs://drs_default", "drs://u:p@c/nightly", "drs://c/n?x=y", "drs://c/n#x"]
)
def test_invalid_uri_is_rejected(uri: str) -> None:
    with pytest.raises(ValueError, match="expected drs://"):
        sanitize_uri(urlsplit(uri))


def test_scheme_is_registered_for_assets_and_datasets() -> None:
    info = get_provider_info()

    assert info["asset-uris"] == info["dataset-uris"] != []
