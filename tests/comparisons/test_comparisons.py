"""Comparisons of data: orders and results."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.protocol.comparisons.messages import (
    Comparison,
    Order,
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
from airflow_provider_drs.protocol.watches import (
    ComparisonWatch,
    Watch,
    watch_from_dict,
)
from tests.scripted import Talk, answer, refusal


def _limits() -> Limits:
    return Limits(10, 50, 300.0)


def _poll(watch: Watch, *answers: Any) -> list[str]:
    return Talk(answers).run(watch.poll(_limits()))


def _parse(parse: Any, request: Request, body: Any) -> Any:
    response = answer(body)
    return parse(request, read_json(response), response)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"data": "words", "tables": {"shop": []}}, "data: expected one of"),
        ({"objects": False}, "nothing to compare"),
        ({"tables": {"shop": []}}, "tables: for a comparison of data"),
        ({"compare_mode": "quick_comparison", "start_time_ms": 1}, "compare_mode, start_time: for a"),
        ({"conflict_policy": "fight"}, "conflict_policy"),
        ({"data": "lines"}, "tables: a comparison of data"),
    ],
)
def test_an_order_without_sense_is_refused(fields: dict[str, Any], text: str) -> None:
    """The text names the field."""
    with pytest.raises(DrsConfigError, match=text):
        Order(**fields)


def test_an_order_is_that_of_the_page() -> None:
    """Its own example, with what it leaves empty."""
    order = Order(
        data="contents", tables={"may_5": ["t0", "t1"], "june": []}, start_time_ms=1_700_000_000_000
    )

    assert build_comparison("a", order).body == {
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
    quick = build_comparison("a", Order(objects=False, data="lines", compare_mode="quick_comparison"))
    assert quick.body is not None
    assert "compare_object_infos" not in quick.body["data_level_compare_info"]


def test_an_order_that_is_answered_by_half_is_no_answer() -> None:
    """One result is missing, one is an error, the whole is an error."""
    request = build_comparison("a", Order(data="lines", tables={"shop": []}))
    good = {"compare_task_id": "1"}

    with pytest.raises(DrsResponseError, match="comparison of lines"):
        _parse(parse_comparison, request, {"object_level_compare_create_result": good})
    half = {
        "object_level_compare_create_result": {"error_code": "DRS.M00200"},
        "data_level_compare_create_result": good,
    }
    assert _parse(parse_comparison, request, half)["a"].error_code == "DRS.M00200"
    assert _parse(parse_comparison, request, {"error_code": "DRS.M00304"})["a"].error_code == "DRS.M00304"
    with pytest.raises(DrsConfigError, match="comparisons"):
        Comparison.from_dict({"job_id": "a"})


TASKS = {
    "compare_task_list": [
        {"compare_task_id": "1", "compare_type": "lines", "compare_task_status": "SUCCESSFUL"},
        "odd",
    ]
}


def test_both_spellings_of_the_details_are_read() -> None:
    """The page's table says LineCompareDetail, its example line_compare_detail; no list is no detail."""
    request = build_comparison_result("a", {"lines": "1"}, 1)
    wrong = {"source_table_name": "t", "line_compare_result": "INCONSISTENT"}
    part = {
        "line_compare_overview": [{"source_db_name": "shop", "line_compare_result": "INCONSISTENT"}],
        "line_compare_details": [
            {"source_db_name": "shop", "LineCompareDetail": [wrong]},
            {"source_db_name": "empty"},
        ],
    }

    page = _parse(
        parse_comparison_result, request, {"line_compare_results": part, "compare_task_list_results": TASKS}
    )["a"]

    assert [each.get("source_table_name") for each in page.result.differences] == [None, "t"]
    assert page.result.is_done
    assert not page.has_more


def test_the_overview_of_objects_is_counted_once() -> None:
    """It has no pages, and comes with each page of the tables."""
    objects = {"object_compare_overview": [{"source_db_name": "shop", "object_compare_result": "CONSISTENT"}]}
    lines = {"line_compare_overview": [{"source_db_name": "shop", "line_compare_result": "CONSISTENT"}]}
    body = {"object_level_compare_results": objects, "line_compare_results": lines}

    pages = [
        _parse(parse_comparison_result, build_comparison_result("a", {"objects": "1", "lines": "2"}, n), body)
        for n in (1, 2)
    ]

    assert [page["a"].result.compared for page in pages] == [2, 1]


def test_a_comparison_that_is_not_listed_has_not_begun() -> None:
    """And a whole error is the job's."""
    request = build_comparison_result("a", {"objects": "9"}, 1)

    page = _parse(parse_comparison_result, request, {"compare_task_list_results": TASKS})["a"]
    error = _parse(parse_comparison_result, request, {"error_code": "DRS.M00304"})["a"]

    assert not page.result.is_done
    assert error.error_code == "DRS.M00304"


def test_a_comparison_without_a_result_is_not_consistent() -> None:
    """Nothing compared proves nothing; an error that passes is waited out, another one is final."""
    comparison = Comparison("a", {"lines": "1"})
    watch = ComparisonWatch([comparison])
    assert watch.results == [{"job_id": "a"}]

    assert "gives no result" in _poll(watch, refusal("DRS.M00002", 422))[0]
    assert (watch.pending, watch.failures) == (("a",), {})
    _poll(watch, answer({"compare_task_list_results": TASKS}))
    assert "there is no result" in str(watch.failures["a"])
    _poll(twin := ComparisonWatch([comparison]), refusal("DRS.M00304"))
    assert watch_from_dict(twin.to_dict()).failures["a"].error_code == "DRS.M00304"


def test_a_long_list_of_differences_is_cut_in_the_text() -> None:
    """The XCom has all of them."""
    rows = [{"source_db_name": f"db{n}", "line_compare_result": "INCONSISTENT"} for n in range(7)]
    watch = ComparisonWatch([Comparison("a", {"lines": "1"})])

    _poll(
        watch,
        answer(
            {
                "line_compare_results": {"line_compare_overview": rows},
                "compare_task_list_results": TASKS,
            }
        ),
    )

    assert "and 2 more" in str(watch.failures["a"])
    assert len(watch.results[0]["differences"]) == 7


def test_what_a_comparison_says_of_its_jobs_can_be_read_alone() -> None:
    """A plain mapping will do."""
    found = Talk([answer({"compare_task_list_results": TASKS})]).run(
        get_comparisons(_limits(), [{"job_id": "a", "task_ids": {}}])
    )

    result = found["a"]
    assert not isinstance(result, DrsError)
    assert [task.kind for task in result.tasks] == ["lines"]
    assert (result.is_done, result.is_consistent) == (False, False)
