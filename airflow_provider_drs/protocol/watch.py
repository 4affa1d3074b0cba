"""
Waiting, without the waiting: whom to ask, what has changed, and whether it is over.

Sensor, operators and trigger differ in how they pass the time between two polls. What they ask and make of
the answers is here, once. A watch crosses processes as JSON, so a wait can move from a worker to the
triggerer and back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow_provider_drs.protocol.errors import (
    BUSY_CODE,
    EMPTY_RESULT_CODE,
    DrsError,
    DrsJobNotFoundError,
    DrsJobStateError,
    make_error,
)
from airflow_provider_drs.protocol.jobs import JobStatus
from airflow_provider_drs.protocol.operations import (
    Limits,
    Readiness,
    get_job_statuses,
    get_precheck_results,
    review_jobs,
)
from airflow_provider_drs.protocol.prechecks import (
    PRECHECK_MODES,
    AlarmPolicy,
    PrecheckResult,
    Verdict,
    judge,
)
from airflow_provider_drs.protocol.reports import JobReport, report_job
from airflow_provider_drs.protocol.states import RUNNING_PHASES, Phase, describe_status
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

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, from which :func:`watch_from_dict` makes an equal watch."""

    def _changes(self, lines: Mapping[str, str]) -> list[str]:
        fresh = [f"{job_id} {line}" for job_id, line in lines.items() if self._told.get(job_id) != line]
        self._told.update(lines)
        return fresh


class PrecheckWatch(Watch):
    """
    Watches the pre-checks of jobs until each has a verdict.

    A job that DRS does not know ends the wait at once, for all.

    :param alarms: what an ALARM item does, see :class:`AlarmPolicy`.
    :param fail_fast: the first failure ends the wait.
    """

    kind = "precheck"

    def __init__(self, job_ids: Sequence[str], alarms: AlarmPolicy, *, fail_fast: bool = False) -> None:
        super().__init__(job_ids)
        self.alarms = alarms
        self._fail_fast = fail_fast
        self._answers: dict[str, PrecheckResult | DrsError] = {}
        #: Jobs of which it is known whether they need a pre-check at all.
        self._reviewed: set[str] = set()
        self._exempt: set[str] = set()

    @property
    def pending(self) -> tuple[str, ...]:
        """The jobs without a verdict."""
        return tuple(report.job_id for report in self.reports if report.verdict is Verdict.PENDING)

    @property
    def is_over(self) -> bool:
        """Whether every job has its verdict, or what there is already decides."""
        if any(isinstance(answer, DrsJobNotFoundError) for answer in self._answers.values()):
            return True
        verdicts = {report.verdict for report in self.reports}
        return Verdict.PENDING not in verdicts or (self._fail_fast and Verdict.FAILED in verdicts)

    @property
    def reports(self) -> list[JobReport]:
        """A report on each job. One without an answer, or with an error that can pass, is pending."""
        return [self._report(job_id) for job_id in self.job_ids]

    def poll(self, limits: Limits) -> Conversation[list[str]]:
        """
        Read the results of the pending jobs; where one is refused or bad, see whether that job needs any.
        """
        known_ids = {
            job_id: answer.precheck_id
            for job_id, answer in self._answers.items()
            if isinstance(answer, PrecheckResult)
        }
        answers = yield from get_precheck_results(limits, self.pending, known_ids)
        self._answers.update(answers)
        doubtful = [job_id for job_id in answers if self._is_doubtful(job_id)]
        if doubtful:
            reviews = yield from review_jobs(limits, doubtful, PRECHECK_MODES[0])
            self._exempt.update(
                job_id for job_id, review in reviews.items() if review is Readiness.NOT_NEEDED
            )
            self._reviewed.update(doubtful)
        return self._changes({job_id: self._tell(job_id, answer) for job_id, answer in answers.items()})

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "kind": self.kind,
            "job_ids": list(self.job_ids),
            "alarms": None if self.alarms.allowed is None else sorted(self.alarms.allowed),
            "fail_fast": self._fail_fast,
            "exempt": sorted(self._exempt),
            "results": [
                answer.to_dict() for answer in self._answers.values() if isinstance(answer, PrecheckResult)
            ],
            "errors": {
                job_id: answer.to_dict()
                for job_id, answer in self._answers.items()
                if isinstance(answer, DrsError)
            },
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> PrecheckWatch:
        """Return the watch that :meth:`to_dict` described."""
        alarms = AlarmPolicy(None if fields["alarms"] is None else frozenset(fields["alarms"]))
        watch = cls(fields["job_ids"], alarms, fail_fast=fields["fail_fast"])
        watch._exempt = set(fields["exempt"])
        watch._answers = {result["job_id"]: PrecheckResult.from_dict(result) for result in fields["results"]}
        watch._answers |= {job_id: DrsError.from_dict(error) for job_id, error in fields["errors"].items()}
        watch._told = {job_id: watch._tell(job_id, answer) for job_id, answer in watch._answers.items()}
        return watch

    def _is_doubtful(self, job_id: str) -> bool:
        answer = self._answers[job_id]
        is_refused = isinstance(answer, DrsJobStateError) or _has_no_result_yet(answer)
        is_failed = self._report(job_id).verdict is Verdict.FAILED
        return (is_refused or is_failed) and job_id not in self._reviewed

    def _report(self, job_id: str) -> JobReport:
        if job_id in self._exempt:
            return report_job(job_id, None, self.alarms)
        answer = self._answers.get(job_id)
        if answer is None or (isinstance(answer, DrsError) and _can_change(answer)):
            return JobReport(job_id, Verdict.PENDING, error=answer)
        return report_job(job_id, answer, self.alarms)

    def _tell(self, job_id: str, answer: PrecheckResult | DrsError) -> str:
        if job_id in self._exempt:
            return "needs no pre-check: it is a backward job whose forward job is replicating"
        if isinstance(answer, DrsError):
            return (
                "has no pre-check result yet" if _has_no_result_yet(answer) else f"gives no result: {answer}"
            )
        if not answer.is_complete:
            return f"pre-check at {answer.percent}%"
        verdict = judge(answer, self.alarms).value
        rate = (
            "" if answer.total_passed_rate is None else f", {answer.total_passed_rate}% of the items passed"
        )
        return f"pre-check {verdict}{rate}"


class StartWatch(Watch):
    """Watches jobs until each is running: past its start, and not failed."""

    kind = "start"

    def __init__(self, job_ids: Sequence[str]) -> None:
        super().__init__(job_ids)
        self._answers: dict[str, JobStatus | DrsError] = {}

    @property
    def pending(self) -> tuple[str, ...]:
        """The jobs that are neither running nor failed."""
        return tuple(job_id for job_id in self.job_ids if self._is_starting(job_id))

    @property
    def failures(self) -> dict[str, DrsError]:
        """The jobs that did not come to run, each with the reason."""
        found: dict[str, DrsError] = {}
        for job_id, answer in self._answers.items():
            if isinstance(answer, DrsError) and not _can_change(answer):
                found[job_id] = answer
            elif isinstance(answer, JobStatus) and answer.phase not in RUNNING_PHASES | _MAY_COME_TO_RUN:
                found[job_id] = make_error(
                    f"Job {job_id} was started and is not running, {describe_status(answer.status)}",
                    job_ids=(job_id,),
                    error_class=DrsJobStateError,
                    remedy="Look at the job's log in the DRS console.",
                )
        return found

    def poll(self, limits: Limits) -> Conversation[list[str]]:
        """Read the statuses of the pending jobs."""
        answers = yield from get_job_statuses(limits, self.pending)
        self._answers.update(answers)
        return self._changes({job_id: _tell_status(answer) for job_id, answer in answers.items()})

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "kind": self.kind,
            "job_ids": list(self.job_ids),
            "statuses": {
                job_id: answer.status
                for job_id, answer in self._answers.items()
                if isinstance(answer, JobStatus)
            },
            "errors": {
                job_id: answer.to_dict()
                for job_id, answer in self._answers.items()
                if isinstance(answer, DrsError)
            },
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> StartWatch:
        """Return the watch that :meth:`to_dict` described."""
        watch = cls(fields["job_ids"])
        watch._answers = {job_id: JobStatus(job_id, status) for job_id, status in fields["statuses"].items()}
        watch._answers |= {job_id: DrsError.from_dict(error) for job_id, error in fields["errors"].items()}
        watch._told = {job_id: _tell_status(answer) for job_id, answer in watch._answers.items()}
        return watch

    def _is_starting(self, job_id: str) -> bool:
        answer = self._answers.get(job_id)
        if isinstance(answer, DrsError):
            return _can_change(answer)
        return answer is None or answer.phase in _MAY_COME_TO_RUN


#: Phases from which a job that was told to start may still come to run.
_MAY_COME_TO_RUN = frozenset({Phase.CONFIGURING, Phase.STARTING, Phase.UNKNOWN})

_WATCHES: dict[str, type[PrecheckWatch] | type[StartWatch]] = {
    watch.kind: watch for watch in (PrecheckWatch, StartWatch)
}


def watch_from_dict(fields: Mapping[str, Any]) -> PrecheckWatch | StartWatch:
    """
    Return the watch that ``to_dict`` described.

    :raises KeyError: it describes none.
    """
    return _WATCHES[fields["kind"]].from_dict(fields)


def _can_change(error: DrsError) -> bool:
    return error.passing or error.error_code == BUSY_CODE or _has_no_result_yet(error)


def _has_no_result_yet(answer: object) -> bool:
    # Right after a submission an empty result says that the service has not come to it yet.
    return isinstance(answer, DrsError) and answer.error_code == EMPTY_RESULT_CODE


def _tell_status(answer: JobStatus | DrsError) -> str:
    return f"gives no status: {answer}" if isinstance(answer, DrsError) else describe_status(answer.status)
