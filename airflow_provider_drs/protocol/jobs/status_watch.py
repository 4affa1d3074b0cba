"""Wait until jobs reach a status."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from airflow_provider_drs.protocol.core.batches import Answers
from airflow_provider_drs.protocol.core.errors import (
    DrsError,
    DrsJobNotFoundError,
    DrsJobStateError,
    make_error,
)
from airflow_provider_drs.protocol.core.watch import (
    NEARLY_DONE_PERCENT,
    NOTHING,
    FollowUpRead,
    ReadOperation,
    Updating,
    Watch,
    can_change,
    errors_from_dict,
    errors_to_dict,
)
from airflow_provider_drs.protocol.jobs.messages import JobProgress, JobStatus
from airflow_provider_drs.protocol.jobs.operation import (
    get_edit_statuses,
    get_job_progresses,
    get_job_statuses,
)
from airflow_provider_drs.protocol.jobs.states import (
    INCRE_TRANSFER_STARTED,
    STATUSES,
    Phase,
    describe_status,
    words_of,
)

_DELETED = "DELETED"
#: The final statuses of a job. (After a re-edit subtask has ended, its job continues.)
_FINAL = frozenset({"RELEASE_RESOURCE_STARTED", "RELEASE_RESOURCE_COMPLETE", _DELETED})
#: The phases whose progress is logged.
_MOVING = frozenset({Phase.FULL, Phase.INCREMENTAL})


class StatusWatch(Watch):
    """
    Watches jobs until each has a target status, or one from which it cannot reach a target.

    While data moves it also reads the progress, so that the log shows percent, remaining time and lag.

    :param targets: the statuses to wait for. ``DELETED`` includes jobs that DRS does not know.
    :param failed: the statuses that end the wait for a job; ``None`` for all failed statuses that are not
        targets, and those of a stopped job unless one of them is a target.
    :param goal: what the jobs become, for errors.
    :param patience: the number of consecutive polls with a failed status after which it counts: directly
        after an action DRS may still return the previous status.
    :param fail_fast: whether the first failed job ends the wait for all jobs.
    """

    kind = "status"

    def __init__(
        self,
        job_ids: Sequence[str],
        targets: Collection[str],
        failed: Collection[str] | None = None,
        *,
        goal: str = "",
        patience: int = 1,
        fail_fast: bool = False,
    ) -> None:
        super().__init__(job_ids)
        self.patience = patience
        self._fail_fast = fail_fast
        self._failed_polls: dict[str, int] = {}
        self.targets = frozenset(targets)
        self.failed = (_dead_ends(self.targets) if failed is None else frozenset(failed)) - self.targets
        self.goal = goal or f"in status {' or '.join(sorted(self.targets))}"
        self._progresses: dict[str, JobProgress] = {}

    @property
    def operation(self) -> ReadOperation:
        """Read the statuses of the jobs."""
        return get_job_statuses

    @property
    def is_done(self) -> bool:
        """Whether every job has reached a target status or cannot; with *fail_fast*, whether one cannot."""
        return super().is_done or (self._fail_fast and any(map(self._has_failed, self._settled)))

    @property
    def failures(self) -> dict[str, DrsError]:
        """The jobs that cannot reach a target status, each with the reason."""
        return {job_id: self._explain(job_id) for job_id in self.job_ids if self._has_failed(job_id)}

    def is_nearly_done(self, job_id: str) -> bool:
        """Whether the full copy is nearly complete."""
        progress = self._progresses.get(job_id)
        return (
            progress is not None
            and (progress.percent or 0) >= NEARLY_DONE_PERCENT
            and progress.delay_s is None
        )

    def update(self, answers: Answers[JobStatus]) -> Updating:
        """Store the statuses, and read the progress of jobs whose data moves."""
        for job_id, answer in answers.items():
            is_failed = isinstance(answer, JobStatus) and answer.status in self.failed
            self._failed_polls[job_id] = self._failed_polls.get(job_id, 0) + 1 if is_failed else 0
        moving = tuple(job_id for job_id, answer in answers.items() if _is_moving(answer))
        if moving:
            progresses = yield FollowUpRead(get_job_progresses, moving)
            self._progresses |= {
                job_id: progress
                for job_id, progress in progresses.items()
                if isinstance(progress, JobProgress)
            }
        return (yield from super().update(answers))

    def _state_to_dict(self) -> dict[str, Any]:
        return {
            "targets": sorted(self.targets),
            "failed": sorted(self.failed),
            "goal": self.goal,
            "patience": self.patience,
            "fail_fast": self._fail_fast,
            "failed_polls": self._failed_polls,
            "statuses": {
                job_id: answer.status
                for job_id, answer in self._answers.items()
                if isinstance(answer, JobStatus)
            },
            "errors": errors_to_dict(self._answers),
            "progresses": [progress.to_dict() for progress in self._progresses.values()],
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> StatusWatch:
        """Return the watch that :meth:`to_dict` serialized."""
        watch = cls(
            fields["job_ids"],
            fields["targets"],
            fields["failed"],
            goal=fields["goal"],
            patience=fields["patience"],
            fail_fast=fields.get("fail_fast", False),
        )
        watch._failed_polls = dict(fields["failed_polls"])
        watch._progresses = {row["job_id"]: JobProgress.from_dict(row) for row in fields["progresses"]}
        found = {job_id: JobStatus(job_id, word) for job_id, word in fields["statuses"].items()}
        return watch._restore(found | errors_from_dict(fields["errors"]), fields["logged"])

    def _is_settled(self, job_id: str) -> bool:
        return self._has_target(job_id) or self._has_failed(job_id)

    def _has_failed(self, job_id: str) -> bool:
        answer = self._answers.get(job_id)
        if isinstance(answer, DrsError):
            return not can_change(answer) and not self._has_target(job_id)
        return answer is not None and self._failed_polls.get(job_id, 0) >= self.patience

    def _explain(self, job_id: str) -> DrsError:
        answer: JobStatus | DrsError = self._answers[job_id]
        if isinstance(answer, DrsError):
            return answer
        return make_error(
            f"{job_id}: not {self.goal}, but in status {describe_status(answer.status)}",
            job_ids=(job_id,),
            error_class=DrsJobStateError,
            remedy="Check the job's log in the DRS console.",
        )

    def _has_target(self, job_id: str) -> bool:
        answer = self._answers.get(job_id)
        if isinstance(answer, DrsJobNotFoundError):
            return _DELETED in self.targets
        return isinstance(answer, JobStatus) and answer.status in self.targets

    def _result(self, job_id: str) -> dict[str, Any]:
        answer, progress = self._answers.get(job_id), self._progresses.get(job_id)
        gone = _DELETED if isinstance(answer, DrsJobNotFoundError) else None
        status = answer.status if isinstance(answer, JobStatus) else gone
        return {"job_id": job_id, **(progress.to_dict() if progress else {}), "status": status}

    def _describe(self, job_id: str) -> str:
        answer: JobStatus | DrsError = self._answers[job_id]
        if isinstance(answer, JobStatus):
            progress = self._progresses.get(job_id) if _is_moving(answer) else None
            return describe_status(answer.status) + (f", {describe_progress(progress)}" if progress else "")
        return "deleted" if self._has_target(job_id) else f"no status: {answer}"


class EditWatch(StatusWatch):
    """
    Watches synchronization jobs whose objects were edited, until DRS has copied the new objects.

    A subtask copies them while its job replicates. DRS lists it with its job, and removes it at the end.
    """

    kind = "edit"

    def update(self, answers: Answers[JobStatus]) -> Updating:
        """Store the statuses; while a subtask of a job is running, or has failed, that of the subtask."""
        replicating = tuple(
            job_id
            for job_id, answer in answers.items()
            if isinstance(answer, JobStatus) and answer.status in self.targets
        )
        if replicating:
            answers = {**answers, **(yield FollowUpRead(get_edit_statuses, replicating))}
        return (yield from super().update(answers))


def _dead_ends(targets: frozenset[str]) -> frozenset[str]:
    """Return the statuses from which a job cannot reach a target without intervention."""
    return words_of(Phase.FAILED) | (_FINAL if targets.isdisjoint(_FINAL) else NOTHING)


def _is_moving(answer: JobStatus | DrsError) -> bool:
    return isinstance(answer, JobStatus) and answer.phase in _MOVING


def describe_progress(progress: JobProgress) -> str:
    """Return percent, remaining time and lag as text, as far as they are known."""
    parts = []
    if progress.percent is not None and progress.delay_s is None:
        parts.append(f"{progress.percent}%")
    if progress.remaining_s and progress.delay_s is None:
        parts.append(f"{progress.remaining_s} s left")
    if progress.delay_s is not None:
        parts.append(f"lag {progress.delay_s} s")
    return ", ".join(parts) or "no progress yet"


class _Goal(NamedTuple):
    """
    The goal of an action that DRS performs in the background.

    :param name: its name, for errors.
    :param targets: the statuses that show it.
    :param failed: the statuses that end the wait; ``None`` as in :class:`StatusWatch`.
    :param patience: see :class:`StatusWatch`.
    """

    name: str
    targets: frozenset[str]
    failed: frozenset[str] | None = None
    patience: int = 1


_RUNNING = words_of(Phase.FULL, Phase.INCREMENTAL, Phase.PAUSED)
_NOT_CREATED = frozenset({"CREATE_FAILED"}) | _FINAL
_GOALS = {
    # An adopted job may have been started and may have failed since: it was created.
    "create_jobs": _Goal(
        "created", frozenset(STATUSES) - words_of(Phase.CREATING) - _NOT_CREATED, failed=_NOT_CREATED
    ),
    "start_jobs": _Goal(
        "running",
        _RUNNING,
        failed=frozenset(STATUSES) - _RUNNING - words_of(Phase.CONFIGURING, Phase.STARTING),
    ),
    # Directly after an action DRS may still return the previous status: failed jobs can be paused, retried,
    # stopped and deleted.
    "pause_jobs": _Goal("paused", words_of(Phase.PAUSED), patience=3),
    "retry_jobs": _Goal("running", words_of(Phase.FULL, Phase.INCREMENTAL), patience=3),
    "stop_jobs": _Goal(
        "stopped",
        frozenset({"RELEASE_RESOURCE_COMPLETE", "RELEASE_CHILD_TRANSFER_COMPLETE", _DELETED}),
        failed=frozenset({"RELEASE_RESOURCE_FAILED"}),
        patience=3,
    ),
    "restart_jobs": _Goal("replicating its new objects", frozenset({INCRE_TRANSFER_STARTED}), patience=3),
    "delete_jobs": _Goal("deleted", frozenset({_DELETED}), failed=NOTHING),
}


def watch_action(method: str, job_ids: Sequence[str]) -> StatusWatch:
    """
    Return a watch for jobs on which an action was performed: until it is complete, or has failed.

    :param method: the hook method that performed it.
    """
    goal = _GOALS[method]
    watch_class = EditWatch if method == "restart_jobs" else StatusWatch
    return watch_class(job_ids, goal.targets, goal.failed, goal=goal.name, patience=goal.patience)
