"""Source and destination databases, as each operation expects them."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace

import pytest

from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.protocol.jobs.databases import (
    Endpoint,
    complete,
    endpoint_of,
    to_cluster_property,
    to_saved_endpoint,
    to_test_row,
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


def test_test_row_combines_job_and_endpoint() -> None:
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


def test_mongodb_port_is_in_the_address() -> None:
    job = replace(JOB, raw={"inst_info": {"engine_type": "mongodb"}})
    row = to_test_row(replace(SOURCE, ip="a, b", db_port=8635, db_name="admin"), "source", job)

    assert (row["ip"], row["db_port"], row["db_name"]) == ("a:8635,b:8635", 0, "admin")
    assert complete(replace(SOURCE, ip="a:1"), "source", job).ip == "a:1"


def test_certificate_has_a_checksum() -> None:
    pem = "-----BEGIN CERTIFICATE-----"
    row = to_test_row(replace(SOURCE, ssl_cert=pem), "source", JOB)

    assert row["ssl_link"] is True
    assert base64.b64decode(row["ssl_cert_key"]).decode() == pem
    assert row["ssl_cert_check_sum"] == hashlib.sha256(pem.encode()).hexdigest()
    with pytest.raises(DrsConfigError, match="ssl_cert"):
        to_test_row(replace(SOURCE, ssl_link=True), "source", JOB)


def test_binary_certificate_is_bytes_or_base64() -> None:
    content = b"\x30\x82\x00\xff binary"
    encoded = base64.b64encode(content).decode()
    for certificate in (content, encoded, f"{encoded[:8]}\n{encoded[8:]}\n"):
        endpoint = replace(SOURCE, ssl_cert=certificate, ssl_cert_password=SECRET)
        row = to_test_row(endpoint, "source", JOB)

        assert base64.b64decode(row["ssl_cert_key"]) == content
        assert row["ssl_cert_check_sum"] == hashlib.sha256(content).hexdigest()
        assert (row["ssl_cert_name"], row["ssl_cert_password"]) == ("ca.p12", SECRET)
        assert SECRET not in repr(endpoint)


def test_network_of_a_self_managed_database_is_sent() -> None:
    job = replace(JOB, raw={**JOB.raw, "net_type": "vpc"})
    network = {"vpc_id": "v", "subnet_id": "s", "region": "eu-de", "project_id": "p"}

    row = to_test_row(replace(SOURCE, **network), "source", job)

    assert network.items() <= row.items()
    assert "inst_id" not in row
    with pytest.raises(DrsConfigError, match=r"extra\.vpc_id, extra\.subnet_id missing"):
        to_test_row(SOURCE, "source", job)


def test_cluster_property_has_the_place() -> None:
    place = {"vpc_id": "v", "subnet_id": "s", "region": "eu-de", "project_id": "p", "inst_id": "i"}

    (entry,) = json.loads(to_cluster_property([("source", replace(SOURCE, **place))], JOB))

    sent = {"vpcId": "v", "subnetId": "s", "region": "eu-de", "projectId": "p", "instid": "i", "dbName": ""}
    assert sent.items() <= entry.items()


def test_cluster_property_is_json_in_a_string() -> None:
    job = replace(JOB, raw={"inst_info": {"engine_type": "mongodb"}})
    ends = [("source", replace(SOURCE, ip="a:1", ssl_cert="pem")), ("shard", replace(SOURCE, ip="b:1"))]

    first, second = json.loads(to_cluster_property(ends, job))

    assert (first["endpointtype"], first["dbport"], first["dbName"]) == ("so", 0, "admin")
    assert {"sslcertkey", "sslcertname", "sslcertchecksum"} <= first.keys()
    assert (second["endpointtype"], second["nettype"]) == ("ls", "eip")


@pytest.mark.parametrize("field", ["ip", "db_user", "db_password"])
def test_incomplete_endpoint_is_rejected(field: str) -> None:
    with pytest.raises(DrsConfigError, match="connection 'shop'") as caught:
        to_saved_endpoint(replace(SOURCE, **{field: ""}), "source", JOB)

    assert SECRET not in str(caught.value) + repr(SOURCE)


def test_cloud_instance_requires_region() -> None:
    with pytest.raises(DrsConfigError, match=r"extra\.region"):
        to_saved_endpoint(SOURCE, "target", JOB)


def test_missing_endpoint_of_a_job_is_an_error() -> None:
    assert endpoint_of({"a": SOURCE}, "a") is SOURCE
    with pytest.raises(DrsConfigError, match="b: no connection is set"):
        endpoint_of({"a": SOURCE}, "b")
