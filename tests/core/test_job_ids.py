from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.protocol.core.job_ids import check_job_ids, find_duplicates, read_job_ids, split

JOB_IDS = st.from_regex(r"[A-Za-z0-9-]{1,64}", fullmatch=True)


@given(st.lists(JOB_IDS, min_size=1))
def test_check_job_ids_keeps_order_and_drops_duplicates(job_ids: list[str]) -> None:
    assert list(check_job_ids(job_ids)) == list(dict.fromkeys(job_ids))


def test_check_job_ids_accepts_one_id() -> None:
    assert check_job_ids("140b5236-88ad-43c8-811c-1268453jb101") == ("140b5236-88ad-43c8-811c-1268453jb101",)


@pytest.mark.parametrize("bad", ["", "a b", "a/b", "x" * 65, "ä", "None", "NOTSET", None, 7])
def test_check_job_ids_names_invalid_id(bad: object) -> None:
    with pytest.raises(DrsConfigError, match="job_ids") as caught:
        check_job_ids([bad])

    assert repr(bad) in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        "a, b\n",
        ["a,b"],
        [["a"], "b"],
        iter(["a", "b"]),
        {"a": 1, "b": 2},
        ['["a", "b"]'],
        ["['a']", "b"],
        [["a,b"]],
        [["a\nb"], ["['a']"]],
    ],
)
def test_check_job_ids_reads_other_forms(given: Any) -> None:
    assert check_job_ids(given) == ("a", "b")


@pytest.mark.parametrize("missing", ["None", "['None']", ["a", "None"], "a,NOTSET"])
def test_missing_value_of_a_template_is_named(missing: object) -> None:
    with pytest.raises(DrsConfigError, match="rendered a missing value"):
        check_job_ids(read_job_ids(missing))


def test_mapping_as_text_is_rejected() -> None:
    with pytest.raises(DrsConfigError, match="expected one job ID or a list"):
        read_job_ids("{'job_ids': ['a']}")


def test_several_xcoms_as_text_say_what_to_use() -> None:
    with pytest.raises(DrsConfigError, match=r"task\.output"):
        read_job_ids("LazySelectSequence([3 items])")


def test_check_job_ids_rejects_empty_list() -> None:
    with pytest.raises(DrsConfigError, match="empty"):
        check_job_ids([])


@given(st.lists(JOB_IDS))
def test_read_job_ids_parses_rendered_lists(job_ids: list[str]) -> None:
    assert read_job_ids(json.dumps(job_ids)) == job_ids
    assert read_job_ids(repr(job_ids)) == job_ids
    assert read_job_ids(repr(tuple(job_ids))) == job_ids


@pytest.mark.parametrize(
    ("value", "expected"),
    [("one", ["one"]), (" one ", ["one"]), ("", []), ("  ", []), (("a", "b"), ["a", "b"]), ({"a"}, ["a"])],
)
def test_read_job_ids_accepts_ids_and_iterables(value: object, expected: list[str]) -> None:
    assert read_job_ids(value) == expected


@pytest.mark.parametrize("value", [None, 3, {"a": 1}, b"a", "[1, 2", "[a, b]", "(1)"])
def test_read_job_ids_rejects_other_values(value: object) -> None:
    with pytest.raises(DrsConfigError, match="job_ids"):
        read_job_ids(value)


@given(st.lists(st.integers()), st.integers(min_value=1, max_value=7))
def test_split_keeps_all_items(items: list[int], size: int) -> None:
    batches = list(split(items, size))

    assert [item for batch in batches for item in batch] == items
    assert len(batches) == -(-len(items) // size)
    assert all(len(batch) <= size for batch in batches)


def test_find_duplicates_lists_each_once() -> None:
    assert find_duplicates(["a", "b", "a", "c", "a", "b"]) == ["a", "b"]


@pytest.mark.parametrize("bad", ["two ids", "", "a/", 7, None])
def test_invalid_id_in_a_list_is_named(bad: object) -> None:
    with pytest.raises(DrsConfigError, match=re.escape(repr(bad))):
        check_job_ids(["good-1", bad, "good-2"])
