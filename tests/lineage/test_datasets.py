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
from airflow_provider_drs.protocol.prechecks.verdict import read_alarm_policy


def _job(source: Any = None, target: Any = None) -> JobDetails:
    raw = {"source_endpoint": source, "target_endpoint": target}
    return JobDetails("j", "orders", "CONFIGURATION", "migration", None, None, None, False, raw=raw)


@pytest.mark.parametrize(
    ("endpoint", "server"),
    [
        ({"db_type": "mysql", "ip": "192.0.2.1", "db_port": 3306}, "mysql://192.0.2.1:3306"),
        ({"db_type": "taurus", "ip": "192.0.2.1", "db_port": 3307}, "mysql://192.0.2.1:3307"),
        ({"db_type": "postgresql", "ip": "db.example", "db_port": 5432}, "postgres://db.example:5432"),
        ({"db_type": "mongodb", "ip": "a:27017,b:27018", "db_port": 0}, "mongodb://a:27017,b:27018"),
        ({"db_type": "mongodb", "ip": "a", "db_port": 0}, "mongodb://a"),
        ({"db_type": "mysql", "inst_id": "abcin01", "db_port": 3306}, "mysql://abcin01:3306"),
        ({"db_type": "mysql"}, None),
        ({"db_type": "oracle", "ip": "192.0.2.1"}, None),
        ({"db_type": "mysql", "ip": "user:secret@192.0.2.1"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_server_has_the_name_that_openlineage_gives_it(endpoint: Any, server: str | None) -> None:
    """By its address, else by the id of the instance; what is no address is no name."""
    assert find_server(_job(source=endpoint), "source") == server


SOURCE = {"db_type": "mysql", "ip": "192.0.2.1", "db_port": 3306}
TARGET = {"db_type": "mysql", "ip": "192.0.2.2", "db_port": 3306}


def test_without_objects_a_dataset_is_the_whole_server() -> None:
    """The service does not tell which databases a job has; an end that is not known has no dataset."""
    assert find_objects(_job(SOURCE)) == {"source": [Dataset("mysql://192.0.2.1:3306", "*")], "target": []}


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
def test_objects_are_datasets_of_their_own(objects: Any, source: list[str], target: list[str]) -> None:
    """Under the name that each end has for them."""
    found = find_objects(_job(SOURCE, TARGET), read_objects(objects))

    assert [each.name for each in found["source"]] == source
    assert [each.name for each in found["target"]] == target


def test_a_pre_check_asserts_something_of_each_end() -> None:
    """Items about one end of that one, all others of both, and the verdict first."""
    items = (
        CheckItem("srcBinlogFormatCheck", "FAILED"),
        CheckItem("dstDbDiskSize", "ALARM"),
        CheckItem("sqlModeConsistency", "UNHEARD"),
    )
    result = PrecheckResult("j", "j", 100, False, 90, items=items)

    said = assert_precheck(_job(), report_job("j", result, read_alarm_policy("allow")))

    assert [each.assertion for each in said["source"]] == [
        "drs_precheck",
        "srcBinlogFormatCheck",
        "sqlModeConsistency",
    ]
    assert [(each.assertion, each.severity, each.success) for each in said["target"]] == [
        ("drs_precheck", "error", False),
        ("dstDbDiskSize", "warn", False),
        ("sqlModeConsistency", "error", False),
    ]
    assert said["target"][1].name == "orders: dstDbDiskSize"


def test_a_job_that_needs_no_check_has_a_verdict_and_no_items() -> None:
    """It may start."""
    said = assert_precheck(_job(), report_job("j", None, read_alarm_policy("allow")))

    assert [(each.assertion, each.success) for each in said["source"]] == [("drs_precheck", True)]


ROW = {
    "kind": "lines",
    "source_db_name": "shop",
    "source_table_name": "orders",
    "target_table_name": "orders_new",
    "source_row_num": 10,
    "target_row_num": 9,
    "line_compare_result": "INCONSISTENT",
}
COUNTED = {"kind": "objects", "object_type": "TABLE", "object_compare_result": "INCONSISTENT"}
DATABASE = {"kind": "lines", "source_db_name": "shop", "line_compare_result": "INCONSISTENT"}


def _compare(*differences: dict[str, Any], **statuses: str) -> ComparisonResult:
    return ComparisonResult("j", statuses or {"lines": "SUCCESSFUL"}, 3, differences)


def test_a_comparison_asserts_something_of_both_ends() -> None:
    """The verdict of each server, and what differs of the table, database or server that has it."""
    source, target = "mysql://192.0.2.1:3306", "mysql://192.0.2.2:3306"

    found = assert_comparison(_job(SOURCE, TARGET), _compare(COUNTED, DATABASE, ROW))

    assert {place: [(each.assertion, each.success) for each in said] for place, said in found.items()} == {
        Dataset(server, name): said
        for server, table in ((source, "shop.orders"), (target, "shop.orders_new"))
        for name, said in (
            ("*", [("drs_comparison", False), ("drs_comparison_objects", False)]),
            ("shop.*", [("drs_comparison_lines", False)]),
            (table, [("drs_comparison_lines", False)]),
        )
    }
    assert found[Dataset(source)][1].description == "TABLE INCONSISTENT"
    assert found[Dataset(source, "shop.orders")][0].name == "orders: drs_comparison_lines"


@pytest.mark.parametrize(
    ("result", "success", "description"),
    [
        (_compare(), True, "3 compared, 0 differences"),
        (_compare(ROW), False, "3 compared, 1 differences"),
        (_compare(lines="CANCELLED"), False, "3 compared, 0 differences, lines CANCELLED"),
    ],
)
def test_a_verdict_on_data_says_what_it_rests_on(
    result: ComparisonResult, success: bool, description: str
) -> None:
    """What could not be compared is not consistent; an end that is not known is told nothing of."""
    ((place, (verdict,)),) = [
        (place, said[:1]) for place, said in assert_comparison(_job(SOURCE), result).items()
    ][:1]

    assert place == Dataset("mysql://192.0.2.1:3306")
    assert (verdict.success, verdict.description) == (success, description)


def test_rows_are_counted_where_they_differ() -> None:
    """A comparison names no other tables, and counts rows of tables alone."""
    counted = count_rows(_job(SOURCE, TARGET), _compare(ROW, DATABASE, COUNTED))

    assert counted == {
        Dataset("mysql://192.0.2.1:3306", "shop.orders"): 10,
        Dataset("mysql://192.0.2.2:3306", "shop.orders_new"): 9,
    }
