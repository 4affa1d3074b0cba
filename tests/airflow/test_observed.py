"""The OpenLineage events and StatsD metrics of a running Airflow, on both lines."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from drs_emulator.http import iam
from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

from airflow_provider_drs import metrics
from tests.shared_airflow.main_job import ALARM, FAILED_RUN, Story
from tests.shared_airflow.stack import SharedAirflow
from tests.shared_airflow.statsd import pick_ours

pytestmark = pytest.mark.system

SOURCE = {"namespace": "mysql://192.0.2.10:3306", "name": "*"}
TARGET = {"namespace": "mysql://192.0.2.20:3306", "name": "*"}


@pytest.fixture(scope="session")
def story(shared_airflow: SharedAirflow) -> Story:
    """Return what was sent about the main example."""
    return shared_airflow.story


def test_start_reports_sources_and_destinations(story: Story) -> None:
    (event,) = story.events(story.scheduled, "start", "COMPLETE")

    assert [_name(each) for each in event["inputs"]] == [SOURCE]
    assert [_name(each) for each in event["outputs"]] == [TARGET]


def _name(dataset: dict[str, Any]) -> dict[str, str]:
    return {key: dataset[key] for key in ("namespace", "name")}


def _assertions(dataset: dict[str, Any]) -> list[quality.Assertion]:
    """Return the assertions, parsed with OpenLineage's own strict class."""
    facet = dataset["inputFacets"]["dataQualityAssertions"]
    assert facet["_schemaURL"].endswith("#/$defs/DataQualityAssertionsDatasetFacet")
    return [quality.Assertion(**each) for each in facet["assertions"]]


def test_precheck_reports_assertions(story: Story) -> None:
    (event,) = story.events(story.scheduled, "wait_until_passed", "COMPLETE")

    source, target = event["inputs"]
    assert (_name(source), _name(target)) == (SOURCE, TARGET)
    verdicts = [each for each in _assertions(target) if each.assertion == "drs_precheck"]
    assert [each.success for each in verdicts] == [True] * 10
    (alarm,) = (each for each in _assertions(source) if each.assertion != "drs_precheck")
    assert (alarm.assertion, alarm.success, alarm.severity) == (ALARM, False, "warn")
    assert [each for each in _assertions(target) if each.assertion == alarm.assertion] == []


def test_failed_precheck_reports_assertions(story: Story) -> None:
    (event,) = story.events(FAILED_RUN, "wait_until_passed", "FAIL")

    failed = [each for each in _assertions(event["inputs"][0]) if not each.success]
    assert sorted((each.assertion, each.severity) for each in failed) == [
        ("drs_precheck", "error"),
        ("srcBinlogFormatCheck", "error"),
        (ALARM, "warn"),
    ]


def test_lineage_events_have_no_credentials(story: Story) -> None:
    sent = story.lineage + "\n".join(story.metrics)

    assert sent
    assert iam.PASSWORD not in sent
    assert not re.search(r"MII[\w-]{60}", sent)
    assert "db_user" not in sent


def test_metrics_match_documentation(story: Story) -> None:
    ours = pick_ours(story.metrics)

    assert set(ours) == set(metrics.METRICS)
    for name, lines in ours.items():
        for line in lines:
            assert set(line) - {""} == set(metrics.METRICS[name].tags)
            assert line[""].endswith({"counter": "|c", "timer": "|ms"}[metrics.METRICS[name].kind])
    assert not re.search(r"jb1[0-9]{2}", "\n".join(line for line in story.metrics if "drs." in line))


def test_metrics_count_calls_waits_and_verdicts(story: Story) -> None:
    ours = pick_ours(story.metrics)

    assert Counter(line["operation"] for line in ours["drs.calls"]) == story.sent
    results = [line for line in ours["drs.calls"] if line["operation"] == "BatchCheckResults"]
    assert {line["outcome"] for line in results} >= {"ok", "503"}
    assert [line["operation"] for line in ours["drs.retries"]].count("BatchCheckResults") >= 2
    assert [line["verdict"] for line in ours["drs.precheck.jobs"]].count("failed") == 1
    assert [line["item"] for line in ours["drs.precheck.failed_items"]] == ["srcBinlogFormatCheck"]
    assert [line["item"] for line in ours["drs.precheck.alarms"]] == [ALARM] * 2
    waits = [line for line in ours["drs.wait.duration"] if line["kind"] == "precheck"]
    # All were deferred; the time in the triggerer is included.
    assert [float(line[""].split("|")[0]) > 4_000 for line in waits] == [True] * 3
