"""The jobs of one emulator and the rules they live by. Every server owns a world; two never meet."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_drs.emulator.clock import Clock
from airflow_provider_drs.emulator.errors import ApiError
from airflow_provider_drs.emulator.prechecks import OUTCOMES, Plan, Precheck

PROJECT_ID = "0123456789abcdef0123456789abcdef"

#: Seconds that each phase takes.
CREATION_S = 30.0
START_S = 3.0
FULL_TRANSFER_S = 30.0
STOP_S = 10.0

_STOPPABLE_NOT = frozenset({"CREATING", "RELEASE_RESOURCE_STARTED", "RELEASE_RESOURCE_COMPLETE"})
_DELETABLE = frozenset({"CREATE_FAILED", "RELEASE_RESOURCE_COMPLETE", "RELEASE_CHILD_TRANSFER_COMPLETE"})
_SECRET_ECHO = {"db_password": "emulated-db-password", "ssl_cert_password": "emulated-cert-password"}


@dataclass
class Job:
    """One job. ``timeline`` has the statuses it takes, each with the second from which it holds."""

    id: str
    name: str
    timeline: list[tuple[float, str]]
    engine_type: str = "mysql"
    db_use_type: str = "migration"
    task_type: str = "FULL_INCR_TRANS"
    job_direction: str = "up"
    multi_write: bool = False
    parent_id: str | None = None
    is_tested: set[str] = field(default_factory=lambda: {"so", "ta"})
    has_endpoints: bool = True
    echo_secrets: bool = False
    unreachable: set[str] = field(default_factory=set)
    plan: Plan = field(default_factory=Plan)
    precheck: Precheck | None = None
    stale: Precheck | None = None
    stale_reads: int = 0
    starts: int = 0
    created_s: float = 0.0
    started_s: float | None = None
    description: str = ""

    def status(self, now_s: float) -> str:
        """Return the status at an instant."""
        return [word for since_s, word in self.timeline if since_s <= now_s][-1]

    @property
    def is_parent(self) -> bool:
        """Whether it is the umbrella of a dual-active pair."""
        return self.multi_write and self.parent_id is None


class World:
    """
    All jobs of a project.

    :param clock: the time that everything here goes by.
    :param precheck_s: seconds that a pre-check takes unless its job has a plan of its own.
    """

    def __init__(self, clock: Clock, *, precheck_s: float = 10.0) -> None:
        self.clock = clock
        self.jobs: dict[str, Job] = {}
        self._precheck_s = precheck_s
        self._numbers = itertools.count(1)

    def seed_defaults(self) -> None:
        """Add ten jobs that are configured and ready for a pre-check."""
        for _ in range(10):
            number = next(self._numbers)
            self.seed(make_job_id(number), name=f"orders-migration-{number:02}")

    def seed(self, job_id: str | None = None, *, status: str = "CONFIGURATION", **details: Any) -> Job:
        """
        Add a job in a status.

        :param details: attributes of :class:`Job`.
        """
        number = 0 if job_id else next(self._numbers)
        new_id = job_id or make_job_id(number)
        now_s = self.clock.now()
        details = {"name": f"emulated-job-{number:02}" if number else f"job-{new_id[-8:]}", **details}
        job = Job(
            id=new_id,
            timeline=[(0.0, status)],
            created_s=now_s,
            plan=Plan(duration_s=self._precheck_s),
            **details,
        )
        self.jobs[new_id] = job
        return job

    def find(self, job_id: str) -> Job:
        """
        Return a job.

        :raises ApiError: there is none of this id.
        """
        if job_id not in self.jobs:
            raise ApiError("DRS.M00289")
        return self.jobs[job_id]

    def family(self, job: Job) -> Job | None:
        """Return the forward job of a backward job's pair."""
        siblings = (each for each in self.jobs.values() if each.parent_id and each.parent_id == job.parent_id)
        return next((each for each in siblings if each.job_direction == "up"), None)

    def plan_prechecks(self, job_id: str | None, outcome: str, **details: Any) -> None:
        """Set how the next pre-checks of a job, or of all jobs, go."""
        if outcome not in OUTCOMES:
            raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}, not {outcome!r}")
        for job in self.jobs.values() if job_id is None else [self.find(job_id)]:
            job.plan = replace(Plan(duration_s=self._precheck_s), outcome=outcome, **details)

    # The API's own actions. Each raises ApiError for the job that it concerns.

    def create(self, body: Mapping[str, Any]) -> Job:
        """Create a job, and for a dual-active pair its children."""
        if any(job.name == body["name"] for job in self.jobs.values()):
            raise ApiError("DRS.M00277")
        job = self._create(body, make_job_id(next(self._numbers)), body["name"], None, body["job_direction"])
        if job.multi_write:
            for direction in ("up", "down"):
                self._create(
                    body, make_job_id(next(self._numbers)), f"{job.name}-{direction}", job.id, direction
                )
        return job

    def _create(
        self, body: Mapping[str, Any], job_id: str, name: str, parent_id: str | None, direction: str
    ) -> Job:
        now_s = self.clock.now()
        job = Job(
            id=job_id,
            name=name,
            timeline=[(now_s, "CREATING"), (now_s + CREATION_S, "CONFIGURATION")],
            engine_type=body["engine_type"],
            db_use_type=body["db_use_type"],
            task_type=body["task_type"],
            job_direction=direction,
            multi_write=bool(body.get("multi_write")),
            parent_id=parent_id,
            is_tested=set(),
            has_endpoints=False,
            description=body.get("description", ""),
            created_s=now_s,
            plan=Plan(duration_s=self._precheck_s),
        )
        self.jobs[job.id] = job
        return job

    def test_connection(self, job_id: str, end_point_type: str) -> None:
        """Test one endpoint of a job."""
        job = self._configurable(job_id)
        if end_point_type in job.unreachable:
            raise ApiError("DRS.KE0002")
        job.is_tested.add(end_point_type)

    def modify(self, job_id: str, body: Mapping[str, Any]) -> None:
        """Change a job; with endpoints, save them."""
        job = self.find(job_id)
        if job.status(self.clock.now()) in ("RELEASE_RESOURCE_COMPLETE", "RELEASE_RESOURCE_STARTED"):
            raise ApiError("DRS.M00304")
        if "source_endpoint" in body or "target_endpoint" in body:
            self._configurable(job_id)
            job.has_endpoints = True
        job.name = body.get("name", job.name)
        job.description = body.get("description", job.description)

    def start_precheck(self, job_id: str) -> str:
        """Start a pre-check and return its id."""
        job = self._configurable(job_id)
        now_s = self.clock.now()
        if job.precheck and job.precheck.is_running(now_s):
            raise ApiError("DRS.M01504")
        missing = {"so", "ta"} if not job.has_endpoints else {"so", "ta"} - job.is_tested
        names = [f"{'src' if end == 'so' else 'dst'}DbConnection" for end in sorted(missing)]
        job.stale, job.stale_reads = job.precheck, job.plan.stale_reads
        precheck_id = job.plan.precheck_id or job.id
        job.precheck = Precheck(job.plan, job.engine_type, precheck_id, now_s, names)
        return precheck_id

    def read_precheck(self, job_id: str) -> dict[str, Any]:
        """Return the row of a job's pre-check."""
        job = self.find(job_id)
        now_s = self.clock.now()
        shown = job.precheck
        if job.stale_reads > 0 and shown:
            job.stale_reads -= 1
            shown = job.stale
        elif shown:
            shown.reads += 1
        if shown is None:
            raise ApiError("DRS.M00002")
        return shown.to_row(now_s, job.job_direction, "e05a3679efe241d8b5dee80b17c1a863in01")

    def start(self, job_id: str, start_time: str) -> None:
        """Start a job, now or at an instant in epoch milliseconds."""
        job = self._configurable(job_id)
        now_s = self.clock.now()
        begin_s = int(start_time) / 1000 if start_time else now_s
        if begin_s < now_s:
            raise ApiError("DRS.M00305", "start_time is in the past")
        self._refuse_unchecked(job, now_s)
        job.starts += 1
        job.started_s = begin_s
        waiting = [(now_s, "WAITING_FOR_START")] if start_time else []
        job.timeline += [*waiting, (begin_s, "STARTJOBING"), *_transfer(job.task_type, begin_s + START_S)]

    def _refuse_unchecked(self, job: Job, now_s: float) -> None:
        forward = self.family(job) if job.parent_id and job.job_direction == "down" else None
        if forward is not None:
            if forward.status(now_s) != "INCRE_TRANSFER_STARTED":
                raise ApiError("DRS.M00304")
            return
        if job.precheck is None or not job.precheck.has_passed(now_s):
            raise ApiError("DRS.M00305", "the pre-check has not passed")

    def delete(self, job_id: str, delete_type: str) -> None:
        """Stop a job, or delete one that is stopped."""
        job = self.find(job_id)
        now_s = self.clock.now()
        status = job.status(now_s)
        if delete_type == "delete":
            if status not in _DELETABLE:
                raise ApiError("DRS.M00304")
            del self.jobs[job_id]
            return
        if status in _STOPPABLE_NOT:
            raise ApiError("DRS.M00304")
        job.timeline = [entry for entry in job.timeline if entry[0] <= now_s]
        job.timeline += [(now_s, "RELEASE_RESOURCE_STARTED"), (now_s + STOP_S, "RELEASE_RESOURCE_COMPLETE")]

    def _configurable(self, job_id: str) -> Job:
        job = self.find(job_id)
        if job.is_parent:
            raise ApiError("DRS.M00307")
        if job.status(self.clock.now()) != "CONFIGURATION":
            raise ApiError("DRS.M00304")
        return job

    # What the API shows.

    def describe(self, job_id: str) -> dict[str, Any]:
        """Return the details of a job."""
        job = self.find(job_id)
        db_type = {"cloudDataGuard-mysql": "mysql", "mysql-to-taurus": "mysql"}.get(
            job.engine_type, job.engine_type
        )
        secrets = _SECRET_ECHO if job.echo_secrets else {}
        endpoint = {
            "region": "eu-de",
            "db_type": db_type,
            "db_port": 3306,
            "ssl_link": False,
            "db_user": "root",
        } | secrets
        details = {
            "id": job.id,
            "name": job.name,
            "status": job.status(self.clock.now()),
            "description": job.description,
            "create_time": _ms(job.created_s),
            "task_type": job.task_type,
            "source_endpoint": endpoint | {"ip": "192.0.2.10"},
            "target_endpoint": endpoint
            | {"ip": "192.0.2.20", "inst_id": "e05a3679efe241d8b5dee80b17c1a863in01"},
            "inst_info": {
                "engine_type": job.engine_type,
                "inst_type": "high",
                "start_time": _ms(job.started_s or 0),
            },
            "update_time": _ms(self.clock.now()),
            "job_direction": job.job_direction,
            "db_use_type": job.db_use_type,
            "multi_write": job.multi_write,
            "speed_limit": [],
        }
        return details | ({"parent_id": job.parent_id} if job.parent_id else {})

    def progress(self, job_id: str) -> dict[str, Any]:
        """Return how far a job is."""
        job = self.find(job_id)
        now_s = self.clock.now()
        status = job.status(now_s)
        full_s = 0.0 if job.started_s is None else now_s - job.started_s - START_S
        percent = max(0, min(100, int(100 * full_s / FULL_TRANSFER_S)))
        row: dict[str, Any] = {
            "job_id": job.id,
            "progress": str(percent),
            "incre_trans_delay": "0" if status == "INCRE_TRANSFER_STARTED" else "-1",
            "task_mode": job.task_type,
            "transfer_status": status,
            "process_time": _ms(now_s) if job.started_s else "0",
            "remaining_time": str(int(max(0.0, FULL_TRANSFER_S - max(full_s, 0.0))))
            if job.started_s
            else "0",
        }
        if 0 < percent < 100:
            part = {"completed": f"{percent}%", "remaining_time": None}
            row["progress_map"] = {"struct": part, "data": part, "index": part}
        return row

    def list_jobs(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a page of the project's jobs; the children of a pair stand under their parent."""
        now_s = self.clock.now()
        found = [job for job in self.jobs.values() if job.parent_id is None and self._fits(job, body, now_s)]
        page, size = body["cur_page"], body["per_page"]
        shown = found if page == 0 or size == 0 else found[(page - 1) * size : page * size]
        rows = []
        for job in shown:
            children = [
                self._list_row(child, now_s) for child in self.jobs.values() if child.parent_id == job.id
            ]
            rows.append(self._list_row(job, now_s) | ({"children": children} if children else {}))
        return {"total_record": len(found), "jobs": rows}

    @staticmethod
    def _fits(job: Job, body: Mapping[str, Any], now_s: float) -> bool:
        wanted = {
            "db_use_type": job.db_use_type,
            "engine_type": job.engine_type,
            "status": job.status(now_s),
        }
        fits = all(not body.get(key) or body[key] == value for key, value in wanted.items())
        return fits and body.get("name", "") in job.name

    @staticmethod
    def _list_row(job: Job, now_s: float) -> dict[str, Any]:
        return {
            "id": job.id,
            "name": job.name,
            "status": job.status(now_s),
            "description": job.description,
            "engine_type": job.engine_type,
            "job_direction": job.job_direction,
            "db_use_type": job.db_use_type,
            "task_type": job.task_type,
        }


def make_job_id(number: int) -> str:
    """Return an id as the service makes them: it looks like a UUID and is not one."""
    return f"{number:08x}-d0c5-4a11-8a11-{number:07x}jb{100 + number % 900}"


def _transfer(task_type: str, begin_s: float) -> list[tuple[float, str]]:
    incremental = "INCRE_TRANSFER_STARTED"
    if task_type == "INCR_TRANS":
        return [(begin_s, incremental)]
    end_s = begin_s + FULL_TRANSFER_S
    full = [(begin_s, "FULL_TRANSFER_STARTED"), (end_s, "FULL_TRANSFER_COMPLETE")]
    return full if task_type == "FULL_TRANS" else [*full, (end_s + START_S, incremental)]


def _ms(seconds: float) -> str:
    return str(int(seconds * 1000))
