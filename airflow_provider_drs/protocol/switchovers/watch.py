"""Wait for switchovers."""

from __future__ import annotations

from airflow_provider_drs.protocol.core.errors import DrsError, make_error
from airflow_provider_drs.protocol.core.watch import ReadOperation, Watch, can_change
from airflow_provider_drs.protocol.switchovers.messages import FAILED, SwitchOver
from airflow_provider_drs.protocol.switchovers.operation import get_switch_overs


class SwitchOverWatch(Watch):
    """Watches the switchovers of jobs until each is complete or has failed."""

    kind = "switch_over"
    answer_class = SwitchOver

    @property
    def operation(self) -> ReadOperation:
        """Reads the status of the switchovers."""
        return get_switch_overs

    @property
    def failures(self) -> dict[str, DrsError]:
        """The jobs whose switchover failed, each with the reason."""
        failures: dict[str, DrsError] = {}
        for job_id, answer in self._answers.items():
            if isinstance(answer, DrsError):
                failures |= {} if can_change(answer) else {job_id: answer}
            elif answer.status == FAILED:
                failures[job_id] = make_error(
                    f"{job_id}: the switchover failed ({FAILED})",
                    job_ids=(job_id,),
                    error_class=DrsError,
                    remedy="Check the virtual IP address and the job's log before switching over again.",
                )
        return failures

    def _describe(self, job_id: str) -> str:
        answer: SwitchOver | DrsError = self._answers[job_id]
        return f"has no switchover status: {answer}" if isinstance(answer, DrsError) else answer.status
