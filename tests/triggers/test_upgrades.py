"""Waits that another version of the provider has deferred are resumed, and the other way round."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from drs_emulator import Emulator
from packaging.version import Version

from airflow_provider_drs.compat import AirflowSensorTimeout
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.operators.waiting import read_event
from airflow_provider_drs.protocol.core.watch import FORMAT
from airflow_provider_drs.protocol.watches import PrecheckWatch, Watch, watch_from_dict
from airflow_provider_drs.triggers.drs import DrsWatchTrigger
from tests.triggers.recording import STORED, record

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")

ADDED = {"added_later": {"kind": "new"}}
RECORDINGS = {file.stem: json.loads(file.read_text()) for file in sorted(STORED.glob("*.json"))}
WAITS = [
    pytest.param(arguments, id=f"{version} {name}")
    for version, recording in RECORDINGS.items()
    for name, arguments in recording["triggers"].items()
]
EVENTS = [
    pytest.param(name, event, id=f"{version} {name}")
    for version, recording in RECORDINGS.items()
    for name, event in recording["events"].items()
]


def _fire(arguments: dict[str, Any]) -> dict[str, Any]:
    payload: dict[str, Any] = asyncio.run(anext(DrsWatchTrigger(**arguments).run())).payload
    return payload


def _add_keys(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments of a trigger with keys that a later version may add."""
    return {**arguments, "watch": _add_to_rows(arguments["watch"]) | ADDED, **ADDED}


def _add_to_rows(value: Any) -> Any:
    """Add a key to each object in a list. Other objects are dictionaries by job ID."""
    if isinstance(value, list):
        return [{**_add_to_rows(row), **ADDED} if isinstance(row, dict) else row for row in value]
    return {key: _add_to_rows(part) for key, part in value.items()} if isinstance(value, dict) else value


def _collect_keys(value: Any, path: str = "") -> set[str]:
    """Return the path of each key in JSON values. Keys that are job IDs are equal."""
    if isinstance(value, list):
        return set().union(*(_collect_keys(part, f"{path}[]") for part in value))
    if not isinstance(value, dict):
        return {path}
    paths = {key: f"{path}.{'ID' if key.count('-') == 4 else key}" for key in value}
    return set(paths.values()).union(*(_collect_keys(value[key], paths[key]) for key in value))


def _ignore(watch: Watch) -> None:
    """Stand in for the method of an operator that publishes the results at a timeout."""


def _report(watch: Watch) -> dict[str, Any]:
    assert isinstance(watch, PrecheckWatch)
    return {report.job_id: report.verdict.value for report in watch.reports}


@pytest.mark.parametrize("change", [dict, _add_keys], ids=["as recorded", "with keys of a later version"])
@pytest.mark.parametrize("arguments", WAITS)
def test_stored_wait_is_restored(arguments: dict[str, Any], change: Callable[[Any], Any]) -> None:
    stored = arguments["watch"]

    event = _fire({**change(arguments), "deadline": 0.0})

    assert event["status"] == "timed_out"
    watch = watch_from_dict(event["watch"])
    assert watch.job_ids == tuple(stored["job_ids"])
    assert watch.results == watch_from_dict(stored).results
    assert {row["job_id"] for row in watch.results if len(row) > 1} == set(watch.job_ids)


@pytest.mark.parametrize("version", RECORDINGS)
def test_stored_precheck_ends_with_its_verdicts(emulator: Emulator, version: str) -> None:
    arguments = RECORDINGS[version]["triggers"]["precheck"]
    job_ids = arguments["watch"]["job_ids"]
    emulator.set_verdict(job_ids[1], "fail", items=["srcBinlogFormatCheck"])
    with DrsHook() as hook:
        hook.precheck_jobs(job_ids)
    emulator.advance(3600)

    watch = read_event(_fire(arguments), _ignore)

    verdicts = dict.fromkeys(job_ids, "passed") | {job_ids[1]: "failed"}
    assert _report(watch) == verdicts


def test_stored_start_of_version_0_1_ends(emulator: Emulator) -> None:
    arguments = RECORDINGS["0.1.0"]["triggers"]["start"]
    good, bad = arguments["watch"]["job_ids"]
    emulator.set_job(good, status="FULL_TRANSFER_STARTED")
    emulator.set_job(bad, status="START_JOB_FAILED")

    watch = read_event(_fire(arguments), _ignore)

    assert list(watch.failures) == [bad]
    # It had one argument for all jobs of the trigger.
    assert DrsWatchTrigger(**arguments).stop_on_kill == [good, bad]


@pytest.mark.parametrize(("name", "event"), EVENTS)
def test_stored_event_is_read(name: str, event: dict[str, Any]) -> None:
    if name == "timed_out":
        with pytest.raises(AirflowSensorTimeout, match="have not finished"):
            read_event(event, _ignore)
    elif name == "failed":
        with pytest.raises(AirflowFailException, match="permission"):
            read_event(event, _ignore)
    else:
        watch = read_event({**event, **ADDED}, _ignore)
        assert watch.is_done
        assert len(watch.results) == len(watch.job_ids)


def test_wait_in_a_later_form_is_refused() -> None:
    arguments = RECORDINGS["1.0.0"]["triggers"]["delay"]
    later = {**arguments, "watch": {"format": FORMAT + 1, "kind": "unknown"}}

    event = _fire(later)

    assert event["status"] == "failed"
    with pytest.raises(AirflowFailException, match="Install the same version"):
        read_event(event, _ignore)


def test_todays_form_is_recorded(emulator: Emulator) -> None:
    """
    If keys were added, run the module recording. If a key was removed or has a new meaning, increase FORMAT.
    """
    newest = max(RECORDINGS, key=Version)

    assert _collect_keys(record(emulator)) == _collect_keys(RECORDINGS[newest])
