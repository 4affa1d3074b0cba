"""The settings of a job before it starts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_drs.protocol.configuration.messages import (
    read_changes,
    read_objects,
    read_policies,
    read_transformation,
    read_transformations,
    read_windows,
)
from airflow_provider_drs.protocol.core.errors import DrsConfigError

WINDOW = {"begin": "08:00", "end": "09:59", "speed": 1}
CONFIG = dict.fromkeys(("col_names", "prim_key_or_index", "indexs", "values"), "x")
CONFIG_RULE = {"config": {**CONFIG, "db_name": "shop", "table_name": "orders"}}


def test_objects_are_rows_with_their_databases() -> None:
    """As in the example of the page: the database partially, its tables completely."""
    rows = read_objects({"shop.orders": "orders_new", "billing": None})

    assert [(row["id"], row["select"], row["object_alias_name"]) for row in rows] == [
        ("shop", "partial", None),
        ("shop-*-*-orders", "true", "orders_new"),
        ("billing", "true", None),
    ]
    assert rows[1]["parent_id"] == "shop"
    assert read_objects("shop")[0]["object_type"] == "database"
    assert read_objects([{"id": "v", "object_type": "view"}]) == [{"id": "v", "object_type": "view"}]


def test_windows_have_texts_and_may_span_midnight() -> None:
    """As in the example of the page: all day is from 16:00 to 15:59."""
    assert read_windows([{"begin": "16:00", "end": "15:59", "speed": 15}]) == [
        {"begin": "16:00", "end": "15:59", "speed": "15", "is_utc": True}
    ]
    assert read_windows([]) == []


@pytest.mark.parametrize(
    ("windows", "text"),
    [
        ("16:00", "windows is invalid"),
        ({"begin": "16:00"}, "windows is invalid"),
        ([WINDOW, {**WINDOW, "end": "09:00"}], r"windows\[1\] is invalid: expected begin"),
        ([{**WINDOW, "begin": "08:59", "end": "08:59"}], r"windows\[0\] is invalid"),
        ([{**WINDOW, "begin": "8:00"}], r"windows\[0\] is invalid"),
        ([{**WINDOW, "speed": 0}], r"windows\[0\] is invalid"),
        ([{**WINDOW, "speed": "fast"}], r"windows\[0\] is invalid"),
        ([{"begin": "08:00", "end": "09:59"}], r"windows\[0\] is invalid"),
        ([WINDOW, {**WINDOW, "begin": "22:00", "end": "08:59"}], r"windows\[1\] .* overlaps"),
        ([{**WINDOW, "begin": f"0{n}:00", "end": f"0{n}:59"} for n in range(4)], "list of at most 3"),
    ],
)
def test_invalid_windows_are_refused(windows: Any, text: str) -> None:
    with pytest.raises(DrsConfigError, match=text):
        read_windows(windows)


@given(st.lists(st.integers(0, 23), min_size=2, max_size=6, unique=True).map(sorted))
def test_consecutive_windows_do_not_overlap(hours: list[int]) -> None:
    windows = [
        {"begin": f"{begin:02}:00", "end": f"{end - 1:02}:59", "speed": 1}
        for begin, end in zip(hours[::2], hours[1::2], strict=False)
    ]

    assert len(read_windows(windows)) == len(windows)


def test_rules_of_both_kinds_are_converted() -> None:
    """An SQL condition for tables, or a config across tables."""
    condition = read_transformation({"tables": "shop.orders", "where": "id > 5"})
    assert condition["object_info"] == [{"id": "shop-*-*-orders", "select": "true"}]
    assert condition["transformation_info"]["transformation_type"] == "contentConditionalFilter"

    config = read_transformation(CONFIG_RULE)
    assert config["transformation_info"]["value"] == "config"
    assert config["config_transformation"]["db_table_name"] == "shop.orders"


@pytest.mark.parametrize(
    "rule",
    [
        7,
        {},
        {"tables": ["orders"], "where": "x"},
        {"tables": 7, "where": "x"},
        {"tables": [f"shop.t{n}" for n in range(10_001)], "where": "x"},
        {"tables": ["shop.orders"], "where": ""},
        {"tables": ["shop.orders"], "where": "x" * 257},
        {"config": {"db_name": "shop"}},
    ],
)
def test_invalid_rules_are_refused(rule: Any) -> None:
    with pytest.raises(DrsConfigError, match="rules"):
        read_transformations([rule])


def test_table_can_have_one_rule() -> None:
    """DRS would reject a second rule as existing, and the rule would be lost without an error."""
    rule = {"tables": ["shop.orders", "shop.items"], "where": "id > 5"}

    assert len(read_transformations([rule, {"tables": "shop.customers", "where": "id > 5"}])) == 2
    for second in ({"tables": "shop.orders", "where": "id > 7"}, CONFIG_RULE):
        with pytest.raises(DrsConfigError, match=r"rules: shop\.orders is in more than one"):
            read_transformations([rule, second])


@pytest.mark.parametrize(
    ("read", "value", "text"),
    [
        *(
            (read_objects, value, "objects")
            for value in ([], [7], [""], [".x"], {"shop": 7}, 7, [{"name": "x"}])
        ),
        *((read_transformations, value, "rules is invalid") for value in ([], WINDOW, "rules", 7)),
        (read_policies, {"conflict_policy": None}, "set at least one of conflict_policy"),
        (read_policies, {"conflict_policy": "wait"}, "conflict_policy 'wait' is invalid"),
        (read_changes, {"password": "x"}, "changes: password cannot be changed"),
        (read_changes, ["name"], "changes is invalid"),
    ],
)
def test_invalid_arguments_are_refused(read: Any, value: Any, text: str) -> None:
    """The message names the argument."""
    with pytest.raises(DrsConfigError, match=text):
        read(value)


def test_valid_policies_and_changes_are_returned() -> None:
    assert read_policies({"conflict_policy": "stop", "ddl_trans": None}) == {"conflict_policy": "stop"}
    assert read_changes({"name": "new-name"}) == {"name": "new-name"}
