"""Requests that start pre-checks and read their results, and what the responses contain."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from sys import intern
from typing import Any

from airflow_provider_drs.protocol.core.bodies import Prechecks
from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError, DrsResponseError
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.redact import redact_text
from airflow_provider_drs.protocol.core.rows import parse_rows, read_flag, read_percent, read_rows, row_error
from airflow_provider_drs.protocol.core.wire import Request, Response

#: The only mode of the OTC page (drs_03_0110), and the one that newer Huawei Cloud pages add.
PRECHECK_MODES = ("forStartJob", "forRetryJob")

# Item data can list every table of a database; what a person reads in a log is the beginning.
_LONGEST_TEXT = 500

#: The percentage at which a pre-check has ended.
COMPLETE = 100

PASSED_WORD = "PASSED"
ALARM_WORD = "ALARM"
FAILED_WORD = "FAILED"


@dataclass(frozen=True, slots=True)
class Submission:
    """
    A pre-check that DRS accepted.

    :param precheck_id: its id; empty where none was needed.
    :param adopted: it was running already, and is waited for instead.
    :param needed: the job has to be checked at all.
    :param is_shown: DRS shows it, and no longer the one before.
    """

    job_id: str
    precheck_id: str
    adopted: bool = False
    needed: bool = True
    is_shown: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for an XCom."""
        status = ("adopted" if self.adopted else "submitted") if self.needed else "not needed"
        precheck_id = self.precheck_id or None
        return {"job_id": self.job_id, "precheck_id": precheck_id, "status": status, "error": None}

    def __str__(self) -> str:
        """Return it for a log."""
        if not self.needed:
            return "needs no pre-check: it is a backward job whose forward job is replicating"
        return "pre-check is running already" if self.adopted else "pre-check started"


@dataclass(frozen=True, slots=True)
class SubJob:
    """A subtask of a cluster job that failed an item."""

    id: str
    name: str
    check_result: str


@dataclass(frozen=True, slots=True)
class CheckItem:
    """
    One check of a pre-check, in the service's words.

    ``result`` is an open set: PASSED, ALARM, FAILED today.
    """

    item: str
    result: str
    group: str = ""
    failed_reason: str = ""
    raw_error: str = ""
    data: str = ""
    failed_sub_jobs: tuple[SubJob, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"failed_sub_jobs": [asdict(sub_job) for sub_job in self.failed_sub_jobs]}

    @staticmethod
    def from_dict(fields: Mapping[str, Any]) -> CheckItem:
        """Return the item that :meth:`to_dict` described."""
        return CheckItem(
            **{**fields, "failed_sub_jobs": tuple(SubJob(**sub) for sub in fields["failed_sub_jobs"])}
        )


@dataclass(frozen=True, slots=True)
class PrecheckResult:
    """
    How far the pre-check of a job is, and when it has ended, what it has found.

    :param items: every item that did not pass. Those that did are only counted, in ``passed_items``.
    """

    job_id: str
    precheck_id: str
    percent: int
    result: bool | None
    total_passed_rate: int | None
    passed_items: int = 0
    items: tuple[CheckItem, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the pre-check has ended. Only then does ``result`` mean anything (drs_03_0111)."""
        return self.percent >= COMPLETE

    def count(self, word: str) -> int:
        """Return how many items have this result."""
        return self.passed_items if word == PASSED_WORD else sum(item.result == word for item in self.items)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for a trigger event."""
        return {
            "job_id": self.job_id,
            "precheck_id": self.precheck_id,
            "percent": self.percent,
            "result": self.result,
            "total_passed_rate": self.total_passed_rate,
            "passed_items": self.passed_items,
            "items": [item.to_dict() for item in self.items],
        }

    @staticmethod
    def from_dict(fields: Mapping[str, Any]) -> PrecheckResult:
        """Return the result that :meth:`to_dict` described."""
        return PrecheckResult(
            **{**fields, "items": tuple(CheckItem.from_dict(item) for item in fields["items"])}
        )


def is_new_run(answer: object, before: object) -> bool:
    """
    Whether a result can only be that of a pre-check started after *before* was read.

    A precheck_id is the job's id, run after run; only progress or another answer tells them apart.
    """
    if not isinstance(answer, PrecheckResult):
        return False
    return not answer.is_complete or answer != before


def check_precheck_mode(precheck_mode: str) -> str:
    """
    Return the mode if there is such a one.

    :raises DrsConfigError: there is not.
    """
    if precheck_mode not in PRECHECK_MODES:
        raise DrsConfigError(
            f"precheck_mode: expected one of {', '.join(PRECHECK_MODES)}, not {precheck_mode!r}."
        )
    return precheck_mode


def build_prechecks(job_ids: Sequence[str], precheck_mode: str) -> Request:
    """Return the request that starts the pre-checks of jobs (drs_03_0110)."""
    jobs = [{"job_id": job_id, "precheck_mode": precheck_mode} for job_id in job_ids]
    return build("BatchCheckJobs", {"jobs": jobs}, job_ids)


def parse_prechecks(
    request: Request, document: Mapping[str, Any], response: Response
) -> dict[str, Submission | DrsError]:
    """Read which pre-checks were accepted."""
    return parse_rows(
        request,
        document,
        response,
        lambda job_id, row: Submission(job_id, str(row.get("precheck_id") or job_id)),
    )


def build_precheck_results(job_ids: Sequence[str]) -> Request:
    """Return the request for the pre-check results of jobs (drs_03_0111)."""
    return build("BatchCheckResults", {"jobs": list(job_ids)}, job_ids)


def parse_precheck_results(
    request: Request, document: Mapping[str, Any], response: Response, precheck_ids: Mapping[str, str]
) -> dict[str, PrecheckResult | DrsError]:
    """
    Read the results of pre-checks.

    A row carries a precheck_id and no job id. It is matched by the ids in *precheck_ids* (job id to
    precheck_id, as learned earlier), else by a precheck_id that is the job's id. The only row for the only
    job asked about is that job's, whatever its id. Never does a position decide.
    """
    rows = read_rows(document)
    running = document.running if isinstance(document, Prechecks) else ()
    is_alone = len(request.job_ids) == len(rows) + len(running) == 1
    job_by_precheck = dict(zip(request.job_ids, request.job_ids, strict=True))
    job_by_precheck |= {precheck_ids[job_id]: job_id for job_id in request.job_ids if job_id in precheck_ids}
    found: dict[str, PrecheckResult | DrsError] = {}
    for row in rows:
        row_id = row.get("precheck_id") or row.get("id") or row.get("job_id")
        job_id = request.job_ids[0] if is_alone else job_by_precheck.get(str(row_id))
        if job_id is not None:
            found[job_id] = row_error(row, request, response, job_id) or _parse_result_row(job_id, row)
    for check in running:
        row_id = check.precheck_id or check.id or check.job_id
        job_id = request.job_ids[0] if is_alone else job_by_precheck.get(str(row_id))
        if job_id is not None:
            # The caller's own text for an equal id: what is kept of thousands of answers is small.
            precheck_id = job_id if check.precheck_id == job_id else check.precheck_id
            rate = check.total_passed_rate
            found[job_id] = _make_running(job_id, precheck_id, intern(check.process), rate and intern(rate))
    return {job_id: found[job_id] for job_id in request.job_ids if job_id in found}


@functools.lru_cache(maxsize=16_384)
def _make_running(
    job_id: str, precheck_id: str | None, process: str, total_passed_rate: str | None
) -> PrecheckResult:
    """Return the result of a check that runs; the same object for what was said before, as most of it was."""
    row = {"precheck_id": precheck_id, "process": process, "total_passed_rate": total_passed_rate}
    return _parse_result_row(job_id, row)


def _parse_result_row(job_id: str, row: Mapping[str, Any]) -> PrecheckResult:
    percent = read_percent(row, "process")
    if percent is None:
        raise DrsResponseError(f"the pre-check result of job {job_id} has no 'process'")
    # What it has found so far means nothing before it has ended.
    found = row.get("precheck_result") if percent >= COMPLETE else None
    passed_items, items = _parse_items(job_id, found or [])
    return PrecheckResult(
        job_id=job_id,
        precheck_id=str(row.get("precheck_id") or job_id),
        percent=percent,
        result=read_flag(row, "result"),
        total_passed_rate=read_percent(row, "total_passed_rate"),
        passed_items=passed_items,
        items=items,
    )


def _parse_items(job_id: str, rows: object) -> tuple[int, tuple[CheckItem, ...]]:
    """
    Return how many items passed, and the others.

    A poll reads hundreds of items, nearly all of them passed.
    """
    if not isinstance(rows, list):
        raise DrsResponseError(f"'precheck_result' of job {job_id} is no list")
    try:
        others = [row for row in rows if row["result"] != PASSED_WORD]
        items = tuple([_parse_item(row) for row in others])
    except (TypeError, KeyError, AttributeError):
        raise DrsResponseError(f"a check item of job {job_id} has no 'item' or no 'result'") from None
    return len(rows) - len(items), items


def _parse_item(row: Mapping[str, Any]) -> CheckItem:
    return CheckItem(
        item=str(row["item"]),
        result=str(row["result"]),
        group=str(row.get("group") or ""),
        failed_reason=_read_words(row.get("failed_reason")),
        raw_error=_read_words(row.get("raw_error_msg")),
        data=_read_words(row.get("data")),
        failed_sub_jobs=_parse_sub_jobs(row.get("failed_sub_jobs")),
    )


def _parse_sub_jobs(value: object) -> tuple[SubJob, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(
        SubJob(str(row.get("id") or ""), str(row.get("name") or ""), str(row.get("check_result") or ""))
        for row in value
        if isinstance(row, Mapping)
    )


def _read_words(value: object) -> str:
    text = redact_text(str(value)) if value else ""
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}... ({len(text)} characters)"
