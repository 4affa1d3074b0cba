"""Comparisons of source and destination data: progress and results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Seconds until a queued comparison starts, and until it ends.
QUEUE_S = 3.0
COMPARISON_S = 10.0
#: The name of an object comparison in the list of comparisons.
_OBJECTS = "object_comparison"


@dataclass
class Comparison:
    """
    One comparison of a job.

    :param kind: ``objects``, ``lines`` or ``contents``.
    :param tables: the tables of each database; an empty list means all tables of a database.
    :param begin_s: when it starts to run.
    """

    id: str
    kind: str
    created_s: float
    begin_s: float
    end_s: float
    tables: Mapping[str, Sequence[str]]
    is_cancelled: bool = False
    reads: int = 0

    def status(self, now_s: float) -> str:
        """Return its status in the service's terms."""
        if self.is_cancelled:
            return "CANCELLED"
        if now_s < self.begin_s:
            return "WAITING_FOR_RUNNING"
        return "RUNNING" if now_s < self.end_s else "SUCCESSFUL"

    def count_read(self, now_s: float, pace: str | int) -> None:
        """Count a read, which makes it progress if the pace is a number."""
        if not isinstance(pace, int):
            return
        self.reads += 1
        if self.reads % pace == 0 and self.is_unfinished(now_s):
            lead_s = (self.begin_s if now_s < self.begin_s else self.end_s) - now_s
            self.begin_s, self.end_s = min(self.begin_s, now_s), self.end_s - lead_s

    def is_unfinished(self, now_s: float) -> bool:
        """Return whether it has not ended."""
        return self.status(now_s) in ("WAITING_FOR_RUNNING", "RUNNING")

    def to_row(self, now_s: float) -> dict[str, Any]:
        """Return its row in the list of comparisons."""
        row = {
            "compare_task_id": self.id,
            "compare_type": _OBJECTS if self.kind == "objects" else self.kind,
            "compare_task_status": self.status(now_s),
            "create_time": str(int(self.created_s * 1000)),
        }
        end = {"end_time": str(int(self.end_s * 1000))}
        return row | ({} if self.is_unfinished(now_s) else end)


def show_objects(
    comparison: Comparison, databases: Mapping[str, Mapping[str, int]], differences: Iterable[str]
) -> dict[str, Any]:
    """Return the result of an object comparison: tables that differ are missing at the destination."""
    different = set(differences)
    tables = [(database, table) for database, found in databases.items() for table in found]
    missing = [pair for pair in tables if ".".join(pair) in different]
    overview = [
        _count("DB", len(databases), len(databases)),
        _count("TABLE", len(tables), len(tables) - len(missing)),
    ]
    details = {
        "DB": [_pair(database, database, database) for database in databases],
        "TABLE": [_pair(pair[0], pair[1], "" if pair in missing else pair[1]) for pair in tables],
    }
    return {
        "compare_task_id": comparison.id,
        "object_compare_overview": overview,
        "object_compare_details": details,
    }


def _count(kind: str, source: int, target: int) -> dict[str, Any]:
    return {
        "object_type": kind,
        "object_compare_result": "CONSISTENT" if source == target else "INCONSISTENT",
        "source_count": source,
        "target_count": target,
        "diff_count": source - target,
    }


def _pair(database: str, source: str, target: str) -> dict[str, Any]:
    return {
        "source_db_name": database,
        "target_db_name": database,
        "source_db_value": source,
        "target_db_value": target,
    }


def show_data(
    comparison: Comparison,
    databases: Mapping[str, Mapping[str, int]],
    differences: Iterable[str],
    page: Sequence[int],
) -> dict[str, Any]:
    """
    Return a page of the result of a row or content comparison: a table that differs lacks one row.

    :param page: the page number and the number of databases per page.
    """
    prefix = "line" if comparison.kind == "lines" else "content"
    number, size = page
    names = list(comparison.tables or databases)
    shown = names[(number - 1) * size : number * size]
    different = set(differences)
    overview, details = [], []
    for database in shown:
        tables = comparison.tables.get(database) or list(databases.get(database, {}))
        rows = [_table(prefix, database, table, databases, different) for table in tables]
        is_same = all(row[f"{prefix}_compare_result"] == "CONSISTENT" for row in rows)
        overview.append(
            {
                "source_db_name": database,
                "target_db_name": database,
                f"{prefix}_compare_result": "CONSISTENT" if is_same else "INCONSISTENT",
            }
        )
        details.append(_detail(prefix, database, rows))
    return {
        "compare_task_id": comparison.id,
        f"{prefix}_compare_overview": overview,
        f"{prefix}_compare_overview_count": len(names),
        f"{prefix}_compare_details": details,
    }


def _table(
    prefix: str, database: str, table: str, databases: Mapping[str, Mapping[str, int]], different: set[str]
) -> dict[str, Any]:
    rows = databases.get(database, {}).get(table)
    if rows is None:
        # The spelling of the documented API.
        result, source, target = "TARGET_DB_NOT_EXIT", 0, 0
    else:
        is_different = f"{database}.{table}" in different
        source, target = rows, rows - is_different
        result = "INCONSISTENT" if is_different else "CONSISTENT"
    row = {
        "source_table_name": table,
        "target_table_name": table,
        "source_row_num": source,
        "target_row_num": target,
        "diff_row_num": source - target,
        "line_compare_result": result,
    }
    if prefix == "content":
        row |= {"source_db_name": database, "target_db_name": database, "content_compare_result": result}
    return row


def _detail(prefix: str, database: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "source_db_name": database,
        f"{prefix}_compare_detail": rows,
        f"{prefix}_compare_detail_count": len(rows),
    }
