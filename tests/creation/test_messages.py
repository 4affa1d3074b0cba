"""Jobs to create: required, completed and refused fields."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.protocol.creation.messages import find_difference, read_fields, read_spec
from airflow_provider_drs.protocol.jobs.databases import Endpoint
from airflow_provider_drs.protocol.jobs.messages import JobDetails

JOB = JobDetails("a", "orders", "CONFIGURATION", "migration", "FULL_INCR_TRANS", "up", None, False, {})
SPEC = {"name": "orders", "db_use_type": "migration", "engine_type": "mysql", "subnet_id": "5c6bbb05"}
DISASTER_RECOVERY = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql"}
TARGET = {"target_endpoint": {"region": "eu-de", "inst_id": "in01"}}


def test_optional_fields_are_completed_without_credentials() -> None:
    """The misspelled key of the subnet, defaults, fields that follow from others, and locations."""
    endpoint = Endpoint("192.0.2.1", 3306, "root", "not-a-real-secret", inst_id="in01", region="eu-de")

    assert read_spec(SPEC, target=endpoint) == {
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


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": "x"}, "job 'x': name must be 4 to 50"),
        ({"name": None}, r"job '\(unnamed\)': name is missing"),
        ({"subnet_id": None}, "subnet_id is missing"),
        ({"color": "blue"}, "color is unknown"),
        ({"db_use_type": "copy"}, "db_use_type must be one of .*, not 'copy'"),
        ({"task_type": "ALL"}, "task_type"),
        ({"db_use_type": "sync", "engine_type": "mongodb"}, "'mongodb' is for migration"),
        ({"bind_eip": False}, "bind_eip"),
        ({"master_az": "az1"}, "slave_az"),
        ({"multi_write": True}, "multi_write"),
        ({"description": "Tom & Jerry"}, "description"),
        ({"expired_days": 13}, "expired_days must be 14 to 100 days"),
        ({"expired_days": "soon"}, "expired_days"),
        ({"tags": [{}] * 21}, "tags"),
        ({"sys_tags": [{}] * 2}, "sys_tags"),
        ({"node_num": 33}, "node_num"),
        ({"source_endpoint": "there"}, "source_endpoint"),
        ({**DISASTER_RECOVERY, **TARGET, "net_type": "vpc"}, "net_type"),
        ({**DISASTER_RECOVERY, **TARGET, "task_type": "FULL_TRANS"}, "task_type"),
        (DISASTER_RECOVERY, r"target_endpoint\.region"),
        ({**DISASTER_RECOVERY, "job_direction": "down"}, r"source_endpoint\.region"),
        ({**DISASTER_RECOVERY, **TARGET, "is_target_readonly": False}, "is_target_readonly"),
    ],
)
def test_invalid_job_is_refused(changes: dict[str, Any], text: str) -> None:
    """The message names the job and the field."""
    with pytest.raises(DrsConfigError, match=text):
        read_spec({**SPEC, **changes})


def test_job_that_is_not_an_object_is_refused() -> None:
    with pytest.raises(DrsConfigError, match="jobs is invalid"):
        read_spec("orders")


def test_disaster_recovery_and_unknown_engines_are_completed() -> None:
    """Disaster recovery is single-active by default; DRS checks unknown engines."""
    assert read_spec({**SPEC, **DISASTER_RECOVERY, **TARGET})["multi_write"] is False
    row = read_spec({**SPEC, "engine_type": "oracle-to-x", "net_type": "vpn", "expired_days": 20})
    assert (row["expired_days"], "bind_eip" in row) == ("20", False)


@pytest.mark.parametrize(
    ("changes", "engine", "details", "difference"),
    [
        ({}, "mysql", {"db_use_type": "migration"}, None),
        ({}, "mysql", {"task_type": "FULL_TRANS"}, "task_type is 'FULL_TRANS' instead of 'FULL_INCR_TRANS'"),
        ({"engine_type": "mongodb", "node_num": 2}, "mongodb", {"node_num": "2"}, None),
        (
            {"engine_type": "mongodb", "node_num": 2},
            "mongodb",
            {"node_num": "3"},
            "node_num is 3 instead of 2",
        ),
        ({"engine_type": "mongodb"}, "mongodb-to-dds", {}, None),
        ({}, "mysql", {"is_target_readonly": False}, None),
        (
            {"is_target_readonly": True},
            "mysql",
            {"is_target_readonly": False},
            "is_target_readonly is False instead of True",
        ),
    ],
)
def test_existing_job_is_compared_with_the_request(
    changes: dict[str, Any], engine: str, details: dict[str, Any], difference: str | None
) -> None:
    """Fields that only one of them has do not differ."""
    job = replace(JOB, raw={"inst_info": {"engine_type": engine}, **details})

    assert find_difference(read_spec({**SPEC, **changes}), job) == difference


@pytest.mark.parametrize("value", [datetime.date(2026, 12, 1), [{"key": "since", "value": {1, 2}}]])
def test_value_that_json_lacks_is_named(value: object) -> None:
    field = "description" if isinstance(value, datetime.date) else "tags"

    with pytest.raises(DrsConfigError, match=f"{field} has a value that JSON cannot represent"):
        read_fields({**SPEC, field: value})
