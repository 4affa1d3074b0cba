"""Jobs to create: what is required, completed and refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.protocol.creation.messages import find_difference, read_spec
from airflow_provider_drs.protocol.jobs.databases import (
    Endpoint,
    to_created_endpoint,
)
from airflow_provider_drs.protocol.jobs.messages import JobDetails

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
