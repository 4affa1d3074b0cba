"""Waiting for pre-checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_drs.protocol.batches import Limits
from airflow_provider_drs.protocol.errors import DrsError, DrsJobNotFoundError, DrsJobStateError
from airflow_provider_drs.protocol.operations.reads import get_precheck_results
from airflow_provider_drs.protocol.operations.reviews import review_jobs
from airflow_provider_drs.protocol.prechecks import AlarmPolicy, PrecheckResult, Verdict, judge
from airflow_provider_drs.protocol.reports import JobReport, report_job, unchecked_error
from airflow_provider_drs.protocol.rules import Review, Standing
from airflow_provider_drs.protocol.watches.watch import (
    Watch,
    can_change,
    errors_from_dict,
    errors_to_dict,
    has_no_result_yet,
)
from airflow_provider_drs.protocol.wire import Conversation


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

    @property
    def failures(self) -> dict[str, DrsError]:
        """The jobs whose pre-check has not passed, each with the reason."""
        return {
            report.job_id: unchecked_error(report, self.alarms)
            for report in self.reports
            if report.verdict is Verdict.FAILED
        }

    @property
    def results(self) -> list[dict[str, Any]]:
        """The report on each job."""
        return [report.to_dict() for report in self.reports]

    def poll(self, limits: Limits) -> Conversation[list[str]]:
        """
        Read the results of the pending jobs; where one is refused or bad, see whether that job needs any.
        """
        # Another process may have learned them.
        limits.precheck_ids |= {
            job_id: answer.precheck_id
            for job_id, answer in self._answers.items()
            if isinstance(answer, PrecheckResult)
        }
        answers = yield from get_precheck_results(limits, self.pending)
        self._answers.update(answers)
        doubtful = [job_id for job_id in answers if self._is_doubtful(job_id)]
        if doubtful:
            reviews = yield from review_jobs(limits, doubtful, "precheck")
            self._exempt.update(
                job_id
                for job_id, each in reviews.items()
                if isinstance(each, Review) and each.standing is Standing.NOT_NEEDED
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
            "errors": errors_to_dict(self._answers),
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> PrecheckWatch:
        """Return the watch that :meth:`to_dict` described."""
        alarms = AlarmPolicy(None if fields["alarms"] is None else frozenset(fields["alarms"]))
        watch = cls(fields["job_ids"], alarms, fail_fast=fields["fail_fast"])
        watch._exempt = set(fields["exempt"])
        watch._answers = {result["job_id"]: PrecheckResult.from_dict(result) for result in fields["results"]}
        watch._answers |= errors_from_dict(fields["errors"])
        watch._told = {job_id: watch._tell(job_id, answer) for job_id, answer in watch._answers.items()}
        return watch

    def _is_doubtful(self, job_id: str) -> bool:
        answer = self._answers[job_id]
        is_refused = isinstance(answer, DrsJobStateError) or has_no_result_yet(answer)
        is_failed = self._report(job_id).verdict is Verdict.FAILED
        return (is_refused or is_failed) and job_id not in self._reviewed

    def _report(self, job_id: str) -> JobReport:
        if job_id in self._exempt:
            return report_job(job_id, None, self.alarms)
        answer = self._answers.get(job_id)
        if answer is None or (isinstance(answer, DrsError) and can_change(answer)):
            return JobReport(job_id, Verdict.PENDING, error=answer)
        return report_job(job_id, answer, self.alarms)

    def _tell(self, job_id: str, answer: PrecheckResult | DrsError) -> str:
        if job_id in self._exempt:
            return "needs no pre-check: it is a backward job whose forward job is replicating"
        if isinstance(answer, DrsError):
            return (
                "has no pre-check result yet" if has_no_result_yet(answer) else f"gives no result: {answer}"
            )
        if not answer.is_complete:
            return f"pre-check at {answer.percent}%"
        verdict = judge(answer, self.alarms).value
        rate = (
            "" if answer.total_passed_rate is None else f", {answer.total_passed_rate}% of the items passed"
        )
        return f"pre-check {verdict}{rate}"
