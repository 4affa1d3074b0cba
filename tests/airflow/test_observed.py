"""What a running Airflow tells OpenLineage and a statsd server of DRS, on both lines."""

from __future__ import annotations

import json
import re
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import environments
import pytest
from airflow_stack import AirflowStack
from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

from airflow_provider_drs import metrics
from airflow_provider_drs.emulator import Emulator
from tests.airflow.conftest import LINES, ROOT

DAG_ID = "drs_batch_precheck"
SOURCE = {"namespace": "mysql://192.0.2.10:3306", "name": "*"}
TARGET = {"namespace": "mysql://192.0.2.20:3306", "name": "*"}


class Statsd:
    """Takes the datagrams of Airflow's metrics, and keeps each line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        while datagram := self._socket.recv(65536):
            self.lines += datagram.decode().splitlines()

    def close(self) -> None:
        """Stop taking: an empty datagram is the end."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def ours(self) -> dict[str, list[dict[str, str]]]:
        """Return the metrics of this provider: by name, the tags and value of each line."""
        found: dict[str, list[dict[str, str]]] = {}
        for line in self.lines:
            told, _, rest = line.partition(":")
            name, *tags = told.split(",")
            if name.startswith("airflow.drs."):
                values = dict(tag.split("=") for tag in tags) | {"": rest}
                found.setdefault(name.removeprefix("airflow."), []).append(values)
        return found


@dataclass
class Observed:
    """A running Airflow, its DRS, and what it tells others."""

    airflow: AirflowStack
    drs: Emulator
    statsd: Statsd
    file: Path
    runs: dict[str, str] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)

    def events(self, run_id: str, task_id: str, kind: str) -> list[dict[str, Any]]:
        """Return the events of a kind that OpenLineage was told of a task."""
        events = [json.loads(line) for line in self.file.read_text().splitlines()]
        return [
            each
            for each in events
            if each["job"]["name"] == f"{DAG_ID}.{task_id}"
            and each["eventType"] == kind
            and run_id in json.dumps(each["run"])
        ]


@pytest.fixture(scope="module", params=LINES)
def observed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """Return an Airflow that has run the story twice: all well, and with one job that fails."""
    home = tmp_path_factory.mktemp(f"observed-{request.param}")
    (home / "dags").mkdir()
    shutil.copy(ROOT / "dags" / f"{DAG_ID}.py", home / "dags")
    file, statsd = home / "lineage.jsonl", Statsd()
    file.touch()
    with Emulator(precheck_s=8) as drs:
        drs.set_verdict(drs.job_ids[1], "alarm", items=["srcTriggerAndEventCheck"])
        environment = {
            "AIRFLOW_CONN_DRS_DEFAULT": drs.connection_json,
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                {"type": "file", "log_file_path": str(file), "append": True}
            ),
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
            "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
        }
        with AirflowStack(environments.make(request.param), home, home / "dags", environment) as airflow:
            site = Observed(airflow, drs, statsd, file)
            airflow.unpause(DAG_ID)
            well = airflow.first_run(DAG_ID)
            assert airflow.wait(DAG_ID, well) == "success", airflow.log(DAG_ID, well, "*")
            sent = Counter(entry["operation"] for entry in drs.journal())
            drs.reset()
            drs.set_verdict(drs.job_ids[2], "fail", items=["srcBinlogFormatCheck"])
            drs.inject("status", status=503, operation="BatchCheckResults", times=2)
            bad = airflow.trigger(DAG_ID, "one-job-fails")
            assert airflow.wait(DAG_ID, bad) == "failed"
            site.runs |= {"well": well, "bad": bad}
            site.sent = sent + Counter(entry["operation"] for entry in drs.journal())
            airflow.until(
                lambda: bool(site.events(bad, "wait_until_passed", "FAIL")), "the last event is not there"
            )
            yield site
    statsd.close()


def test_a_start_moves_data_from_the_sources_to_the_destinations(observed: Observed) -> None:
    """Ten jobs between the same two servers are one dataset at each end."""
    (event,) = observed.events(observed.runs["well"], "start", "COMPLETE")

    assert [_name(each) for each in event["inputs"]] == [SOURCE]
    assert [_name(each) for each in event["outputs"]] == [TARGET]


def _name(dataset: dict[str, Any]) -> dict[str, str]:
    return {key: dataset[key] for key in ("namespace", "name")}


def _assertions(dataset: dict[str, Any]) -> list[quality.Assertion]:
    """Return them as OpenLineage's own class reads them, which refuses what it does not know."""
    facet = dataset["inputFacets"]["dataQualityAssertions"]
    assert facet["_schemaURL"].endswith("#/$defs/DataQualityAssertionsDatasetFacet")
    return [quality.Assertion(**each) for each in facet["assertions"]]


def test_a_pre_check_is_what_is_asserted_of_the_databases(observed: Observed) -> None:
    """An item of the source says nothing of the destination; the verdict is about both."""
    (event,) = observed.events(observed.runs["well"], "wait_until_passed", "COMPLETE")

    source, target = event["inputs"]
    assert (_name(source), _name(target)) == (SOURCE, TARGET)
    verdicts = [each for each in _assertions(target) if each.assertion == "drs_precheck"]
    assert [each.success for each in verdicts] == [True] * 10
    (alarm,) = (each for each in _assertions(source) if each.assertion != "drs_precheck")
    assert (alarm.assertion, alarm.success, alarm.severity) == ("srcTriggerAndEventCheck", False, "warn")
    assert [each for each in _assertions(target) if each.assertion == alarm.assertion] == []


def test_a_failed_pre_check_is_told_as_well(observed: Observed) -> None:
    """The task has failed, and what it has found out is the reason."""
    (event,) = observed.events(observed.runs["bad"], "wait_until_passed", "FAIL")

    failed = [each for each in _assertions(event["inputs"][0]) if not each.success]
    assert sorted((each.assertion, each.severity) for each in failed) == [
        ("drs_precheck", "error"),
        ("srcBinlogFormatCheck", "error"),
    ]


def test_no_event_has_a_credential(observed: Observed) -> None:
    """Neither the password of the connection, nor a token, nor the user of a database."""
    told = observed.file.read_text() + "\n".join(observed.statsd.lines)

    assert told
    assert observed.drs.connection["password"] not in told
    assert not re.search(r"MII[\w-]{60}", told)
    assert "db_user" not in told


def test_metrics_are_those_that_the_documentation_lists(observed: Observed) -> None:
    """With those tags, and no job's id anywhere."""
    ours = observed.statsd.ours()

    assert set(ours) == set(metrics.METRICS)
    for name, lines in ours.items():
        for line in lines:
            assert set(line) - {""} == set(metrics.METRICS[name].tags)
            assert line[""].endswith({"counter": "|c", "timer": "|ms"}[metrics.METRICS[name].kind])
    assert not re.search(r"jb1[0-9]{2}", "\n".join(line for line in observed.statsd.lines if "drs." in line))


def test_metrics_tell_what_happened(observed: Observed) -> None:
    """Every call of tasks and of the triggerer, retries, verdicts, items, and how long the waits were."""
    ours = observed.statsd.ours()

    assert Counter(line["operation"] for line in ours["drs.calls"]) == observed.sent
    results = [line for line in ours["drs.calls"] if line["operation"] == "BatchCheckResults"]
    assert {line["outcome"] for line in results} >= {"ok", "503"}
    assert [line["operation"] for line in ours["drs.retries"]].count("BatchCheckResults") >= 2
    assert [line["verdict"] for line in ours["drs.precheck.jobs"]].count("failed") == 1
    assert [line["item"] for line in ours["drs.precheck.failed_items"]] == ["srcBinlogFormatCheck"]
    assert [line["item"] for line in ours["drs.precheck.alarms"]] == ["srcTriggerAndEventCheck"]
    waits = [line for line in ours["drs.wait.duration"] if line["kind"] == "precheck"]
    # Both were deferred; the time in the triggerer counts.
    assert [float(line[""].split("|")[0]) > 4_000 for line in waits] == [True, True]
