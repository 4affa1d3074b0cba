"""What can be set for a job before it starts, from the words that people write to those of the wire."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_drs.protocol.core.errors import DrsConfigError

CONFLICT_POLICIES = ("ignore", "overwrite", "stop")
FILTER_DDL_POLICIES = ("drop_database",)
_MOST_WINDOWS = 3
_BEGIN = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z")
_END = re.compile(r"([01][0-9]|2[0-3]):59\Z")
_SPEEDS = range(1, 10_000)
#: Between database and table in the id of an object (drs_03_0109).
_JOINT = "-*-*-"


def read_objects(objects: object) -> list[dict[str, Any]]:
    """
    Return the rows for the objects to replicate (drs_03_0109).

    :param objects: names, as ``"shop"`` for a whole database and ``"shop.orders"`` for a table; or a mapping
        from such names to the names on the destination, ``None`` for the same; or whole rows as the service
        has them, for views, schemas, and names with a dot.
    :raises DrsConfigError: it is none of these, or names nothing.
    """
    if isinstance(objects, str):
        objects = [objects]
    if isinstance(objects, Mapping):
        named: list[tuple[object, object]] = list(objects.items())
    elif isinstance(objects, Iterable):
        named = [(each, None) for each in objects]
    else:
        named = []
    rows: dict[str, dict[str, Any]] = {}
    for name, alias in named:
        if isinstance(name, Mapping) and isinstance(name.get("id"), str):
            rows[name["id"]] = dict(name)
        elif isinstance(name, str) and name and name.strip(". ") == name and isinstance(alias, str | None):
            _add_object(rows, name, alias)
        else:
            raise DrsConfigError(
                f"objects: {name!r} is neither a name like 'shop' or 'shop.orders' nor a row with an 'id'."
            )
    if not rows:
        raise DrsConfigError(
            "objects: there is none; give at least one, or leave objects out for everything."
        )
    return list(rows.values())


def _add_object(rows: dict[str, dict[str, Any]], name: str, alias: str | None) -> None:
    database, _, table = name.partition(".")
    whole = {
        "id": database,
        "parent_id": None,
        "object_name": database,
        "object_type": "database",
        "object_alias_name": None,
    }
    if not table:
        rows[database] = {**whole, "select": "true", "object_alias_name": alias}
        return
    rows.setdefault(database, {**whole, "select": "partial"})
    rows[f"{database}{_JOINT}{table}"] = {
        "id": f"{database}{_JOINT}{table}",
        "parent_id": database,
        "object_name": table,
        "object_type": "table",
        "select": "true",
        "object_alias_name": alias,
    }


def read_windows(windows: Any) -> list[dict[str, Any]]:
    """
    Return the rows of a flow control (drs_03_0130).

    :param windows: up to three, each with ``begin`` (``"08:00"``), ``end`` (``"17:59"``) and ``speed`` in
        MB/s, in UTC; none of them lifts the limit.
    :raises DrsConfigError: one of them makes no sense, or two overlap.
    """
    is_list = isinstance(windows, Sequence) and not isinstance(windows, str)
    if not is_list or len(windows) > _MOST_WINDOWS:
        raise DrsConfigError(f"windows: expected a list of at most {_MOST_WINDOWS}, not {windows!r}.")
    taken: set[int] = set()
    rows = []
    for window in windows:
        begin, end, speed = _read_window(window)
        hours = _hours(int(begin[:2]), int(end[:2]))
        if not taken.isdisjoint(hours):
            raise DrsConfigError(f"windows: {begin} to {end} overlaps another one.")
        taken |= hours
        rows.append({"begin": begin, "end": end, "speed": str(speed), "is_utc": True})
    return rows


def _read_window(window: object) -> tuple[str, str, int]:
    if isinstance(window, Mapping) and set(window) == {"begin", "end", "speed"}:
        begin, end, speed = str(window["begin"]), str(window["end"]), str(window["speed"])
        is_span = _BEGIN.match(begin) and _END.match(end) and begin != end
        if is_span and speed.isdigit() and int(speed) in _SPEEDS:
            return begin, end, int(speed)
    raise DrsConfigError(
        f"windows: {window!r} is none; one has begin ('08:00'), another end (':59', as in '17:59') and "
        f"speed ({_SPEEDS.start} to {_SPEEDS.stop - 1} MB/s), in UTC."
    )


def _hours(first: int, last: int) -> set[int]:
    """Return the hours from one to another; the service ignores the minutes of the beginning."""
    return {hour % 24 for hour in range(first, last + 1 if last >= first else last + 25)}


def read_policies(policies: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the policies of a synchronization that are given (drs_03_0149).

    :raises DrsConfigError: none is given, or one has a value that it cannot have.
    """
    given = {name: value for name, value in policies.items() if value is not None}
    if not given:
        raise DrsConfigError(f"give at least one of {', '.join(policies)}.")
    choices = {"conflict_policy": CONFLICT_POLICIES, "filter_ddl_policy": FILTER_DDL_POLICIES}
    for name, value in given.items():
        if name in choices and value not in choices[name]:
            raise DrsConfigError(f"{name}: expected one of {', '.join(choices[name])}, not {value!r}.")
    return given


#: How long the condition of a rule can be, and how many tables a call can name (drs_api_0103).
_LONGEST_CONDITION = 256
_MOST_TABLES = 10_000
#: What a rule of data processing by configuration names (drs_api_0103). ``indexs`` is the service's spelling.
_CONFIG_KEYS = ("db_name", "table_name", "col_names", "prim_key_or_index", "indexs", "values")


def read_transformations(rules: object) -> list[dict[str, Any]]:
    """
    Return the rows of rules of data processing, one for each.

    :param rules: a list of what :func:`read_transformation` takes.
    :raises DrsConfigError: there is none, one makes no sense, or a table has more than one: the service would
        refuse the second as one that exists already.
    """
    if isinstance(rules, Mapping | str) or not isinstance(rules, Iterable) or not rules:
        raise DrsConfigError("rules: give a list of at least one rule.")
    rows = [read_transformation(rule) for rule in rules]
    seen: set[str] = set()
    for row in rows:
        names = {table["id"].replace(_JOINT, ".") for table in row["object_info"]}
        names |= {row["config_transformation"]["db_table_name"]} if "config_transformation" in row else set()
        if twice := sorted(seen & names):
            raise DrsConfigError(f"rules: {twice[0]} is in more than one; a table can have one rule.")
        seen |= names
    return rows


def read_transformation(rule: object) -> dict[str, Any]:
    """
    Return the row of a rule of data processing (drs_api_0103).

    :param rule: ``tables`` (names like ``"shop.orders"``) and ``where``, an SQL condition that the rows to be
        replicated meet; or ``config``, an object of ``db_name``, ``table_name``, ``col_names``,
        ``prim_key_or_index``, ``indexs`` and ``values``.
    :raises DrsConfigError: it is neither.
    """
    if isinstance(rule, Mapping) and set(rule) == {"tables", "where"}:
        tables, condition = _listed(rule["tables"]), str(rule["where"])
        if not 0 < len(tables) <= _MOST_TABLES:
            raise DrsConfigError(f"rules: a rule has 1 to {_MOST_TABLES} tables, and not {len(tables)}.")
        if not 0 < len(condition) <= _LONGEST_CONDITION:
            raise DrsConfigError(
                f"rules: where has 1 to {_LONGEST_CONDITION} characters, and not {len(condition)}."
            )
        return {
            "object_info": [{"id": _table_id(name), "select": "true"} for name in tables],
            "transformation_info": {"transformation_type": "contentConditionalFilter", "value": condition},
        }
    config = rule.get("config") if isinstance(rule, Mapping) else None
    if isinstance(config, Mapping) and set(config) >= set(_CONFIG_KEYS):
        table = {"db_table_name": f"{config['db_name']}.{config['table_name']}"}
        return {
            "object_info": [],
            "transformation_info": {
                "transformation_type": "configConditionalFilter",
                "value": "config",
            },
            "config_transformation": {**table, **config},
        }
    raise DrsConfigError(
        f"rules: {rule!r} is none; a rule has tables and where, or config with {', '.join(_CONFIG_KEYS)}."
    )


def _listed(names: object) -> list[str]:
    if isinstance(names, str):
        return [names]
    return [str(name) for name in names] if isinstance(names, Iterable) else []


def _table_id(name: str) -> str:
    database, _, table = name.partition(".")
    if not database or not table:
        raise DrsConfigError(f"rules: {name!r} is no table; give database and table, as in 'shop.orders'.")
    return f"{database}{_JOINT}{table}"


#: What a modification can change (drs_03_0107), beside the two endpoints.
CHANGES = (
    "name",
    "description",
    "alarm_notify",
    "task_type",
    "is_recreate",
    "is_target_readonly",
    "replace_definer",
    "store_db_info",
    "tags",
    "node_type",
)


def read_changes(changes: object) -> dict[str, Any]:
    """
    Return the changes of a modification, as the service has them.

    :raises DrsConfigError: it is no mapping, or names what cannot be changed.
    """
    if not isinstance(changes, Mapping):
        raise DrsConfigError(f"changes: expected a mapping, not {type(changes).__name__}.")
    unknown = [str(name) for name in changes if name not in CHANGES]
    if unknown:
        raise DrsConfigError(f"changes: {', '.join(unknown)} cannot be changed; {', '.join(CHANGES)} can.")
    return dict(changes)
