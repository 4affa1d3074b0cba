"""Configuration of jobs: the actions of the configuration pages, each for one job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drs_emulator.api.errors import ApiError
from drs_emulator.api.schemas import read_cluster_ends
from drs_emulator.world.jobs import Job
from drs_emulator.world.timeline import INCREMENTAL, PAUSED
from drs_emulator.world.world import CONFIGURING, ENDED, TRANSFERRING, World

#: Statuses in which a password can be changed; the page spells one of them differently.
_PASSWORD_STATUSES = TRANSFERRING | {"STARTJOBING", "START_JOB_FAILED", "STARTJOB_FAILED", PAUSED}
_CHANGES = ("replace_definer", "is_target_readonly")
_ALARM = ("delay_time", "rto_delay", "rpo_delay", "alarm_to_user")
_WINDOW = ("begin", "end", "speed", "is_utc")
_OBJECT = ("id", "parent_id", "object_type", "object_name", "object_alias_name", "select")
_RULE = ("object_info", "transformation_info", "config_transformation")
_POLICIES = ("conflict_policy", "filter_ddl_policy", "index_trans")


def test_cluster(world: World, job_id: str, request: Mapping[str, Any]) -> None:
    """Test the named endpoints of a MongoDB cluster job; only parents allow it."""
    job = world.find_for(job_id, CONFIGURING)
    if not job.is_cluster:
        raise ApiError("DRS.M00308")
    if request["action"] != "testConnection":
        raise ApiError("DRS.M00202", "action")
    for end in read_cluster_ends(request["property"]):
        if end["endpointtype"] != "ls":
            world.connect(job, end["endpointtype"], end["dbpassword"])


def modify(world: World, job_id: str, request: Mapping[str, Any]) -> None:
    """Change a job and, if given, save its endpoints."""
    job = world.find_for(job_id)
    status = job.status(world.clock.now())
    given = [end for end in ("source", "target") if f"{end}_endpoint" in request]
    if status in ENDED or (given and status not in CONFIGURING):
        raise ApiError("DRS.M00304")
    if any(other.name == request.get("name") and other is not job for other in world.jobs.values()):
        raise ApiError("DRS.M00277")
    for end, short in (("source", "so"), ("target", "ta")):
        if end in given:
            world.check_password(job, short, request[f"{end}_endpoint"].get("db_password"))
    for end in given:
        world.save_endpoint(job, end, request[f"{end}_endpoint"])
    job.has_endpoints = job.has_endpoints or bool(given)
    job.name = request.get("name", job.name)
    job.description = request.get("description", job.description)
    job.task_type = request.get("task_type", job.task_type)
    job.settings |= _select(request, _CHANGES)
    job.tags = list(request.get("tags", job.tags))
    if "alarm_notify" in request:
        job.settings["alarm_notify"] = _select_alarm(request["alarm_notify"])


def _select(request: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the known fields of a request; an unknown one could be a misplaced secret."""
    return {name: request[name] for name in names if name in request}


def _select_alarm(alarm: Mapping[str, Any]) -> dict[str, Any]:
    selected = _select(alarm, _ALARM)
    if "subscriptions" in alarm:
        subscriptions = alarm["subscriptions"]
        selected["subscriptions"] = [_select(row, ("endpoints", "protocol")) for row in subscriptions]
    return selected


def set_objects(world: World, job_id: str, request: Mapping[str, Any]) -> None:
    """Select the objects to replicate, after the endpoints were tested and saved."""
    job = world.find_for(job_id, CONFIGURING | {INCREMENTAL}, uses=("migration", "sync"))
    is_edit = job.status(world.clock.now()) == INCREMENTAL
    if is_edit and job.db_use_type != "sync":
        raise ApiError("DRS.M00304")
    _require_endpoints(job)
    rows = request.get("job", [])
    ids = {row["id"] for row in rows}
    if len(ids) < len(rows):
        raise ApiError("DRS.M00301", "job")
    known = {row["id"] for row in rows if row.get("object_type") in ("database", "schema")}
    for row in rows:
        if row.get("object_type") in ("table", "view") and row["parent_id"] not in known:
            raise ApiError("DRS.M00202", "job.parent_id")
    selected = [_select(row, _OBJECT) for row in rows] if request.get("selected") else None
    if is_edit:
        job.edited, job.edited_s = selected or [], world.clock.now()
        return
    job.objects = selected
    job.settings["object_switch"] = bool(request.get("selected"))
    if "sync_database" in request:
        job.settings["sync_database"] = request["sync_database"]


def _require_endpoints(job: Job) -> None:
    if job.is_tested != {"so", "ta"} or not job.has_endpoints:
        raise ApiError("DRS.M00305", "the connections are not tested and saved")


def set_definer(world: World, job_id: str, request: Mapping[str, Any]) -> None:
    """Set whether definers are replaced."""
    job = world.find_for(job_id, CONFIGURING, engine="mysql")
    job.settings["replace_definer"] = request["replace_definer"]


def set_speed(world: World, job_id: str, request: Mapping[str, Any]) -> None:
    """Limit the speed in daily windows; an empty list removes the limit."""
    job = world.find_for(job_id)
    if job.status(world.clock.now()) in ENDED:
        raise ApiError("DRS.M00304")
    if job.task_type == "INCR_TRANS":
        raise ApiError("DRS.M00403")
    windows: Sequence[Mapping[str, Any]] = request["speed_limit"]
    taken: set[int] = set()
    for window in windows:
        if window["begin"] == window["end"]:
            raise ApiError("DRS.M00306")
        first, last = int(window["begin"][:2]), int(window["end"][:2])
        hours = {hour % 24 for hour in range(first, last + 1 if last >= first else last + 25)}
        if taken & hours:
            raise ApiError("DRS.M00305", "speed_limit overlaps")
        taken |= hours
    job.settings["speed_limit"] = [_select(window, _WINDOW) for window in windows]


def reset_password(world: World, job_id: str, request: Mapping[str, Any]) -> None:
    """Set the new password of a database."""
    job = world.find_for(job_id, _PASSWORD_STATUSES)
    world.check_password(job, request["end_point_type"], request["db_password"])


def set_policy(world: World, job_id: str, request: Mapping[str, Any]) -> None:
    """Set how a synchronization handles conflicts, DDL and indexes."""
    job = world.find_for(job_id, CONFIGURING, uses=("sync",))
    job.settings |= _select(request, _POLICIES)


def change_data(world: World, job_id: str, request: Mapping[str, Any]) -> None:
    """Add a data processing rule; a table can have one."""
    job = world.find_for(job_id, CONFIGURING, uses=("sync",))
    config = request.get("config_transformation")
    tables = {row.get("id", "") for row in request.get("object_info", ())}
    if config is not None:
        tables.add(f"{config['db_name']}-*-*-{config['table_name']}")
    if tables & job.rules:
        raise ApiError("DRS.M07000")
    job.rules |= tables
    job.transformations.append(_select(request, _RULE))


#: Group, key, source value, destination value, range, whether a change requires a restart.
_PARAMETERS = (
    ("common", "character_set_server", "utf8mb4", "utf8mb4", "utf8|latin1|gbk|utf8mb4", True),
    ("common", "lower_case_table_names", "0", "0", "0|1", True),
    ("common", "max_connections", "2000", "1500", "10-100000", False),
    ("performance", "binlog_cache_size", "16384", "32768", "4096-16777216", False),
    ("performance", "binlog_stmt_cache_size", "32768", "32768", "4096-16777216", False),
    ("performance", "bulk_insert_buffer_size", "8388608", "8388608", "0-18446744073709551615", False),
    ("performance", "innodb_buffer_pool_size", "4294967296", "2147483648", "134217728-6871947673", True),
    ("performance", "sort_buffer_size", "262144", "262144", "32768-18446744073709551615", False),
)


def show_parameters(world: World, job_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of both databases; the first call must read them from there."""
    job = _find_with_parameters(world, job_id)
    if not job.parameters:
        # JSON Schema accepts 1.0 as an integer.
        if int(request["refresh"]) != 1:
            raise ApiError("DRS.M00303")
        job.parameters = [
            {
                "group": group,
                "key": key,
                "source_value": source,
                "target_value": target,
                "data_type": "figure" if "-" in allowed else None,
                "value_range": allowed,
                "need_restart": str(restarts).lower(),
            }
            for group, key, source, target, allowed, restarts in _PARAMETERS
        ]
    return {
        "params": [
            {**row, "compare_result": str(row["source_value"] == row["target_value"]).lower()}
            for row in job.parameters
        ]
    }


def update_parameters(world: World, job_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Change parameters of the destination, all or none."""
    job = _find_with_parameters(world, job_id)
    if not job.parameters:
        raise ApiError("DRS.M00303")
    rows = {row["key"]: row for row in job.parameters if row["group"] == request["group"]}
    for change in request["params"]:
        row = rows.get(change["key"])
        if row is None or not _is_allowed(row["value_range"], change["target_value"]):
            error = ApiError("DRS.M00202", change["key"])
            return {"success": False, "should_restart": "false", **error.to_body()}
    for change in request["params"]:
        rows[change["key"]]["target_value"] = change["target_value"]
    restarts = any(rows[change["key"]]["need_restart"] == "true" for change in request["params"])
    return {"success": True, "should_restart": str(restarts).lower()}


def _find_with_parameters(world: World, job_id: str) -> Job:
    job = world.find_for(job_id, CONFIGURING, uses=("migration", "cloudDataGuard"), engine="mysql")
    if job.job_direction != "up":
        raise ApiError("DRS.M00300", "the task is of another kind")
    return job


def _is_allowed(allowed: str, value: str) -> bool:
    if "-" not in allowed:
        return value in allowed.split("|")
    lowest, highest = allowed.split("-")
    # A number with more digits than its upper bound is out of range.
    is_figure = value.isascii() and value.isdigit() and len(value) <= len(highest)
    return is_figure and int(lowest) <= int(value) <= int(highest)
