"""
Source and destination databases of a job, in the form that each operation expects.

The values contain secrets. They are created right before they are sent, and their repr has no secret.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.protocol.jobs.messages import JobDetails

#: The names of source and destination in requests.
ENDS = {"source": "so", "target": "ta"}
_SHARD = "ls"

#: The database types of source and destination by engine (drs_03_0104).
_DB_TYPES = {
    "mysql": ("mysql", "mysql"),
    "mongodb": ("mongodb", "mongodb"),
    # The engine name that Huawei Cloud returns for a job that was created as mongodb.
    "mongodb-to-dds": ("mongodb", "mongodb"),
    "cloudDataGuard-mysql": ("mysql", "mysql"),
    "mysql-to-taurus": ("mysql", "taurus"),
    "postgresql": ("postgresql", "postgresql"),
}
_MONGODB = "mongodb"
#: How a certificate in text form begins.
_PEM = b"-----BEGIN"
#: The location of a cloud instance, or the network of a self-managed database.
_PLACE = (
    "region",
    "inst_id",
    "project_id",
    "vpc_id",
    "subnet_id",
    "security_group_id",
    "inst_name",
    "az_code",
)


#: Its fields in a connection test (drs_03_0105).
_TEST_PLACE = ("inst_id", "region", "project_id", "vpc_id", "subnet_id")
#: Their names in the property of a test in cluster mode, which the page's example has (drs_03_0106).
_CLUSTER_PLACE = {
    "region": "region",
    "project_id": "projectId",
    "inst_id": "instid",
    "vpc_id": "vpcId",
    "subnet_id": "subnetId",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    A database, with the credentials to connect to it.

    :param ip: its address, for MongoDB ``host:port,host:port``.
    :param db_port: its port; 0 for MongoDB, whose ``ip`` contains the ports.
    :param db_name: for MongoDB, the database that authenticates the user.
    :param db_type: ``mysql``, ``mongodb``, ``taurus`` or ``postgresql``; default: from the job's engine.
    :param region: with ``inst_id``, ``project_id``, ``vpc_id``, ``subnet_id``, ...: the location of a cloud
        instance; without ``inst_id``, the network of a self-managed database.
    :param ssl_cert: a CA certificate; enables TLS. Text in PEM format, or a binary one such as ``.p12``: its
        bytes, or their base64.
    :param name: its name in errors, such as the ID of an Airflow connection.
    """

    ip: str = ""
    db_port: int | None = None
    db_user: str = ""
    db_password: str = field(default="", repr=False)
    db_name: str = ""
    db_type: str = ""
    region: str = ""
    inst_id: str = ""
    project_id: str = ""
    vpc_id: str = ""
    subnet_id: str = ""
    security_group_id: str = ""
    inst_name: str = ""
    az_code: str = ""
    mongo_ha_mode: str = ""
    cluster_mode: str = ""
    ssl_link: bool | None = None
    ssl_cert: str | bytes = field(default="", repr=False)
    ssl_cert_name: str = ""
    ssl_cert_password: str = field(default="", repr=False)
    name: str = "endpoint"


#: One endpoint for all jobs, or one per job ID.
Endpoints = Endpoint | Mapping[str, Endpoint]


def endpoint_of(endpoints: Endpoints, job_id: str) -> Endpoint:
    """
    Return the endpoint of a job.

    :raises DrsConfigError: the job has none.
    """
    if isinstance(endpoints, Endpoint):
        return endpoints
    if job_id not in endpoints:
        raise DrsConfigError(
            f"{job_id}: no connection is set. Specify one connection for all jobs, or one per job."
        )
    return endpoints[job_id]


def db_types_of(engine_type: str) -> tuple[str, str]:
    """Return the database types of source and destination; empty for an unknown engine."""
    return _DB_TYPES.get(engine_type, ("", ""))


def complete(endpoint: Endpoint, end: str, job: JobDetails) -> Endpoint:
    """Return the endpoint with the database type and location of the job's details."""
    known = job.endpoint(end)
    index = list(ENDS).index(end) if end in ENDS else 0
    missing = [key for key in (*_PLACE, "ip") if not getattr(endpoint, key) and known.get(key)]
    changes: dict[str, Any] = {key: str(known[key]) for key in missing}
    db_type = endpoint.db_type or str(known.get("db_type") or "") or db_types_of(job.engine_type)[index]
    full = replace(endpoint, **changes, db_type=db_type)
    if db_type == _MONGODB and full.db_port and ":" not in full.ip:
        # MongoDB's ports are in the address only (drs_03_0105).
        hosts = ",".join(f"{host.strip()}:{full.db_port}" for host in full.ip.split(","))
        return replace(full, ip=hosts, db_port=0)
    return replace(full, db_port=0) if db_type == _MONGODB else full


def check_endpoint(endpoint: Endpoint, end: str, job: JobDetails) -> Endpoint:
    """
    Return an endpoint that has all fields for a connection.

    :raises DrsConfigError: a field is missing; the message names the field, the endpoint and the job.
    """
    full = complete(endpoint, end, job)
    needed = {"host": full.ip, "login": full.db_user, "password": full.db_password, "db_type": full.db_type}
    if full.inst_id:
        # "the database is a cloud instance" (drs_03_0105).
        needed |= {"extra.region": full.region}
    elif job.net_type == "vpc":
        # DRS places its replication instance in the network of a self-managed database.
        needed |= {"extra.vpc_id": full.vpc_id, "extra.subnet_id": full.subnet_id}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise DrsConfigError(
            f"{full.name}: {', '.join(missing)} missing, but required for the {end} of job {job.job_id}. "
            "Add the missing fields to the Airflow connection.",
            job_ids=(job.job_id,),
        )
    return full


def to_test_row(endpoint: Endpoint, end: str, job: JobDetails) -> dict[str, Any]:
    """Return the row of a connection test (drs_03_0105), without the job ID."""
    full = check_endpoint(endpoint, end, job)
    row: dict[str, Any] = {
        "end_point_type": ENDS[end],
        "net_type": job.net_type or "eip",
        "db_type": full.db_type,
        "ip": full.ip,
        "db_port": full.db_port,
        "db_user": full.db_user,
        "db_password": full.db_password,
        "db_name": full.db_name,
        "ssl_link": _uses_tls(full),
        "ssl_cert_password": full.ssl_cert_password,
        **_certificate(full),
        **{key: getattr(full, key) for key in _TEST_PLACE},
    }
    return _without_blanks(row)


def to_cluster_property(ends: Sequence[tuple[str, Endpoint]], job: JobDetails) -> str:
    """Return the property of a test in cluster mode (drs_03_0106): a JSON array in a string."""
    entries = []
    for end, endpoint in ends:
        full = check_endpoint(endpoint, "source" if end == "shard" else end, job)
        entry: dict[str, Any] = {
            "dbtype": full.db_type,
            "dbport": full.db_port or 0,
            "ssllink": _uses_tls(full),
            "nettype": job.net_type or "eip",
            "endpointtype": ENDS.get(end, _SHARD),
            "ip": full.ip,
            # Required. Only MongoDB authenticates its users in a database.
            "dbName": full.db_name or ("admin" if full.db_type == _MONGODB else ""),
            "dbuser": full.db_user,
            "dbpassword": full.db_password,
        }
        entry |= {name: getattr(full, key) for key, name in _CLUSTER_PLACE.items() if getattr(full, key)}
        entry |= {key.replace("_", ""): value for key, value in _certificate(full).items()}
        entries.append(entry)
    return json.dumps(entries)


def to_saved_endpoint(endpoint: Endpoint, end: str, job: JobDetails) -> dict[str, Any]:
    """Return an endpoint as the operation that saves it expects it (drs_03_0107)."""
    full = check_endpoint(endpoint, end, job)
    row: dict[str, Any] = {
        "db_type": full.db_type,
        "ip": full.ip,
        "db_port": full.db_port,
        "db_user": full.db_user,
        "db_password": full.db_password,
        "db_name": full.db_name,
        "ssl_link": _uses_tls(full),
        "ssl_cert_password": full.ssl_cert_password,
        "mongo_ha_mode": full.mongo_ha_mode,
        "cluster_mode": full.cluster_mode,
        **_certificate(full),
        **{key: getattr(full, key) for key in _PLACE},
    }
    return _without_blanks(row)


def to_comparable(endpoint: Endpoint, end: str, job: JobDetails) -> dict[str, Any]:
    """Return the fields of an endpoint that the details of a job can have; they have no passwords."""
    full = complete(endpoint, end, job)
    row: dict[str, Any] = {
        **{key: getattr(full, key) for key in (*_PLACE, "ip", "db_user", "cluster_mode")},
        "db_port": full.db_port or None,
        "mongo_ha_mode": full.mongo_ha_mode,
        "db_name": full.db_name if full.db_type == _MONGODB else "",
        "ssl_link": _uses_tls(full),
    }
    return _without_blanks(row)


def to_created_endpoint(endpoint: Endpoint, db_type: str) -> dict[str, Any]:
    """
    Return an endpoint as the operation that creates a job expects it (drs_03_0104): location without
    credentials.
    """
    row = {"db_type": endpoint.db_type or db_type, **{key: getattr(endpoint, key) for key in _PLACE}}
    return _without_blanks({**row, "cluster_mode": endpoint.cluster_mode})


def _uses_tls(endpoint: Endpoint) -> bool:
    return bool(endpoint.ssl_cert) if endpoint.ssl_link is None else endpoint.ssl_link


def _certificate(endpoint: Endpoint) -> dict[str, Any]:
    if not _uses_tls(endpoint):
        return {}
    if not endpoint.ssl_cert:
        raise DrsConfigError(
            f"{endpoint.name}: ssl_link is set without ssl_cert. Set ssl_cert to the CA certificate (PEM)."
        )
    content = _read_certificate(endpoint.ssl_cert)
    return {
        "ssl_cert_key": base64.b64encode(content).decode(),
        "ssl_cert_name": endpoint.ssl_cert_name or ("ca.pem" if _PEM in content else "ca.p12"),
        "ssl_cert_check_sum": hashlib.sha256(content).hexdigest(),
    }


def _read_certificate(certificate: str | bytes) -> bytes:
    """Return the content of a certificate; text that is not PEM is base64 of a binary one."""
    if isinstance(certificate, bytes):
        return certificate
    content = certificate.encode()
    if _PEM not in content:
        with contextlib.suppress(ValueError):
            return base64.b64decode("".join(certificate.split()), validate=True)
    return content


def _without_blanks(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value is not None and value != ""}
