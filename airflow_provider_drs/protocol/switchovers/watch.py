"""Waiting for switch-overs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_drs.protocol.core.errors import DrsError, make_error
from airflow_provider_drs.protocol.core.watch import (
    ReadOperation,
    Watch,
    can_change,
    errors_from_dict,
    errors_to_dict,
)
from airflow_provider_drs.protocol.switchovers.messages import FAILED, SwitchOver
from airflow_provider_drs.protocol.switchovers.operation import get_switch_overs


class SwitchOverWatch(Watch):
    """Watches the switch-overs of jobs until each is complete or has failed."""

    kind = "switch_over"

    @property
    def operation(self) -> ReadOperation:
        """Ask where the switch-overs stand."""
        return get_switch_overs

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

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "kind": self.kind,
            "job_ids": list(self.job_ids),
            "results": [each.to_dict() for each in self._answers.values() if isinstance(each, SwitchOver)],
            "errors": errors_to_dict(self._answers),
            "logged": self._logged,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> SwitchOverWatch:
        """Return the watch that :meth:`to_dict` described."""
        found = {each["job_id"]: SwitchOver(**each) for each in fields["results"]}
        return cls(fields["job_ids"])._restore(found | errors_from_dict(fields["errors"]), fields["logged"])

    def _is_settled(self, job_id: str) -> bool:
        answer: SwitchOver | DrsError = self._answers[job_id]
        return not can_change(answer) if isinstance(answer, DrsError) else answer.is_done

    def _describe(self, job_id: str) -> str:
        answer: SwitchOver | DrsError = self._answers[job_id]
        return f"gives no result: {answer}" if isinstance(answer, DrsError) else answer.status
