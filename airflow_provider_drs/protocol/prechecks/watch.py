"""Wait for pre-checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_drs.protocol.core.batches import Answers, Limits
from airflow_provider_drs.protocol.core.errors import DrsError, DrsJobNotFoundError, DrsJobStateError
from airflow_provider_drs.protocol.core.watch import (
    NEARLY_DONE_PERCENT,
    NOTHING,
    FollowUpRead,
    ReadOperation,
    Updating,
    Watch,
    can_change,
    has_no_result_yet,
)
from airflow_provider_drs.protocol.jobs.preconditions import Readiness, Review
from airflow_provider_drs.protocol.jobs.review import review_jobs
from airflow_provider_drs.protocol.prechecks.messages import NOT_NEEDED_TEXT, PrecheckResult
from airflow_provider_drs.protocol.prechecks.operation import get_precheck_results, store_precheck_ids
from airflow_provider_drs.protocol.prechecks.report import JobReport, report_job, unchecked_error
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict, judge


class PrecheckWatch(Watch):
    """
    Watches the pre-checks of jobs until each job has a verdict.

    A job that DRS does not know ends the wait for all jobs.

    :param alarms: which alarms are accepted.
    :param fail_fast: whether the first failed job ends the wait for all jobs.
    """

    kind = "precheck"
    answer_class = PrecheckResult

    def __init__(self, job_ids: Sequence[str], alarms: AlarmPolicy, *, fail_fast: bool = False) -> None:
        super().__init__(job_ids)
        self.alarms = alarms
        self._fail_fast = fail_fast
        #: Whether the answer of one job has ended the wait for all jobs.
        self._is_decided = False
        #: Jobs that were reviewed as to whether they need a pre-check, and those that do not.
        self._reviewed = NOTHING
        self._exempt = NOTHING

    @property
    def operation(self) -> ReadOperation:
        """Reads the results of the pre-checks."""
        return get_precheck_results

    @property
    def is_done(self) -> bool:
        """Whether every job has a verdict, or the answer of one job has ended the wait for all."""
        return super().is_done or self._is_decided

    def set_time(self, now_s: float) -> None:
        """Apply the expiry of waivers at a time, in epoch seconds."""
        self.alarms = self.alarms.at(now_s)

    @property
    def reports(self) -> list[JobReport]:
        """A report on each job. A job without an answer, or with a transient error, is pending."""
        return [self._report(job_id) for job_id in self.job_ids]

    @property
    def failures(self) -> dict[str, DrsError]:
        """The jobs whose pre-check failed, each with the reason."""
        return {
            report.job_id: unchecked_error(report, self.alarms)
            for report in self.reports
            if report.verdict is Verdict.FAILED
        }

    def has_changed(self, job_id: str, answer: object) -> bool:
        """Whether the result differs from that of the previous poll."""
        return answer != self._answers.get(job_id)

    def is_nearly_done(self, job_id: str) -> bool:
        """Whether the pre-check may finish within less than a poll interval."""
        answer = self._answers.get(job_id)
        return isinstance(answer, PrecheckResult) and answer.percent >= NEARLY_DONE_PERCENT

    def seed(self, limits: Limits) -> None:
        """Pass on the IDs of the pre-checks."""
        store_precheck_ids(limits, self._answers)

    def update(self, answers: Answers[PrecheckResult]) -> Updating:
        """Store the results. If a job failed, read whether it needs a pre-check at all."""
        to_review = tuple(job_id for job_id, answer in answers.items() if self._needs_review(job_id, answer))
        if to_review:
            reviews = yield FollowUpRead(review_jobs, to_review)
            self._exempt = self._exempt.union(
                job_id
                for job_id, review in reviews.items()
                if isinstance(review, Review) and review.readiness is not Readiness.READY
            )
            self._reviewed = self._reviewed.union(to_review)
            self.names |= {
                job_id: review.name for job_id, review in reviews.items() if isinstance(review, Review)
            }
        return (yield from super().update(answers))

    def _state_to_dict(self) -> dict[str, Any]:
        return super()._state_to_dict() | {
            "alarms": self.alarms.to_dict(),
            "fail_fast": self._fail_fast,
            "exempt": sorted(self._exempt),
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> PrecheckWatch:
        """Return the watch that :meth:`to_dict` serialized."""
        watch = cls(fields["job_ids"], AlarmPolicy.from_dict(fields["alarms"]), fail_fast=fields["fail_fast"])
        watch._exempt = frozenset(fields["exempt"]) or NOTHING
        return watch._restore_state(fields)

    def _needs_review(self, job_id: str, answer: PrecheckResult | DrsError) -> bool:
        if job_id in self._reviewed or job_id in self._exempt:
            return False
        if isinstance(answer, DrsError):
            return isinstance(answer, DrsJobStateError) or has_no_result_yet(answer) or not can_change(answer)
        return judge(answer, self.alarms) is Verdict.FAILED

    def _is_settled(self, job_id: str) -> bool:
        report = self._report(job_id)
        is_failed = report.verdict is Verdict.FAILED
        is_unknown = isinstance(report.error, DrsJobNotFoundError)
        self._is_decided = self._is_decided or is_unknown or (is_failed and self._fail_fast)
        return report.verdict is not Verdict.PENDING

    def _result(self, job_id: str) -> dict[str, Any]:
        return self._report(job_id).to_dict()

    def _report(self, job_id: str) -> JobReport:
        if job_id in self._exempt:
            return report_job(job_id, None, self.alarms, self.names.get(job_id, ""))
        answer = self._answers.get(job_id)
        if answer is None or (isinstance(answer, DrsError) and can_change(answer)):
            return JobReport(job_id, Verdict.PENDING, error=answer, name=self.names.get(job_id, ""))
        return report_job(job_id, answer, self.alarms, self.names.get(job_id, ""))

    def _describe(self, job_id: str) -> str:
        answer: PrecheckResult | DrsError = self._answers[job_id]
        if job_id in self._exempt:
            return NOT_NEEDED_TEXT
        if isinstance(answer, DrsError):
            prefix = "has no pre-check result"
            return f"{prefix} yet" if has_no_result_yet(answer) else f"{prefix}: {answer}"
        if not answer.is_complete:
            return f"pre-check at {answer.percent}%"
        rate = answer.total_passed_rate
        passed = "" if rate is None else f", {rate}% of the items passed"
        return f"pre-check {judge(answer, self.alarms).value}{passed}"
