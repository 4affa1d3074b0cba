"""Comparisons of the data at both ends of a disaster recovery job: the order, and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError, DrsResponseError
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.redact import redact_text
from airflow_provider_drs.protocol.core.rows import row_error
from airflow_provider_drs.protocol.core.wire import Request, Response

#: The kinds of a comparison, with the field of a query that names the task of each, and that of its result.
KINDS = {
    "objects": ("object_level_compare_id", "object_level_compare_results"),
    "lines": ("line_compare_id", "line_compare_results"),
    "contents": ("content_compare_id", "content_compare_results"),
}
DATA_KINDS = ("lines", "contents")
CONFLICT_POLICIES = ("keep", "cancel")
#: What the list of comparisons calls a comparison of objects; the page has no list of these words.
_OBJECTS_WORD = "object_comparison"
_PER_PAGE = 100

SUCCESSFUL = "SUCCESSFUL"
CONSISTENT = "CONSISTENT"
_UNFINISHED = frozenset({"RUNNING", "WAITING_FOR_RUNNING", "FULL_DOING", "INCRE_DOING"})
_BROKEN = frozenset({"FAILED", "CANCELLED", "TIMEOUT_INTERRUPT"})


@dataclass(frozen=True, slots=True)
class Order:
    """
    What to compare (drs_03_0136).

    :param objects: compare which objects there are.
    :param data: ``lines`` counts rows, ``contents`` compares them, ``""`` leaves data alone.
    :param tables: the tables of each database, for ``data``; none for a database stands for all of its.
    :param compare_mode: ``quick_comparison`` needs no tables, and the service's permission.
    :param conflict_policy: what DRS does about a comparison of data that is not finished.
    :param start_time_ms: when to begin with ``data``, in epoch milliseconds; ``None`` for now. DRS compares
        objects at once.
    """

    objects: bool = True
    data: str = ""
    tables: Mapping[str, Sequence[str]] | None = None
    compare_mode: str | None = None
    conflict_policy: str = "keep"
    start_time_ms: int | None = None

    def __post_init__(self) -> None:
        """
        Refuse what makes no sense.

        :raises DrsConfigError: the text names the field.
        """
        if self.data and self.data not in DATA_KINDS:
            raise DrsConfigError(f"data: expected one of {', '.join(DATA_KINDS)}, not {self.data!r}.")
        if not self.objects and not self.data:
            raise DrsConfigError("objects, data: give at least one of them, or there is nothing to compare.")
        unread = ("tables", "compare_mode", "start_time_ms") if not self.data else ()
        if idle := [name.removesuffix("_ms") for name in unread if getattr(self, name) is not None]:
            raise DrsConfigError(f"{', '.join(idle)}: for a comparison of data only; say which, with data.")
        if self.conflict_policy not in CONFLICT_POLICIES:
            raise DrsConfigError(
                f"conflict_policy: expected one of {', '.join(CONFLICT_POLICIES)}, not "
                f"{self.conflict_policy!r}."
            )
        if self.data and not self.tables and self.compare_mode is None:
            raise DrsConfigError(
                "tables: a comparison of data needs the tables of each database, e.g. {'shop': ['orders']}; "
                "or compare_mode='quick_comparison' where the service allows it."
            )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of comparison that it takes."""
        return (("objects",) if self.objects else ()) + ((self.data,) if self.data else ())


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    The comparisons of one job.

    :param task_ids: id of the comparison by its kind: ``objects``, ``lines``, ``contents``.
    :param adopted: one that was running already is waited for instead.
    """

    job_id: str
    task_ids: Mapping[str, str]
    adopted: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for an XCom."""
        return {"job_id": self.job_id, "task_ids": dict(self.task_ids), "adopted": self.adopted}

    @staticmethod
    def from_dict(fields: Mapping[str, Any]) -> Comparison:
        """
        Return the comparison that :meth:`to_dict` described.

        :raises DrsConfigError: it describes none.
        """
        try:
            return Comparison(str(fields["job_id"]), dict(fields["task_ids"]), bool(fields.get("adopted")))
        except (KeyError, TypeError, ValueError):
            raise DrsConfigError(
                f"comparisons: {fields!r} is none; give what DrsCompareDataOperator has pushed."
            ) from None


@dataclass(frozen=True, slots=True)
class ComparisonTask:
    """A comparison in the list of those of a job."""

    task_id: str
    kind: str
    status: str

    @property
    def is_done(self) -> bool:
        """Whether it has ended, well or not; a word never seen before counts as not ended."""
        return self.status == SUCCESSFUL or self.status in _BROKEN


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """
    What the comparisons of a job have found so far.

    :param statuses: the service's word by kind of comparison.
    :param compared: how many objects, tables or databases there are results for.
    :param differences: each row of the results that is not CONSISTENT, as the service has it, with ``kind``.
    :param tasks: every comparison that the job has.
    """

    job_id: str
    statuses: Mapping[str, str]
    compared: int = 0
    differences: tuple[Mapping[str, Any], ...] = ()
    tasks: tuple[ComparisonTask, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether all of its comparisons have ended."""
        return bool(self.statuses) and all(
            word == SUCCESSFUL or word in _BROKEN for word in self.statuses.values()
        )

    @property
    def is_consistent(self) -> bool:
        """Whether all were done, and found no difference. Nothing compared is no consistency."""
        is_done = bool(self.statuses) and all(word == SUCCESSFUL for word in self.statuses.values())
        return is_done and self.compared > 0 and not self.differences

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for an XCom."""
        return {
            "job_id": self.job_id,
            "statuses": dict(self.statuses),
            "compared": self.compared,
            "is_done": self.is_done,
            "is_consistent": self.is_consistent,
            "differences": [dict(each) for each in self.differences],
        }

    def merge(self, other: ComparisonResult) -> ComparisonResult:
        """Return the two pages of one result together."""
        return replace(
            self,
            compared=self.compared + other.compared,
            differences=self.differences + other.differences,
        )


def build_comparison(job_id: str, order: Order) -> Request:
    """Return the request for the comparisons of a job."""
    body: dict[str, Any] = {"job_id": job_id}
    if order.objects:
        body["object_level_compare_type"] = "objects"
    if order.data:
        tables = order.tables or {}
        infos = [
            {"db_name": name, **({"table_name": list(chosen)} if chosen else {})}
            for name, chosen in tables.items()
        ]
        body["data_level_compare_info"] = {
            "conflict_policy": order.conflict_policy,
            "compare_type": order.data,
            "compare_mode": order.compare_mode,
            "start_time": None if order.start_time_ms is None else str(order.start_time_ms),
            **({"compare_object_infos": infos} if infos else {}),
        }
    return build("CreateCompareTask", body, [job_id])


def parse_comparison(
    request: Request, document: Mapping[str, Any], response: Response
) -> dict[str, Comparison | DrsError]:
    """Read the ids of the comparisons; one that was refused is the job's error."""
    (job_id,) = request.job_ids
    wanted = request.body or {}
    parts = {"objects": document.get("object_level_compare_create_result")}
    if "object_level_compare_type" not in wanted:
        parts = {}
    if "data_level_compare_info" in wanted:
        kind = wanted["data_level_compare_info"]["compare_type"]
        parts[kind] = document.get("data_level_compare_create_result")
    error = row_error(document, request, response, job_id)
    ids: dict[str, str] = {}
    for kind, part in parts.items():
        if error is None and not isinstance(part, Mapping):
            raise DrsResponseError(f"there is no result for the comparison of {kind}")
        if error is None and isinstance(part, Mapping):
            error = row_error(part, request, response, job_id)
            ids[kind] = str(part.get("compare_task_id") or "")
    return {job_id: error or Comparison(job_id, ids)}


def build_comparison_result(job_id: str, task_ids: Mapping[str, str], page: int) -> Request:
    """Return the request for one page of what comparisons have found (drs_03_0137)."""
    ids = {KINDS[kind][0]: task_id for kind, task_id in task_ids.items()}
    body = {"job_id": job_id, **ids, "current_page": page, "per_page": _PER_PAGE}
    return build("ListCompareResult", body, [job_id])


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page, and whether another one follows."""

    result: ComparisonResult
    has_more: bool


def parse_comparison_result(
    request: Request, document: Mapping[str, Any], response: Response
) -> dict[str, ResultPage | DrsError]:
    """Read one page of the results of one job."""
    (job_id,) = request.job_ids
    error = row_error(document, request, response, job_id)
    if error:
        return {job_id: error}
    body = request.body or {}
    page = int(body.get("current_page", 1))
    tasks = _parse_tasks(document.get("compare_task_list_results"))
    words = {task.task_id: task.status for task in tasks}
    statuses, compared, differences, has_more = {}, 0, [], False
    for kind, (id_key, result_key) in KINDS.items():
        if id_key not in body:
            continue
        part = document.get(result_key)
        found = part if isinstance(part, Mapping) else {}
        # A comparison that the list does not name has not begun yet.
        statuses[kind] = words.get(str(body[id_key]), "WAITING_FOR_RUNNING")
        overview, total = _overview(found, kind)
        # The overview of objects has no pages.
        if kind != "objects" or page == 1:
            compared += len(overview)
            differences += [_difference(kind, row) for row in overview if _is_different(kind, row)]
        differences += [_difference(kind, row) for row in _details(found, kind) if _is_different(kind, row)]
        has_more = has_more or total > page * _PER_PAGE
    result = ComparisonResult(job_id, statuses, compared, tuple(differences), tasks)
    return {job_id: ResultPage(result, has_more)}


def _parse_tasks(value: object) -> tuple[ComparisonTask, ...]:
    rows = value.get("compare_task_list") if isinstance(value, Mapping) else None
    return tuple(
        ComparisonTask(
            str(row.get("compare_task_id") or ""),
            "objects" if row.get("compare_type") == _OBJECTS_WORD else str(row.get("compare_type") or ""),
            str(row.get("compare_task_status") or ""),
        )
        for row in _mappings(rows)
    )


def _prefix(kind: str) -> str:
    return {"objects": "object", "lines": "line", "contents": "content"}[kind]


def _overview(found: Mapping[str, Any], kind: str) -> tuple[list[Mapping[str, Any]], int]:
    rows = list(_mappings(found.get(f"{_prefix(kind)}_compare_overview")))
    total = found.get(f"{_prefix(kind)}_compare_overview_count")
    return rows, total if isinstance(total, int) else len(rows)


def _details(found: Mapping[str, Any], kind: str) -> Iterable[Mapping[str, Any]]:
    """Return the rows about single tables; those about objects repeat what the overview says."""
    if kind == "objects":
        return
    for database in _mappings(found.get(f"{_prefix(kind)}_compare_details")):
        # The page's table spells the key in another way than its example does.
        keys = (f"{_prefix(kind)}_compare_detail", f"{_prefix(kind).title()}CompareDetail")
        for row in _mappings(next((database[key] for key in keys if key in database), None)):
            yield {"source_db_name": database.get("source_db_name"), **row}


def _is_different(kind: str, row: Mapping[str, Any]) -> bool:
    return row.get(f"{_prefix(kind)}_compare_result") != CONSISTENT


def _difference(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": kind,
        **{key: redact_text(value) if isinstance(value, str) else value for key, value in row.items()},
    }


def _mappings(rows: object) -> Iterable[Mapping[str, Any]]:
    return (row for row in rows if isinstance(row, Mapping)) if isinstance(rows, list) else ()
