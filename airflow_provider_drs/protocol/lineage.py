"""
The databases of a job as datasets, and its pre-check, or a comparison, as what was asserted of them.

The names are those of OpenLineage (https://openlineage.io/docs/spec/naming), which has none for MongoDB: it
is called like the others here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_drs.protocol.comparisons.messages import SUCCESSFUL, ComparisonResult
from airflow_provider_drs.protocol.jobs.messages import JobDetails
from airflow_provider_drs.protocol.prechecks.checks import explain
from airflow_provider_drs.protocol.prechecks.messages import ALARM_WORD, CheckItem
from airflow_provider_drs.protocol.prechecks.report import JobReport, summarise
from airflow_provider_drs.protocol.prechecks.verdict import Verdict

#: The whole server: the service does not tell which of its databases a job has.
EVERYTHING = "*"

#: The scheme of each database. Taurus is GaussDB for MySQL, which speaks MySQL.
_SCHEMES = {"mysql": "mysql", "taurus": "mysql", "postgresql": "postgres", "mongodb": "mongodb"}
#: Database, schema, table.
_DEEPEST = 3
_SOURCE, _TARGET = ENDS = ("source", "target")
#: How the names of items begin that look at one end only.
_ENDS_OF_ITEMS = {"src": (_SOURCE,), "dst": (_TARGET,)}


@dataclass(frozen=True, slots=True)
class Dataset:
    """Something that has data: where, and its name there."""

    namespace: str
    name: str = EVERYTHING


@dataclass(frozen=True, slots=True)
class Assertion:
    """
    What a pre-check, or a comparison, says of a dataset.

    :param assertion: the check item; ``drs_precheck`` for the verdict of them all; ``drs_comparison``, and
        the same with a kind for a single difference.
    :param name: the same with the job's name.
    :param severity: ``warn`` for what does not keep a job from its start, else ``error``.
    """

    assertion: str
    success: bool
    name: str
    severity: str
    description: str


def find_server(job: JobDetails, end: str) -> str | None:
    """
    Return the namespace of one end of a job, e.g. ``mysql://192.0.2.10:3306``; ``None`` if it is not known.

    :param end: ``source`` or ``target``.
    """
    endpoint = job.endpoint(end)
    scheme = _SCHEMES.get(str(endpoint.get("db_type")))
    # An instance of the cloud may have no address yet, and always has an id.
    host = str(endpoint.get("ip") or endpoint.get("inst_id") or "").strip()
    if not scheme or not host or not set("@/?# ").isdisjoint(host):
        return None
    # The addresses of MongoDB have their ports.
    port = "" if ":" in host else f":{endpoint['db_port']}" if endpoint.get("db_port") else ""
    return f"{scheme}://{host}{port}"


def find_objects(job: JobDetails, rows: Sequence[Mapping[str, Any]] = ()) -> dict[str, list[Dataset]]:
    """
    Return the datasets at both ends of a job; an end that is not known has none.

    :param rows: the objects that the job replicates, as the service takes them; without any it is the whole
        server.
    """
    names = {
        _SOURCE: _name_objects(rows, "object_name"),
        _TARGET: _name_objects(rows, "object_alias_name"),
    }
    found: dict[str, list[Dataset]] = {}
    for end in ENDS:
        server = find_server(job, end)
        found[end] = [Dataset(server, name) for name in names[end] or [EVERYTHING]] if server else []
    return found


def _name_objects(rows: Sequence[Mapping[str, Any]], field: str) -> list[str]:
    by_id = {row.get("id"): row for row in rows}
    names = []
    for row in rows:
        # What is selected in part is there only as what its tables belong to.
        if row.get("select") == "true":
            path: list[str] = []
            part: Mapping[str, Any] | None = row
            while part is not None and len(path) < _DEEPEST:
                path.insert(0, str(part.get(field) or part.get("object_name") or part.get("id")))
                part = by_id.get(part.get("parent_id"))
            # A whole database stands for its tables, whatever they are.
            names.append(".".join(path if len(path) > 1 else [*path, EVERYTHING]))
    return names


def assert_precheck(job: JobDetails, report: JobReport) -> dict[str, list[Assertion]]:
    """Return what the pre-check of a job says of its databases: of each end its items, and the verdict."""
    items = report.result.items if report.result else ()
    verdict = Assertion(
        assertion="drs_precheck",
        success=report.verdict is Verdict.PASSED,
        name=f"{job.name}: drs_precheck",
        severity="error",
        description=summarise([report]),
    )
    found = {end: [verdict] for end in ENDS}
    for item in items:
        for end in _ENDS_OF_ITEMS.get(item.item[:3], ENDS):
            found[end].append(_assert_item(job, item))
    return found


def _assert_item(job: JobDetails, item: CheckItem) -> Assertion:
    return Assertion(
        assertion=item.item,
        success=False,
        name=f"{job.name}: {item.item}",
        severity="warn" if item.result == ALARM_WORD else "error",
        description=explain(item.item).problem,
    )


def assert_comparison(job: JobDetails, result: ComparisonResult) -> dict[Dataset, list[Assertion]]:
    """Return what a comparison says of both ends of a job: of each the verdict, and what differs where."""
    said = [f"{result.compared} compared, {len(result.differences)} differences"]
    said += [f"{kind} {word}" for kind, word in result.statuses.items() if word != SUCCESSFUL]
    verdict = Assertion(
        assertion="drs_comparison",
        success=result.is_consistent,
        name=f"{job.name}: drs_comparison",
        severity="error",
        description=", ".join(said),
    )
    found: dict[Dataset, list[Assertion]] = {}
    for end, server in _find_servers(job).items():
        found[Dataset(server)] = [verdict]
        for row in result.differences:
            place = Dataset(server, _name_place(row, end))
            found.setdefault(place, []).append(_assert_difference(job, row))
    return found


def count_rows(job: JobDetails, result: ComparisonResult) -> dict[Dataset, int]:
    """Return how many rows each table has, of those that differ: a comparison names no others."""
    return {
        Dataset(server, _name_place(row, end)): row[f"{end}_row_num"]
        for end, server in _find_servers(job).items()
        for row in result.differences
        if isinstance(row.get(f"{end}_row_num"), int)
    }


def _find_servers(job: JobDetails) -> dict[str, str]:
    found = {end: find_server(job, end) for end in ENDS}
    return {end: server for end, server in found.items() if server}


def _name_place(row: Mapping[str, Any], end: str) -> str:
    """Return what a row of a comparison is about: a table, a database, or all that a server has."""
    database, table = (
        row.get(f"{end}_{what}_name") or row.get(f"{_SOURCE}_{what}_name") for what in ("db", "table")
    )
    return f"{database}.{table or EVERYTHING}" if database else EVERYTHING


def _assert_difference(job: JobDetails, row: Mapping[str, Any]) -> Assertion:
    kind = f"drs_comparison_{row['kind']}"
    words = [str(value) for name, value in row.items() if name.endswith(("_compare_result", "object_type"))]
    return Assertion(
        assertion=kind,
        success=False,
        name=f"{job.name}: {kind}",
        severity="error",
        description=" ".join(words),
    )
