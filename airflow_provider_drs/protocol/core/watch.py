"""
Waiting, without the waiting: whom to ask, what has changed, and whether it is over.

Sensors, operators and trigger differ in how they pass the time between two polls, and the triggerer asks for
many at once. What each asks and makes of the answers is here, once. A watch crosses processes as JSON, so a
wait can move from a worker to the triggerer and back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Any, ClassVar, Self

from airflow_provider_drs.protocol.core.batches import Answers, Limits
from airflow_provider_drs.protocol.core.errors import BUSY_CODE, EMPTY_RESULT_CODE, DrsError
from airflow_provider_drs.protocol.core.wire import Conversation

#: From here on a job may be done before a whole interval is over.
NEAR_PERCENT = 80

#: Thousands of watches wait side by side: what is empty in most of them is one thing for all.
NOTHING: frozenset[str] = frozenset()

#: A question about jobs. Those of many watches that ask the same are put in one call.
Topic = Callable[[Limits, Sequence[str]], Conversation[Answers[Any]]]


@dataclass(frozen=True, slots=True)
class Ask:
    """What a watch has to know beside the answers that it got."""

    topic: Topic
    job_ids: tuple[str, ...]


#: Makes something of answers, asks for more on the way if need be, and returns lines for a log.
Learning = Generator[Ask, Answers[Any], list[str]]


class Watch(ABC):
    """
    Watches jobs until nothing is left to wait for.

    :param job_ids: the jobs, in the order in which they are reported.
    """

    #: Names the class in JSON.
    kind: ClassVar[str]

    def __init__(self, job_ids: Sequence[str]) -> None:
        self.job_ids = tuple(job_ids)
        self._answers: dict[str, Any] = {}
        self._settled = NOTHING
        self._told: dict[str, str] = {}

    @property
    @abstractmethod
    def topic(self) -> Topic:
        """What to ask about the jobs."""

    @property
    def pending(self) -> tuple[str, ...]:
        """The jobs that are still waited for."""
        return tuple(job_id for job_id in self.job_ids if job_id not in self._settled)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return len(self._settled) == len(self.job_ids)

    def wants(self, job_id: str) -> bool:
        """Whether to ask about this job."""
        return job_id not in self._settled

    def is_news(self, job_id: str, answer: object) -> bool:
        """Whether there is something to learn from an answer; most answers are those of the poll before."""
        return True

    def is_near(self, job_id: str) -> bool:
        """Whether this job may be where it is waited for before a whole interval is over."""
        return False

    def teach(self, limits: Limits) -> None:
        """Hand on what another process has learned, and the next call needs."""
        return

    def poll(self, limits: Limits) -> Conversation[list[str]]:
        """
        Ask about the jobs, and return a line for each that is not where it was.

        :raises DrsError: nobody could be asked; with ``passing`` set, the next poll may succeed.
        """
        self.teach(limits)
        wanted = [job_id for job_id in self.job_ids if self.wants(job_id)]
        answers = yield from self.topic(limits, wanted)
        learning = self.learn(answers)
        try:
            ask = next(learning)
            while True:
                more = yield from ask.topic(limits, ask.job_ids)
                ask = learning.send(more)
        except StopIteration as stop:
            return list(stop.value)

    def learn(self, answers: Answers[Any]) -> Learning:
        """Take the answers about some of the jobs, and return a line for each that is not where it was."""
        self._take(answers)
        return self._changes({job_id: self._tell(job_id) for job_id in answers})
        yield

    @property
    @abstractmethod
    def failures(self) -> dict[str, DrsError]:
        """The jobs that will not come to what is waited for, each with the reason."""

    @property
    def results(self) -> list[dict[str, Any]]:
        """What is known of each job, as plain JSON values for an XCom."""
        return [self._result(job_id) for job_id in self.job_ids]

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, from which :meth:`from_dict` makes an equal watch."""

    @classmethod
    @abstractmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return the watch that :meth:`to_dict` described."""

    @abstractmethod
    def _is_settled(self, job_id: str) -> bool:
        """Whether the answer that there is about a job ends the wait for it."""

    @abstractmethod
    def _tell(self, job_id: str) -> str:
        """Return where a job is, for a log."""

    def _result(self, job_id: str) -> dict[str, Any]:
        answer = self._answers.get(job_id)
        if answer is None or isinstance(answer, DrsError):
            return {"job_id": job_id}
        found: dict[str, Any] = answer.to_dict()
        return found

    def _take(self, answers: Answers[Any]) -> None:
        self._answers.update(answers)
        self._settle(answers)

    def _settle(self, job_ids: Iterable[str]) -> None:
        is_settled = {job_id: self._is_settled(job_id) for job_id in job_ids}
        if self._settled or any(is_settled.values()):
            rest = self._settled.difference(is_settled)
            self._settled = rest.union(job_id for job_id, settled in is_settled.items() if settled)

    def _restore(self, answers: Answers[Any], told: Mapping[str, str]) -> Self:
        self._take(answers)
        self._told = dict(told)
        return self

    def _changes(self, lines: Mapping[str, str]) -> list[str]:
        fresh = [f"{job_id} {line}" for job_id, line in lines.items() if self._told.get(job_id) != line]
        # Most say the same.
        self._told.update({job_id: intern(line) for job_id, line in lines.items()})
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
