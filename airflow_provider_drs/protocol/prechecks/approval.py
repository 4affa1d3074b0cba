"""The alarms of a batch of pre-checks, for a person who is to approve them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_drs.protocol.prechecks.messages import ALARM_WORD

_HEADINGS = ("Job", "Check", "Reason", "Problem", "Fix")
#: What Markdown, or a table in it, would take for its own. The text comes from DRS.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#!|~&])")

#: The XCom ``precheck_report``: a report on each job.
Reports = Sequence[Mapping[str, Any]]


def render_alarms(reports: Reports) -> str:
    """
    Return a Markdown table of every alarm: job, check item, reason, problem and fix.

    What DRS says is shown as it is, whatever it looks like. Without alarms it is an empty text.

    :param reports: the XCom ``precheck_report``.
    """
    rows = [
        (
            report["job_id"],
            f"{item['title']} ({item['item']})",
            item["failed_reason"],
            item["problem"],
            item["fix"],
        )
        for report, item in _find_alarms(reports)
    ]
    if not rows:
        return ""
    lines = [_HEADINGS, ("---",) * len(_HEADINGS), *(tuple(map(_escape, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def waive_alarms(reports: Reports, *, reason: str, expires: str) -> list[dict[str, str]]:
    """
    Return a waiver for every alarm: what a task takes as ``alarms`` that lets these pass and no others.

    :param reports: the XCom ``precheck_report``.
    :param reason: why, or by whom.
    :param expires: the last day, or an instant with a time zone.
    """
    return [
        {"item": item["item"], "jobs": report["job_id"], "reason": reason, "expires": expires}
        for report, item in _find_alarms(reports)
    ]


def _find_alarms(reports: Reports) -> Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return ((report, item) for report in reports for item in report["items"] if item["result"] == ALARM_WORD)


def _escape(value: object) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(str(value).split())) or "-"
