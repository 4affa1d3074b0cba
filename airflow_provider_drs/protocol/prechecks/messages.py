"""Requests that start pre-checks and read their results, and the contents of the responses."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from sys import intern
from typing import Any

from airflow_provider_drs.protocol.core.batches import Answers
from airflow_provider_drs.protocol.core.bodies import Prechecks
from airflow_provider_drs.protocol.core.errors import DrsError, DrsResponseError
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.redact import redact_text
from airflow_provider_drs.protocol.core.rows import parse_rows, read_flag, read_percent, read_rows, row_error
from airflow_provider_drs.protocol.core.values import Value
from airflow_provider_drs.protocol.core.wire import Document, Request, Response

#: The only mode of the OTC page (drs_03_0110), and the one that newer Huawei Cloud pages add.
PRECHECK_MODES = ("forStartJob", "forRetryJob")

# The data of an item can list every table of a database.
_MAX_TEXT_LENGTH = 500

#: The percentage at which a pre-check has finished.
COMPLETE = 100

PASSED_WORD = "PASSED"
ALARM_WORD = "ALARM"
FAILED_WORD = "FAILED"

#: The log line of a job that is not pre-checked.
NOT_NEEDED_TEXT = "does not need a pre-check: already passed or started, or its forward job is replicating"


class Submission(Value, frozen=True):
    """
    A pre-check that DRS accepted.

    :param precheck_id: empty if no pre-check was needed.
    :param adopted: the pre-check was already running and is used instead of a new one.
    :param needed: whether the job needs a pre-check.
    :param reason: why it needs none.
    :param request_id: the service's ID of the request, for support tickets.
    :param is_shown: whether DRS already returns this pre-check instead of the previous one.
    """

    job_id: str
    precheck_id: str
    adopted: bool = False
    needed: bool = True
    is_shown: bool = True
    reason: str = ""
    request_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for the XCom ``precheck_submissions``."""
        status = ("adopted" if self.adopted else "submitted") if self.needed else "not needed"
        precheck_id = self.precheck_id or None
        return {
            "job_id": self.job_id,
            "precheck_id": precheck_id,
            "status": status,
            "request_id": self.request_id,
            "error": None,
        }

    def __str__(self) -> str:
        """Return the text for a log line."""
        if not self.needed:
            return f"needs no pre-check: {self.reason}"
        return "pre-check is already running" if self.adopted else "pre-check started"


class SubJob(Value, frozen=True):
    """A subtask of a cluster job that failed a check item."""

    id: str
    name: str
    check_result: str


class CheckItem(Value, frozen=True):
    """
    The result of one check, as DRS returned it.

    :param result: ``PASSED``, ``ALARM`` or ``FAILED``; DRS may add others.
    """

    item: str
    result: str
    group: str = ""
    failed_reason: str = ""
    raw_error: str = ""
    data: str = ""
    failed_sub_jobs: tuple[SubJob, ...] = ()


class PrecheckResult(Value, frozen=True):
    """
    The progress of a job's pre-check, and its findings once it has finished.

    :param result: whether the job passed, as DRS returned it; ``None`` if it returned no result.
    :param passed_items: the number of items that passed.
    :param items: the items that did not pass.
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
        """Whether the pre-check has finished. Only then is ``result`` valid (drs_03_0111)."""
        return self.percent >= COMPLETE

    def count(self, word: str) -> int:
        """Return how many items have this result."""
        return self.passed_items if word == PASSED_WORD else sum(item.result == word for item in self.items)


def is_new_run(answer: object, before: object) -> bool:
    """
    Whether a result must belong to a pre-check that was started after *before* was read.

    The precheck_id is the job's ID in every run, so only the progress or a different result shows a new run.
    """
    return isinstance(answer, PrecheckResult) and (not answer.is_complete or answer != before)


def build_prechecks(job_ids: Sequence[str], precheck_mode: str) -> Request:
    """Return the request that starts the pre-checks of jobs (drs_03_0110)."""
    jobs = [{"job_id": job_id, "precheck_mode": precheck_mode} for job_id in job_ids]
    return build("BatchCheckJobs", {"jobs": jobs}, job_ids)


def parse_prechecks(request: Request, document: Document, response: Response) -> Answers[Submission]:
    """Return the accepted pre-checks, and an error for each rejected one."""

    def parse_row(job_id: str, row: Mapping[str, Any]) -> Submission:
        precheck_id = str(row.get("precheck_id") or job_id)
        return Submission(job_id, precheck_id, request_id=response.request_id)

    return parse_rows(request, document, response, parse_row)


def build_precheck_results(job_ids: Sequence[str]) -> Request:
    """Return the request for the pre-check results of jobs (drs_03_0111)."""
    return build("BatchCheckResults", {"jobs": list(job_ids)}, job_ids)


def parse_precheck_results(
    request: Request, document: Document, response: Response, precheck_ids: Mapping[str, str]
) -> Answers[PrecheckResult]:
    """
    Return the results of pre-checks by job ID.

    A row has a precheck_id but no job ID. It is matched by *precheck_ids* (the known precheck_id of each job
    id), or by a precheck_id that equals the job ID. If one job was requested and one row returned, they
    belong together. Rows are never matched by position.
    """
    rows = read_rows(document)
    running = document.running if isinstance(document, Prechecks) else ()
    job_by_precheck = dict(zip(request.job_ids, request.job_ids, strict=True))
    job_by_precheck |= {precheck_ids[job_id]: job_id for job_id in request.job_ids if job_id in precheck_ids}
    is_only_job = len(request.job_ids) == len(rows) + len(running) == 1

    def find_job(row_id: object) -> str | None:
        return request.job_ids[0] if is_only_job else job_by_precheck.get(str(row_id))

    found: dict[str, PrecheckResult | DrsError] = {}
    for row in rows:
        job_id = find_job(row.get("precheck_id") or row.get("id") or row.get("job_id"))
        if job_id is not None:
            found[job_id] = row_error(row, request, response, job_id) or _parse_result_row(job_id, row)
    for check in running:
        job_id = find_job(check.precheck_id or check.id or check.job_id)
        if job_id is not None:
            # Reuses strings and results: a triggerer stores those of thousands of jobs.
            precheck_id = job_id if check.precheck_id == job_id else check.precheck_id
            rate = check.total_passed_rate
            found[job_id] = _make_running(job_id, precheck_id, intern(check.process), rate and intern(rate))
    return {job_id: found[job_id] for job_id in request.job_ids if job_id in found}


@functools.lru_cache(maxsize=16_384)
def _make_running(
    job_id: str, precheck_id: str | None, process: str, total_passed_rate: str | None
) -> PrecheckResult:
    """Return the result of a running pre-check; the same object as long as its progress does not change."""
    row = {"precheck_id": precheck_id, "process": process, "total_passed_rate": total_passed_rate}
    return _parse_result_row(job_id, row)


def _parse_result_row(job_id: str, row: Mapping[str, Any]) -> PrecheckResult:
    percent = read_percent(row, "process")
    if percent is None:
        raise DrsResponseError(f"the pre-check result of job {job_id} has no 'process'")
    # Items are not valid until the pre-check has finished.
    items = row.get("precheck_result") if percent >= COMPLETE else None
    return PrecheckResult(
        job_id,
        str(row.get("precheck_id") or job_id),
        percent,
        read_flag(row, "result"),
        read_percent(row, "total_passed_rate"),
        *_parse_items(job_id, items or []),
    )


def _parse_items(job_id: str, rows: object) -> tuple[int, tuple[CheckItem, ...]]:
    """Return the number of passed items, and the other items. Only these are parsed: most items pass."""
    if not isinstance(rows, list):
        raise DrsResponseError(f"'precheck_result' of job {job_id} is not a list")
    try:
        items = tuple([_parse_item(row) for row in rows if row["result"] != PASSED_WORD])
    except (TypeError, KeyError, AttributeError):
        raise DrsResponseError(f"a check item of job {job_id} has no 'item' or no 'result'") from None
    return len(rows) - len(items), items


def _parse_item(row: Mapping[str, Any]) -> CheckItem:
    sub_jobs = row.get("failed_sub_jobs")
    return CheckItem(
        item=str(row["item"]),
        result=str(row["result"]),
        group=str(row.get("group") or ""),
        failed_reason=_read_text(row.get("failed_reason")),
        raw_error=_read_text(row.get("raw_error_msg")),
        data=_read_text(row.get("data")),
        failed_sub_jobs=tuple(
            SubJob(*(str(sub_job.get(key) or "") for key in ("id", "name", "check_result")))
            for sub_job in (sub_jobs if isinstance(sub_jobs, list) else ())
            if isinstance(sub_job, Mapping)
        ),
    )


def _read_text(value: object) -> str:
    text = redact_text(str(value)) if value else ""
    if len(text) <= _MAX_TEXT_LENGTH:
        return text
    return f"{text[:_MAX_TEXT_LENGTH]}... ({len(text)} characters)"
