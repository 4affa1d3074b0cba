"""Report on a batch of pre-checks: as a table for logs, as JSON for the XCom ``precheck_report``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_drs.protocol.core.errors import (
    EMPTY_RESULT_CODE,
    DrsError,
    DrsJobStateError,
    has_code,
    label_job,
    make_error,
    name_first,
)
from airflow_provider_drs.protocol.prechecks.checks import explain, label_item
from airflow_provider_drs.protocol.prechecks.messages import (
    ALARM_WORD,
    FAILED_WORD,
    PASSED_WORD,
    CheckItem,
    PrecheckResult,
)
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict, judge
from airflow_provider_drs.protocol.prechecks.waivers import Waiver

_HEADINGS = ("JOB", "RESULT", "CHECK ITEM", "REASON")
#: A longer cell does not widen its column.
_MAX_WIDTH = 72
_NO_FAILED_ITEM = "DRS returned no failed check item"


@dataclass(frozen=True, slots=True)
class JobReport:
    """
    The report on the pre-check of one job.

    :param result: ``None`` if there is none: because of ``error``, or because no pre-check was needed.
    :param error: why there is no result.
    :param waivers: the waivers that accepted alarms, by the name of the check item.
    :param allowed: the check items whose alarms were accepted without a waiver.
    :param name: the name of the job, if it is known.
    """

    job_id: str
    verdict: Verdict
    result: PrecheckResult | None = None
    error: DrsError | None = None
    waivers: Mapping[str, Waiver] = field(default_factory=dict)
    allowed: frozenset[str] = frozenset()
    name: str = ""

    @property
    def label(self) -> str:
        """The name and ID of the job, as it is shown."""
        return label_job(self.job_id, self.name)

    def describe_result(self, item: CheckItem) -> str:
        """Return the result of a check item; for an alarm also whether it was accepted, and by what."""
        if item.result != ALARM_WORD:
            return item.result
        if waiver := self.waivers.get(item.item):
            return f"{item.result} (accepted: waiver until {waiver.expires})"
        return f"{item.result} ({'accepted: allowed' if item.item in self.allowed else 'not accepted'})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for the XCom ``precheck_report``."""
        result = self.result
        return {
            "job_id": self.job_id,
            "name": self.name or None,
            "verdict": self.verdict.value,
            "progress": result.percent if result else None,
            "total_passed_rate": result.total_passed_rate if result else None,
            "counts": count_items(self),
            "items": [self._explain(item) for item in result.items] if result else [],
            "error": self.error.to_dict() if self.error else None,
        }

    def _explain(self, item: CheckItem) -> dict[str, Any]:
        check, waiver = explain(item.item), self.waivers.get(item.item)
        return item.to_dict() | {
            "title": check.title,
            "problem": check.problem,
            "fix": check.fix,
            "link": check.url,
            "waiver": waiver.to_dict() if waiver else None,
            "accepted": "waiver" if waiver else "allowed" if item.item in self.allowed else None,
        }


def report_job(
    job_id: str, answer: PrecheckResult | DrsError | None, policy: AlarmPolicy, name: str = ""
) -> JobReport:
    """
    Return the report on one job.

    :param answer: the job's pre-check result; ``None`` if the job needs no pre-check.
    :param name: the name of the job, if it is known.
    """
    if answer is None:
        return JobReport(job_id, Verdict.PASSED, name=name)
    if isinstance(answer, DrsError):
        return JobReport(job_id, Verdict.FAILED, error=answer, name=name)
    found = {item.item: policy.find_waiver(job_id, item) for item in answer.items}
    waivers = {name: waiver for name, waiver in found.items() if waiver}
    allowed = frozenset(
        item.item
        for item in answer.items
        if item.result == ALARM_WORD and item.item not in waivers and not policy.fails(job_id, item)
    )
    return JobReport(
        job_id, judge(answer, policy), result=answer, waivers=waivers, allowed=allowed, name=name
    )


def unchecked_error(report: JobReport, policy: AlarmPolicy) -> DrsError:
    """Return the error for a job that must not start because its pre-check has not passed."""
    operator = "(DrsBatchPrecheckOperator, or drs precheck --wait)"
    remedy = f"Fix the failed checks, then pre-check the job {operator}."
    if report.error and report.error.error_code == EMPTY_RESULT_CODE:
        reason, remedy = "it has no result yet", f"Pre-check the job, and wait for its verdict {operator}."
    elif report.error:
        reason = str(report.error).rstrip(".")
    elif report.verdict is Verdict.PENDING and report.result:
        reason = f"it is at {report.result.percent}%"
        remedy = "Wait for its verdict (DrsPrecheckSensor, or drs precheck --wait)."
    else:
        reason = _causes(report, policy)
        items = report.result.items if report.result else ()
        if items and all(item.result in (PASSED_WORD, ALARM_WORD) for item in items):
            remedy = (
                "Accept the alarms (alarms of DrsStartJobsOperator, or drs start --alarms), or fix their "
                f"causes, then pre-check the job {operator}."
            )
    return make_error(
        f"{report.label}: the pre-check has not passed: {reason}",
        job_ids=(report.job_id,),
        error_class=DrsJobStateError,
        remedy=remedy,
    )


def render_report(reports: Sequence[JobReport]) -> str:
    """
    Return a table of the errors and of the items that did not pass, each with its problem and fix below it.

    The last line counts all jobs. Jobs that passed without alarms are not in the table.
    """
    rows = [row for report in reports for row in _make_rows(report)]
    table = [_HEADINGS, *(cells for cells, _ in rows)]
    widths = [
        max((len(cells[column]) for cells in table if len(cells[column]) <= _MAX_WIDTH), default=0)
        for column in range(len(_HEADINGS))
    ]
    lines = [_format_line(_HEADINGS, widths)] if rows else []
    for cells, notes in rows:
        lines += [_format_line(cells, widths), *(f"    {note}" for note in notes)]
    return "\n".join([*lines, summarize(reports)])


def summarize(reports: Sequence[JobReport]) -> str:
    """Return the number of jobs for each verdict, in one line."""
    counts = {verdict: sum(report.verdict is verdict for report in reports) for verdict in Verdict}
    parts = [f"{count} {verdict.value}" for verdict, count in counts.items() if count]
    return f"{len(reports)} job{'s' * (len(reports) != 1)}: {', '.join(parts) or 'none'}"


def summarize_failures(reports: Sequence[JobReport], policy: AlarmPolicy) -> str:
    """Return the first failed jobs, one per line, each with the items or the error that failed it."""
    failed = [report for report in reports if report.verdict is Verdict.FAILED]
    return name_first([f"{report.label}: {_causes(report, policy)}" for report in failed])


def _causes(report: JobReport, policy: AlarmPolicy) -> str:
    if report.error:
        return str(report.error).removeprefix(f"{report.job_id}: ")
    items = report.result.items if report.result else ()
    failed = [item for item in items if item.result != ALARM_WORD or policy.fails(report.job_id, item)]
    return ", ".join(label_item(item.item) for item in failed) or _NO_FAILED_ITEM


def _make_rows(report: JobReport) -> list[tuple[tuple[str, ...], list[str]]]:
    """Return the rows of a job: the cells, and the notes below them."""
    label, result, error = report.label, report.result, report.error
    if report.verdict is Verdict.PENDING and has_code(error, EMPTY_RESULT_CODE):
        return []
    if error:
        return [((label, "ERROR", "-", error.error_code or ""), [str(error)])]
    if result is None and report.verdict is Verdict.PENDING:
        return []
    if result is None:
        return [
            ((label, "not needed", "-", "already passed or started, or its forward job is replicating"), [])
        ]
    if not result.items and report.verdict is Verdict.FAILED:
        note = "fix: Open the job's pre-check page in the DRS console."
        return [((label, FAILED_WORD, "-", _NO_FAILED_ITEM), [note])]
    rows: list[tuple[tuple[str, ...], list[str]]] = []
    for item in result.items:
        notes, url = note_item(item, report.waivers.get(item.item))
        cells = (
            label,
            report.describe_result(item),
            label_item(item.item),
            item.failed_reason or "(none given)",
        )
        rows.append((cells, [*notes, f"manual: {url}"]))
    return rows


def note_item(item: CheckItem, waiver: Waiver | None) -> tuple[list[str], str]:
    """
    Return the details of an item as lines, ending with its problem and fix, and the URL of its manual page.

    :param waiver: the waiver that accepted its alarm.
    """
    check, notes = explain(item.item), []
    if item.failed_sub_jobs:
        names = ", ".join(f"{sub.name or sub.id} ({sub.check_result})" for sub in item.failed_sub_jobs)
        notes.append(f"subtasks: {names}")
    if item.raw_error:
        notes.append(f"error: {' '.join(item.raw_error.split())}")
    if waiver:
        notes.append(f"waiver: {' '.join(waiver.reason.split())}")
    return [*notes, f"problem: {check.problem}", f"fix: {check.fix}"], check.url


def _format_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def count_items(report: JobReport) -> dict[str, int]:
    """Return how many items passed, alarmed, failed or have another result; empty without a result."""
    result = report.result
    if result is None:
        return {}
    counts = {word.lower(): result.count(word) for word in (PASSED_WORD, ALARM_WORD, FAILED_WORD)}
    return {**counts, "other": len(result.items) - counts["alarm"] - counts["failed"]}
