"""Settings of a job before it starts."""

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


def test_objects_are_rows_with_their_databases() -> None:
    """As the page's example has them: the database partly, its tables whole."""
    rows = read_objects({"shop.orders": "orders_new", "billing": None})

    assert [(row["id"], row["select"], row["object_alias_name"]) for row in rows] == [
        ("shop", "partial", None),
        ("shop-*-*-orders", "true", "orders_new"),
        ("billing", "true", None),
    ]
    assert rows[1]["parent_id"] == "shop"
    assert read_objects("shop")[0]["object_type"] == "database"
    assert read_objects([{"id": "v", "object_type": "view"}]) == [{"id": "v", "object_type": "view"}]


@pytest.mark.parametrize("objects", [[], [7], [""], [".x"], {"shop": 7}, 7, [{"name": "x"}]])
def test_objects_that_are_none_are_refused(objects: Any) -> None:
    """The text names the argument."""
    with pytest.raises(DrsConfigError, match="objects"):
        read_objects(objects)


def test_windows_are_texts_in_utc() -> None:
    """All day is from 16:00 to 15:59, as the page's example has it."""
    assert read_windows([{"begin": "16:00", "end": "15:59", "speed": 15}]) == [
        {"begin": "16:00", "end": "15:59", "speed": "15", "is_utc": True}
    ]
    assert read_windows([]) == []


@pytest.mark.parametrize(
    "windows",
    [
        "16:00",
        {"begin": "16:00"},
        [{"begin": "08:00", "end": "09:00", "speed": 1}],
        [{"begin": "08:59", "end": "08:59", "speed": 1}],
        [{"begin": "8:00", "end": "09:59", "speed": 1}],
        [{"begin": "08:00", "end": "09:59", "speed": 0}],
        [{"begin": "08:00", "end": "09:59", "speed": "fast"}],
        [{"begin": "08:00", "end": "09:59"}],
        [{"begin": "08:00", "end": "09:59", "speed": 1}, {"begin": "22:00", "end": "08:59", "speed": 1}],
        [{"begin": f"0{n}:00", "end": f"0{n}:59", "speed": 1} for n in range(4)],
    ],
)
def test_windows_without_sense_are_refused(windows: Any) -> None:
    """More than three, overlapping, or not ending on :59."""
    with pytest.raises(DrsConfigError, match="windows"):
        read_windows(windows)


@given(st.lists(st.integers(0, 23), min_size=2, max_size=6, unique=True).map(sorted))
def test_windows_that_follow_each_other_do_not_overlap(hours: list[int]) -> None:
    """Whatever the hours."""
    pairs = list(zip(hours[::2], hours[1::2], strict=False))

    windows = [{"begin": f"{a:02}:00", "end": f"{b - 1:02}:59", "speed": 1} for a, b in pairs]

    assert len(read_windows(windows)) == len(pairs)


def test_policies_that_are_given_are_sent() -> None:
    """And one of them at least, with a value that there is."""
    assert read_policies({"conflict_policy": "stop", "ddl_trans": None}) == {"conflict_policy": "stop"}
    for bad in ({"conflict_policy": None}, {"conflict_policy": "wait"}):
        with pytest.raises(DrsConfigError, match="conflict_policy"):
            read_policies(bad)


def test_rules_of_both_kinds_have_the_shape_of_the_page() -> None:
    """A condition for tables, or a configuration across them."""
    plain = read_transformation({"tables": "shop.orders", "where": "id > 5"})
    assert plain["object_info"] == [{"id": "shop-*-*-orders", "select": "true"}]
    assert plain["transformation_info"]["transformation_type"] == "contentConditionalFilter"

    config = dict.fromkeys(("col_names", "prim_key_or_index", "indexs", "values"), "x")
    across = read_transformation({"config": {**config, "db_name": "shop", "table_name": "orders"}})
    assert across["transformation_info"]["value"] == "config"
    assert across["config_transformation"]["db_table_name"] == "shop.orders"


@pytest.mark.parametrize(
    "rule",
    [
        7,
        {},
        {"tables": ["orders"], "where": "x"},
        {"tables": [], "where": "x"},
        {"tables": [f"shop.t{n}" for n in range(10_001)], "where": "x"},
        {"tables": ["shop.orders"], "where": ""},
        {"tables": ["shop.orders"], "where": "x" * 257},
        {"config": {"db_name": "shop"}},
    ],
)
def test_rules_without_sense_are_refused(rule: Any) -> None:
    """The text says what one has."""
    with pytest.raises(DrsConfigError, match="rules"):
        read_transformation(rule)


def test_a_table_has_one_rule() -> None:
    """The service would take a second for the first, and it would be lost without a word."""
    orders = {"tables": ["shop.orders", "shop.items"], "where": "id > 5"}
    config = dict.fromkeys(("col_names", "prim_key_or_index", "indexs", "values"), "x")
    across = {"config": {**config, "db_name": "shop", "table_name": "orders"}}

    assert len(read_transformations([orders, {"tables": "shop.customers", "where": "id > 5"}])) == 2
    for second in ({"tables": "shop.orders", "where": "id > 7"}, across):
        with pytest.raises(DrsConfigError, match=r"rules: shop\.orders is in more than one"):
            read_transformations([orders, second])
    for none in ([], orders, "rules", 7):
        with pytest.raises(DrsConfigError, match="rules: give a list"):
            read_transformations(none)


def test_changes_are_those_that_the_service_knows() -> None:
    """Passwords, for one, are none."""
    assert read_changes({"name": "new-name"}) == {"name": "new-name"}
    for bad in ({"password": "x"}, ["name"]):
        with pytest.raises(DrsConfigError, match="changes"):
            read_changes(bad)
