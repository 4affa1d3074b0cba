"""Jobs to create: the user's fields, checked and completed, and the responses to their creation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from airflow_provider_drs.protocol.core.batches import Answers
from airflow_provider_drs.protocol.core.errors import DrsConfigError, quote
from airflow_provider_drs.protocol.core.job_ids import find_duplicates
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.rows import parse_rows, read_text
from airflow_provider_drs.protocol.core.values import Value
from airflow_provider_drs.protocol.core.wire import Document, Request, Response
from airflow_provider_drs.protocol.jobs.databases import Endpoint, db_types_of, to_created_endpoint
from airflow_provider_drs.protocol.jobs.messages import DISASTER_RECOVERY, JOB_NAME, JOB_NAME_RULE, JobDetails

#: Defaults of fields that drs_03_0104 requires.
_DEFAULTS: Mapping[str, Any] = {
    "job_direction": "up",
    "net_type": "eip",
    "node_type": "high",
    "task_type": "FULL_INCR_TRANS",
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "db_use_type": ("migration", "sync", DISASTER_RECOVERY),
    "job_direction": ("up", "down", "non-dbs"),
    "net_type": ("vpn", "vpc", "eip"),
    "node_type": ("high",),
    "task_type": ("FULL_TRANS", "FULL_INCR_TRANS", "INCR_TRANS"),
}
#: The kinds of job that DRS offers for an engine (drs_api_0112). DRS checks engines that are not listed here.
_USES_BY_ENGINE: Mapping[str, tuple[str, ...]] = {
    "mysql": ("migration", "sync"),
    "mongodb": ("migration",),
    "mysql-to-taurus": ("sync",),
    "postgresql": ("sync",),
    "cloudDataGuard-mysql": (DISASTER_RECOVERY,),
}
_FIELDS = frozenset(
    {
        "name", "db_use_type", "engine_type", "job_direction", "bind_eip", "customize_sutnet_id",
        "is_target_readonly", "net_type", "node_type", "node_num", "source_endpoint", "target_endpoint",
        "task_type", "tags", "description", "multi_write", "sys_tags", "expired_days", "master_az",
        "slave_az",
    }
)  # fmt: skip
_DESCRIPTION = re.compile(r"""[^!<>'&"\\]{0,256}\Z""")
#: Checks of single fields, with the requirement for the error message.
_CHECKS: Mapping[str, tuple[Callable[[Any], object], str]] = {
    "name": (lambda value: JOB_NAME.match(str(value)), JOB_NAME_RULE),
    "engine_type": (lambda value: isinstance(value, str), "must be a string"),
    "source_endpoint": (lambda value: isinstance(value, Mapping), "must be an object"),
    "target_endpoint": (lambda value: isinstance(value, Mapping), "must be an object"),
    "description": (
        lambda value: _DESCRIPTION.match(str(value)), "must be at most 256 characters, without !<>'&\"\\"
    ),
    "expired_days": (lambda value: _read_int(value) in range(14, 101), "must be 14 to 100 days"),
    "node_num": (lambda value: _read_int(value) in range(1, 33), "must be 1 to 32"),
    "tags": (lambda value: _is_list(value, 20), "must be a list of at most 20 entries"),
    # For the enterprise project.
    "sys_tags": (lambda value: _is_list(value, 1), "must be a list of at most 1 entry"),
}  # fmt: skip


def read_fields(spec: object) -> dict[str, Any]:
    """
    Return the fields of a job with their defaults, without those that depend on its databases.

    :raises DrsConfigError: a field is missing, unknown or invalid; the message names it.
    """
    if not isinstance(spec, Mapping):
        raise DrsConfigError(f"jobs is invalid: expected an object for each job, not {type(spec).__name__}.")
    row = {**_DEFAULTS, **{key: value for key, value in spec.items() if value is not None}}
    if "subnet_id" in row:
        row["customize_sutnet_id"] = row.pop("subnet_id")
    name = str(row.get("name", "(unnamed)"))
    _check_fields(name, row)
    if row["net_type"] == "eip":
        row.setdefault("bind_eip", True)
    if row["db_use_type"] == DISASTER_RECOVERY:
        row.setdefault("multi_write", False)
    _check_combinations(name, row)
    return row


def check_names(names: Sequence[str]) -> None:
    """
    Check that each job has a name of its own.

    :raises DrsConfigError: two jobs have the same name.
    """
    if twice := find_duplicates(names):
        raise DrsConfigError(f"jobs: two jobs have the name {str(twice[0])!r}. Names must be unique.")


def read_spec(spec: object, source: Endpoint | None = None, target: Endpoint | None = None) -> dict[str, Any]:
    """
    Return the request row of a job of ``create_jobs`` (drs_03_0104).

    :raises DrsConfigError: a field is missing, unknown or invalid; the message names it.
    """
    row = read_fields(spec)
    name = str(row["name"])
    for end, endpoint, db_type in zip(
        ("source_endpoint", "target_endpoint"), (source, target), db_types_of(row["engine_type"]), strict=True
    ):
        location = to_created_endpoint(endpoint, db_type) if endpoint else {"db_type": db_type}
        fields = {**location, **row.get(end, {})}
        row[end] = {key: value for key, value in fields.items() if value != ""}
    if "expired_days" in row:
        row["expired_days"] = str(row["expired_days"])
    if row["db_use_type"] == DISASTER_RECOVERY:
        _check_location(name, row)
    return row


def _fail(name: str, problem: str) -> None:
    raise DrsConfigError(f"jobs: job {name!r}: {problem}.")


def _check_fields(name: str, row: Mapping[str, Any]) -> None:
    unknown = [str(key) for key in row if key not in _FIELDS]
    if unknown:
        _fail(name, f"{', '.join(unknown)} is unknown; expected {', '.join(sorted(_FIELDS))}")
    for key in ("name", "db_use_type", "engine_type", "subnet_id"):
        if not row.get("customize_sutnet_id" if key == "subnet_id" else key):
            _fail(name, f"{key} is missing")
    for key, choices in _CHOICES.items():
        if row[key] not in choices:
            _fail(name, f"{key} must be one of {', '.join(choices)}, not {quote(row[key])}")
    for key, (is_valid, requirement) in _CHECKS.items():
        if key in row and not is_valid(row[key]):
            _fail(name, f"{key} {requirement}")
    for key, value in row.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError, RecursionError):
            _fail(name, f"{key} has a value that JSON cannot represent. In YAML, put dates in quotes")


def _check_combinations(name: str, row: Mapping[str, Any]) -> None:
    """Check fields that depend on each other (drs_03_0104)."""
    use, engine = row["db_use_type"], row["engine_type"]
    if use not in _USES_BY_ENGINE.get(engine, (use,)):
        _fail(name, f"engine_type {engine!r} is for {' and '.join(_USES_BY_ENGINE[engine])}, not for {use}")
    if row["net_type"] == "eip" and row["bind_eip"] is not True:
        _fail(name, "bind_eip must be true with net_type eip")
    if ("master_az" in row) != ("slave_az" in row):
        _fail(name, "master_az and slave_az must be set together")
    if use == DISASTER_RECOVERY:
        _check_disaster_recovery(name, row)
    elif row.get("multi_write"):
        _fail(name, f"multi_write requires db_use_type {DISASTER_RECOVERY}")


def _check_disaster_recovery(name: str, row: Mapping[str, Any]) -> None:
    if row["net_type"] == "vpc":
        _fail(name, "net_type must not be vpc for disaster recovery")
    if not row["multi_write"] and row["task_type"] != "FULL_INCR_TRANS":
        _fail(name, "task_type must be FULL_INCR_TRANS for single-active disaster recovery")
    is_standby = row["job_direction"] == "up" and not row["multi_write"]
    if is_standby and row.get("is_target_readonly") is False:
        _fail(name, "is_target_readonly must be true while the database in this cloud is the standby")


def _check_location(name: str, row: Mapping[str, Any]) -> None:
    # The database in this cloud.
    end = "source_endpoint" if row["job_direction"] == "down" else "target_endpoint"
    for key in ("region", "inst_id"):
        if not row[end].get(key):
            _fail(name, f"{end}.{key} is missing; disaster recovery {row['job_direction']} requires it")


def _read_int(value: object) -> int | None:
    return int(str(value)) if str(value).isdecimal() else None


def _is_list(value: object, longest: int) -> bool:
    return isinstance(value, list | tuple) and len(value) <= longest


class CreatedJob(Value, frozen=True):
    """
    A job that was created.

    :param adopted: the job already existed with the same configuration and is used instead of a new one.
    :param child_ids: the subtasks of a dual-active pair or of a cluster job.
    :param forward_id: the forward job of a dual-active pair.
    :param backward_id: the backward job of a dual-active pair.
    :param request_id: the service's ID of the request, for support tickets.
    """

    name: str
    job_id: str
    status: str
    adopted: bool = False
    child_ids: tuple[str, ...] = ()
    forward_id: str | None = None
    backward_id: str | None = None
    request_id: str | None = None


def build_creation(rows: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> Request:
    """Return the request that creates jobs. Their names identify them until they have IDs."""
    return build("BatchCreateJobs", {"jobs": [rows[name] for name in names]}, tuple(names))


def parse_creation(request: Request, document: Document, response: Response) -> Answers[CreatedJob]:
    """Return the created jobs by name, and an error for each rejected one."""
    parse = partial(_parse_created, response.request_id)
    return parse_rows(request, document, response, parse, id_keys=("name",))


def _parse_created(request_id: str | None, name: str, row: Mapping[str, Any]) -> CreatedJob:
    children = row.get("child_ids")
    return CreatedJob(
        name,
        read_text(row, "id"),
        read_text(row, "status"),
        child_ids=tuple(str(child) for child in children) if isinstance(children, list) else (),
        request_id=request_id,
    )


#: The fields that a job of the same name must share to be adopted.
_IDENTITY = (
    "db_use_type", "job_direction", "task_type", "net_type", "multi_write", "is_target_readonly",
    "master_az", "slave_az",
)  # fmt: skip


def find_difference(row: Mapping[str, Any], job: JobDetails) -> str | None:
    """Return the first field whose value in the job differs from the row, or ``None``."""
    details = {**job.raw, "multi_write": job.multi_write}
    pairs = [(key, row.get(key), details.get(key)) for key in _IDENTITY]
    # A string in the details, a number in the request (drs_api_0151, drs_03_0104).
    pairs.append(("node_num", _read_int(row.get("node_num")), _read_int(details.get("node_num"))))
    # Huawei Cloud returns mongodb as mongodb-to-dds.
    pairs.append(("engine_type", row["engine_type"], job.engine_type.removesuffix("-to-dds")))
    for end in ("source", "target"):
        requested, found = row[f"{end}_endpoint"], job.endpoint(end)
        keys = ("inst_id", "region", "db_type")
        pairs += [(f"{end}_endpoint.{key}", requested.get(key), found.get(key)) for key in keys]
    for field, wanted, actual in pairs:
        if wanted not in (None, "") and actual not in (None, "") and wanted != actual:
            return f"{field} is {actual!r} instead of {wanted!r}"
    return None
