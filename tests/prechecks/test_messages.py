"""The example responses of the DRS API reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_drs.protocol.conversations import begin_prechecks, precheck_jobs
from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.core.bodies import read_json
from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsRequestError
from airflow_provider_drs.protocol.prechecks.messages import (
    CheckItem,
    PrecheckResult,
    SubJob,
    Submission,
    build_precheck_results,
    is_new_run,
    parse_precheck_results,
)
from tests.scripted import ScriptedService, answer

SAMPLES = Path(__file__).parents[1] / "samples"
JOB_ID, OTHER_JOB_ID = "140b5236-88ad-43c8-811c-1268453jb101", "a281f62f-4631-45d6-a2d3-679a9f4jb105"


def _parse(job_id: str, body: Any) -> Any:
    response = answer(body)
    return parse_precheck_results(build_precheck_results([job_id]), read_json(response), response, {})[job_id]


def _sample(name: str) -> Any:
    return json.loads((SAMPLES / f"precheck-result.response.{name}.json").read_text())


def test_passed_items_are_counted() -> None:
    """The MySQL example: 39 items, all passed."""
    result = _parse(JOB_ID, _sample("mysql"))

    assert result == PrecheckResult(JOB_ID, JOB_ID, 100, True, 100, passed_items=39)
    assert result.count("PASSED") == 39


def test_alarms_are_parsed_and_long_data_is_truncated() -> None:
    """The DDS example; the result survives serialization."""
    result = _parse(OTHER_JOB_ID, _sample("dds"))

    assert (result.result, result.passed_items, result.count("ALARM")) == (True, 25, 2)
    assert [item.item for item in result.items] == ["srcCollHasTtlIndex", "srcShardKeyConfiguration"]
    assert result.items[0].failed_reason == "SRC_HAS_TTL_INDEXES"
    assert result.items[1].data.endswith("characters)")
    assert PrecheckResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


@pytest.mark.parametrize(
    ("sub_jobs", "parsed"),
    [
        ([{"id": "s", "name": "shard", "check_result": "FAILED"}, "odd"], (SubJob("s", "shard", "FAILED"),)),
        (7, ()),
    ],
)
def test_failed_subtasks_are_parsed(sub_jobs: Any, parsed: tuple[SubJob, ...]) -> None:
    """Entries that are not objects are ignored."""
    item = {"item": "x", "result": "FAILED", "failed_sub_jobs": sub_jobs}
    body = {"results": [{"precheck_id": JOB_ID, "process": "100%", "precheck_result": [item]}]}

    assert _parse(JOB_ID, body).items == (CheckItem("x", "FAILED", failed_sub_jobs=parsed),)


@pytest.mark.parametrize("start", [precheck_jobs, begin_prechecks])
def test_unknown_precheck_mode_is_refused(start: Any) -> None:
    with pytest.raises(DrsConfigError, match="precheck_mode 'forFun' is invalid"):
        next(start(Limits(10, 50, 1.0), ["a"], "forFun"))


def test_running_precheck_is_adopted() -> None:
    """No new one is started."""
    running = answer({"results": [{"precheck_id": "a", "process": "10%"}]})
    conversation = begin_prechecks(Limits(10, 50, 1.0), ["a"], check_preconditions=False)

    assert ScriptedService([running]).run(conversation) == {"a": Submission("a", "a", adopted=True)}


def test_new_run_is_recognized_by_progress_or_another_result() -> None:
    """The precheck_id is the same in every run."""
    running, passed, failed = (
        PrecheckResult("a", "a", percent, result, 100)
        for percent, result in ((10, True), (100, True), (100, False))
    )

    assert [is_new_run(new, passed) for new in (running, failed, passed)] == [True, True, False]
    assert is_new_run(passed, None)
    assert not is_new_run(DrsRequestError("empty"), None)
