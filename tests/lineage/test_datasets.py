from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.protocol.comparisons.messages import ComparisonResult
from airflow_provider_drs.protocol.configuration.messages import read_objects
from airflow_provider_drs.protocol.jobs.messages import JobDetails
from airflow_provider_drs.protocol.lineage import (
    Dataset,
    assert_comparison,
    assert_precheck,
    count_rows,
    find_objects,
    find_server,
)
from airflow_provider_drs.protocol.prechecks.messages import CheckItem, PrecheckResult
from airflow_provider_drs.protocol.prechecks.report import report_job
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy

SOURCE = {"db_type": "mysql", "ip": "192.0.2.1", "db_port": 3306}
TARGET = {"db_type": "mysql", "ip": "192.0.2.2", "db_port": 3306}
SOURCE_URL, TARGET_URL = "mysql://192.0.2.1:3306", "mysql://192.0.2.2:3306"


def _job(source: Any = None, target: Any = None) -> JobDetails:
    raw = {"source_endpoint": source, "target_endpoint": target}
    return JobDetails("j", "orders", "CONFIGURATION", "migration", None, None, None, False, raw=raw)


@pytest.mark.parametrize(
    ("endpoint", "server"),
    [
        (SOURCE, SOURCE_URL),
        ({**SOURCE, "db_type": "taurus", "db_port": 3307}, "mysql://192.0.2.1:3307"),
        ({**SOURCE, "ip": "2001:db8::1"}, "mysql://[2001:db8::1]:3306"),
        ({**SOURCE, "ip": "[2001:db8::1]:3307"}, "mysql://[2001:db8::1]:3307"),
        ({"db_type": "postgresql", "ip": "db.example", "db_port": 5432}, "postgres://db.example:5432"),
        ({"db_type": "mongodb", "ip": "a:27017,b:27018", "db_port": 0}, "mongodb://a:27017,b:27018"),
        ({"db_type": "mongodb", "ip": "a", "db_port": 0}, "mongodb://a"),
        ({"db_type": "mongodb", "ip": "a:1,b", "db_port": 27017}, "mongodb://a:1,b:27017"),
        ({"db_type": "mysql", "inst_id": "abcin01", "db_port": 3306}, "mysql://abcin01:3306"),
        ({"db_type": "mysql"}, None),
        ({"db_type": "oracle", "ip": "192.0.2.1"}, None),
        ({"db_type": "mysql", "ip": "user:secret@192.0.2.1"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_server_has_its_openlineage_name(endpoint: Any, server: str | None) -> None:
    """With its address, or with the id of the instance; a host that is not an address has no name."""
    assert find_server(_job(source=endpoint), "source") == server


@pytest.mark.parametrize(
    ("objects", "source", "target"),
    [
        (["shop"], ["shop.*"], ["shop.*"]),
        (["shop.orders", "shop.items"], ["shop.orders", "shop.items"], ["shop.orders", "shop.items"]),
        (
            {"shop.orders": "old_orders", "crm": "crm2"},
            ["shop.orders", "crm.*"],
            ["shop.old_orders", "crm2.*"],
        ),
        (
            [
                {"id": "d", "parent_id": None, "object_name": "d", "select": "partial"},
                {"id": "d-s", "parent_id": "d", "object_name": "s", "select": "partial"},
                {"id": "d-s-t", "parent_id": "d-s", "object_name": "t", "select": "true"},
            ],
            ["d.s.t"],
            ["d.s.t"],
        ),
        ([{"id": "loop", "parent_id": "loop", "select": "true"}], ["loop.loop.loop"], ["loop.loop.loop"]),
    ],
)
def test_objects_are_datasets_with_the_names_of_each_end(
    objects: Any, source: list[str], target: list[str]
) -> None:
    found = find_objects(_job(SOURCE, TARGET), read_objects(objects))

    assert found["source"] == [Dataset(SOURCE_URL, name) for name in source]
    assert found["target"] == [Dataset(TARGET_URL, name) for name in target]


def test_without_objects_the_dataset_is_the_whole_server() -> None:
    """An unknown end has no dataset."""
    assert find_objects(_job(SOURCE)) == {"source": [Dataset(SOURCE_URL, "*")], "target": []}


def test_precheck_has_assertions_for_each_end() -> None:
    """The verdict, and the items of this end or of both ends."""
    items = (
        CheckItem("srcBinlogFormatCheck", "FAILED"),
        CheckItem("dstDbDiskSize", "ALARM"),
        CheckItem("sqlModeConsistency", "UNKNOWN"),
    )
    result = PrecheckResult("j", "j", 100, False, 90, items=items)

    assertions = assert_precheck(_job(), report_job("j", result, AlarmPolicy()))

    assert [assertion.assertion for assertion in assertions["source"]] == [
        "drs_precheck",
        "srcBinlogFormatCheck",
        "sqlModeConsistency",
    ]
    assert [(row.assertion, row.severity, row.success) for row in assertions["target"]] == [
        ("drs_precheck", "error", False),
        ("dstDbDiskSize", "warn", False),
        ("sqlModeConsistency", "error", False),
    ]
    assert assertions["target"][1].name == "orders: dstDbDiskSize"


def test_job_that_needs_no_precheck_has_only_a_verdict() -> None:
    assertions = assert_precheck(_job(), report_job("j", None, AlarmPolicy()))

    assert [(row.assertion, row.success) for row in assertions["source"]] == [("drs_precheck", True)]


TABLE = {
    "kind": "lines",
    "source_db_name": "shop",
    "source_table_name": "orders",
    "target_table_name": "orders_new",
    "source_row_num": 10,
    "target_row_num": 9,
    "line_compare_result": "INCONSISTENT",
}
OBJECTS = {"kind": "objects", "object_type": "TABLE", "object_compare_result": "INCONSISTENT"}
DATABASE = {"kind": "lines", "source_db_name": "shop", "line_compare_result": "INCONSISTENT"}


def _compare(*differences: dict[str, Any], **statuses: str) -> ComparisonResult:
    return ComparisonResult("j", statuses or {"lines": "SUCCESSFUL"}, 3, differences)


def test_comparison_has_assertions_for_each_dataset() -> None:
    """The result for each server, and the differences of servers, databases and tables."""
    found = assert_comparison(_job(SOURCE, TARGET), _compare(OBJECTS, DATABASE, TABLE))

    assert {dataset: [(row.assertion, row.success) for row in rows] for dataset, rows in found.items()} == {
        Dataset(server, name): rows
        for server, table in ((SOURCE_URL, "shop.orders"), (TARGET_URL, "shop.orders_new"))
        for name, rows in (
            ("*", [("drs_comparison", False), ("drs_comparison_objects", False)]),
            ("shop.*", [("drs_comparison_lines", False)]),
            (table, [("drs_comparison_lines", False)]),
        )
    }
    assert found[Dataset(SOURCE_URL)][1].description == "TABLE INCONSISTENT"
    assert found[Dataset(SOURCE_URL, "shop.orders")][0].name == "orders: drs_comparison_lines"


@pytest.mark.parametrize(
    ("result", "success", "description"),
    [
        (_compare(), True, "3 compared, 0 differences"),
        (_compare(TABLE), False, "3 compared, 1 differences"),
        (_compare(lines="CANCELLED"), False, "3 compared, 0 differences, lines CANCELLED"),
    ],
)
def test_result_of_a_comparison_is_described(
    result: ComparisonResult, success: bool, description: str
) -> None:
    """A comparison that failed is not consistent; an unknown end has no assertions."""
    found = assert_comparison(_job(SOURCE), result)

    assert {dataset.namespace for dataset in found} == {SOURCE_URL}
    summary = found[Dataset(SOURCE_URL)][0]
    assert (summary.success, summary.description) == (success, description)


def test_rows_of_tables_that_differ_are_counted() -> None:
    counts = count_rows(_job(SOURCE, TARGET), _compare(TABLE, DATABASE, OBJECTS))

    assert counts == {Dataset(SOURCE_URL, "shop.orders"): 10, Dataset(TARGET_URL, "shop.orders_new"): 9}
