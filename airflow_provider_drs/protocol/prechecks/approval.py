"""The alarms of a batch of pre-checks, as a table for a user who approves them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_drs.protocol.prechecks.messages import ALARM_WORD

__all__ = ["render_alarms", "waive_alarms"]

_HEADINGS = ("Job", "Check", "Reason", "Problem", "Fix")
#: Characters with a meaning in Markdown or its tables; the text comes from DRS.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#!|~&])")

#: The value of the XCom ``precheck_report``: a report for each job.
Reports = Sequence[Mapping[str, Any]]


def render_alarms(reports: Reports) -> str:
    """
    Return a Markdown table of all alarms with job, check item, reason, problem and fix; empty without alarms.

    Special characters in texts from DRS are escaped.

    :param reports: the value of the XCom ``precheck_report``.
    """
    keys = ("failed_reason", "problem", "fix")
    rows = [
        (report["job_id"], f"{item['title']} ({item['item']})", *(item[key] for key in keys))
        for report, item in _find_alarms(reports)
    ]
    if not rows:
        return ""
    lines = [_HEADINGS, ("---",) * len(_HEADINGS), *(tuple(map(_escape, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def waive_alarms(reports: Reports, *, reason: str, expires: str) -> list[dict[str, str]]:
    """
    Return a waiver for every alarm. As the ``alarms`` argument of a task, they accept these alarms and no
    others.

    :param reports: the value of the XCom ``precheck_report``.
    :param reason: why the alarms are accepted, or who approved them.
    :param expires: the last day, such as ``2026-12-31``, or a timestamp with a time zone.
    """
    return [
        {"item": item["item"], "jobs": report["job_id"], "reason": reason, "expires": expires}
        for report, item in _find_alarms(reports)
    ]


def _find_alarms(reports: Reports) -> Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return ((report, item) for report in reports for item in report["items"] if item["result"] == ALARM_WORD)


def _escape(value: object) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(str(value).split())) or "-"
