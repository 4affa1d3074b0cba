"""What a person needs to know of a batch of pre-checks: as a table for a log, as JSON for an XCom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_drs.protocol.core.errors import (
    EMPTY_RESULT_CODE,
    DrsError,
    DrsJobStateError,
    make_error,
)
from airflow_provider_drs.protocol.prechecks.checks import explain
from airflow_provider_drs.protocol.prechecks.messages import (
    ALARM_WORD,
    FAILED_WORD,
    PASSED_WORD,
    CheckItem,
    PrecheckResult,
)
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict, judge
from airflow_provider_drs.protocol.prechecks.waivers import Waiver

#: A job that needs no pre-check: the backward job of a dual-active pair whose forward job is replicating.
NOT_NEEDED = "not needed"

_HEADINGS = ("JOB", "CHECK ITEM", "RESULT", "REASON")


@dataclass(frozen=True, slots=True)
class JobReport:
    """
    The pre-check of one job as people see it.

    :param result: what DRS says; ``None`` when there is nothing, for ``error`` or because none was needed.
    :param error: why there is no result.
    :param waivers: by which alarms were accepted, by the name of the item.
    """

    job_id: str
    verdict: Verdict
    result: PrecheckResult | None = None
    error: DrsError | None = None
    waivers: Mapping[str, Waiver] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for the XCom ``precheck_report``."""
        result = self.result
        return {
            "job_id": self.job_id,
            "verdict": self.verdict.value,
            "progress": result.percent if result else None,
            "total_passed_rate": result.total_passed_rate if result else None,
            "counts": count_items(self),
            "items": [self._explain(item) for item in result.items] if result else [],
            "error": self.error.to_dict() if self.error else None,
        }

    def _explain(self, item: CheckItem) -> dict[str, Any]:
        text, waiver = explain(item.item), self.waivers.get(item.item)
        return item.to_dict() | {
            "title": text.title,
            "problem": text.problem,
            "fix": text.fix,
            "link": text.url,
            "waiver": waiver.to_dict() if waiver else None,
        }


def report_job(job_id: str, answer: PrecheckResult | DrsError | None, policy: AlarmPolicy) -> JobReport:
    """
    Return the report on one job.

    :param answer: what DRS said of it; ``None`` stands for a job that needs no pre-check.
    """
    if answer is None:
        return JobReport(job_id, Verdict.PASSED)
    if isinstance(answer, DrsError):
        return JobReport(job_id, Verdict.FAILED, error=answer)
    found = {item.item: policy.find_waiver(job_id, item) for item in answer.items}
    waivers = {name: waiver for name, waiver in found.items() if waiver}
    return JobReport(job_id, judge(answer, policy), result=answer, waivers=waivers)


def unchecked_error(report: JobReport, policy: AlarmPolicy) -> DrsError:
    """Return the error for a job that must not start, because its pre-check has not passed."""
    if report.error and report.error.error_code == EMPTY_RESULT_CODE:
        why = "it has none yet"
    elif report.error:
        why = str(report.error).rstrip(".")
    elif report.verdict is Verdict.PENDING and report.result:
        why = f"it is at {report.result.percent}%"
    else:
        why = _causes(report, policy)
    return make_error(
        f"The pre-check of job {report.job_id} has not passed: {why}",
        job_ids=(report.job_id,),
        error_class=DrsJobStateError,
        remedy="Pre-check it first (DrsBatchPrecheckOperator and DrsPrecheckSensor, or drs precheck --wait).",
    )


def render_report(reports: Sequence[JobReport]) -> str:
    """
    Return a table of everything that is not simply passed: a row an item, with its meaning and remedy below
    it.

    Jobs without anything to say are counted in the last line.
    """
    rows: list[tuple[tuple[str, ...], list[str]]] = []
    for report in reports:
        rows.extend(_rows_of(report))
    widths = [
        max(len(line[column]) for line in (_HEADINGS, *(cells for cells, _ in rows))) for column in range(3)
    ]
    lines = [_line(_HEADINGS, widths)] if rows else []
    for cells, notes in rows:
        lines.append(_line(cells, widths))
        lines.extend(f"    {note}" for note in notes)
    return "\n".join([*lines, summarise(reports)])


def summarise(reports: Sequence[JobReport]) -> str:
    """Return how many jobs passed, failed and are still being checked, in one line."""
    counts = {verdict: sum(report.verdict is verdict for report in reports) for verdict in Verdict}
    parts = [f"{count} {verdict.value}" for verdict, count in counts.items() if count]
    return f"{len(reports)} job{'s' * (len(reports) != 1)}: {', '.join(parts) or 'nothing'}"


def name_failures(reports: Iterable[JobReport], policy: AlarmPolicy) -> str:
    """Return each failed job with the items or the error that failed it, in one line."""
    return "; ".join(
        f"{report.job_id}: {_causes(report, policy)}"
        for report in reports
        if report.verdict is Verdict.FAILED
    )


def _causes(report: JobReport, policy: AlarmPolicy) -> str:
    if report.error:
        return report.error.error_code or type(report.error).__name__
    items = report.result.items if report.result else ()
    names = [item.item for item in items if item.result != ALARM_WORD or policy.fails(report.job_id, item)]
    return ", ".join(names) or "DRS says that the pre-check has not passed"


def _rows_of(report: JobReport) -> list[tuple[tuple[str, ...], list[str]]]:
    if report.error:
        return [((report.job_id, "-", "ERROR", report.error.error_code or ""), [str(report.error)])]
    if report.result is None and report.verdict is Verdict.PENDING:
        return []
    if report.result is None:
        return [((report.job_id, "-", NOT_NEEDED, "its forward job is replicating"), [])]
    rows: list[tuple[tuple[str, ...], list[str]]] = []
    for item in report.result.items:
        notes, link = note_item(item, report.waivers.get(item.item))
        cells = (report.job_id, item.item, item.result, item.failed_reason or "(none given)")
        rows.append((cells, [*notes, f"manual: {link}"]))
    return rows or _row_without_items(report)


def note_item(item: CheckItem, waiver: Waiver | None) -> tuple[list[str], str]:
    """
    Return what there is to say of an item beside its reason, a line each, and the page to read about it.

    :param waiver: by which its alarm was accepted.
    """
    text = explain(item.item)
    notes = []
    if item.failed_sub_jobs:
        names = ", ".join(f"{sub.name or sub.id} ({sub.check_result})" for sub in item.failed_sub_jobs)
        notes.append(f"subtasks: {names}")
    if item.raw_error:
        notes.append(f"error: {' '.join(item.raw_error.split())}")
    if waiver:
        notes.append(f"waived: until {waiver.expires}, {' '.join(waiver.reason.split())}")
    return [*notes, f"problem: {text.problem}", f"fix: {text.fix}"], text.url


def _row_without_items(report: JobReport) -> list[tuple[tuple[str, ...], list[str]]]:
    if report.verdict is not Verdict.FAILED:
        return []
    note = "fix: Open the job's pre-check page in the DRS console."
    return [((report.job_id, "-", FAILED_WORD, "no check item given"), [note])]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return "  ".join([*padded, cells[-1]]).rstrip()


def count_items(report: JobReport) -> dict[str, int]:
    """Return how many items have passed, alarm, have failed, and have another result; nothing without one."""
    result = report.result
    if result is None:
        return {}
    known = {word.lower(): result.count(word) for word in (PASSED_WORD, ALARM_WORD, FAILED_WORD)}
    return {**known, "other": len(result.items) - known["alarm"] - known["failed"]}
