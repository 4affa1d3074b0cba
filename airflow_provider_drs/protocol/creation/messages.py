"""Jobs to create: what a person writes, checked and completed; and what became of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.rows import parse_rows, read_text
from airflow_provider_drs.protocol.core.wire import Request, Response
from airflow_provider_drs.protocol.jobs.databases import Endpoint, db_types_of, to_created_endpoint
from airflow_provider_drs.protocol.jobs.messages import DISASTER_RECOVERY, JobDetails

_NAME = re.compile(r"[A-Za-z0-9_-]{4,50}\Z")
_DESCRIPTION = re.compile(r"""[^!<>'&"\\]{0,256}\Z""")
_DAYS = range(14, 101)
_NODES = range(1, 33)
#: How many tags a job can have; the one of the service itself names the enterprise project.
_MOST_TAGS = {"tags": 20, "sys_tags": 1}

#: What can be left out (drs_03_0104 makes most of it mandatory).
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
#: Which engines the service offers for which kind of job (drs_api_0112). An engine that is not here is left
#: to the service.
_OFFERED: Mapping[str, tuple[str, ...]] = {
    "mysql": ("migration", "sync"),
    "mongodb": ("migration",),
    "mysql-to-taurus": ("sync",),
    "postgresql": ("sync",),
    "cloudDataGuard-mysql": (DISASTER_RECOVERY,),
}
_KEYS = frozenset(
    {
        "name", "db_use_type", "engine_type", "job_direction", "bind_eip", "customize_sutnet_id",
        "is_target_readonly", "net_type", "node_type", "node_num", "source_endpoint", "target_endpoint",
        "task_type", "tags", "description", "multi_write", "sys_tags", "expired_days", "master_az",
        "slave_az",
    }
)  # fmt: skip
_MANDATORY = ("name", "db_use_type", "engine_type", "subnet_id")


def read_spec(spec: object, source: Endpoint | None = None, target: Endpoint | None = None) -> dict[str, Any]:
    """
    Return the row that creates a job (drs_03_0104).

    :param spec: the fields of the service's page. ``subnet_id`` may stand for ``customize_sutnet_id``, and
        ``job_direction`` (``up``), ``net_type`` (``eip``), ``node_type`` (``high``), ``task_type``
        (``FULL_INCR_TRANS``) and what follows from others may be left out.
    :param source: adds to ``source_endpoint`` where the source database is; never its credentials.
    :param target: the same for the destination.
    :raises DrsConfigError: a field is missing, unknown, or cannot be so; the text names it.
    """
    if not isinstance(spec, Mapping):
        raise DrsConfigError(f"jobs: expected an object for each job, not {type(spec).__name__}.")
    row = {**_DEFAULTS, **{key: value for key, value in spec.items() if value is not None}}
    if "subnet_id" in row:
        row["customize_sutnet_id"] = row.pop("subnet_id")
    name = str(row.get("name", "without a name"))
    _check_fields(name, row)
    if row["net_type"] == "eip":
        row.setdefault("bind_eip", True)
    if row["db_use_type"] == DISASTER_RECOVERY:
        row.setdefault("multi_write", False)
    types = db_types_of(row["engine_type"])
    for end, endpoint, db_type in (("source", source, types[0]), ("target", target, types[1])):
        given = row.get(f"{end}_endpoint") or {}
        known = to_created_endpoint(endpoint, db_type) if endpoint else {"db_type": db_type}
        row[f"{end}_endpoint"] = {key: value for key, value in {**known, **given}.items() if value != ""}
    if "expired_days" in row:
        row["expired_days"] = str(row["expired_days"])
    _check_together(name, row)
    return row


def _fail(name: str, field: str, problem: str) -> None:
    raise DrsConfigError(f"jobs: {field} of job {name!r} {problem}.")


def _check_fields(name: str, row: Mapping[str, Any]) -> None:
    for key in row:
        if key not in _KEYS:
            _fail(name, str(key), f"is unknown; a job has {', '.join(sorted(_KEYS))}")
    for key in _MANDATORY:
        if not row.get("customize_sutnet_id" if key == "subnet_id" else key):
            _fail(name, key, "is missing")
    if not _NAME.match(str(row["name"])):
        _fail(name, "name", "must be 4 to 50 letters, digits, hyphens and underscores")
    for key, choices in _CHOICES.items():
        if row[key] not in choices:
            _fail(name, key, f"must be one of {', '.join(choices)}, not {row[key]!r}")
    for end in ("source_endpoint", "target_endpoint"):
        if not isinstance(row.get(end, {}), Mapping):
            _fail(name, end, "must be an object")
    _check_optional(name, row)


def _check_optional(name: str, row: Mapping[str, Any]) -> None:
    if not _DESCRIPTION.match(str(row.get("description", ""))):
        _fail(name, "description", "must be at most 256 characters, none of them out of !<>'&\"\\")
    if "expired_days" in row and _whole(row["expired_days"]) not in _DAYS:
        _fail(name, "expired_days", f"must be {_DAYS.start} to {_DAYS.stop - 1} days")
    if "node_num" in row and _whole(row["node_num"]) not in _NODES:
        _fail(name, "node_num", f"must be {_NODES.start} to {_NODES.stop - 1}")
    for key, most in _MOST_TAGS.items():
        if len(row.get(key, ())) > most:
            _fail(name, key, f"are more than {most}")


def _check_together(name: str, row: Mapping[str, Any]) -> None:
    """Check what one field demands of another, as the page has it."""
    use, engine = row["db_use_type"], row["engine_type"]
    if use not in _OFFERED.get(engine, (use,)):
        _fail(name, "engine_type", f"{engine!r} is for {' and '.join(_OFFERED[engine])}, not for {use}")
    if row["net_type"] == "eip" and row["bind_eip"] is not True:
        _fail(name, "bind_eip", "must be true with net_type eip")
    if ("master_az" in row) != ("slave_az" in row):
        _fail(name, "master_az", "and slave_az go together; give both or none")
    if use == DISASTER_RECOVERY:
        _check_disaster_recovery(name, row)
    elif row.get("multi_write"):
        _fail(name, "multi_write", f"is for db_use_type {DISASTER_RECOVERY} only")


def _check_disaster_recovery(name: str, row: Mapping[str, Any]) -> None:
    if row["net_type"] == "vpc":
        _fail(name, "net_type", "cannot be vpc for disaster recovery")
    if not row["multi_write"] and row["task_type"] != "FULL_INCR_TRANS":
        _fail(name, "task_type", "must be FULL_INCR_TRANS for single-active disaster recovery")
    # The end that is in this cloud.
    end = "source_endpoint" if row["job_direction"] == "down" else "target_endpoint"
    for key in ("region", "inst_id"):
        if not row[end].get(key):
            _fail(name, f"{end}.{key}", f"is missing; disaster recovery {row['job_direction']} needs it")
    is_standby = row["job_direction"] == "up" and not row["multi_write"]
    if is_standby and row.get("is_target_readonly") is False:
        _fail(name, "is_target_readonly", "must be true while this cloud is the standby")


def _whole(value: object) -> int | None:
    return int(str(value)) if str(value).isdigit() else None


@dataclass(frozen=True, slots=True)
class CreatedJob:
    """
    A job that there is now.

    :param adopted: it had been created before, with the same configuration.
    :param child_ids: the subtasks of a dual-active pair or a cluster.
    :param forward_id: the forward job of a dual-active pair.
    :param backward_id: the backward one.
    """

    name: str
    job_id: str
    status: str
    adopted: bool = False
    child_ids: tuple[str, ...] = ()
    forward_id: str | None = None
    backward_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for an XCom."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**fields, "child_ids": list(self.child_ids)}


def build_creation(rows: Mapping[str, Mapping[str, Any]], names: Any) -> Request:
    """Return the request that creates jobs, which are known by their names as long as they have no ids."""
    return build("BatchCreateJobs", {"jobs": [rows[name] for name in names]}, tuple(names))


def parse_creation(
    request: Request, document: Mapping[str, Any], response: Response
) -> dict[str, CreatedJob | DrsError]:
    """Read which jobs were created, by name."""
    return parse_rows(request, document, response, _parse_created, id_keys=("name",))


def _parse_created(name: str, row: Mapping[str, Any]) -> CreatedJob:
    children = row.get("child_ids")
    return CreatedJob(
        name,
        read_text(row, "id"),
        read_text(row, "status"),
        child_ids=tuple(str(child) for child in children) if isinstance(children, list) else (),
    )


#: What makes two jobs of one name the same, as far as their details tell.
_IDENTITY = (
    "db_use_type",
    "job_direction",
    "task_type",
    "net_type",
    "multi_write",
    "is_target_readonly",
    "master_az",
    "slave_az",
)
_PLACE = ("inst_id", "region", "db_type")


def find_difference(row: Mapping[str, Any], job: JobDetails) -> str | None:
    """Return the first field in which a job is not what a row would create, or ``None``."""
    found = {**job.raw, "multi_write": job.multi_write}
    pairs = [(key, row.get(key), found.get(key)) for key in _IDENTITY]
    # Documented as a text in the details, and as a number for a creation (drs_api_0151, drs_03_0104).
    pairs.append(("node_num", _whole(row.get("node_num")), _whole(found.get("node_num"))))
    # Huawei Cloud shows mongodb as mongodb-to-dds.
    engine = job.engine_type.removesuffix("-to-dds")
    pairs.append(("engine_type", row["engine_type"], engine))
    for end in ("source", "target"):
        known = job.endpoint(end)
        wanted = row[f"{end}_endpoint"]
        pairs += [(f"{end}_endpoint.{key}", wanted.get(key), known.get(key)) for key in _PLACE]
    for field, wanted, is_so in pairs:
        if wanted not in (None, "") and is_so not in (None, "") and wanted != is_so:
            return f"{field} is {is_so!r} and should be {wanted!r}"
    return None
