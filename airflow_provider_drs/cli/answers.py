"""What the results of commands look like, and their exit codes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow_provider_drs.cli.screen import Result, describe_row
from airflow_provider_drs.protocol.core.errors import DrsError, label_error, label_job
from airflow_provider_drs.protocol.core.watch import has_no_result_yet
from airflow_provider_drs.protocol.jobs.states import STATUSES
from airflow_provider_drs.protocol.prechecks.report import JobReport
from airflow_provider_drs.protocol.prechecks.verdict import Verdict

PASSED, FAILED, WRONG_USE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
NOT_WRITTEN, CLOSED = 74, 141


class TimedOut(Exception):
    """The jobs have not finished within the timeout."""


#: What the errors of tasks say, and what a command says instead.
_REWORDED = {
    "If it comes from an XCom, check the upstream task's return value.": "Separate IDs by spaces or commas.",
    "the template has rendered a missing value. Check the XCom, the parameter or the variable that it "
    "reads.": "expected a DRS job ID. Check the variable or command that it comes from.",
    "run the task again": "run the command again",
    "Run the task again": "Run the command again",
    "The XCom comparison_report contains all differences.": "--json shows all differences.",
    "(DrsDeleteJobsOperator)": "(drs delete)",
    "Use a later time, or None to start now.": "Use a later time, or omit --at to start now.",
}


def say_command(text: str) -> str:
    """Return the text of an error for a terminal instead of a task."""
    for said, reworded in _REWORDED.items():
        text = text.replace(said, reworded)
    return text


def to_rows(answers: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return all answers except errors as plain JSON values."""
    return {
        job_id: answer.to_dict() for job_id, answer in answers.items() if not isinstance(answer, DrsError)
    }


def pick_errors(answers: Mapping[str, object]) -> dict[str, DrsError]:
    """Return the answers that are errors."""
    return {job_id: answer for job_id, answer in answers.items() if isinstance(answer, DrsError)}


def show_jobs(
    answers: Mapping[str, object],
    found: Mapping[str, dict[str, Any]],
    heading: str,
    names: Mapping[str, str],
    name_state: Callable[[Mapping[str, Any]], str] = lambda row: str(row.get("status") or ""),
    accepted: Collection[str] = (),
) -> Result:
    """
    Show a row per job, and the errors below them.

    :param name_state: returns the text of a row under *heading*.
    :param accepted: the jobs whose action DRS has accepted: an error is a failure, not a refusal.
    """
    errors = pick_errors(answers)
    rows, lines = [], []
    for job_id in answers:
        error = errors.get(job_id)
        known = {"job_id": job_id, "name": names.get(job_id)}
        row = {**known, **found.get(job_id, {}), "error": error.to_dict() if error else None}
        if error:
            row["error"]["message"] = say_command(row["error"]["message"])
        rows.append(row)
        label = label_job(job_id, names.get(job_id))
        failed = "failed" if job_id in accepted else "unknown" if heading == "STATUS" else "refused"
        lines.append((label, failed if error else name_state(row), "" if error else _describe(row)))
    code = code_of(errors.values()) if errors else PASSED
    text = "\n".join(
        say_command(label_error(job_id, error, names.get(job_id))) for job_id, error in errors.items()
    )
    return Result(code, {"jobs": rows}, ("JOB", heading, ""), lines, text=text)


def _describe(row: Mapping[str, Any]) -> str:
    status = STATUSES.get(row["status"]) if "phase" in row else None
    return status.meaning if status else describe_row(row)


def add_names(reports: Iterable[JobReport], names: Mapping[str, str]) -> list[JobReport]:
    """Return the reports with the names of their jobs."""
    return [replace(report, name=names.get(report.job_id, "")) for report in reports]


def show_reports(reports: Sequence[JobReport], *, has_waited: bool) -> Result:
    """Show the reports. A running pre-check has not passed; after a wait, it has timed out."""
    pending = [report.job_id for report in reports if report.verdict is Verdict.PENDING]
    failed = [report for report in reports if report.verdict is Verdict.FAILED]
    code = PASSED
    if failed:
        code = code_of([report.error for report in failed])
    elif pending:
        code = UNREACHABLE if has_waited else FAILED
    text = ""
    if pending and has_waited:
        text = (
            f"Timed out: {len(pending)} pre-check{'s have' if len(pending) > 1 else ' has'} not finished. "
            "Increase --timeout, or run drs results."
        )
    elif unstarted := [report.label for report in reports if has_no_result_yet(report.error)]:
        text = f"No pre-check result yet: {', '.join(unstarted)}. Run drs precheck to start a pre-check."
    return Result(code, {"jobs": [report.to_dict() for report in reports]}, reports=reports, text=text)


def code_of(errors: Collection[object]) -> int:
    """Return the exit code of errors: UNREACHABLE if all are transient."""
    are_transient = all(
        isinstance(error, TimedOut) or (isinstance(error, DrsError) and error.is_transient)
        for error in errors
    )
    return UNREACHABLE if are_transient else FAILED
