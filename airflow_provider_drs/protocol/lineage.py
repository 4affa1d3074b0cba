"""
The databases of a job as datasets, and the results of its pre-check or comparison as assertions on them.

The names follow the OpenLineage specification (https://openlineage.io/docs/spec/naming). It has no names for
MongoDB, whose names are formed like those of the other databases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_drs.protocol.comparisons.messages import SUCCESSFUL, ComparisonResult
from airflow_provider_drs.protocol.jobs.messages import JobDetails
from airflow_provider_drs.protocol.prechecks.checks import explain
from airflow_provider_drs.protocol.prechecks.messages import ALARM_WORD
from airflow_provider_drs.protocol.prechecks.report import JobReport, summarize
from airflow_provider_drs.protocol.prechecks.verdict import Verdict

#: The whole server, because DRS does not return which databases a job replicates.
EVERYTHING = "*"

#: The scheme of each database. Taurus is GaussDB for MySQL, which is compatible with MySQL.
_SCHEMES = {"mysql": "mysql", "taurus": "mysql", "postgresql": "postgres", "mongodb": "mongodb"}
#: Database, schema, table.
_MAX_DEPTH = 3
_SOURCE, _TARGET = ENDS = ("source", "target")
#: Prefixes of the check items that concern only one end.
_ENDS_BY_PREFIX = {"src": (_SOURCE,), "dst": (_TARGET,)}


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset: its namespace, and its name in the namespace."""

    namespace: str
    name: str = EVERYTHING


@dataclass(frozen=True, slots=True)
class Assertion:
    """
    An assertion of a pre-check or a comparison on a dataset.

    :param assertion: the check item, or ``drs_precheck`` for the verdict; ``drs_comparison`` for the result
        of a comparison, or ``drs_comparison_`` and its kind for a difference.
    :param name: the same, preceded by the job's name.
    :param severity: ``warn`` for an alarm, otherwise ``error``.
    """

    assertion: str
    success: bool
    name: str
    severity: str
    description: str


def _assert(
    job: JobDetails, assertion: str, description: str, *, success: bool, warn: bool = False
) -> Assertion:
    severity = "warn" if warn else "error"
    return Assertion(assertion, success, f"{job.name}: {assertion}", severity, description)


def find_server(job: JobDetails, end: str) -> str | None:
    """Return the namespace of an end, such as ``mysql://192.0.2.10:3306``; ``None`` if it is unknown."""
    endpoint = job.endpoint(end)
    scheme = _SCHEMES.get(str(endpoint.get("db_type")))
    # A cloud instance may not have an address yet, but always has an ID.
    host = str(endpoint.get("ip") or endpoint.get("inst_id") or "").strip()
    if not scheme or not host or not set("@/?# ").isdisjoint(host):
        return None
    port = endpoint.get("db_port")
    # MongoDB has several addresses, of which some include their port.
    return f"{scheme}://{','.join(_join(address, port) for address in host.split(','))}"


def _join(address: str, port: object) -> str:
    """Return an address with its port; that of IPv6 is in brackets."""
    if address.count(":") > 1 and not address.startswith("["):
        address = f"[{address}]"
    has_port = ":" in address.rpartition("]")[2]
    return f"{address}:{port}" if port and not has_port else address


def _find_servers(job: JobDetails) -> dict[str, str]:
    return {end: server for end in ENDS if (server := find_server(job, end))}


def find_objects(job: JobDetails, rows: Sequence[Mapping[str, Any]] = ()) -> dict[str, list[Dataset]]:
    """
    Return the datasets at both ends of a job; none for an unknown end.

    :param rows: the rows of the objects that the job replicates; without them, the dataset is the whole
        server.
    """
    servers, keys = _find_servers(job), {_SOURCE: "object_name", _TARGET: "object_alias_name"}
    return {
        end: [Dataset(servers[end], name) for name in _name_objects(rows, key) or [EVERYTHING]]
        if end in servers
        else []
        for end, key in keys.items()
    }


def _name_objects(rows: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    by_id = {row.get("id"): row for row in rows}
    names = []
    for row in rows:
        # Partially selected objects only contain the selected ones.
        if row.get("select") == "true":
            path: list[str] = []
            parent: Mapping[str, Any] | None = row
            while parent is not None and len(path) < _MAX_DEPTH:
                path.insert(0, str(parent.get(key) or parent.get("object_name") or parent.get("id")))
                parent = by_id.get(parent.get("parent_id"))
            names.append(".".join(path if len(path) > 1 else [*path, EVERYTHING]))
    return names


def assert_precheck(job: JobDetails, report: JobReport) -> dict[str, list[Assertion]]:
    """Return the assertions of a pre-check for each end: the verdict, and the items that did not pass."""
    is_passed = report.verdict is Verdict.PASSED
    verdict = _assert(job, "drs_precheck", summarize([report]), success=is_passed)
    assertions = {end: [verdict] for end in ENDS}
    for item in report.result.items if report.result else ():
        is_alarm = item.result == ALARM_WORD
        assertion = _assert(job, item.item, explain(item.item).problem, success=False, warn=is_alarm)
        for end in _ENDS_BY_PREFIX.get(item.item[:3], ENDS):
            assertions[end].append(assertion)
    return assertions


def assert_comparison(job: JobDetails, result: ComparisonResult) -> dict[Dataset, list[Assertion]]:
    """
    Return the assertions of a comparison: the result for each server, and the differences of each dataset.
    """
    parts = [f"{result.compared} compared, {len(result.differences)} differences"]
    parts += [f"{kind} {status}" for kind, status in result.statuses.items() if status != SUCCESSFUL]
    summary = _assert(job, "drs_comparison", ", ".join(parts), success=result.is_consistent)
    assertions: dict[Dataset, list[Assertion]] = {}
    for end, server in _find_servers(job).items():
        assertions[Dataset(server)] = [summary]
        for row in result.differences:
            assertions.setdefault(_find_dataset(server, row, end), []).append(_assert_difference(job, row))
    return assertions


def count_rows(job: JobDetails, result: ComparisonResult) -> dict[Dataset, int]:
    """
    Return the number of rows of each table that differs. A comparison does not return those of other tables.
    """
    return {
        _find_dataset(server, row, end): row[f"{end}_row_num"]
        for end, server in _find_servers(job).items()
        for row in result.differences
        if isinstance(row.get(f"{end}_row_num"), int)
    }


def _find_dataset(server: str, row: Mapping[str, Any], end: str) -> Dataset:
    """Return the table, database or server that a row of a comparison is about."""
    database, table = (
        row.get(f"{end}_{level}_name") or row.get(f"{_SOURCE}_{level}_name") for level in ("db", "table")
    )
    return Dataset(server, f"{database}.{table or EVERYTHING}" if database else EVERYTHING)


def _assert_difference(job: JobDetails, row: Mapping[str, Any]) -> Assertion:
    words = [str(value) for name, value in row.items() if name.endswith(("_compare_result", "object_type"))]
    return _assert(job, f"drs_comparison_{row['kind']}", " ".join(words), success=False)
