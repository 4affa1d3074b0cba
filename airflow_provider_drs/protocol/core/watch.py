"""
The state of a wait: which operation to poll with, what has changed, and whether the wait is done.

Sensors, operators and the trigger differ in how they pass the time between two polls; what they poll and how
they interpret the results is here. A watch is serialized as JSON, so that a wait can move from a worker to
the triggerer and back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Any, ClassVar, Self

from airflow_provider_drs.protocol.core.batches import Answers, Limits
from airflow_provider_drs.protocol.core.errors import (
    BUSY_CODE,
    EMPTY_RESULT_CODE,
    DrsError,
    has_code,
    label_job,
)
from airflow_provider_drs.protocol.core.values import Value
from airflow_provider_drs.protocol.core.wire import Conversation

#: The version of the JSON of a watch. Increase it if earlier versions of the provider would misread the new
#: form; they ignore keys that are only added.
FORMAT = 1

#: Percentage from which a job may be done within less than a poll interval.
NEARLY_DONE_PERCENT = 80

#: Shared by the thousands of watches in a triggerer, most of which have nothing to store here.
NOTHING: frozenset[str] = frozenset()

#: An operation that reads jobs. Watches with the same operation are polled in the same requests.
ReadOperation = Callable[[Limits, Sequence[str]], Conversation[Answers[Any]]]


@dataclass(frozen=True, slots=True)
class FollowUpRead:
    """What a watch needs to read in addition to the results of a poll."""

    operation: ReadOperation
    job_ids: tuple[str, ...]


#: Processes results, reads more if needed, and returns log lines.
Updating = Generator[FollowUpRead, Answers[Any], list[str]]


class Watch(ABC):
    """
    Watches jobs until there is nothing left to wait for.

    :param job_ids: the jobs, in the order in which they are reported.
    """

    #: Identifies the class in JSON.
    kind: ClassVar[str]
    #: The class of the answers that are not errors.
    answer_class: ClassVar[type[Value]]

    def __init__(self, job_ids: Sequence[str]) -> None:
        self.job_ids = tuple(job_ids)
        self._answers: dict[str, Any] = {}
        self._settled = NOTHING
        self._logged: dict[str, str] = {}
        #: The names of jobs by ID, as far as they are known.
        self.names: dict[str, str] = {}

    @property
    @abstractmethod
    def operation(self) -> ReadOperation:
        """The operation to poll with."""

    @property
    def pending(self) -> tuple[str, ...]:
        """The jobs that have not finished."""
        return tuple(job_id for job_id in self.job_ids if job_id not in self._settled)

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to wait for."""
        return len(self._settled) == len(self.job_ids)

    def needs_poll(self, job_id: str) -> bool:
        """Whether to poll this job."""
        return job_id not in self._settled

    def has_changed(self, job_id: str, answer: object) -> bool:
        """Whether an answer differs from that of the previous poll."""
        return True

    def is_nearly_done(self, job_id: str) -> bool:
        """Whether this job may be done within less than a poll interval."""
        return False

    def set_time(self, now_s: float) -> None:
        """Apply what depends on the time, in epoch seconds. Called before each poll and at the end."""
        return

    def seed(self, limits: Limits) -> None:
        """Pass on what an earlier process has read and the next call needs."""
        return

    def poll(self, limits: Limits) -> Conversation[list[str]]:
        """
        Poll the jobs, and return a log line for each that has changed.

        :raises DrsError: the poll failed; if ``is_transient`` is set, the next one may succeed.
        """
        self.seed(limits)
        job_ids = [job_id for job_id in self.job_ids if self.needs_poll(job_id)]
        updating = self.update((yield from self.operation(limits, job_ids)))
        try:
            follow_up = next(updating)
            while True:
                answers = yield from follow_up.operation(limits, follow_up.job_ids)
                follow_up = updating.send(answers)
        except StopIteration as stop:
            return list(stop.value)

    def update(self, answers: Answers[Any]) -> Updating:
        """Store the answers of some jobs, and return a log line for each job that has changed."""
        self._store(answers)
        return self._changes({job_id: self._describe(job_id) for job_id in answers})
        yield

    @property
    @abstractmethod
    def failures(self) -> dict[str, DrsError]:
        """The jobs that will not reach what is waited for, each with the reason."""

    @property
    def results(self) -> list[dict[str, Any]]:
        """What is known of each job, as plain JSON values for an XCom."""
        return [self._result(job_id) for job_id in self.job_ids]

    def list_pending(self) -> list[str]:
        """Return a line with the last known state of each job that has not finished."""
        return [
            f"{label_job(job_id, self.names.get(job_id))}: {self._logged.get(job_id, 'no result yet')}"
            for job_id in self.pending
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, from which ``watch_from_dict`` creates an equal watch."""
        return {
            "kind": self.kind,
            "format": FORMAT,
            "job_ids": list(self.job_ids),
            "names": self.names,
            "logged": self._logged,
            **self._state_to_dict(),
        }

    def _state_to_dict(self) -> dict[str, Any]:
        answers = self._answers.values()
        return {
            "results": [answer.to_dict() for answer in answers if not isinstance(answer, DrsError)],
            "errors": errors_to_dict(self._answers),
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return the watch that :meth:`to_dict` serialized, without the names."""
        return cls(fields["job_ids"])._restore_state(fields)

    def _is_settled(self, job_id: str) -> bool:
        """Whether the answer of a job ends the wait for it."""
        answer = self._answers[job_id]
        return not can_change(answer) if isinstance(answer, DrsError) else bool(answer.is_done)

    @abstractmethod
    def _describe(self, job_id: str) -> str:
        """Return the state of a job for a log line."""

    def _result(self, job_id: str) -> dict[str, Any]:
        answer = self._answers.get(job_id)
        if answer is None or isinstance(answer, DrsError):
            return {"job_id": job_id}
        found: dict[str, Any] = answer.to_dict()
        return found

    def _store(self, answers: Answers[Any]) -> None:
        self._answers.update(answers)
        self._settle(answers)

    def _settle(self, job_ids: Iterable[str]) -> None:
        is_settled = {job_id: self._is_settled(job_id) for job_id in job_ids}
        if self._settled or any(is_settled.values()):
            others = self._settled.difference(is_settled)
            self._settled = others.union(job_id for job_id, settled in is_settled.items() if settled)

    def _restore_state(self, fields: Mapping[str, Any]) -> Self:
        results = {result["job_id"]: self.answer_class.from_dict(result) for result in fields["results"]}
        return self._restore(results | errors_from_dict(fields["errors"]), fields["logged"])

    def _restore(self, answers: Answers[Any], logged: Mapping[str, str]) -> Self:
        self._store(answers)
        self._logged = dict(logged)
        return self

    def _changes(self, lines: Mapping[str, str]) -> list[str]:
        fresh = [
            f"{label_job(job_id, self.names.get(job_id))} {line}"
            for job_id, line in lines.items()
            if self._logged.get(job_id) != line
        ]
        # Most lines are the same text.
        self._logged.update({job_id: intern(line) for job_id, line in lines.items()})
        return fresh


def can_change(error: DrsError) -> bool:
    """Whether the next poll may return something else than this error."""
    return error.is_transient or error.error_code == BUSY_CODE or has_no_result_yet(error)


def has_no_result_yet(answer: object) -> bool:
    """Whether DRS has not processed the action yet: it then returns an empty result."""
    return has_code(answer, EMPTY_RESULT_CODE)


def errors_to_dict(answers: Mapping[str, object]) -> dict[str, Any]:
    """Return the errors among answers as plain JSON values."""
    return {job_id: answer.to_dict() for job_id, answer in answers.items() if isinstance(answer, DrsError)}


def errors_from_dict(fields: Mapping[str, Any]) -> dict[str, DrsError]:
    """Return the errors that :func:`errors_to_dict` serialized."""
    return {job_id: DrsError.from_dict(error) for job_id, error in fields.items()}
