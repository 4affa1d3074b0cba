"""
Waiting, without the waiting: whom to ask, what has changed, and whether it is over.

Sensors, operators and trigger differ in how they pass the time between two polls. What they ask and make of
the answers is here, once. A watch crosses processes as JSON, so a wait can move from a worker to the
triggerer and back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from airflow_provider_drs.protocol.batches import Limits
from airflow_provider_drs.protocol.errors import BUSY_CODE, EMPTY_RESULT_CODE, DrsError
from airflow_provider_drs.protocol.wire import Conversation


class Watch(ABC):
    """
    Watches jobs until nothing is left to wait for.

    :param job_ids: the jobs, in the order in which they are reported.
    """

    #: Names the class in JSON.
    kind: ClassVar[str]

    def __init__(self, job_ids: Sequence[str]) -> None:
        self.job_ids = tuple(job_ids)
        self._told: dict[str, str] = {}

    @property
    @abstractmethod
    def pending(self) -> tuple[str, ...]:
        """The jobs to ask about."""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return not self.pending

    @abstractmethod
    def poll(self, limits: Limits) -> Conversation[list[str]]:
        """
        Ask about the pending jobs, and return a line for each job that is not where it was.

        :raises DrsError: nobody could be asked; with ``passing`` set, the next poll may succeed.
        """

    @property
    @abstractmethod
    def failures(self) -> dict[str, DrsError]:
        """The jobs that will not come to what is waited for, each with the reason."""

    @property
    def results(self) -> list[dict[str, Any]]:
        """What is known of each job, as plain JSON values for an XCom."""
        return [{"job_id": job_id} for job_id in self.job_ids]

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, from which :meth:`from_dict` makes an equal watch."""

    @classmethod
    @abstractmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return the watch that :meth:`to_dict` described."""

    def _changes(self, lines: Mapping[str, str]) -> list[str]:
        fresh = [f"{job_id} {line}" for job_id, line in lines.items() if self._told.get(job_id) != line]
        self._told.update(lines)
        return fresh


def can_change(error: DrsError) -> bool:
    """Whether the next poll may bring another answer than this error."""
    return error.passing or error.error_code == BUSY_CODE or has_no_result_yet(error)


def has_no_result_yet(answer: object) -> bool:
    """Whether the service has not come to it: right after an action, an empty result says so."""
    return isinstance(answer, DrsError) and answer.error_code == EMPTY_RESULT_CODE


def errors_to_dict(answers: Mapping[str, object]) -> dict[str, Any]:
    """Return the errors among answers as plain JSON values."""
    return {job_id: answer.to_dict() for job_id, answer in answers.items() if isinstance(answer, DrsError)}


def errors_from_dict(fields: Mapping[str, Any]) -> dict[str, DrsError]:
    """Return the errors that :func:`errors_to_dict` described."""
    return {job_id: DrsError.from_dict(error) for job_id, error in fields.items()}
