"""The end of a replication: comparing data and switching over."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from drs_emulator.api.errors import ApiError
from drs_emulator.world.comparisons import (
    COMPARISON_S,
    QUEUE_S,
    Comparison,
    show_data,
    show_objects,
)
from drs_emulator.world.jobs import Job
from drs_emulator.world.timeline import INCREMENTAL
from drs_emulator.world.world import World

#: Seconds that a switchover takes.
SWITCH_S = 5.0
_REPLICATING = frozenset({INCREMENTAL})
_RESULTS = {
    "objects": ("object_level_compare_id", "object_level_compare_results"),
    "lines": ("line_compare_id", "line_compare_results"),
    "contents": ("content_compare_id", "content_compare_results"),
}
_LARGEST_TIME_DIGITS = 15


def create_comparison(world: World, body: Mapping[str, Any]) -> dict[str, Any]:
    """Create comparisons of a MySQL disaster recovery job; without any, return only the job ID."""
    job = world.find_for(body["job_id"], _REPLICATING, uses=("cloudDataGuard",), engine="mysql")
    answer: dict[str, Any] = {"job_id": job.id}
    if "object_level_compare_type" in body:
        answer["object_level_compare_create_result"] = _create(world, job, "objects", "", {})
    data = body.get("data_level_compare_info")
    if data is not None:
        tables = {
            info["db_name"]: info.get("table_name", []) for info in data.get("compare_object_infos", ())
        }
        answer["data_level_compare_create_result"] = _create_data_comparison(world, job, data, tables)
    return answer


def _create_data_comparison(
    world: World, job: Job, data: Mapping[str, Any], tables: Mapping[str, list[str]]
) -> dict[str, Any]:
    now_s = world.clock.now()
    data_comparisons = [comparison for comparison in job.comparisons if comparison.kind != "objects"]
    unfinished = [comparison for comparison in data_comparisons if comparison.is_unfinished(now_s)]
    if unfinished and data["conflict_policy"] == "keep":
        return ApiError("DRS.M00402").to_body()
    for comparison in unfinished:
        comparison.is_cancelled = True
    return _create(world, job, data["compare_type"], data.get("start_time") or "", tables)


def _create(
    world: World, job: Job, kind: str, start_time: str, tables: Mapping[str, list[str]]
) -> dict[str, Any]:
    now_s = world.clock.now()
    if start_time and (not start_time.isdigit() or len(start_time) > _LARGEST_TIME_DIGITS):
        raise ApiError("DRS.M00202", "start_time")
    begin_s = int(start_time) / 1000 if start_time else now_s
    if begin_s < now_s:
        raise ApiError("DRS.M00305", "start_time is in the past")
    end_s = begin_s if world.is_at_once else begin_s + COMPARISON_S
    begin_s = begin_s if world.is_at_once else begin_s + QUEUE_S
    # Comparison IDs are valid UUIDs, unlike job IDs.
    new_id = str(uuid.UUID(int=(int(job.id[:8], 16) << 64) + len(job.comparisons) + 1))
    job.comparisons.append(Comparison(new_id, kind, now_s, begin_s, end_s, tables))
    return {"compare_task_id": new_id}


def show_comparisons(world: World, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the comparisons of a job, and the results of those that the request names."""
    job = world.find_for(body["job_id"], allow_parent=True)
    now_s = world.clock.now()
    page, size = int(body["current_page"]), int(body["per_page"])
    if page < 1 or size < 1:
        raise ApiError("DRS.M00202", "current_page" if page < 1 else "per_page")
    for comparison in job.comparisons:
        comparison.count_read(now_s, world.pace)
    answer: dict[str, Any] = {"job_id": job.id}
    for kind, (id_key, result_key) in _RESULTS.items():
        if not body.get(id_key):
            continue
        found = next((item for item in job.comparisons if item.id == body[id_key]), None)
        if found is None or found.kind != kind:
            raise ApiError("DRS.M05003")
        if found.status(now_s) != "SUCCESSFUL":
            answer[result_key] = {"compare_task_id": found.id}
        elif kind == "objects":
            answer[result_key] = show_objects(found, job.databases, job.differences)
        else:
            answer[result_key] = show_data(found, job.databases, job.differences, (page, size))
    rows = [comparison.to_row(now_s) for comparison in reversed(job.comparisons)]
    return answer | {
        "compare_task_list_results": {
            "compare_task_list_count": len(rows),
            "compare_task_list": rows[(page - 1) * size : page * size],
        }
    }


def switch(world: World, job_id: str) -> dict[str, Any]:
    """Switch a synchronization job over."""
    job = _find_switchable(world, job_id, _REPLICATING)
    now_s = world.clock.now()
    if job.switch is not None and now_s < job.switch[0]:
        raise ApiError("DRS.M01504", status=400)
    word = "SWITCH_VIP_FAILED" if job.switch_fails else "SWITCH_VIP_COMPLETE"
    job.switch = (now_s if world.is_at_once else now_s + SWITCH_S, word)
    job.switch_reads = 0
    return {"id": job.id, "status": "success"}


def show_switch(world: World, job_id: str) -> dict[str, Any]:
    """Return the status of a job's last switchover."""
    job = _find_switchable(world, job_id)
    if job.switch is None:
        raise ApiError("DRS.M00002")
    over_s, word = job.switch
    job.switch_reads += 1
    if isinstance(world.pace, int) and job.switch_reads >= world.pace:
        over_s = world.clock.now()
        job.switch = over_s, word
    return {"id": job.id, "status": word if world.clock.now() >= over_s else "SWITCH_VIP_START"}


def _find_switchable(world: World, job_id: str, statuses: frozenset[str] | None = None) -> Job:
    """
    Return a job that can switch over: a synchronization of self-managed databases; for a cross-AZ pair, the
    parent.
    """
    job = world.find_for(job_id, statuses, uses=("sync",), allow_parent=True)
    if job.parent_id:
        raise ApiError("DRS.M00308")
    if any(end.get("inst_id") for end in job.ends.values()):
        raise ApiError("DRS.M00300", "a database is an instance of the cloud")
    return job
