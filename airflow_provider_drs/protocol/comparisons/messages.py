"""Requests that compare the data of source and destination of disaster recovery jobs, and their responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from airflow_provider_drs.protocol.core.batches import Answers
from airflow_provider_drs.protocol.core.errors import (
    DrsConfigError,
    DrsError,
    DrsResponseError,
    check_choice,
    quote,
)
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.redact import redact_text
from airflow_provider_drs.protocol.core.rows import row_error
from airflow_provider_drs.protocol.core.values import Value
from airflow_provider_drs.protocol.core.wire import Document, Request, Response

#: The kinds of comparison, each with the field of its ID in a query and the field of its results.
_KINDS = {
    "objects": ("object_level_compare_id", "object_level_compare_results"),
    "lines": ("line_compare_id", "line_compare_results"),
    "contents": ("content_compare_id", "content_compare_results"),
}
#: The ``compare_type`` of objects in the list of comparisons; the page does not document the values.
_OBJECTS_WORD = "object_comparison"
_PER_PAGE = 100

SUCCESSFUL = "SUCCESSFUL"
_DONE = frozenset({SUCCESSFUL, "FAILED", "CANCELLED", "TIMEOUT_INTERRUPT"})


def check_tables(tables: object) -> None:
    """
    Check the tables of a comparison.

    :raises DrsConfigError: it is not a mapping from databases to lists of tables.
    """
    listed = tables.values() if isinstance(tables, Mapping) else [None]
    if not all(isinstance(n, list | tuple) and all(isinstance(name, str) for name in n) for n in listed):
        raise DrsConfigError(
            f"tables is {quote(tables)}: expected a mapping from each database to the list of its tables, "
            "such as {'shop': ['orders']}."
        )


class ComparisonSpec(Value, frozen=True):
    """
    What to compare (drs_03_0136).

    :param objects: compare which objects exist.
    :param data: ``lines`` compares row counts, ``contents`` compares rows, ``""`` does not compare data.
    :param tables: the tables of each database, for ``data``; an empty list means all tables of the database.
    :param compare_mode: ``quick_comparison`` needs no tables, but must be enabled for the account.
    :param conflict_policy: what happens to an unfinished comparison of data: ``keep`` or ``cancel`` it.
    :param start_time_ms: when to start comparing ``data``, in epoch milliseconds; ``None`` starts
        immediately. The comparison of objects always starts immediately.
    :raises DrsConfigError: a field is invalid.
    """

    objects: bool = True
    data: str = ""
    tables: Mapping[str, Sequence[str]] | None = None
    compare_mode: str | None = None
    conflict_policy: str = "keep"
    start_time_ms: int | None = None

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.tables is not None:
            check_tables(self.tables)
        if self.data:
            check_choice("data", self.data, ("lines", "contents"))
        check_choice("conflict_policy", self.conflict_policy, ("keep", "cancel"))
        if not self.objects and not self.data:
            raise DrsConfigError("nothing to compare: set objects=True, data, or both.")
        unused = ("tables", "compare_mode", "start_time_ms") if not self.data else ()
        if names := [name.removesuffix("_ms") for name in unused if getattr(self, name) is not None]:
            raise DrsConfigError(f"{', '.join(names)}: only valid for a data comparison. Set data as well.")
        if self.data and not self.tables and self.compare_mode is None:
            raise DrsConfigError(
                "tables is not set: a comparison of data needs the tables of each database, for example "
                "{'shop': ['orders']}. Or set compare_mode='quick_comparison' if it is enabled for your "
                "account."
            )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of comparison that DRS creates for it."""
        return (("objects",) if self.objects else ()) + ((self.data,) if self.data else ())


class Comparison(Value, frozen=True):
    """
    The comparisons of one job.

    :param task_ids: the ID of each comparison, by its kind: ``objects``, ``lines`` or ``contents``.
    :param adopted: the comparisons were already running and are used instead of new ones.
    """

    job_id: str
    task_ids: Mapping[str, str]
    adopted: bool = False

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """
        Return the comparisons that :meth:`to_dict` serialized.

        :raises DrsConfigError: the fields are invalid.
        """
        try:
            return super().from_dict(fields)
        except TypeError:
            raise DrsConfigError(
                f"comparisons: {quote(fields)} is invalid. Pass the XCom that DrsCompareDataOperator pushed."
            ) from None


class ComparisonTask(Value, frozen=True):
    """An entry in the list of a job's comparisons."""

    task_id: str
    kind: str
    status: str

    @property
    def is_done(self) -> bool:
        """Whether the comparison has finished or failed. Unknown statuses count as running."""
        return self.status in _DONE


class ComparisonResult(Value, frozen=True):
    """
    The results of a job's comparisons so far.

    :param statuses: the status of each comparison, by its kind.
    :param compared: the number of objects, tables or databases that have been compared.
    :param differences: the result rows that are not CONSISTENT, as DRS returned them, with their ``kind``.
    :param tasks: all comparisons of the job.
    """

    job_id: str
    statuses: Mapping[str, str]
    compared: int = 0
    differences: tuple[Mapping[str, Any], ...] = ()
    tasks: tuple[ComparisonTask, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether all comparisons have finished or failed."""
        return bool(self.statuses) and _DONE.issuperset(self.statuses.values())

    @property
    def is_consistent(self) -> bool:
        """
        Whether all comparisons were successful and found no difference. ``False`` if nothing was compared.
        """
        return set(self.statuses.values()) == {SUCCESSFUL} and self.compared > 0 and not self.differences

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values for an XCom, without the tasks."""
        fields = super().to_dict()
        del fields["tasks"]
        return fields | {"is_done": self.is_done, "is_consistent": self.is_consistent}


def build_comparison(job_id: str, spec: ComparisonSpec) -> Request:
    """Return the request that starts the comparisons of a job."""
    body: dict[str, Any] = {"job_id": job_id}
    if spec.objects:
        body["object_level_compare_type"] = "objects"
    if spec.data:
        tables = [
            {"db_name": database, **({"table_name": list(names)} if names else {})}
            for database, names in (spec.tables or {}).items()
        ]
        body["data_level_compare_info"] = {
            "conflict_policy": spec.conflict_policy,
            "compare_type": spec.data,
            "compare_mode": spec.compare_mode,
            "start_time": None if spec.start_time_ms is None else str(spec.start_time_ms),
            **({"compare_object_infos": tables} if tables else {}),
        }
    return build("CreateCompareTask", body, [job_id])


def parse_comparison(request: Request, document: Document, response: Response) -> Answers[Comparison]:
    """Return the IDs of the comparisons, or an error if DRS rejected one of them."""
    (job_id,) = request.job_ids
    body = request.body or {}
    parts = {}
    if "object_level_compare_type" in body:
        parts["objects"] = document.get("object_level_compare_create_result")
    if "data_level_compare_info" in body:
        kind = body["data_level_compare_info"]["compare_type"]
        parts[kind] = document.get("data_level_compare_create_result")
    error = row_error(document, request, response, job_id)
    task_ids: dict[str, str] = {}
    for kind, part in parts.items():
        if error:
            break
        if not isinstance(part, Mapping):
            raise DrsResponseError(f"the response has no result for the comparison of {kind}")
        error = row_error(part, request, response, job_id)
        task_ids[kind] = str(part.get("compare_task_id") or "")
    return {job_id: error or Comparison(job_id, task_ids)}


def build_comparison_result(job_id: str, task_ids: Mapping[str, str], page: int) -> Request:
    """Return the request for one page of the results of comparisons (drs_03_0137)."""
    ids = {_KINDS[kind][0]: task_id for kind, task_id in task_ids.items()}
    body = {"job_id": job_id, **ids, "current_page": page, "per_page": _PER_PAGE}
    return build("ListCompareResult", body, [job_id])


def parse_comparison_result(
    request: Request, document: Document, response: Response
) -> dict[str, tuple[ComparisonResult, bool] | DrsError]:
    """Return one page of the results of a job, and whether another page follows."""
    (job_id,) = request.job_ids
    error = row_error(document, request, response, job_id)
    if error:
        return {job_id: error}
    body = request.body or {}
    page = int(body.get("current_page", 1))
    tasks = _parse_tasks(document.get("compare_task_list_results"))
    status_by_id = {task.task_id: task.status for task in tasks}
    statuses, compared, differences, has_more = {}, 0, [], False
    for kind, (id_key, result_key) in _KINDS.items():
        if id_key in body:
            # A comparison that has not started yet is not in the list.
            statuses[kind] = status_by_id.get(str(body[id_key]), "WAITING_FOR_RUNNING")
            part = document.get(result_key)
            rows, different, total = _parse_part(kind, part if isinstance(part, Mapping) else {}, page)
            compared += rows
            differences += different
            has_more = has_more or total > page * _PER_PAGE
    result = ComparisonResult(job_id, statuses, compared, tuple(differences), tasks)
    return {job_id: (result, has_more)}


def _parse_tasks(value: object) -> tuple[ComparisonTask, ...]:
    rows = value.get("compare_task_list") if isinstance(value, Mapping) else None
    return tuple(
        ComparisonTask(
            str(row.get("compare_task_id") or ""),
            "objects" if row.get("compare_type") == _OBJECTS_WORD else str(row.get("compare_type") or ""),
            str(row.get("compare_task_status") or ""),
        )
        for row in _objects_in(rows)
    )


def _parse_part(kind: str, part: Mapping[str, Any], page: int) -> tuple[int, list[dict[str, Any]], int]:
    """
    Return the number of compared databases, the rows that differ, and the number of databases on all pages.
    """
    name = kind.removesuffix("s")
    rows = _objects_in(part.get(f"{name}_compare_overview"))
    count = part.get(f"{name}_compare_overview_count")
    total = count if isinstance(count, int) else len(rows)
    if kind == "objects" and page > 1:
        # The overview of objects has no pages: every page contains all of it.
        rows = []
    compared = len(rows)
    # The details of objects repeat the overview.
    for database in _objects_in(part.get(f"{name}_compare_details")) if kind != "objects" else ():
        # The table of the page and its example spell the key differently.
        keys = (f"{name}_compare_detail", f"{name.title()}CompareDetail")
        tables = next((database[key] for key in keys if key in database), None)
        rows += [{"source_db_name": database.get("source_db_name"), **row} for row in _objects_in(tables)]
    different = [row for row in rows if row.get(f"{name}_compare_result") != "CONSISTENT"]
    return compared, [_redact(kind, row) for row in different], total


def _redact(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    texts = {key: redact_text(value) for key, value in row.items() if isinstance(value, str)}
    return {"kind": kind, **row, **texts}


def _objects_in(rows: object) -> list[Mapping[str, Any]]:
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
