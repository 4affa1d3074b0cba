"""Jobs in the documented formats of the read operations."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from drs_emulator.world.jobs import Job
from drs_emulator.world.timeline import INCREMENTAL
from drs_emulator.world.world import INSTANCE_ID, World

_SECRET_ECHO = {"db_password": "emulated-db-password", "ssl_cert_password": "emulated-cert-password"}
_DB_TYPES = {"cloudDataGuard-mysql": ("mysql", "mysql"), "mysql-to-taurus": ("mysql", "taurus")}
_PORTS = {"mysql": 3306, "taurus": 3306, "postgresql": 5432, "mongodb": 0}


def show_status(world: World, job_id: str) -> dict[str, Any]:
    """Return the status of a job."""
    return {"id": job_id, "status": world.read(job_id).status(world.clock.now())}


def show_details(world: World, job_id: str) -> dict[str, Any]:
    """Return the details of a job."""
    job = world.read(job_id)
    now_s = world.clock.now()
    source, target = _DB_TYPES.get(job.engine_type, (job.engine_type, job.engine_type))
    # By default, a synchronization has self-managed databases and can therefore switch over.
    target_defaults = {"ip": "192.0.2.20"}
    target_defaults |= {} if job.db_use_type == "sync" else {"inst_id": INSTANCE_ID, "region": "eu-de"}
    details: dict[str, Any] = {
        "id": job.id,
        "name": job.name,
        "status": job.status(now_s),
        "description": job.description,
        "create_time": _ms(job.created_s),
        "task_type": job.task_type,
        "source_endpoint": {**_show_endpoint(job, source), "ip": "192.0.2.10", **_show_known(job, "source")},
        "target_endpoint": {**_show_endpoint(job, target), **target_defaults, **_show_known(job, "target")},
        "net_type": job.net_type,
        "inst_info": {
            "engine_type": job.engine_type,
            "inst_type": "high",
            "ip": "192.0.2.30",
            # "0" if not set, as in the page's example.
            "start_time": _ms(job.started_s or 0),
            "volume_size": 100,
        },
        "update_time": _ms(now_s),
        "job_direction": job.job_direction,
        "db_use_type": job.db_use_type,
        "need_restart": False,
        "multi_write": job.multi_write,
        "speed_limit": [],
        **job.settings,
    }
    if job.started_s is not None and job.started_s <= now_s:
        details["actual_start_time"] = _ms(job.started_s)
    copied_s = job.since("FULL_TRANSFER_COMPLETE")
    if copied_s is not None and copied_s <= now_s:
        details["full_transfer_complete_time"] = _ms(copied_s)
    if job.shows_selection:
        details |= _show_selection(job)
    return details | ({"parent_id": job.parent_id} if job.parent_id else {})


def _show_selection(job: Job) -> dict[str, Any]:
    """Return the selected objects and rules in the format of the vendor's SDK; OTC does not document them."""
    shown: dict[str, Any] = {}
    if job.objects:
        shown["object_infos"] = [
            {
                "id": row["id"],
                "parent_id": row.get("parent_id"),
                "type": row.get("object_type"),
                "name": row.get("object_name"),
                "alias_name": row.get("object_alias_name"),
            }
            for row in job.objects
        ]
    if job.transformations:
        shown["data_transformation"] = {
            "total_count": len(job.transformations),
            "filter_conditions": [
                {
                    **{key: value for key, value in rule.items() if key != "object_info"},
                    "data_transformation_object_infos": [
                        {"id": row.get("id")} for row in rule.get("object_info", ())
                    ],
                }
                for rule in job.transformations
            ],
        }
    return shown


def _show_endpoint(job: Job, db_type: str) -> dict[str, Any]:
    endpoint = {
        "db_type": db_type,
        "db_port": _PORTS.get(db_type, 3306),
        "ssl_link": False,
        "db_user": "root",
    }
    return endpoint | (_SECRET_ECHO if job.echo_secrets else {})


def _show_known(job: Job, end: str) -> dict[str, Any]:
    """Return the known fields of an endpoint."""
    return job.ends[end]


def show_progress(world: World, job_id: str) -> dict[str, Any]:
    """Return the progress of a job."""
    job = world.read(job_id)
    now_s = world.clock.now()
    percent, left_s = job.measure(now_s)
    status = job.status(now_s)
    job.delay_reads += status == INCREMENTAL
    delay_s = job.delay_s(now_s, world.pace)
    row: dict[str, Any] = {
        "job_id": job.id,
        "progress": str(percent),
        "incre_trans_delay": "-1" if delay_s is None else str(int(delay_s)),
        "task_mode": job.task_type,
        "transfer_status": status,
        "process_time": _ms(now_s) if job.started_s else "0",
        "remaining_time": str(left_s),
    }
    if 0 < percent < 100:
        part = {"completed": f"{percent}%", "remaining_time": None}
        row["progress_map"] = {"struct": part, "data": part, "index": part}
    return row


def show_list(world: World, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of the project's jobs; the children of a pair are listed under their parent."""
    now_s = world.clock.now()
    found = [job for job in world.jobs.values() if job.parent_id is None and _fits(job, body, now_s)]
    # JSON Schema accepts 1.0 as an integer.
    page, size = int(body["cur_page"]), int(body["per_page"])
    shown = found if page == 0 or size == 0 else found[(page - 1) * size : page * size]
    rows = []
    for job in shown:
        children = [_show_row(world.read(child.id), now_s) for child in world.children(job)]
        rows.append(_show_row(world.read(job.id), now_s) | ({"children": children} if children else {}))
    return {"total_record": len(found), "jobs": rows}


def _fits(job: Job, body: Mapping[str, Any], now_s: float) -> bool:
    wanted = {
        "db_use_type": job.db_use_type,
        "engine_type": job.engine_type,
        "net_type": job.net_type,
        "status": job.status(now_s),
        "enterprise_project_id": job.enterprise_project_id,
    }
    fits = all(not body.get(key) or body[key] == value for key, value in wanted.items())
    has_tags = all(tag in job.tags for tag in body.get("tags", ()))
    # "Name or ID".
    name = body.get("name", "")
    return fits and has_tags and (name in job.name or name == job.id)


def _show_row(job: Job, now_s: float) -> dict[str, Any]:
    created = datetime.datetime.fromtimestamp(job.created_s, datetime.UTC)
    return {
        "id": job.id,
        "name": job.name,
        "status": job.status(now_s),
        "description": job.description,
        # Only this call formats times this way; all others use milliseconds.
        "create_time": created.strftime("%Y-%m-%d %H:%M:%S"),
        "engine_type": job.engine_type,
        "net_type": job.net_type,
        "billing_tag": False,
        "job_direction": job.job_direction,
        "db_use_type": job.db_use_type,
        "task_type": job.task_type,
        "node_newFramework": True,
    }


def _ms(seconds: float) -> str:
    return str(int(seconds * 1000))
