"""What a server sends is read in one way, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_drs.protocol.core.bodies import Prechecks, read_json, read_prechecks
from airflow_provider_drs.protocol.core.errors import DrsResponseError
from airflow_provider_drs.protocol.core.wire import Response
from airflow_provider_drs.protocol.prechecks.messages import (
    PrecheckResult,
    build_precheck_results,
    parse_precheck_results,
)
from tests.scripted import answer

ROW = {"precheck_id": "a", "process": "100%", "result": True, "precheck_result": []}


def _body(text: str | bytes) -> Response:
    return answer(text.encode() if isinstance(text, str) else text)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 2}',
        b'{"results": [{"process": "100%", "result": false, "result": true}]}',
        b'{"results": [], "results": [{"process": "100%", "result": true}]}',
        b'{"a": NaN}',
        b'{"results": [{"process": "100%", "rate": Infinity}]}',
        b'{"a": "\xff\xfe"}',
        b'{"results": [{"process": "100%", "reason": "\xc3\x28"}]}',
        b'{"a": "\xed\xa0\x80"}',
        b"\xff\xfe{\x00}\x00",
        b"[" * 100_000,
        b'{"results": ' + b"[" * 100_000,
        b'{"results": [{"process": "100%", "precheck_result": ' + b'{"a":' * 50_000 + b"}" * 50_000 + b"}]}",
        b"[]",
        b"",
        b"<html>",
        b'{"results": [{"process": "100%"',
    ],
    ids=lambda body: repr(body[:50]),
)
@pytest.mark.parametrize("read", [read_json, read_prechecks])
def test_ambiguous_json_is_rejected(read: Any, body: bytes) -> None:
    with pytest.raises(DrsResponseError, match="the body is no"):
        read(_body(body))


def test_items_of_running_precheck_are_skipped() -> None:
    running = {
        "precheck_id": "b",
        "process": "40%",
        "precheck_result": [{"item": "x"}],
        "job_direction": "up",
    }

    document = read_prechecks(answer({"results": [ROW, running]}))

    assert isinstance(document, Prechecks)
    assert document == {"results": [ROW]}
    (row,) = document.running
    assert (row.precheck_id, row.process) == ("b", "40%")


def test_running_precheck_is_matched_by_id() -> None:
    request = build_precheck_results(["job-a", "job-b"])
    rows = [{"precheck_id": "p", "process": "40%"}, {"id": "job-b", "process": "7"}, {"process": "1%"}]
    response = answer({"results": rows})

    found = parse_precheck_results(request, read_prechecks(response), response, precheck_ids={"job-a": "p"})

    assert {job_id: each.percent for job_id, each in found.items() if isinstance(each, PrecheckResult)} == {
        "job-a": 40,
        "job-b": 7,
    }


@pytest.mark.parametrize(
    "row",
    [
        {"precheck_id": "a", "error_code": "DRS.M00289", "error_msg": "no such job"},
        {"precheck_id": "a", "process": "40%", "status": "failed"},
        {"precheck_id": "a", "process": "40", "success": False},
        {"precheck_id": "a", "process": 100},
        {"precheck_id": "a", "process": "soon"},
        {"precheck_id": "a"},
    ],
)
def test_other_rows_are_decoded_completely(row: dict[str, Any]) -> None:
    full = row | {"precheck_result": [{"item": "x", "result": "FAILED"}], "odd": {"a": None}}

    assert read_prechecks(answer({"results": [full]})) == {"results": [full]}


@pytest.mark.parametrize(
    "document",
    [
        {"results": []},
        {"error_code": "DRS.M00289"},
        {"results": [], "error_code": "DRS.M00289"},
        {"results": ["odd"]},
        {"results": {"a": 1}},
        {"jobs": ["a"]},
    ],
)
def test_other_documents_are_decoded_completely(document: dict[str, Any]) -> None:
    assert read_prechecks(answer(document)) == document


@given(
    st.fixed_dictionaries({"process": st.sampled_from(["40%", "7", "99", "100", "100%", "-3%", "", None])})
    | st.dictionaries(
        st.sampled_from([*ROW, "id", "job_id", "error_code", "status", "success", "odd"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=6,
        ),
    )
)
def test_readers_agree(row: dict[str, Any]) -> None:
    (whole,) = json.loads(json.dumps({"results": [row]}))["results"]
    document = read_prechecks(answer({"results": [row]}))

    if document["results"]:
        assert document["results"] == [whole]
    else:
        assert isinstance(document, Prechecks)
        (running,) = document.running
        assert all(getattr(running, name) == whole.get(name) for name in ("id", "precheck_id", "process"))
        assert int(running.process.removesuffix("%")) < 100
        assert not whole.get("error_code")
