"""The details of a job that a test or a world file can set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drs_emulator.world.timeline import FAILURES

END_POINTS = frozenset({"so", "ta"})
_LARGEST_CLUSTER = 32

#: The fields of an endpoint that the details of a job contain, which have no secrets.
ENDPOINT = (
    "db_type",
    "az_code",
    "region",
    "inst_id",
    "vpc_id",
    "subnet_id",
    "security_group_id",
    "project_id",
    "db_user",
    "db_port",
    "inst_name",
    "ip",
    "mongo_ha_mode",
    "ssl_cert_check_sum",
    "ssl_cert_name",
    "ssl_link",
    "cluster_mode",
)

#: Every detail with its type.
DETAILS: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "description": str,
    "engine_type": str,
    "db_use_type": str,
    "task_type": str,
    "net_type": str,
    "job_direction": str,
    "multi_write": bool,
    "parent_id": (str, type(None)),
    "is_tested": (list, tuple, set),
    "has_endpoints": bool,
    "echo_secrets": bool,
    "ends": dict,
    "tags": list,
    "enterprise_project_id": str,
    "shows_selection": bool,
    "unreachable": (list, tuple, set),
    "fails_in": (list, tuple, set),
    "delay": (list, tuple),
    "differences": (list, tuple),
    "databases": dict,
    "switch_fails": bool,
    "node_num": int,
    "passwords": dict,
}


def check_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the checked details of a job.

    :raises ValueError: a name is unknown, or a value has the wrong type.
    """
    checked: dict[str, Any] = dict(details)
    for name, value in details.items():
        if name not in DETAILS:
            raise ValueError(f"unknown detail {name!r}; expected one of {', '.join(DETAILS)}")
        if not isinstance(value, DETAILS[name]) or (isinstance(value, bool) and DETAILS[name] is int):
            raise ValueError(f"{name} has the wrong type: {_show(name, value)}")
        if name in _CHECKS:
            checked[name] = _CHECKS[name](name, value)
    return checked


def _show(name: str, value: object) -> str:
    # Errors about passwords must not contain them.
    return f"a {type(value).__name__}" if name == "passwords" else repr(value)


def _check_ends(name: str, value: Any) -> set[str]:
    return _check_words(name, value, END_POINTS)


def _check_failures(name: str, value: Any) -> set[str]:
    return _check_words(name, value, frozenset(FAILURES))


def _check_words(name: str, value: Any, known: frozenset[str]) -> set[str]:
    if not _are_strings(value) or not set(value) <= known:
        raise ValueError(f"{name} must contain only {', '.join(sorted(known))}, not {value!r}")
    return set(value)


def _check_delay(name: str, value: Any) -> list[tuple[float, float]]:
    steps = [step for step in value if isinstance(step, list | tuple) and len(step) == 2]
    if len(steps) != len(value) or not all(_is_span(seconds) for step in steps for seconds in step):
        raise ValueError(f"{name} must be a list of [seconds, lag in seconds], not {value!r}")
    if steps != sorted(steps, key=lambda step: step[0]) or (steps and steps[0][0] != 0):
        raise ValueError(f"{name} must start at 0 and be sorted by time, not {value!r}")
    return [(float(at_s), float(delay_s)) for at_s, delay_s in steps]


def _check_differences(name: str, value: Any) -> tuple[str, ...]:
    if not _are_strings(value) or not all("." in table for table in value):
        raise ValueError(f"{name} must contain tables as 'database.table', not {value!r}")
    return tuple(value)


def _check_databases(name: str, value: Any) -> dict[str, dict[str, int]]:
    for tables in value.values():
        if not isinstance(tables, dict) or not all(
            type(rows) is int and rows >= 0 for rows in tables.values()
        ):
            raise ValueError(f"{name} must map databases to tables to row counts, not {value!r}")
    return {database: dict(tables) for database, tables in value.items()}


def _check_nodes(name: str, value: Any) -> int:
    if not 0 <= value <= _LARGEST_CLUSTER:
        raise ValueError(f"{name} must be from 0 to {_LARGEST_CLUSTER}, not {value!r}")
    return int(value)


def _check_endpoints(name: str, value: Any) -> dict[str, dict[str, Any]]:
    if not set(value) <= {"source", "target"} or not all(isinstance(end, dict) for end in value.values()):
        raise ValueError(f"{name} must map source and target to their fields, not {value!r}")
    for end in value.values():
        if unknown := set(end).difference(ENDPOINT):
            raise ValueError(f"unknown field {min(unknown)!r} of {name}; expected {', '.join(ENDPOINT)}")
    return {end: dict(value.get(end, {})) for end in ("source", "target")}


def _check_passwords(name: str, value: Any) -> dict[str, str]:
    if not set(value) <= END_POINTS or not _are_strings(value.values()):
        raise ValueError(f"{name} must map 'so' and 'ta' to strings")
    return dict(value)


def _are_strings(values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _is_span(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


_CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    "is_tested": _check_ends,
    "unreachable": _check_ends,
    "fails_in": _check_failures,
    "delay": _check_delay,
    "differences": _check_differences,
    "databases": _check_databases,
    "node_num": _check_nodes,
    "passwords": _check_passwords,
    "ends": _check_endpoints,
}
