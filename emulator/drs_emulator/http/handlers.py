"""Handles a checked request of each operation and builds the documented response."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from drs_emulator.api.errors import ApiError
from drs_emulator.world import configuration, cutover, views
from drs_emulator.world.world import World

#: Errors that a fault returns for single jobs instead of processing them.
Overrides = Mapping[str, ApiError]
Document = dict[str, Any]
Handler = Callable[[World, Mapping[str, Any], Overrides], Document]

_DEFAULT_PAGE = 5


def create_jobs(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """BatchCreateJobs (drs_03_0104)."""
    rows = []
    for wanted in body["jobs"]:
        try:
            job = world.create(wanted)
        except ApiError as error:
            rows.append({"name": wanted["name"], "status": "CREATE_FAILED", **error.to_body()})
            continue
        row = {
            "id": job.id,
            "name": job.name,
            "status": "CREATING",
            "create_time": str(int(job.created_s * 1000)),
        }
        children = [child.id for child in world.children(job)]
        rows.append(row | ({"child_ids": children} if children else {}))
    return _listed(rows)


def test_connections(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """BatchValidateConnections (drs_03_0105)."""
    rows = []
    for endpoint in body["jobs"]:
        row = _write(endpoint["id"], overrides, world.test_connection, endpoint["id"], endpoint)
        rows.append(row | {"success": row["status"] == "success"})
    return _listed(rows)


def test_clusters(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """BatchValidateClustersConnections (drs_03_0106): "true" and "false" as strings."""
    rows = _for_each(configuration.test_cluster)(world, body, overrides)["results"]
    return _listed({**row, "status": str(row["status"] == "success").lower()} for row in rows)


def set_objects(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """BatchSetObjects (drs_03_0109): uses ``job_id``, a Boolean status and ``all_counts``."""
    rows = _for_each(configuration.set_objects)(world, body, overrides)["results"]
    results = [{"job_id": row["id"], "status": row["status"] == "success", **_error_of(row)} for row in rows]
    return {"all_counts": len(results), "results": results}


def reset_passwords(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """BatchResetPassword (drs_03_0134): each row names its endpoint."""
    rows = []
    for wanted in body["jobs"]:
        row = _write(
            wanted["job_id"],
            overrides,
            configuration.reset_password,
            world,
            wanted["job_id"],
            wanted,
        )
        rows.append({**row, "end_point_type": wanted["end_point_type"]})
    return _listed(rows)


def show_parameters(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """BatchShowParams (drs_03_0141): rows have no IDs, so the error of one job is that of the request."""
    rows = []
    for job_id in body["jobs"]:
        if job_id in overrides:
            raise overrides[job_id]
        rows.append(configuration.show_parameters(world, job_id, body))
    return {"count": len(rows), "params_list": rows}


def start_prechecks(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """BatchCheckJobs (drs_03_0110)."""
    rows = []
    for job in body["jobs"]:
        row = _write(job["job_id"], overrides, world.start_precheck, job["job_id"], job["precheck_mode"])
        found = world.jobs.get(job["job_id"])
        if row["status"] == "success" and found and found.precheck:
            row["precheck_id"] = found.precheck.precheck_id
        rows.append(row)
    return _listed(rows)


def read_prechecks(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """BatchCheckResults (drs_03_0111). A row has a precheck_id and no job id."""
    return _read(body["jobs"], overrides, world.read_precheck, "precheck_id", "error_msg")


def start_jobs(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """BatchStartJobs (drs_03_0112)."""
    return _listed(
        _write(job["job_id"], overrides, world.start, job["job_id"], job.get("start_time", ""))
        for job in body["jobs"]
    )


def delete_jobs(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """BatchDeleteJobs (drs_03_0113): stops jobs, or deletes stopped ones."""
    return _listed(
        _write(job["job_id"], overrides, world.delete, job["job_id"], job["delete_type"])
        for job in body["jobs"]
    )


def read_statuses(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """BatchListJobStatus (drs_api_0150)."""
    return _read(_page(body), overrides, partial(views.show_status, world), "id", "error_message")


def read_details(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """BatchListJobDetails (drs_api_0151)."""
    return _read(_page(body), overrides, partial(views.show_details, world), "id", "error_message")


def read_progresses(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """BatchListProgresses (drs_03_0114)."""
    return _read(body["jobs"], overrides, partial(views.show_progress, world), "job_id", "error_msg")


def list_jobs(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """ShowJobList (drs_03_0138)."""
    return views.show_list(world, body)


def _for_each(action: Callable[[World, str, Mapping[str, Any]], None], key: str = "jobs") -> Handler:
    """Return a handler that runs an action for each job of a request."""

    def handle(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
        return _listed(
            _write(job["job_id"], overrides, action, world, job["job_id"], job) for job in body[key]
        )

    return handle


def _for_one(action: Callable[[World, Mapping[str, Any]], Document]) -> Handler:
    """
    Return a handler that runs an action for the one job of a request, whose error is that of the request.
    """

    def handle(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
        if body["job_id"] in overrides:
            raise overrides[body["job_id"]]
        return action(world, body)

    return handle


HANDLERS: dict[str, Handler] = {
    "BatchCreateJobs": create_jobs,
    "BatchValidateConnections": test_connections,
    "BatchValidateClustersConnections": test_clusters,
    "BatchUpdateJob": _for_each(configuration.modify),
    "BatchSetObjects": set_objects,
    "BatchSetDefiner": _for_each(configuration.set_definer),
    "BatchSetSpeed": _for_each(configuration.set_speed, "speed_limits"),
    "BatchShowParams": show_parameters,
    "UpdateParams": _for_one(
        lambda world, body: configuration.update_parameters(world, body["job_id"], body)
    ),
    "BatchCheckJobs": start_prechecks,
    "BatchCheckResults": read_prechecks,
    "BatchStartJobs": start_jobs,
    "BatchStopJobs": _for_each(lambda world, job_id, job: world.pause(job_id)),
    "BatchRestoreTask": _for_each(
        lambda world, job_id, job: world.retry(job_id, is_re_edit=job.get("is_sync_re_edit") is True)
    ),
    "BatchDeleteJobs": delete_jobs,
    "BatchResetPassword": reset_passwords,
    "BatchListJobStatus": read_statuses,
    "BatchListJobDetails": read_details,
    "BatchListProgresses": read_progresses,
    "ShowJobList": list_jobs,
    "CreateCompareTask": _for_one(cutover.create_comparison),
    "ListCompareResult": _for_one(cutover.show_comparisons),
    "BatchSetPolicy": _for_each(configuration.set_policy),
    "BatchChangeData": _for_each(configuration.change_data),
    "SwitchVip": _for_one(lambda world, body: cutover.switch(world, body["job_id"])),
    "ShowSwitchVipStatus": _for_one(lambda world, body: cutover.show_switch(world, body["job_id"])),
}


def _error_of(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("error_code", "error_msg") if key in row}


def _write(job_id: str, overrides: Overrides, action: Callable[..., Any], *args: Any) -> dict[str, Any]:
    try:
        if job_id in overrides:
            raise overrides[job_id]
        action(*args)
    except ApiError as error:
        return {"id": job_id, "status": "failed", **error.to_body()}
    return {"id": job_id, "status": "success"}


def _read(
    job_ids: Iterable[str],
    overrides: Overrides,
    read: Callable[[str], dict[str, Any]],
    id_key: str,
    text_key: str,
) -> dict[str, Any]:
    rows = []
    for job_id in job_ids:
        try:
            if job_id in overrides:
                raise overrides[job_id]
            rows.append(read(job_id))
        except ApiError as error:
            rows.append({id_key: job_id, "error_code": error.code, text_key: error.message})
    return _listed(rows)


def _listed(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    results = list(rows)
    return {"count": len(results), "results": results}


def _page(body: Mapping[str, Any]) -> list[str]:
    """Return the jobs of the requested page; by default, the first five."""
    wanted = body.get("page_req", {})
    # JSON Schema accepts 1.0 as an integer.
    size, page = int(wanted.get("per_page", _DEFAULT_PAGE)), int(wanted.get("cur_page", 1))
    jobs: list[str] = body["jobs"]
    if size == 0:
        return jobs
    if (page - 1) * size >= len(jobs):
        raise ApiError("DRS.M00211")
    return jobs[(page - 1) * size : page * size]
