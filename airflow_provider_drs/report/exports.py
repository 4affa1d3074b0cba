"""Export a report as Markdown for a ticket, or as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from airflow_provider_drs.protocol.core.errors import label_job
from airflow_provider_drs.report.fields import check_link
from airflow_provider_drs.report.reports import Job

_COLUMNS = (
    "job_id",
    "name",
    "verdict",
    "item",
    "result",
    "group",
    "reason",
    "raw_error",
    "problem",
    "fix",
    "link",
    "waived_until",
    "waived_because",
)

#: Excel, LibreOffice and Google Sheets evaluate a cell that begins with one of these as a formula.
_FORMULA = re.compile(r"^\s*[=+\-@\t\r\n＝＋－＠|]")

#: Characters with a meaning in Markdown, or in HTML within it.
_MARKUP = re.compile(r"([\\`*_\[\]<>|~#&!])")


def render_csv(jobs: Sequence[Job]) -> str:
    """
    Return a row per check item that did not pass, and one per job without any.

    A cell that a spreadsheet would evaluate gets an apostrophe in front.
    """
    output = io.StringIO()
    writer = csv.writer(output, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for row in _rows(jobs):
        writer.writerow([f"'{cell}" if _FORMULA.match(cell) else cell for cell in row])
    return output.getvalue()


def render_markdown(title: str, jobs: Sequence[Job], *, passed: int) -> str:
    """
    Return a heading and a table of the jobs that did not simply pass.

    :param title: the heading.
    :param passed: the number of jobs that passed without alarms.
    """
    lines = [f"## {_escape(title)}", ""]
    rows = [row for row in _rows(jobs) if row[2] != "passed" or row[3]]
    if rows:
        lines += ["| Job | Verdict | Item | Result | Reason | Fix |", f"|{' --- |' * 6}"]
    for job_id, name, verdict, item, result, _, reason, raw_error, _, fix, link, until, because in rows:
        reasons = " ".join(part for part in (reason, raw_error) if part)
        if until:
            result = f"{result}, waived until {until}: {because}"
        fix_cell = f"{_escape(fix)} [manual]({check_link(link)})" if check_link(link) else _escape(fix)
        cells = [_escape(cell) for cell in (label_job(job_id, name), verdict, item, result, reasons)]
        lines.append(f"| {' | '.join([*cells, fix_cell])} |")
    if passed:
        lines += ["", f"{passed} {'job' if passed == 1 else 'jobs'} passed without alarms."]
    return "\n".join([*lines, ""])


def _rows(jobs: Sequence[Job]) -> Iterator[tuple[str, ...]]:
    for job in jobs:
        error = job.error["message"] if job.error else ""
        items = job.read_items()
        if error or not items:
            yield (job.job_id, job.name, job.verdict, "", "", "", "", error, "", "", "", "", "")
        for item in items:
            waiver = item["waiver"] or {"expires": "", "reason": ""}
            yield (
                job.job_id,
                job.name,
                job.verdict,
                item["item"],
                item["result"],
                item["group"],
                item["reason"],
                item["raw_error"],
                item["problem"],
                item["fix"],
                item["link"],
                waiver["expires"],
                waiver["reason"],
            )


def _escape(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
