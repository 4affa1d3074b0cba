"""Comparisons of data: requests, results, and waits."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.protocol.comparisons.messages import (
    Comparison,
    ComparisonSpec,
    build_comparison,
    build_comparison_result,
    parse_comparison,
    parse_comparison_result,
)
from airflow_provider_drs.protocol.conversations import get_comparisons
from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.core.bodies import read_json
from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError, DrsResponseError
from airflow_provider_drs.protocol.core.wire import Request
from airflow_provider_drs.protocol.watches import ComparisonWatch, Watch, watch_from_dict
from tests.scripted import ScriptedService, answer, refusal

LIMITS = Limits(10, 50, 300.0)
TASKS = {
    "compare_task_list": [
        {"compare_task_id": "1", "compare_type": "lines", "compare_task_status": "SUCCESSFUL"},
        "odd",
    ]
}


def _poll(watch: Watch, *answers: Any) -> list[str]:
    return ScriptedService(answers).run(watch.poll(LIMITS))


def _parse_creation(request: Request, body: Any) -> Any:
    response = answer(body)
    return parse_comparison(request, read_json(response), response)["a"]


def _parse_result(task_ids: dict[str, str], body: Any, page: int = 1) -> Any:
    response = answer(body)
    request = build_comparison_result("a", task_ids, page)
    return parse_comparison_result(request, read_json(response), response)["a"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"data": "words", "tables": {"shop": []}}, "data 'words' is invalid"),
        ({"objects": False}, "nothing to compare"),
        ({"tables": {"shop": []}}, "tables: only valid for a data comparison"),
        ({"compare_mode": "quick_comparison", "start_time_ms": 1}, "compare_mode, start_time: only valid"),
        ({"conflict_policy": "fight"}, "conflict_policy 'fight' is invalid"),
        ({"data": "lines"}, "tables is not set"),
    ],
)
def test_invalid_spec_is_refused(fields: dict[str, Any], text: str) -> None:
    """The message names the field."""
    with pytest.raises(DrsConfigError, match=text):
        ComparisonSpec(**fields)


def test_request_matches_the_example_of_the_page() -> None:
    """With null for fields without a value."""
    tables = {"may_5": ["t0", "t1"], "june": []}
    spec = ComparisonSpec(data="contents", tables=tables, start_time_ms=1_700_000_000_000)

    assert build_comparison("a", spec).body == {
        "job_id": "a",
        "object_level_compare_type": "objects",
        "data_level_compare_info": {
            "conflict_policy": "keep",
            "compare_type": "contents",
            "compare_mode": None,
            "start_time": "1700000000000",
            "compare_object_infos": [{"db_name": "may_5", "table_name": ["t0", "t1"]}, {"db_name": "june"}],
        },
    }
    quick = build_comparison(
        "a", ComparisonSpec(objects=False, data="lines", compare_mode="quick_comparison")
    )
    assert quick.body is not None
    assert "compare_object_infos" not in quick.body["data_level_compare_info"]


def test_partial_response_is_an_error() -> None:
    """A missing part, an error in one part, and an error of the whole request."""
    request = build_comparison("a", ComparisonSpec(data="lines", tables={"shop": []}))
    created = {"compare_task_id": "1"}

    with pytest.raises(DrsResponseError, match="comparison of lines"):
        _parse_creation(request, {"object_level_compare_create_result": created})
    partial = {
        "object_level_compare_create_result": {"error_code": "DRS.M00200"},
        "data_level_compare_create_result": created,
    }
    assert _parse_creation(request, partial).error_code == "DRS.M00200"
    assert _parse_creation(request, {"error_code": "DRS.M00304"}).error_code == "DRS.M00304"


def test_invalid_comparison_is_refused() -> None:
    with pytest.raises(DrsConfigError, match="comparisons: .* is invalid"):
        Comparison.from_dict({"job_id": "a"})


def test_both_spellings_of_the_details_are_parsed() -> None:
    """The table of the page says LineCompareDetail, its example line_compare_detail."""
    table = {"source_table_name": "t", "line_compare_result": "INCONSISTENT"}
    part = {
        "line_compare_overview": [{"source_db_name": "shop", "line_compare_result": "INCONSISTENT"}],
        "line_compare_details": [
            {"source_db_name": "shop", "LineCompareDetail": [table]},
            {"source_db_name": "shop", "line_compare_detail": [table]},
            {"source_db_name": "empty"},
        ],
    }

    result, has_more = _parse_result(
        {"lines": "1"}, {"line_compare_results": part, "compare_task_list_results": TASKS}
    )

    assert [row.get("source_table_name") for row in result.differences] == [None, "t", "t"]
    assert result.is_done
    assert not has_more


def test_overview_of_objects_is_counted_once() -> None:
    """Every page of the tables contains it."""
    objects = {"object_compare_overview": [{"source_db_name": "shop", "object_compare_result": "CONSISTENT"}]}
    lines = {"line_compare_overview": [{"source_db_name": "shop", "line_compare_result": "CONSISTENT"}]}
    body = {"object_level_compare_results": objects, "line_compare_results": lines}

    pages = [_parse_result({"objects": "1", "lines": "2"}, body, page) for page in (1, 2)]

    assert [result.compared for result, _ in pages] == [2, 1]


def test_unlisted_comparison_has_not_started() -> None:
    assert not _parse_result({"objects": "9"}, {"compare_task_list_results": TASKS})[0].is_done
    assert _parse_result({"objects": "9"}, {"error_code": "DRS.M00304"}).error_code == "DRS.M00304"


def test_comparison_without_a_result_fails() -> None:
    """A transient error is polled again; a permanent one survives serialization."""
    comparison = Comparison("a", {"lines": "1"})
    watch = ComparisonWatch([comparison])
    assert watch.results == [{"job_id": "a"}]

    assert "has no comparison result" in _poll(watch, refusal("DRS.M00002", 422))[0]
    assert (watch.pending, watch.failures) == (("a",), {})
    _poll(watch, answer({"compare_task_list_results": TASKS}))
    assert "there is no result" in str(watch.failures["a"])
    _poll(refused := ComparisonWatch([comparison]), refusal("DRS.M00304"))
    assert watch_from_dict(refused.to_dict()).failures["a"].error_code == "DRS.M00304"


def test_error_message_names_only_the_first_differences() -> None:
    """The XCom contains all of them, also after serialization."""
    rows = [{"source_db_name": f"db{n}", "line_compare_result": "INCONSISTENT"} for n in range(7)]
    part = {"line_compare_results": {"line_compare_overview": rows}, "compare_task_list_results": TASKS}
    watch = ComparisonWatch([Comparison("a", {"lines": "1"})])

    _poll(watch, answer(part))

    assert "and 2 more" in str(watch.failures["a"])
    assert len(watch.results[0]["differences"]) == 7
    assert watch_from_dict(watch.to_dict()).results == watch.results


def test_comparisons_are_read_from_plain_mappings() -> None:
    """Without ids, only the list of comparisons is returned."""
    conversation = get_comparisons(LIMITS, [{"job_id": "a", "task_ids": {}}])

    result = ScriptedService([answer({"compare_task_list_results": TASKS})]).run(conversation)["a"]

    assert not isinstance(result, DrsError)
    assert [task.kind for task in result.tasks] == ["lines"]
    assert (result.is_done, result.is_consistent) == (False, False)
