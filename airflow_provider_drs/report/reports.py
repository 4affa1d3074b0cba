"""
Read the XCom ``precheck_report``: count, filter and paginate it.

Any DAG author can write anything into an XCom, so every field is validated. A report of a thousand jobs has
tens of megabytes: the items of a job are decoded when they are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from airflow_provider_drs.protocol.core.errors import EMPTY_RESULT_CODE
from airflow_provider_drs.protocol.prechecks.checks import explain
from airflow_provider_drs.report.fields import check_link, read_number, read_text

#: The filters: all jobs, jobs with a verdict, jobs with an alarm.
VIEWS = ("all", "failed", "alarm", "pending", "passed")

#: Jobs that need attention come first.
_ORDER = {"failed": 0, "unknown": 1, "pending": 2, "passed": 4}
_WITH_ALARMS = 3

_KINDS = {"PASSED": "passed", "ALARM": "alarm", "FAILED": "failed"}


class Unreadable(ValueError):
    """The XCom is not a report."""


class _Mark(msgspec.Struct, gc=False):
    item: Any = ""
    result: Any = ""
    waiver: Any = None


class _Row(msgspec.Struct):
    job_id: Any = ""
    name: Any = None
    verdict: Any = ""
    progress: Any = None
    total_passed_rate: Any = None
    counts: Any = None
    error: Any = None
    items: msgspec.Raw = msgspec.Raw(b"[]")


_ROWS = msgspec.json.Decoder(list[_Row])
_MARKS = msgspec.json.Decoder(list[_Mark])
_ITEMS = msgspec.json.Decoder(list[dict[str, Any]])


@dataclass(frozen=True, slots=True)
class Job:
    """
    One job of a report.

    :param name: empty if it is not known.
    :param verdict: ``passed``, ``failed``, ``pending``, or ``unknown``.
    :param marks: name and kind of each item that did not pass; accepted alarms have the kind ``waived``.
    """

    job_id: str
    name: str
    verdict: str
    percent: float | None
    rate: float | None
    passed_items: int
    marks: tuple[tuple[str, str], ...]
    error: dict[str, str] | None
    raw: msgspec.Raw = field(repr=False)

    def count(self, *kinds: str) -> int:
        """Return the number of items of some kinds."""
        return sum(kind in kinds for _, kind in self.marks)

    def read_items(self) -> list[dict[str, Any]]:
        """Return the items that did not pass, as texts."""
        return [_read_item(fields) for fields in _ITEMS.decode(self.raw)]

    def is_in(self, view: str) -> bool:
        """Whether a filter shows the job."""
        if view == "alarm":
            return self.count("alarm", "waived") > 0
        return view in ("all", self.verdict) or (view == "failed" and self.verdict == "unknown")

    def holds(self, text: str) -> bool:
        """Whether a lower-case text occurs in the visible texts of the job."""
        names = [part for item, _ in self.marks for part in (item, explain(item).title)]
        if any(text in name.lower() for name in (self.job_id, self.name, *names)):
            return True
        errors = self.error.values() if self.error else ()
        texts = (
            item[name] for item in self.read_items() for name in ("group", "reason", "raw_error", "data")
        )
        return any(text in value.lower() for value in (*errors, *texts))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values for the page."""
        return {
            "job_id": self.job_id,
            "name": self.name,
            "verdict": self.verdict,
            "percent": self.percent,
            "rate": self.rate,
            "counts": {
                "passed": self.passed_items,
                **{kind: self.count(kind) for kind in ("alarm", "waived", "failed", "other")},
            },
            "error": self.error,
            "items": self.read_items(),
        }


class Report:
    """
    A report, in the order in which it is shown: failed jobs first.

    :param text: the JSON of the XCom.
    :raises Unreadable: it is not a report.
    """

    def __init__(self, text: str | bytes) -> None:
        try:
            rows = _ROWS.decode(text)
            jobs = [_read_job(row) for row in rows]
        except msgspec.MsgspecError as error:
            raise Unreadable(str(error)) from None
        self.size = len(text)
        self.jobs = tuple(sorted(jobs, key=_rank))

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The totals of the report."""
        verdicts = Counter(job.verdict for job in self.jobs)
        kinds = Counter(kind for job in self.jobs for _, kind in job.marks)
        return {
            "jobs": len(self.jobs),
            "verdicts": {name: verdicts[name] for name in ("failed", "unknown", "pending", "passed")},
            "views": {view: sum(job.is_in(view) for job in self.jobs) for view in VIEWS},
            "items": {
                "passed": sum(job.passed_items for job in self.jobs),
                **{kind: kinds[kind] for kind in ("alarm", "waived", "failed", "other")},
            },
            "percent": _mean([job.percent for job in self.jobs]),
        }

    @cached_property
    def digest(self) -> Digest:
        """The totals for the history."""
        return Digest(
            len(self.jobs),
            sum(job.verdict in ("failed", "unknown") for job in self.jobs),
            sum(job.verdict == "pending" for job in self.jobs),
            tuple(_count_jobs(self.jobs)),
        )

    def select(self, view: str, text: str = "") -> list[Job]:
        """
        Return the jobs of a filter that contain a text.

        :param view: one of :data:`VIEWS`.
        :param text: the search text in any case; empty for all jobs.
        """
        wanted = text.strip().lower()
        return [job for job in self.jobs if job.is_in(view) and (not wanted or job.holds(wanted))]


@dataclass(frozen=True, slots=True)
class Digest:
    """
    The totals of a report.

    :param items: of each item that did not pass: its name, the number of jobs in which it failed, and in
        which it alarmed.
    """

    jobs: int
    failed: int
    pending: int
    items: tuple[tuple[str, int, int], ...]

    @property
    def outcome(self) -> str:
        """``failed``, ``pending`` or ``passed``."""
        return "failed" if self.failed else "pending" if self.pending else "passed"


def digest(text: str | bytes) -> Digest | None:
    """Return the totals of a report; ``None`` if it is not a report."""
    try:
        return Report(text).digest
    except Unreadable:
        return None


def gather_facts(jobs: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """
    Move title, problem, fix and link out of the items of all jobs, and return them by item.

    Every job has the same texts for an item: a page of thousands of jobs is smaller with one copy.

    :param jobs: what :meth:`Job.to_dict` returned; its items are changed.
    """
    facts: dict[str, dict[str, str]] = {}
    for job in jobs:
        for item in job["items"]:
            taken = {name: item.pop(name) for name in ("title", "problem", "fix", "link")}
            facts.setdefault(item["item"], taken)
    return facts


def rank_items(digests: Iterable[Digest], limit: int) -> list[str]:
    """Return the items that failed most often in some reports, then those that alarmed most often."""
    failed: Counter[str] = Counter()
    alarmed: Counter[str] = Counter()
    for report in digests:
        failed.update(name for name, fails, _ in report.items if fails)
        alarmed.update(name for name, _, alarms in report.items if alarms)
    names = sorted(failed.keys() | alarmed.keys(), key=lambda name: (-failed[name], -alarmed[name], name))
    return names[:limit]


def _read_job(row: _Row) -> Job:
    counts = row.counts if isinstance(row.counts, dict) else {}
    passed = read_number(counts.get("passed"))
    error = row.error if isinstance(row.error, dict) else None
    if row.verdict == "pending" and error and error.get("error_code") == EMPTY_RESULT_CODE:
        # DRS has no result yet: the job waits.
        error = None
    return Job(
        job_id=read_text(row.job_id),
        name=read_text(row.name),
        # An unknown verdict does not count as passed.
        verdict=row.verdict if row.verdict in ("passed", "failed", "pending") else "unknown",
        percent=read_number(row.progress),
        rate=read_number(row.total_passed_rate),
        passed_items=int(passed or 0),
        marks=tuple((read_text(mark.item), _kind_of(mark)) for mark in _MARKS.decode(row.items)),
        error=error and {name: read_text(error.get(name)) for name in ("type", "message", "error_code")},
        raw=row.items,
    )


def _kind_of(mark: _Mark) -> str:
    kind = _KINDS.get(mark.result, "other") if isinstance(mark.result, str) else "other"
    return "waived" if kind == "alarm" and isinstance(mark.waiver, dict) else kind


def _read_item(fields: Mapping[str, Any]) -> dict[str, Any]:
    waiver = fields.get("waiver")
    sub_jobs = fields.get("failed_sub_jobs")
    text = explain(read_text(fields.get("item")))
    return {
        "item": read_text(fields.get("item")),
        "result": read_text(fields.get("result")),
        "kind": _kind_of(_Mark(fields.get("item"), fields.get("result"), waiver)),
        "group": read_text(fields.get("group")),
        "reason": read_text(fields.get("failed_reason")),
        "raw_error": read_text(fields.get("raw_error")),
        "data": read_text(fields.get("data")),
        "sub_jobs": [
            f"{read_text(sub.get('name') or sub.get('id'))} ({read_text(sub.get('check_result'))})"
            for sub in (sub_jobs if isinstance(sub_jobs, list) else ())
            if isinstance(sub, dict)
        ],
        # A report that version 0.x wrote has no such texts.
        "title": read_text(fields.get("title")) or text.title,
        "problem": read_text(fields.get("problem")) or text.problem,
        "fix": read_text(fields.get("fix")) or text.fix,
        "link": check_link(fields.get("link")),
        # None: the alarm failed the job. Empty: the report does not say, because version 0.x wrote it.
        "accepted": (read_text(fields["accepted"]) or None) if "accepted" in fields else "",
        "waiver": {name: read_text(waiver.get(name)) for name in ("reason", "expires", "jobs")}
        if isinstance(waiver, dict)
        else None,
    }


def _rank(job: Job) -> int:
    return _WITH_ALARMS if job.verdict == "passed" and job.marks else _ORDER[job.verdict]


def _count_jobs(jobs: Sequence[Job]) -> Iterator[tuple[str, int, int]]:
    failed: Counter[str] = Counter()
    alarmed: Counter[str] = Counter()
    for job in jobs:
        failed.update({name for name, kind in job.marks if kind not in ("alarm", "waived")})
        alarmed.update({name for name, kind in job.marks if kind in ("alarm", "waived")})
    for name in sorted(failed.keys() | alarmed.keys()):
        yield name, failed[name], alarmed[name]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value or 0.0 for value in values]
    return round(sum(known) / len(known), 1) if known else None
