"""The jobs of one emulator and the rules they live by. Every server owns a world; two never meet."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from airflow_provider_drs.emulator.clock import Clock
from airflow_provider_drs.emulator.errors import ApiError
from airflow_provider_drs.emulator.jobs import CREATION_S, Job, check_details, make_job_id
from airflow_provider_drs.emulator.prechecks import Plan, Precheck

PROJECT_ID = "0123456789abcdef0123456789abcdef"
INSTANCE_ID = "e05a3679efe241d8b5dee80b17c1a863in01"

_RUNNING = "INCRE_TRANSFER_STARTED"
_STOPPABLE_NOT = frozenset({"CREATING", "RELEASE_RESOURCE_STARTED", "RELEASE_RESOURCE_COMPLETE"})
_ENDED = frozenset({"RELEASE_RESOURCE_STARTED", "RELEASE_RESOURCE_COMPLETE"})
_DELETABLE = frozenset({"CREATE_FAILED", "RELEASE_RESOURCE_COMPLETE", "RELEASE_CHILD_TRANSFER_COMPLETE"})
_CHECKABLE = {
    "forStartJob": frozenset({"CONFIGURATION"}),
    # Newer Huawei Cloud pages only: "incremental phase after editing objects, or retry after failure".
    "forRetryJob": frozenset({_RUNNING, "FULL_TRANSFER_FAILED", "INCRE_TRANSFER_FAILED"}),
}
#: Longer than any time in milliseconds that a calendar knows.
_LARGEST_TIME_DIGITS = 15


class World:
    """
    All jobs of a project.

    :param clock: the time that everything here goes by.
    :param precheck_s: seconds that a pre-check takes unless its job has a plan of its own.
    :param pace: ``time``: phases take their time; ``at-once``: they take none; a number: each ends after
        so many reads of the job.
    """

    def __init__(self, clock: Clock, *, precheck_s: float = 10.0, pace: str | int = "time") -> None:
        self.clock = clock
        self.jobs: dict[str, Job] = {}
        self._precheck_s = precheck_s
        self._numbers = itertools.count(1)
        self.pace = pace

    @property
    def pace(self) -> str | int:
        """How fast jobs go from phase to phase."""
        return self._pace

    @pace.setter
    def pace(self, pace: str | int) -> None:
        if pace not in ("time", "at-once") and (type(pace) is not int or pace < 1):
            raise ValueError(f"pace must be 'time', 'at-once' or a number of reads, not {pace!r}")
        self._pace = pace

    def seed_defaults(self) -> None:
        """Add ten jobs that are configured and ready for a pre-check."""
        for _ in range(10):
            number = next(self._numbers)
            self.seed(make_job_id(number), name=f"orders-migration-{number:02}")

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

        :param verdict: how its pre-checks go, as :class:`~.prechecks.Plan` has it.
        :param details: those of :data:`~.jobs.DETAILS`.
        :raises ValueError: something of this makes no sense.
        """
        if not isinstance(job_id, str | None) or not isinstance(status, str):
            raise ValueError("job_id and status are strings")
        number = 0 if job_id else next(self._numbers)
        new_id = job_id or make_job_id(number)
        name = f"emulated-job-{number:02}" if number else f"job-{new_id[-8:]}"
        checked = {"name": name, **check_details(details)}
        self._make_plan(**(verdict or {}))
        job = Job(id=new_id, timeline=[(0.0, status)], created_s=self.clock.now(), **checked)
        job.verdict = dict(verdict or {})
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

    def look_at(self, job_id: str) -> Job:
        """Return a job that is being read, which in the one pace makes it go on."""
        job = self.find(job_id)
        if isinstance(self.pace, int):
            job.reads += 1
            if job.reads % self.pace == 0:
                job.hurry(self.clock.now())
        return job

    def children(self, job: Job) -> list[Job]:
        """Return the jobs of a dual-active pair."""
        return [each for each in self.jobs.values() if each.parent_id == job.id]

    def plan_prechecks(self, job_id: str | None, **verdict: Any) -> None:
        """Set how the next pre-checks of a job, or of all jobs, go."""
        self._make_plan(**verdict)
        for job in self.jobs.values() if job_id is None else [self.find(job_id)]:
            job.verdict = verdict

    def _make_plan(self, **verdict: Any) -> Plan:
        """Return the plan of a pre-check: what its verdict leaves open follows the pace."""
        known = Plan.__dataclass_fields__
        if unknown := set(verdict).difference(known):
            raise ValueError(f"a verdict has no {min(unknown)!r}; it has {', '.join(known)}")
        if self.pace == "at-once":
            verdict = {"duration_s": 0.0, **verdict}
        elif isinstance(self.pace, int) and "duration_s" not in verdict:
            verdict = {"reads": self.pace, **verdict}
        return Plan(**{"duration_s": self._precheck_s, **verdict})

    # The API's own actions. Each raises ApiError for the job that it concerns.

    def create(self, body: Mapping[str, Any]) -> Job:
        """Create a job, and for a dual-active pair its children."""
        if any(job.name == body["name"] for job in self.jobs.values()):
            raise ApiError("DRS.M00277")
        job = self._create(body, body["name"], None, body["job_direction"])
        if job.multi_write:
            for direction in ("up", "down"):
                self._create(body, f"{job.name}-{direction}", job.id, direction)
        return job

    def _create(self, body: Mapping[str, Any], name: str, parent_id: str | None, direction: str) -> Job:
        now_s = self.clock.now()
        ready_s = now_s if self.pace == "at-once" else now_s + CREATION_S
        same = ("engine_type", "db_use_type", "task_type", "net_type")
        job = Job(
            id=make_job_id(next(self._numbers)),
            name=name,
            timeline=[(now_s, "CREATING"), (ready_s, "CONFIGURATION")],
            job_direction=direction,
            multi_write=bool(body.get("multi_write")),
            parent_id=parent_id,
            is_tested=set(),
            has_endpoints=False,
            description=body.get("description", ""),
            created_s=now_s,
            **{key: body[key] for key in same},
        )
        self.jobs[job.id] = job
        return job

    def test_connection(self, job_id: str, end_point_type: str) -> None:
        """Test one end of a job."""
        job = self._find_single(job_id, _CHECKABLE["forStartJob"])
        forward = self._find_forward(job)
        if forward is not None and forward.status(self.clock.now()) != _RUNNING:
            raise ApiError("DRS.M00304")
        if end_point_type in job.unreachable:
            job.is_tested.discard(end_point_type)
            raise ApiError("DRS.KE0002")
        job.is_tested.add(end_point_type)

    def modify(self, job_id: str, body: Mapping[str, Any]) -> None:
        """Change a job; with its ends, save them."""
        job = self.find(job_id)
        if job.is_parent:
            raise ApiError("DRS.M00307")
        status = job.status(self.clock.now())
        saves_ends = "source_endpoint" in body or "target_endpoint" in body
        if status in _ENDED or (saves_ends and status != "CONFIGURATION"):
            raise ApiError("DRS.M00304")
        job.has_endpoints = job.has_endpoints or saves_ends
        job.name = body.get("name", job.name)
        job.description = body.get("description", job.description)
        job.task_type = body.get("task_type", job.task_type)

    def start_precheck(self, job_id: str, mode: str = "forStartJob") -> str:
        """Start a pre-check and return its id."""
        job = self._find_single(job_id, _CHECKABLE[mode])
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
        job = self._find_single(job_id, _CHECKABLE["forStartJob"])
        now_s = self.clock.now()
        if len(start_time) > _LARGEST_TIME_DIGITS:
            raise ApiError("DRS.M00202", "start_time")
        begin_s = int(start_time) / 1000 if start_time else now_s
        if begin_s < now_s:
            raise ApiError("DRS.M00305", "start_time is in the past")
        self._refuse_unchecked(job, now_s)
        job.begin(now_s, begin_s, is_at_once=self.pace == "at-once")

    def _refuse_unchecked(self, job: Job, now_s: float) -> None:
        forward = self._find_forward(job)
        if forward is not None:
            if forward.status(now_s) != _RUNNING:
                raise ApiError("DRS.M00304")
            return
        if job.precheck and job.precheck.is_running(now_s):
            raise ApiError("DRS.M01504")
        if job.precheck is None or not job.precheck.has_passed(now_s):
            raise ApiError("DRS.M00305", "the pre-check has not passed")

    def delete(self, job_id: str, delete_type: str) -> None:
        """Stop a job, or delete one that is stopped; a dual-active parent takes its children along."""
        job = self.find(job_id)
        now_s = self.clock.now()
        family = [job, *self.children(job)]
        if delete_type == "delete":
            if any(each.status(now_s) not in _DELETABLE for each in family):
                raise ApiError("DRS.M00304")
            for each in family:
                del self.jobs[each.id]
            return
        if job.status(now_s) in _STOPPABLE_NOT:
            raise ApiError("DRS.M00304")
        for each in family:
            if each.status(now_s) not in _ENDED:
                each.end(now_s, is_at_once=self.pace == "at-once")

    def _find_single(self, job_id: str, statuses: frozenset[str]) -> Job:
        job = self.find(job_id)
        if job.is_parent:
            raise ApiError("DRS.M00307")
        if job.status(self.clock.now()) not in statuses:
            raise ApiError("DRS.M00304")
        return job

    def _find_forward(self, job: Job) -> Job | None:
        """Return the forward job of the pair that a backward job belongs to."""
        if not job.parent_id or job.job_direction != "down":
            return None
        siblings = (each for each in self.jobs.values() if each.parent_id == job.parent_id)
        return next((each for each in siblings if each.job_direction == "up"), None)
