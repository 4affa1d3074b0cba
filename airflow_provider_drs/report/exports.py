"""A report to take away: as Markdown for a ticket, as CSV for a table."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from airflow_provider_drs.report.fields import check_link
from airflow_provider_drs.report.reports import Job

_COLUMNS = (
    "job_id",
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

#: A cell that begins so is a formula to Excel, LibreOffice and Google Sheets, full-width signs included.
_FORMULA = re.compile(r"^\s*[=+\-@\t\r\n＝＋－＠|]")

#: What Markdown, and the HTML in it, would take for more than text.
_MARKUP = re.compile(r"([\\`*_\[\]<>|~#&!])")


def render_csv(jobs: Sequence[Job]) -> str:
    """
    Return a row an item that did not pass, and one for each job without any.

    What a spreadsheet would calculate is made a text by an apostrophe in front.
    """
    output = io.StringIO()
    writer = csv.writer(output, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for row in _rows(jobs):
        writer.writerow([f"'{cell}" if _FORMULA.match(cell) else cell for cell in row])
    return output.getvalue()


def render_markdown(title: str, jobs: Sequence[Job], *, passed: int) -> str:
    """
    Return a heading and a table of what did not simply pass.

    :param title: what the heading says.
    :param passed: how many jobs there are of which there is nothing to say.
    """
    lines = [f"## {_escape(title)}", ""]
    rows = [row for row in _rows(jobs) if row[1] != "passed" or row[2]]
    if rows:
        lines += ["| Job | Verdict | Item | Result | Reason | Fix |", f"|{' --- |' * 6}"]
    for job_id, verdict, item, result, _, reason, raw_error, _, fix, link, until, because in rows:
        said = " ".join(part for part in (reason, raw_error) if part)
        if until:
            result = f"{result}, waived until {until}: {because}"
        told = f"{_escape(fix)} [manual]({check_link(link)})" if check_link(link) else _escape(fix)
        cells = [_escape(cell) for cell in (job_id, verdict, item, result, said)]
        lines.append(f"| {' | '.join([*cells, told])} |")
    if passed:
        lines += ["", f"{passed} {'job' if passed == 1 else 'jobs'} passed without a remark."]
    return "\n".join([*lines, ""])


def _rows(jobs: Sequence[Job]) -> Iterator[tuple[str, ...]]:
    for job in jobs:
        error = job.error["message"] if job.error else ""
        items = job.read_items()
        if error or not items:
            yield (job.job_id, job.verdict, "", "", "", "", error, "", "", "", "", "")
        for item in items:
            waiver = item["waiver"] or {"expires": "", "reason": ""}
            yield (
                job.job_id,
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
