"""
The permissions (IAM actions) that each operation requires, by cloud.

For Open Telekom Cloud they come from the page on permissions management of the user guide (drs_01_0201),
which names actions of the console. Where it has no action (passwords, definers, switchover), the closest one
is listed. For Huawei Cloud they come from the pages on actions of its API reference (drs_api_0037,
drs_api_0039). Operations without a confirmed action there have the general permission for actions on jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from airflow_provider_drs.protocol.connection.settings import Cloud
from airflow_provider_drs.protocol.core.operations import OPERATIONS

_ACTION = "drs:migrationJob:action"
_GET = "drs:migrationJob:get"


class _Row(NamedTuple):
    """The permissions of an operation; empty if none is confirmed."""

    otc: str
    huaweicloud: str = ""


_TABLE: Mapping[str, _Row] = {
    "BatchCreateJobs": _Row("drs:migrationJob:create", "drs:migrationJobs:create"),
    "BatchValidateConnections": _Row(_ACTION, "drs:migrationJobs:connect"),
    "BatchValidateClustersConnections": _Row(_ACTION, "drs:migrationJobs:connect"),
    "BatchUpdateJob": _Row("drs:migrationJob:modify", "drs:migrationJob:modify"),
    "BatchSetObjects": _Row("drs:migrationJob:update", "drs:migrationJobs:select"),
    "BatchSetDefiner": _Row("drs:migrationJob:updateJobConfig"),
    "BatchSetSpeed": _Row("drs:migrationJob:setMigrationTransSpeed", "drs:migrationJobs:update"),
    "BatchShowParams": _Row("drs:databaseParameters:get", "drs:databaseParameters:get"),
    "UpdateParams": _Row("drs:dataBaseParams:modify"),
    "BatchCheckJobs": _Row(_ACTION, _ACTION),
    "BatchCheckResults": _Row("drs:precheckJob:get", _GET),
    "BatchStartJobs": _Row(_ACTION, _ACTION),
    "BatchStopJobs": _Row(_ACTION, _ACTION),
    "BatchRestoreTask": _Row(_ACTION, _ACTION),
    "BatchDeleteJobs": _Row(
        "drs:migrationJob:terminate, drs:migrationJob:delete", "drs:migrationJobs:delete"
    ),
    "BatchResetPassword": _Row("drs:migrationJob:modify"),
    "BatchListJobStatus": _Row(_GET, _GET),
    "BatchListJobDetails": _Row(_GET, _GET),
    "BatchListProgresses": _Row("drs:migrationJobs:getProgress"),
    "ShowJobList": _Row("drs:migrationJob:list"),
    "CreateCompareTask": _Row("drs:migrationCompareJob:create"),
    "ListCompareResult": _Row("drs:compareJob:list, drs:compareJob:getResult"),
    "BatchSetPolicy": _Row("drs:migrationJob:updateJobConfig, drs:migrationJob:updateDDLPolicy"),
    "BatchChangeData": _Row("drs:dataTransformation:add"),
    "SwitchVip": _Row(_ACTION),
    "ShowSwitchVipStatus": _Row(_GET),
}


def permissions_of(operation: str, cloud: Cloud) -> tuple[str, ...]:
    """Return the permissions of an operation, for example ``drs:migrationJob:create``."""
    row = _TABLE[operation]
    listed = row.otc if cloud is Cloud.OTC else row.huaweicloud or _ACTION
    return tuple(listed.split(", "))


def permissions_by_face(cloud: Cloud) -> dict[str, tuple[str, ...]]:
    """
    Return the permissions of each operator and sensor.

    All of them also read the details of jobs.
    """
    found: dict[str, dict[str, None]] = {}
    for operation in OPERATIONS.values():
        for face in operation.faces:
            needed = permissions_of(operation.name, cloud)
            found.setdefault(face, dict.fromkeys((_GET,))).update(dict.fromkeys(needed))
    return {face: tuple(found[face]) for face in sorted(found)}
