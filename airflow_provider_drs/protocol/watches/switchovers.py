"""Waiting for switch-overs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_drs.protocol.batches import Limits
from airflow_provider_drs.protocol.errors import DrsError, make_error
from airflow_provider_drs.protocol.operations.switchovers import get_switch_overs
from airflow_provider_drs.protocol.switchovers import FAILED, SwitchOver
from airflow_provider_drs.protocol.watches.watch import Watch, can_change, errors_from_dict, errors_to_dict
from airflow_provider_drs.protocol.wire import Conversation


class SwitchOverWatch(Watch):
    """Watches the switch-overs of jobs until each is complete or has failed."""

    kind = "switch_over"

    def __init__(self, job_ids: Sequence[str]) -> None:
        super().__init__(job_ids)
        self._answers: dict[str, SwitchOver | DrsError] = {}

    @property
    def pending(self) -> tuple[str, ...]:
        """The jobs that are being switched over."""
        return tuple(job_id for job_id in self.job_ids if self._is_pending(job_id))

    @property
    def failures(self) -> dict[str, DrsError]:
        """The jobs that were not switched over, each with the reason."""
        found: dict[str, DrsError] = {}
        for job_id, answer in self._answers.items():
            if isinstance(answer, DrsError):
                found |= {} if can_change(answer) else {job_id: answer}
            elif answer.status == FAILED:
                found[job_id] = make_error(
                    f"Job {job_id} was not switched over: {FAILED}",
                    job_ids=(job_id,),
                    error_class=DrsError,
                    remedy="Look at the virtual IP address and the job's log before trying again.",
                )
        return found

    @property
    def results(self) -> list[dict[str, Any]]:
        """The last status of each job's switch-over."""
        answers = [(job_id, self._answers.get(job_id)) for job_id in self.job_ids]
        return [
            answer.to_dict() if isinstance(answer, SwitchOver) else {"job_id": job_id}
            for job_id, answer in answers
        ]

    def poll(self, limits: Limits) -> Conversation[list[str]]:
        """Read where the pending switch-overs stand."""
        answers = yield from get_switch_overs(limits, self.pending)
        self._answers.update(answers)
        return self._changes(
            {
                job_id: f"gives no result: {each}" if isinstance(each, DrsError) else each.status
                for job_id, each in answers.items()
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "kind": self.kind,
            "job_ids": list(self.job_ids),
            "results": [each.to_dict() for each in self._answers.values() if isinstance(each, SwitchOver)],
            "errors": errors_to_dict(self._answers),
            "told": self._told,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> SwitchOverWatch:
        """Return the watch that :meth:`to_dict` described."""
        watch = cls(fields["job_ids"])
        watch._answers = {each["job_id"]: SwitchOver(**each) for each in fields["results"]}
        watch._answers |= errors_from_dict(fields["errors"])
        watch._told = dict(fields["told"])
        return watch

    def _is_pending(self, job_id: str) -> bool:
        answer = self._answers.get(job_id)
        if isinstance(answer, DrsError):
            return can_change(answer)
        return answer is None or not answer.is_over
