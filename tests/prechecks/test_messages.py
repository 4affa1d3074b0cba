"""The service's own examples of pre-check results."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from airflow_provider_drs.protocol.core.bodies import read_json
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.jobs.messages import (
    build_job_details,
    build_job_progresses,
    build_job_statuses,
    parse_job_details,
    parse_job_progresses,
    parse_job_statuses,
)
from airflow_provider_drs.protocol.jobs.outcome import parse_outcomes
from airflow_provider_drs.protocol.prechecks.messages import (
    CheckItem,
    PrecheckResult,
    SubJob,
    build_precheck_results,
    build_prechecks,
    parse_precheck_results,
    parse_prechecks,
)
from tests.scripted import answer

SAMPLES = Path(__file__).parents[1] / "samples"


ONE, OTHER = "140b5236-88ad-43c8-811c-1268453jb101", "a281f62f-4631-45d6-a2d3-679a9f4jb105"


def _build_start(job_ids: list[str]) -> Any:
    return build("BatchStartJobs", {"jobs": [{"job_id": job_id} for job_id in job_ids]}, job_ids)


PARSERS = {
    "status": (build_job_statuses, parse_job_statuses),
    "detail": (build_job_details, parse_job_details),
    "progress": (build_job_progresses, parse_job_progresses),
    "starting": (_build_start, parse_outcomes),
    "precheck": (partial(build_prechecks, precheck_mode="forStartJob"), parse_prechecks),
    "precheck-result": (build_precheck_results, partial(parse_precheck_results, precheck_ids={})),
}


def _sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


def _parse(kind: str, job_ids: list[str], body: Any) -> Any:
    build, parse = PARSERS[kind]
    response = answer(body)
    return parse(build(job_ids), read_json(response), response)  # type: ignore[operator]


def test_the_mysql_result_example() -> None:
    """39 items passed are a count."""
    result = _parse("precheck-result", [ONE], _sample("precheck-result.response.mysql.json"))[ONE]

    assert result == PrecheckResult(ONE, ONE, 100, True, 100, passed_items=39)
    assert result.count("PASSED") == 39


def test_the_dds_result_example() -> None:
    """Two alarms, result true; long data is cut."""
    result = _parse("precheck-result", [OTHER], _sample("precheck-result.response.dds.json"))[OTHER]

    assert (result.result, result.passed_items, result.count("ALARM")) == (True, 25, 2)
    assert [item.item for item in result.items] == ["srcCollHasTtlIndex", "srcShardKeyConfiguration"]
    assert result.items[0].failed_reason == "SRC_HAS_TTL_INDEXES"
    assert result.items[1].data.endswith("characters)")
    assert PrecheckResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_failed_subtasks_of_a_cluster_are_kept() -> None:
    """What is no object is left out."""
    sub = [{"id": "s", "name": "shard", "check_result": "FAILED"}, "odd"]
    item = {"item": "x", "result": "FAILED", "failed_sub_jobs": sub}
    row = {"precheck_id": ONE, "process": "100%", "precheck_result": [item]}

    result = _parse("precheck-result", [ONE], {"results": [row]})[ONE]

    assert result.items == (CheckItem("x", "FAILED", failed_sub_jobs=(SubJob("s", "shard", "FAILED"),)),)
