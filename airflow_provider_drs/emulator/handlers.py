"""What each operation makes of a checked request: an answer in the shape that its page documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from airflow_provider_drs.emulator import views
from airflow_provider_drs.emulator.errors import ApiError
from airflow_provider_drs.emulator.world import World

#: Errors that a fault puts in the place of single jobs' answers; what they stand for is not done.
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
        row = _write(
            endpoint["id"], overrides, world.test_connection, endpoint["id"], endpoint["end_point_type"]
        )
        rows.append(row | {"success": row["status"] == "success"})
    return _listed(rows)


def modify_jobs(world: World, body: Mapping[str, Any], overrides: Overrides) -> Document:
    """BatchUpdateJob (drs_03_0107)."""
    return _listed(_write(job["job_id"], overrides, world.modify, job["job_id"], job) for job in body["jobs"])


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


HANDLERS: dict[str, Handler] = {
    "BatchCreateJobs": create_jobs,
    "BatchValidateConnections": test_connections,
    "BatchUpdateJob": modify_jobs,
    "BatchCheckJobs": start_prechecks,
    "BatchCheckResults": read_prechecks,
    "BatchStartJobs": start_jobs,
    "BatchDeleteJobs": delete_jobs,
    "BatchListJobStatus": read_statuses,
    "BatchListJobDetails": read_details,
    "BatchListProgresses": read_progresses,
    "ShowJobList": list_jobs,
}


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
    look: Callable[[str], dict[str, Any]],
    id_key: str,
    text_key: str,
) -> dict[str, Any]:
    rows = []
    for job_id in job_ids:
        try:
            if job_id in overrides:
                raise overrides[job_id]
            rows.append(look(job_id))
        except ApiError as error:
            rows.append({id_key: job_id, "error_code": error.code, text_key: error.message})
    return _listed(rows)


def _listed(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    results = list(rows)
    return {"count": len(results), "results": results}


def _page(body: Mapping[str, Any]) -> list[str]:
    """Return the jobs of the page that is asked for: the first five, where nobody says otherwise."""
    wanted = body.get("page_req", {})
    # JSON Schema takes 1.0 for an integer.
    size, page = int(wanted.get("per_page", _DEFAULT_PAGE)), int(wanted.get("cur_page", 1))
    jobs: list[str] = body["jobs"]
    if size == 0:
        return jobs
    if (page - 1) * size >= len(jobs):
        raise ApiError("DRS.M00211")
    return jobs[(page - 1) * size : page * size]
