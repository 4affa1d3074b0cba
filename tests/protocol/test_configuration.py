"""What people write, and what goes over the wire: objects, windows, rules, endpoints, jobs to create."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_drs.protocol.configuration import (
    read_changes,
    read_objects,
    read_policies,
    read_transformation,
    read_transformations,
    read_windows,
)
from airflow_provider_drs.protocol.creation import find_difference, read_spec
from airflow_provider_drs.protocol.endpoints import (
    Endpoint,
    complete,
    endpoint_of,
    to_cluster_property,
    to_created_endpoint,
    to_saved_endpoint,
    to_test_row,
)
from airflow_provider_drs.protocol.errors import DrsConfigError
from airflow_provider_drs.protocol.jobs import JobDetails

JOB = JobDetails(
    "a",
    "orders",
    "CONFIGURATION",
    "migration",
    "FULL_INCR_TRANS",
    "up",
    None,
    False,
    {"net_type": "vpn", "inst_info": {"engine_type": "mysql"}, "target_endpoint": {"inst_id": "in01"}},
)
SECRET = "not-a-real-secret"
SOURCE = Endpoint("192.0.2.1", 3306, "root", SECRET, name="connection 'shop'")
SPEC = {"name": "orders", "db_use_type": "migration", "engine_type": "mysql", "subnet_id": "5c6bbb05"}


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


def test_a_test_row_has_what_the_job_knows() -> None:
    """Network, type and place come from the job, credentials from the endpoint."""
    row = to_test_row(replace(SOURCE, region="eu-de"), "target", JOB)

    assert row == {
        "end_point_type": "ta",
        "net_type": "vpn",
        "db_type": "mysql",
        "ip": "192.0.2.1",
        "db_port": 3306,
        "db_user": "root",
        "db_password": SECRET,
        "ssl_link": False,
        "inst_id": "in01",
        "region": "eu-de",
    }


def test_the_port_of_mongodb_stands_in_the_address() -> None:
    """And is 0 where a port belongs (drs_03_0105)."""
    job = replace(JOB, raw={"inst_info": {"engine_type": "mongodb"}})
    row = to_test_row(replace(SOURCE, ip="a, b", db_port=8635, db_name="admin"), "source", job)

    assert (row["ip"], row["db_port"], row["db_name"]) == ("a:8635,b:8635", 0, "admin")
    assert complete(replace(SOURCE, ip="a:1"), "source", job).ip == "a:1"


def test_a_certificate_goes_with_its_check_sum() -> None:
    """In base64, with the SHA-256 of its content; a missing one is an error."""
    pem = "-----BEGIN CERTIFICATE-----"
    row = to_test_row(replace(SOURCE, ssl_cert=pem), "source", JOB)

    assert row["ssl_link"] is True
    assert base64.b64decode(row["ssl_cert_key"]).decode() == pem
    assert row["ssl_cert_check_sum"] == hashlib.sha256(pem.encode()).hexdigest()
    with pytest.raises(DrsConfigError, match="ssl_cert"):
        to_test_row(replace(SOURCE, ssl_link=True), "source", JOB)


def test_a_cluster_is_tested_with_a_list_in_a_text() -> None:
    """With the service's own spelling of each field, and shards as ls."""
    job = replace(JOB, raw={"inst_info": {"engine_type": "mongodb"}})
    ends = [("source", replace(SOURCE, ip="a:1", ssl_cert="pem")), ("shard", replace(SOURCE, ip="b:1"))]

    first, second = json.loads(to_cluster_property(ends, job))

    assert (first["endpointtype"], first["dbport"], first["dbName"]) == ("so", 0, "admin")
    assert {"sslcertkey", "sslcertname", "sslcertchecksum"} <= first.keys()
    assert (second["endpointtype"], second["nettype"]) == ("ls", "eip")


@pytest.mark.parametrize("field", ["ip", "db_user", "db_password"])
def test_an_endpoint_without_something_is_refused(field: str) -> None:
    """The text names the connection and the field, and never the secret."""
    with pytest.raises(DrsConfigError, match="connection 'shop'") as caught:
        to_saved_endpoint(replace(SOURCE, **{field: ""}), "source", JOB)

    assert SECRET not in str(caught.value) + repr(SOURCE)


def test_an_instance_of_the_cloud_needs_its_region() -> None:
    """The target of the job is one."""
    with pytest.raises(DrsConfigError, match=r"extra\.region"):
        to_saved_endpoint(SOURCE, "target", JOB)


def test_an_endpoint_for_each_job_has_to_be_there() -> None:
    """By the job's id."""
    assert endpoint_of({"a": SOURCE}, "a") is SOURCE
    with pytest.raises(DrsConfigError, match="no endpoint for job b"):
        endpoint_of({"a": SOURCE}, "b")


def test_a_job_is_created_without_credentials() -> None:
    """Only with the place of its databases."""
    assert to_created_endpoint(replace(SOURCE, inst_id="in01", region="eu-de"), "mysql") == {
        "db_type": "mysql",
        "inst_id": "in01",
        "region": "eu-de",
    }


def test_what_has_one_sensible_value_may_be_left_out() -> None:
    """The misspelt key of the subnet, and what follows from the rest."""
    row = read_spec(SPEC, target=replace(SOURCE, inst_id="in01", region="eu-de"))

    assert row == {
        "name": "orders",
        "db_use_type": "migration",
        "engine_type": "mysql",
        "customize_sutnet_id": "5c6bbb05",
        "job_direction": "up",
        "net_type": "eip",
        "node_type": "high",
        "task_type": "FULL_INCR_TRANS",
        "bind_eip": True,
        "source_endpoint": {"db_type": "mysql"},
        "target_endpoint": {"db_type": "mysql", "inst_id": "in01", "region": "eu-de"},
    }


DR = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql"}
HERE = {"target_endpoint": {"region": "eu-de", "inst_id": "in01"}}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": "x"}, "name of job 'x'"),
        ({"name": None}, "name of job 'without a name' is missing"),
        ({"subnet_id": None}, "subnet_id"),
        ({"colour": "blue"}, "colour"),
        ({"db_use_type": "copy"}, "db_use_type"),
        ({"task_type": "ALL"}, "task_type"),
        ({"db_use_type": "sync", "engine_type": "mongodb"}, "'mongodb' is for migration"),
        ({"bind_eip": False}, "bind_eip"),
        ({"master_az": "az1"}, "slave_az"),
        ({"multi_write": True}, "multi_write"),
        ({"description": "Tom & Jerry"}, "description"),
        ({"expired_days": 13}, "expired_days"),
        ({"expired_days": "soon"}, "expired_days"),
        ({"tags": [{}] * 21}, "tags"),
        ({"sys_tags": [{}] * 2}, "sys_tags"),
        ({"node_num": 33}, "node_num"),
        ({"source_endpoint": "there"}, "source_endpoint"),
        ({**DR, **HERE, "net_type": "vpc"}, "net_type"),
        ({**DR, **HERE, "task_type": "FULL_TRANS"}, "task_type"),
        ({**DR}, r"target_endpoint\.region"),
        ({**DR, "job_direction": "down"}, r"source_endpoint\.region"),
        ({**DR, **HERE, "is_target_readonly": False}, "is_target_readonly"),
    ],
)
def test_a_job_that_cannot_be_is_refused_before_it_is_sent(changes: dict[str, Any], text: str) -> None:
    """The text names the field and the job."""
    with pytest.raises(DrsConfigError, match=text):
        read_spec({**SPEC, **changes})


def test_disaster_recovery_and_other_engines_are_completed() -> None:
    """Single-active unless said otherwise; an engine that nobody knows is left to the service."""
    assert read_spec({**SPEC, **DR, **HERE})["multi_write"] is False
    row = read_spec({**SPEC, "engine_type": "oracle-to-x", "net_type": "vpn", "expired_days": 20})
    assert (row["expired_days"], "bind_eip" in row) == ("20", False)
    with pytest.raises(DrsConfigError, match="jobs"):
        read_spec("orders")


def test_a_job_of_the_same_name_is_compared_by_what_it_is() -> None:
    """Fields that the details do not show count as the same."""
    row = read_spec(SPEC)
    same = replace(JOB, raw={"inst_info": {"engine_type": "mysql"}, "db_use_type": "migration"})
    other = replace(JOB, raw={"inst_info": {"engine_type": "mysql"}, "task_type": "FULL_TRANS"})

    assert find_difference(row, same) is None
    assert find_difference(row, other) == "task_type is 'FULL_TRANS' and should be 'FULL_INCR_TRANS'"
    shards = read_spec({**SPEC, "engine_type": "mongodb", "node_num": 2})
    for count, difference in (("2", None), ("3", "node_num is 3 and should be 2")):
        job = replace(JOB, raw={"inst_info": {"engine_type": "mongodb"}, "node_num": count})
        assert find_difference(shards, job) == difference
    writable = replace(same, raw={**same.raw, "is_target_readonly": False})
    assert find_difference(row, writable) is None
    assert find_difference({**row, "is_target_readonly": True}, writable)
    mongodb = read_spec({**SPEC, "engine_type": "mongodb"})
    assert (
        find_difference(mongodb, replace(same, raw={"inst_info": {"engine_type": "mongodb-to-dds"}})) is None
    )
