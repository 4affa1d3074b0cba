"""The jobs of one emulator and their rules. Each server has its own world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drs_emulator.api.errors import ApiError
from drs_emulator.world.clock import Clock
from drs_emulator.world.details import END_POINTS, ENDPOINT, check_details
from drs_emulator.world.jobs import Job, make_job_id
from drs_emulator.world.prechecks import Plan, Precheck
from drs_emulator.world.timeline import (
    FAILURES,
    INCREMENTAL,
    PAUSED,
    plan_copy,
    plan_creation,
)

PROJECT_ID = "0123456789abcdef0123456789abcdef"
INSTANCE_ID = "e05a3679efe241d8b5dee80b17c1a863in01"

CONFIGURING = frozenset({"CONFIGURATION"})
ENDED = frozenset({"RELEASE_RESOURCE_STARTED", "RELEASE_RESOURCE_COMPLETE"})
#: The statuses that the pages on pausing and on passwords list.
TRANSFERRING = frozenset(
    {
        "FULL_TRANSFER_STARTED",
        "FULL_TRANSFER_FAILED",
        "FULL_TRANSFER_COMPLETE",
        INCREMENTAL,
        "INCRE_TRANSFER_FAILED",
    }
)
_NOT_STOPPABLE = ENDED | {"CREATING"}
_DELETABLE = frozenset({"CREATE_FAILED", "RELEASE_RESOURCE_COMPLETE", "RELEASE_CHILD_TRANSFER_COMPLETE"})
_CHECKABLE = {
    "forStartJob": CONFIGURING,
    # Newer Huawei Cloud pages only: "incremental phase after editing objects, or retry after failure".
    "forRetryJob": frozenset({INCREMENTAL, "FULL_TRANSFER_FAILED", "INCRE_TRANSFER_FAILED"}),
}
#: The page lists failed jobs; the user guide adds paused ones.
_RETRYABLE = frozenset(
    {
        "START_JOB_FAILED",
        "FULL_TRANSFER_FAILED",
        "INCRE_TRANSFER_FAILED",
        "CHANGE_JOB_FAILED",
        "CHILD_TRANSFER_FAILED",
        "RELEASE_RESOURCE_FAILED",
        PAUSED,
    }
)
#: The job types of each engine (drs_api_0112).
_OFFERED = {
    "mysql": ("migration", "sync"),
    "mysql-to-taurus": ("sync",),
    "postgresql": ("sync",),
    "mongodb": ("migration",),
    "cloudDataGuard-mysql": ("cloudDataGuard",),
}
#: A backward job starts only while the lag of its forward job is below this.
_MAX_FORWARD_LAG_S = 60.0
#: Creation fields that the details return unchanged.
_SHOWN = ("is_target_readonly", "node_num", "master_az", "slave_az")
_LARGEST_PORT = 65_535
#: More digits than any valid time in milliseconds.
_LARGEST_TIME_DIGITS = 15


class World:
    """
    All jobs of a project.

    :param clock: the clock for all phases.
    :param precheck_s: duration of a pre-check without its own plan.
    :param pace: ``time``: phases take time; ``at-once``: phases end immediately; a number: each ends after
        this number of reads of the job.
    """

    def __init__(self, clock: Clock, *, precheck_s: float = 10.0, pace: str | int = "time") -> None:
        self.clock = clock
        self.jobs: dict[str, Job] = {}
        self._plans: dict[str, dict[str, Any]] = {}
        self._precheck_s = precheck_s
        self._last_number = 0
        self.pace = pace

    @property
    def pace(self) -> str | int:
        """How jobs progress."""
        return self._pace

    @pace.setter
    def pace(self, pace: str | int) -> None:
        self._pace = check_pace(pace)

    def seed_defaults(self) -> None:
        """Add ten configured jobs that are ready for a pre-check."""
        for _ in range(10):
            number = self._count()
            self.seed(make_job_id(number), name=f"orders-migration-{number:02}")

    def _count(self) -> int:
        self._last_number += 1
        return self._last_number

    def seed(
        self,
        job_id: str | None = None,
        *,
        status: str = "CONFIGURATION",
        verdict: Mapping[str, Any] | None = None,
        **details: Any,
    ) -> Job:
        """
        Add a job in a status.

        :param verdict: the plan of its pre-checks, as in :class:`~.prechecks.Plan`.
        :param details: those of :data:`~.details.DETAILS`.
        :raises ValueError: an argument is invalid.
        """
        if not isinstance(job_id, str | None) or not isinstance(status, str):
            raise ValueError("job_id and status must be strings")
        number = 0 if job_id else self._count()
        new_id = job_id or make_job_id(number)
        name = f"emulated-job-{number:02}" if number else f"job-{new_id[-8:]}"
        checked = {"name": name, **check_details(details)}
        self._make_plan(**(verdict or {}))
        job = Job(id=new_id, timeline=[(0.0, status)], created_s=self.clock.now(), **checked)
        job.verdict = dict(verdict or {})
        if job.fails_in:
            job.replan(self.clock.now(), is_at_once=self.is_at_once)
        self.jobs[new_id] = job
        self._add_subtasks(job)
        return job

    def plan_job(self, name: str, **details: Any) -> None:
        """
        Set details, and with ``verdict`` the pre-checks, of jobs that will be created under a name.

        :param name: the name; a trailing ``*`` matches a prefix.
        :raises ValueError: an argument is invalid.
        """
        if not isinstance(name, str) or not name:
            raise ValueError(f"name must be a non-empty string, not {name!r}")
        verdict = details.get("verdict", {})
        if not isinstance(verdict, Mapping):
            raise ValueError(f"verdict must be an object, not {verdict!r}")
        self._make_plan(**verdict)
        check_details({key: value for key, value in details.items() if key != "verdict"})
        self._plans[name] = details

    def _find_plan(self, name: str) -> dict[str, Any]:
        for planned, details in self._plans.items():
            if name == planned or (planned.endswith("*") and name.startswith(planned[:-1])):
                return details
        return {}

    def change(self, job_id: str, *, status: str | None = None, **details: Any) -> None:
        """
        Change a job in ways that the API does not offer.

        :raises ValueError: a name is unknown, or a value has the wrong type.
        """
        job, now_s = self.find(job_id), self.clock.now()
        job.change(details)
        if status is not None:
            job.set_status(now_s, str(status))
        if "fails_in" in details and job.leader is None:
            job.replan(now_s, is_at_once=self.is_at_once)

    def find(self, job_id: str) -> Job:
        """
        Return a job.

        :raises ApiError: the job does not exist.
        """
        if job_id not in self.jobs:
            raise ApiError("DRS.M00289")
        return self.jobs[job_id]

    def read(self, job_id: str) -> Job:
        """Return a job and count the read, which makes it progress if the pace is a number."""
        job = self.find(job_id)
        progressing = job.leader or job
        if isinstance(self.pace, int):
            progressing.reads += 1
            if progressing.reads % self.pace == 0:
                progressing.skip_to_next(self.clock.now())
        return job

    def children(self, job: Job) -> list[Job]:
        """Return the jobs of a dual-active pair or the subtasks of a cluster."""
        return [child for child in self.jobs.values() if child.parent_id == job.id]

    def plan_prechecks(self, job_id: str | None, **verdict: Any) -> None:
        """Set the plan of the next pre-checks of one job or all jobs."""
        self._make_plan(**verdict)
        for job in self.jobs.values() if job_id is None else [self.find(job_id)]:
            job.verdict = verdict

    def _make_plan(self, **verdict: Any) -> Plan:
        """Return the plan of a pre-check; the pace determines what the verdict does not set."""
        known = Plan.__dataclass_fields__
        if unknown := set(verdict).difference(known):
            raise ValueError(
                f"unknown field {min(unknown)!r} of a verdict; expected one of {', '.join(known)}"
            )
        if self.pace == "at-once":
            verdict = {"duration_s": 0.0, **verdict}
        elif isinstance(self.pace, int) and "duration_s" not in verdict:
            verdict = {"reads": self.pace, **verdict}
        return Plan(**{"duration_s": self._precheck_s, **verdict})

    # The actions of the API. Each raises ApiError for its job.

    def create(self, body: Mapping[str, Any]) -> Job:
        """Create a job, including the two jobs of a dual-active pair or the subtasks of a cluster."""
        if body["db_use_type"] not in _OFFERED[body["engine_type"]]:
            raise ApiError("DRS.M00302")
        if any(job.name == body["name"] for job in self.jobs.values()):
            raise ApiError("DRS.M00277")
        job = self._create(body, body["name"], None, body["job_direction"])
        if job.multi_write:
            for direction in ("up", "down"):
                self._create(body, f"{job.name}-{direction}", job.id, direction)
        self._add_subtasks(job)
        return job

    def _create(self, body: Mapping[str, Any], name: str, parent_id: str | None, direction: str) -> Job:
        now_s = self.clock.now()
        planned = self._find_plan(name) or self._find_plan(body["name"])
        details = check_details({key: value for key, value in planned.items() if key != "verdict"})
        timeline = plan_creation(now_s, details.get("fails_in", ()), is_at_once=self.is_at_once)
        same = ("engine_type", "db_use_type", "task_type", "net_type")
        known = {key: body[key] for key in same}
        job = Job(
            id=make_job_id(self._count()),
            name=name,
            timeline=timeline,
            **{
                **known,
                "job_direction": direction,
                "multi_write": bool(body.get("multi_write")),
                "parent_id": parent_id,
                "is_tested": set(),
                "has_endpoints": False,
                "description": body.get("description", ""),
                "created_s": now_s,
                "node_num": int(body.get("node_num", 0)),
                "tags": list(body.get("tags", ())),
                "enterprise_project_id": _find_enterprise_project(body),
                **details,
            },
        )
        job.verdict = dict(planned.get("verdict", {}))
        job.settings = {key: body[key] for key in _SHOWN if key in body}
        for end in ("source", "target"):
            self.save_endpoint(job, end, body[f"{end}_endpoint"])
        self.jobs[job.id] = job
        return job

    def _add_subtasks(self, job: Job) -> None:
        for number in range(1, job.node_num + 1) if job.is_cluster and not job.parent_id else ():
            shard = Job(
                id=make_job_id(self._count()),
                name=f"{job.name}-{number}",
                timeline=[],
                engine_type=job.engine_type,
                db_use_type=job.db_use_type,
                task_type=job.task_type,
                net_type=job.net_type,
                parent_id=job.id,
                created_s=job.created_s,
                leader=job,
            )
            self.jobs[shard.id] = shard

    @property
    def is_at_once(self) -> bool:
        """Return whether phases end immediately."""
        return self.pace == "at-once"

    def save_endpoint(self, job: Job, end: str, endpoint: Mapping[str, Any]) -> None:
        """Store the known fields of an endpoint, without its secrets."""
        known = {key: endpoint[key] for key in ENDPOINT if key in endpoint}
        if "db_port" in endpoint:
            # A modification can send it as a string.
            known["db_port"] = int(endpoint["db_port"])
            if known["db_port"] > _LARGEST_PORT:
                raise ApiError("DRS.M00202", "db_port")
        job.ends[end] |= known

    def check_password(self, job: Job, end: str, password: str | None) -> None:
        """Reject a wrong password of a database that has one set."""
        if password is not None and end in job.passwords and job.passwords[end] != password:
            raise ApiError("DRS.KE0002")

    def test_connection(self, job_id: str, endpoint: Mapping[str, Any]) -> None:
        """Test one endpoint of a job."""
        job = self.find_for(job_id, CONFIGURING)
        self._require_forward(job)
        self.connect(job, endpoint["end_point_type"], endpoint["db_password"])

    def connect(self, job: Job, end: str, password: str) -> None:
        """Connect to a database as a connection test does, and record the result."""
        job.is_tested.discard(end)
        if end in job.unreachable:
            raise ApiError("DRS.KE0002")
        self.check_password(job, end, password)
        job.is_tested.add(end)

    def start_precheck(self, job_id: str, mode: str = "forStartJob") -> str:
        """Start a pre-check and return its ID."""
        job = self.find_for(job_id, _CHECKABLE[mode])
        now_s = self.clock.now()
        if job.precheck and job.precheck.is_running(now_s):
            raise ApiError("DRS.M01504")
        missing = {"so", "ta"} if not job.has_endpoints else {"so", "ta"} - job.is_tested
        names = [f"{'src' if end == 'so' else 'dst'}DbConnection" for end in sorted(missing)]
        plan = self._make_plan(**job.verdict)
        job.stale, job.stale_reads = job.precheck, plan.stale_reads
        precheck_id = plan.precheck_id or job.id
        job.precheck = Precheck(plan, job.engine_type, precheck_id, now_s, names)
        job.prechecks += 1
        return precheck_id

    def read_precheck(self, job_id: str) -> dict[str, Any]:
        """Return the row of a job's pre-check."""
        job = self.find(job_id)
        now_s = self.clock.now()
        shown = job.precheck
        if shown and (job.stale_reads > 0 or now_s < shown.started_s + shown.plan.stale_s):
            job.stale_reads = max(0, job.stale_reads - 1)
            shown = job.stale
        elif shown:
            shown.reads += 1
        if shown is None:
            raise ApiError("DRS.M00002")
        return shown.to_row(now_s, job.job_direction, INSTANCE_ID)

    def start(self, job_id: str, start_time: str = "") -> None:
        """Start a job, now or at an instant in epoch milliseconds."""
        job = self.find_for(job_id, CONFIGURING)
        now_s = self.clock.now()
        if len(start_time) > _LARGEST_TIME_DIGITS:
            raise ApiError("DRS.M00202", "start_time")
        begin_s = int(start_time) / 1000 if start_time else now_s
        if begin_s < now_s:
            raise ApiError("DRS.M00305", "start_time is in the past")
        self._require_precheck(job, now_s)
        job.begin(now_s, begin_s, is_at_once=self.is_at_once)

    def _require_precheck(self, job: Job, now_s: float) -> None:
        forward = self._require_forward(job)
        if forward is not None:
            if job.is_tested != END_POINTS or not job.has_endpoints:
                raise ApiError("DRS.M00305", "the connections are not tested and saved")
            if (forward.delay_s(now_s, self.pace) or 0.0) >= _MAX_FORWARD_LAG_S:
                raise ApiError("DRS.M00305", "the RPO or RTO of the forward task is 60 s or more")
            return
        if job.precheck and job.precheck.is_running(now_s):
            raise ApiError("DRS.M01504")
        if job.precheck is None or not job.precheck.has_passed(now_s):
            raise ApiError("DRS.M00305", "the pre-check has not passed")

    def _require_forward(self, job: Job) -> Job | None:
        """Return the forward job of a backward one; it must be replicating."""
        forward = self._find_forward(job)
        if forward is not None and forward.status(self.clock.now()) != INCREMENTAL:
            raise ApiError("DRS.M00304")
        return forward

    def pause(self, job_id: str) -> None:
        """Pause a job."""
        job = self.find_for(job_id, TRANSFERRING, uses=("migration", "sync"), allow_parent=True)
        job.pause(self.clock.now())

    def retry(self, job_id: str, *, is_re_edit: bool = False) -> None:
        """Resume a paused job, retry a failed one, or restart one whose objects were edited."""
        now_s = self.clock.now()
        job = self.find_for(job_id)
        if not (is_re_edit and job.db_use_type == "sync" and job.status(now_s) == INCREMENTAL):
            self.find_for(job_id, _RETRYABLE).resume(now_s, is_at_once=self.is_at_once)
            return
        if job.edited is None:
            raise ApiError("DRS.M00305", "the objects were not edited")
        precheck = job.precheck
        if precheck is None or precheck.started_s < job.edited_s or not precheck.has_passed(now_s):
            raise ApiError("DRS.M00305", "the pre-check has not passed")
        job.restart(now_s, is_at_once=self.is_at_once)
        if job.status(now_s) != FAILURES["edit"] and job.since(FAILURES["edit"]) is None:
            self._add_copy(job, now_s)

    def _add_copy(self, job: Job, now_s: float) -> None:
        """Add the subtask that copies the new objects of an edited job."""
        number = self._count()
        copy = Job(
            id=make_job_id(number),
            name=f"{job.name}-edit-{number}",
            timeline=plan_copy(now_s, is_at_once=self.is_at_once),
            engine_type=job.engine_type,
            db_use_type=job.db_use_type,
            task_type=job.task_type,
            net_type=job.net_type,
            parent_id=job.id,
            created_s=now_s,
            started_s=now_s,
        )
        self.jobs[copy.id] = copy

    def delete(self, job_id: str, delete_type: str) -> None:
        """Stop a job, or delete a stopped one; a parent includes its children."""
        job = self.find_for(job_id, allow_parent=True)
        now_s = self.clock.now()
        family = [job, *self.children(job)]
        if delete_type == "delete":
            if any(member.status(now_s) not in _DELETABLE for member in family):
                raise ApiError("DRS.M00304")
            for member in family:
                del self.jobs[member.id]
            return
        if job.status(now_s) in _NOT_STOPPABLE:
            raise ApiError("DRS.M00304")
        is_forced = delete_type == "force_terminate"
        for member in family:
            if member.status(now_s) not in ENDED:
                member.end(now_s, is_at_once=self.is_at_once, is_forced=is_forced)

    def find_for(
        self,
        job_id: str,
        statuses: frozenset[str] | None = None,
        *,
        uses: tuple[str, ...] = (),
        engine: str = "",
        allow_parent: bool = False,
    ) -> Job:
        """
        Return a job on which an operation is allowed.

        :param statuses: the allowed statuses; ``None`` for all.
        :param uses: the allowed job types; empty for all.
        :param engine: text that the engine type must contain.
        :param allow_parent: whether the parent of a dual-active pair is allowed.
        :raises ApiError: the operation is not allowed.
        """
        job = self.find(job_id)
        if job.is_parent and not allow_parent:
            raise ApiError("DRS.M00307")
        if job.leader is not None:
            raise ApiError("DRS.M00308")
        if (uses and job.db_use_type not in uses) or engine not in job.engine_type:
            raise ApiError("DRS.M00300", "the task is of another kind")
        if statuses is not None and job.status(self.clock.now()) not in statuses:
            raise ApiError("DRS.M00304")
        return job

    def _find_forward(self, job: Job) -> Job | None:
        """Return the forward job of the pair that a backward job belongs to."""
        if not job.parent_id or job.job_direction != "down":
            return None
        siblings = (other for other in self.jobs.values() if other.parent_id == job.parent_id)
        return next((sibling for sibling in siblings if sibling.job_direction == "up"), None)


def _find_enterprise_project(body: Mapping[str, Any]) -> str:
    tags = body.get("sys_tags", ())
    return next((tag.get("value", "") for tag in tags if tag.get("key") == "_sys_enterprise_project_id"), "")


def check_pace(pace: str | int) -> str | int:
    """
    Return a valid pace.

    :raises ValueError: it is invalid.
    """
    if pace not in ("time", "at-once") and (type(pace) is not int or pace < 1):
        raise ValueError(f"pace must be 'time', 'at-once' or a number of reads, not {pace!r}")
    return pace
