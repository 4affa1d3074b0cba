"""Requests and responses about jobs, against the service's own examples."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_drs.protocol.core.bodies import read_json
from airflow_provider_drs.protocol.core.errors import DrsError, DrsResponseError
from airflow_provider_drs.protocol.core.job_ids import split
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.jobs.messages import (
    JobStatus,
    build_job_details,
    build_job_progresses,
    build_job_statuses,
    parse_job_details,
    parse_job_progresses,
    parse_job_statuses,
    read_start_time_ms,
)
from airflow_provider_drs.protocol.jobs.outcome import JobOutcome, parse_outcomes
from airflow_provider_drs.protocol.jobs.states import Phase
from airflow_provider_drs.protocol.prechecks.messages import (
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


@pytest.mark.parametrize(
    ("kind", "sample"),
    [("status", "status"), ("detail", "detail"), ("starting", "starting"), ("precheck", "precheck")],
)
def test_requests_match_the_examples(kind: str, sample: str) -> None:
    expected = _sample(f"{sample}.request.json")
    job_ids = [job if isinstance(job, str) else job["job_id"] for job in expected["jobs"]]
    if "page_req" in expected:
        expected["page_req"]["per_page"] = len(job_ids)

    assert PARSERS[kind][0](job_ids).body == expected  # type: ignore[operator]


def test_status_example() -> None:
    rows = _sample("status.response.json")["results"]

    found = _parse("status", [row["id"] for row in reversed(rows)], {"results": rows})

    assert [status.phase for status in found.values()] == [Phase.FAILED, Phase.INCREMENTAL]
    assert found[rows[0]["id"]].to_dict()["phase"] == "incremental"
    assert found[rows[0]["id"]].is_known


def test_details_example() -> None:
    rows = _sample("detail.response.json")["results"]

    details = _parse("detail", [row["id"] for row in rows], {"results": rows})[rows[1]["id"]]

    assert (details.name, details.status, details.job_direction) == (
        "DRS-0042-linxiaolu",
        "CONFIGURATION",
        "up",
    )
    assert not details.is_dual_active_parent
    assert not details.is_dual_active_backward
    assert details.to_dict()["inst_info"]["volume_size"] == 100


def test_progress_examples() -> None:
    rows = _sample("progress.response.full-and-incremental.json")["results"]

    replicating, copied = _parse("progress", [row["job_id"] for row in rows], {"results": rows}).values()

    assert (replicating.percent, replicating.delay_s, replicating.remaining_s) == (100, 0, 10)
    assert (copied.percent, copied.delay_s, copied.phases) == (
        0,
        None,
        {"struct": 94, "data": 100, "index": 100},
    )
    assert copied.to_dict()["phases"] == {"struct": 94, "data": 100, "index": 100}


def test_progress_map_can_be_an_array() -> None:
    row = {"job_id": "a", "transfer_status": "CREATING", "progress_map": [], "remaining_time": ""}

    progress = _parse("progress", ["a"], {"results": [row]})["a"]

    assert (progress.phases, progress.percent, progress.remaining_s) == ({}, None, None)


def test_rows_are_never_matched_by_position() -> None:
    rows = [{"precheck_id": each, "process": "100%", "result": True} for each in ("run-1", "run-2")]

    assert _parse("precheck-result", [ONE, OTHER], {"results": rows}) == {}


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("status", {"id": ONE}),
        ("status", {"id": ONE, "status": 7}),
        ("progress", {"job_id": ONE, "transfer_status": "X", "progress": "much"}),
        ("progress", {"job_id": ONE, "transfer_status": "X", "incre_trans_delay": "long"}),
        ("detail", {"id": ONE, "status": "X", "multi_write": "perhaps"}),
        ("precheck-result", {"precheck_id": ONE}),
        ("precheck-result", {"precheck_id": ONE, "process": "half"}),
        ("precheck-result", {"precheck_id": ONE, "process": "100%", "result": "well"}),
        ("precheck-result", {"precheck_id": ONE, "process": "100%", "precheck_result": "none"}),
        ("precheck-result", {"precheck_id": ONE, "process": "100%", "precheck_result": [{"item": "x"}]}),
        ("precheck-result", {"precheck_id": ONE, "process": "100%", "precheck_result": ["x"]}),
    ],
)
def test_undocumented_row_is_an_error(kind: str, row: dict[str, Any]) -> None:
    with pytest.raises(DrsResponseError):
        _parse(kind, [ONE], {"results": [row]})


def test_flags_as_strings() -> None:
    row = {"id": ONE, "status": "X", "multi_write": "TRUE"}

    assert _parse("detail", [ONE], {"results": [row]})[ONE].is_dual_active_parent


def test_failed_row_without_code_is_an_error() -> None:
    rows = [{"id": ONE, "status": "failed"}, {"status": "success"}, {"id": "stranger", "status": "success"}]

    found = _parse("starting", [ONE, OTHER], {"results": rows})

    assert isinstance(found[ONE], DrsError)
    assert list(found) == [ONE]


@given(st.permutations(range(6)), st.sets(st.integers(0, 5)))
def test_results_keep_the_order(order: list[int], missing: set[int]) -> None:
    job_ids = [f"job-{n}" for n in range(6)]
    rows = [{"id": job_ids[n], "status": "CONFIGURATION"} for n in order if n not in missing]

    found = _parse("status", job_ids, {"results": rows})

    assert list(found.values()) == [
        JobStatus(each, "CONFIGURATION") for n, each in enumerate(job_ids) if n not in missing
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "results",
                    "id",
                    "job_id",
                    "status",
                    "process",
                    "result",
                    "precheck_id",
                    "precheck_result",
                    "item",
                    "multi_write",
                    "transfer_status",
                    "progress",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(sorted(PARSERS)), JSON | st.fixed_dictionaries({"results": st.lists(JSON, max_size=3)})
)
def test_garbage_raises_drs_errors_only(kind: str, body: Any) -> None:
    try:
        found = _parse(kind, [ONE, OTHER], body)
    except DrsError:
        return
    assert set(found) <= {ONE, OTHER}


@given(st.binary(max_size=50))
def test_non_json_body_is_an_error(raw: bytes) -> None:
    try:
        assert isinstance(read_json(answer(raw)), dict)
    except DrsResponseError as error:
        assert "bytes of" in str(error)


def test_results_are_json() -> None:
    assert JobOutcome("a", adopted=True, status="STARTJOBING", request_id="r").to_dict() == {
        "job_id": "a",
        "adopted": True,
        "status": "STARTJOBING",
        "request_id": "r",
    }
    assert list(split([1, 2, 3], 2)) == [[1, 2], [3]]


@pytest.mark.parametrize("value", [12, True, "20261231", 1.5, ["now"]])
def test_invalid_start_time_is_rejected(value: object) -> None:
    with pytest.raises(ValueError, match="start_time .* is invalid"):
        read_start_time_ms(value, now_s=0.0)


@pytest.mark.parametrize("value", [1_900_000_000_000, "1900000000000", " 1900000000000 "])
def test_start_time_in_epoch_milliseconds(value: object) -> None:
    assert read_start_time_ms(value, now_s=1.0) == 1_900_000_000_000
