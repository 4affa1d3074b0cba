"""Wait until the incremental replication has caught up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_drs.protocol.core.batches import Answers
from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError, DrsJobStateError, make_error
from airflow_provider_drs.protocol.core.watch import (
    ReadOperation,
    Updating,
    Watch,
    can_change,
    errors_from_dict,
    errors_to_dict,
)
from airflow_provider_drs.protocol.jobs.messages import JobProgress
from airflow_provider_drs.protocol.jobs.operation import get_job_progresses
from airflow_provider_drs.protocol.jobs.states import Phase, describe_status, phase_of
from airflow_provider_drs.protocol.jobs.status_watch import describe_progress

_LOST = frozenset({Phase.FAILED, Phase.STOPPING, Phase.ENDED})


class DelayWatch(Watch):
    """
    Watches jobs until the lag of all of them has been small for some consecutive polls.

    Every poll reads all jobs: the lag of one can grow while another catches up.

    :param max_delay_s: maximum lag in seconds.
    :param consecutive: number of consecutive polls.
    """

    kind = "delay"

    def __init__(self, job_ids: Sequence[str], max_delay_s: float, consecutive: int = 3) -> None:
        if not 0 <= max_delay_s < math.inf or consecutive < 1:
            raise DrsConfigError(
                f"max_delay_s must be 0 or more, and consecutive 1 or more, not {max_delay_s!r} and "
                f"{consecutive!r}."
            )
        super().__init__(job_ids)
        self.max_delay_s = max_delay_s
        self.consecutive = consecutive
        self._in_a_row: dict[str, int] = {}

    @property
    def operation(self) -> ReadOperation:
        """Read the progress of the jobs, which has their lag."""
        return get_job_progresses

    def needs_poll(self, job_id: str) -> bool:
        """Poll every job until the end."""
        return True

    @property
    def is_close(self) -> bool:
        """Whether the lag of all jobs was small in the last poll."""
        return all(self._in_a_row.get(job_id, 0) > 0 for job_id in self.job_ids)

    @property
    def is_done(self) -> bool:
        """Whether all jobs have caught up, or one cannot."""
        return super().is_done or any(self._is_lost(job_id) for job_id in self._settled)

    @property
    def failures(self) -> dict[str, DrsError]:
        """The jobs that do not replicate, each with the reason."""
        return {job_id: self._explain(job_id) for job_id in self.job_ids if self._is_lost(job_id)}

    def update(self, answers: Answers[JobProgress]) -> Updating:
        """Count for how many consecutive polls the lag of each job was small."""
        for job_id, answer in answers.items():
            is_close = _is_close(answer, self.max_delay_s)
            self._in_a_row[job_id] = self._in_a_row.get(job_id, 0) + 1 if is_close else 0
        return (yield from super().update(answers))

    def _state_to_dict(self) -> dict[str, Any]:
        return {
            "max_delay_s": self.max_delay_s,
            "consecutive": self.consecutive,
            "in_a_row": self._in_a_row,
            "progresses": [
                answer.to_dict() for answer in self._answers.values() if isinstance(answer, JobProgress)
            ],
            "errors": errors_to_dict(self._answers),
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> DelayWatch:
        """Return the watch that :meth:`to_dict` serialized."""
        watch = cls(fields["job_ids"], fields["max_delay_s"], fields["consecutive"])
        watch._in_a_row = dict(fields["in_a_row"])
        found = {row["job_id"]: JobProgress.from_dict(row) for row in fields["progresses"]}
        return watch._restore(found | errors_from_dict(fields["errors"]), fields["logged"])

    def _is_settled(self, job_id: str) -> bool:
        return self._is_lost(job_id) or self._in_a_row.get(job_id, 0) >= self.consecutive

    def _is_lost(self, job_id: str) -> bool:
        answer: JobProgress | DrsError | None = self._answers.get(job_id)
        if isinstance(answer, DrsError):
            return not can_change(answer)
        return answer is not None and (phase_of(answer.status) in _LOST or _is_copy_alone(answer))

    def _explain(self, job_id: str) -> DrsError:
        answer: JobProgress | DrsError = self._answers[job_id]
        if isinstance(answer, DrsError):
            return answer
        if _is_copy_alone(answer):
            return make_error(
                f"{job_id}: full copy complete; a job with task_type FULL_TRANS has no incremental "
                "replication",
                job_ids=(job_id,),
                error_class=DrsJobStateError,
                remedy="Wait for FULL_TRANSFER_COMPLETE instead (DrsJobStatusSensor).",
            )
        return make_error(
            f"{job_id}: not replicating in status {describe_status(answer.status)}",
            job_ids=(job_id,),
            error_class=DrsJobStateError,
            remedy="Check the job's log in the DRS console.",
        )

    def _describe(self, job_id: str) -> str:
        answer: JobProgress | DrsError = self._answers[job_id]
        if isinstance(answer, DrsError):
            return f"no progress: {answer}"
        polls = min(self._in_a_row[job_id], self.consecutive)
        count = f", within {self.max_delay_s:g} s for {polls} of {self.consecutive} polls" if polls else ""
        return f"{answer.status} ({describe_progress(answer)}){count}"


def _is_copy_alone(progress: JobProgress) -> bool:
    """Whether a job without incremental replication has finished its full copy."""
    return progress.task_type == "FULL_TRANS" and progress.status == "FULL_TRANSFER_COMPLETE"


def _is_close(answer: JobProgress | DrsError, max_delay_s: float) -> bool:
    if not isinstance(answer, JobProgress) or phase_of(answer.status) is not Phase.INCREMENTAL:
        return False
    return answer.delay_s is not None and answer.delay_s <= max_delay_s
