"""Waiting for pre-checks."""

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
    errors_from_dict,
    errors_to_dict,
    has_no_result_yet,
)
from airflow_provider_drs.protocol.core.wire import Conversation
from airflow_provider_drs.protocol.jobs.preconditions import Readiness, Review
from airflow_provider_drs.protocol.jobs.review import review_jobs
from airflow_provider_drs.protocol.prechecks.messages import PrecheckResult
from airflow_provider_drs.protocol.prechecks.operation import get_precheck_results
from airflow_provider_drs.protocol.prechecks.report import JobReport, report_job, unchecked_error
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict, judge


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
        #: Whether there is an answer that ends the wait for all.
        self._is_decided = False
        #: Jobs of which it is known whether they need a pre-check at all.
        self._reviewed = NOTHING
        self._exempt = NOTHING

    @property
    def operation(self) -> ReadOperation:
        """Ask what the pre-checks have found."""
        return get_precheck_results

    @property
    def is_done(self) -> bool:
        """Whether every job has its verdict, or what there is already decides."""
        return super().is_done or self._is_decided

    def set_time(self, now_s: float) -> None:
        """
        Let waivers that have expired count no more.

        :param now_s: now, in epoch seconds.
        """
        self.alarms = self.alarms.at(now_s)

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

    def has_changed(self, job_id: str, answer: object) -> bool:
        """Whether the pre-check has moved."""
        known = self._answers.get(job_id)
        return answer is not known and answer != known

    def is_nearly_done(self, job_id: str) -> bool:
        """Tell whether the end of the pre-check is in sight."""
        answer = self._answers.get(job_id)
        return isinstance(answer, PrecheckResult) and answer.percent >= NEARLY_DONE_PERCENT

    def seed(self, limits: Limits) -> None:
        """Hand on the ids of the pre-checks."""
        limits.precheck_ids |= {
            job_id: answer.precheck_id
            for job_id, answer in self._answers.items()
            if isinstance(answer, PrecheckResult)
        }

    def update(self, answers: Answers[PrecheckResult]) -> Updating:
        """Take the results; where one is refused or bad, see whether that job needs a pre-check at all."""
        doubtful = tuple(job_id for job_id, answer in answers.items() if self._is_doubtful(job_id, answer))
        if doubtful:
            reviews = yield FollowUpRead(_review, doubtful)
            self._exempt = self._exempt.union(
                job_id
                for job_id, each in reviews.items()
                if isinstance(each, Review) and each.readiness is Readiness.NOT_NEEDED
            )
            self._reviewed = self._reviewed.union(doubtful)
        return (yield from super().update(answers))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "kind": self.kind,
            "job_ids": list(self.job_ids),
            "alarms": self.alarms.to_dict(),
            "fail_fast": self._fail_fast,
            "exempt": sorted(self._exempt),
            "results": [
                answer.to_dict() for answer in self._answers.values() if isinstance(answer, PrecheckResult)
            ],
            "errors": errors_to_dict(self._answers),
            "logged": self._logged,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> PrecheckWatch:
        """Return the watch that :meth:`to_dict` described."""
        watch = cls(fields["job_ids"], AlarmPolicy.from_dict(fields["alarms"]), fail_fast=fields["fail_fast"])
        watch._exempt = frozenset(fields["exempt"]) or NOTHING
        found = {result["job_id"]: PrecheckResult.from_dict(result) for result in fields["results"]}
        return watch._restore(found | errors_from_dict(fields["errors"]), fields["logged"])

    def _is_doubtful(self, job_id: str, answer: PrecheckResult | DrsError) -> bool:
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
            return report_job(job_id, None, self.alarms)
        answer = self._answers.get(job_id)
        if answer is None or (isinstance(answer, DrsError) and can_change(answer)):
            return JobReport(job_id, Verdict.PENDING, error=answer)
        return report_job(job_id, answer, self.alarms)

    def _describe(self, job_id: str) -> str:
        answer: PrecheckResult | DrsError = self._answers[job_id]
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


def _review(limits: Limits, job_ids: Sequence[str]) -> Conversation[Answers[Review]]:
    return (yield from review_jobs(limits, job_ids, "precheck"))
