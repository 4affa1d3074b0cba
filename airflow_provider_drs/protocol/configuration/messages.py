"""The settings of a job before it starts: arguments checked and converted to the fields of requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_drs.protocol.core.errors import DrsConfigError, check_choice, quote
from airflow_provider_drs.protocol.core.literals import MISSING
from airflow_provider_drs.protocol.jobs.messages import JOB_NAME, JOB_NAME_RULE

_POLICY_CHOICES = {
    "conflict_policy": ("ignore", "overwrite", "stop"),
    "filter_ddl_policy": ("drop_database",),
}
_MAX_WINDOWS = 3
_BEGIN = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z")
_END = re.compile(r"([01][0-9]|2[0-3]):59\Z")
_SPEEDS = range(1, 10_000)
#: Between database and table in the ID of an object (drs_03_0109).
_SEPARATOR = "-*-*-"
#: The limits of a rule (drs_api_0103).
_MAX_CONDITION_LENGTH = 256
_MAX_TABLES = 10_000
#: The fields of a rule with a config (drs_api_0103). DRS spells it ``indexs``.
_CONFIG_KEYS = ("db_name", "table_name", "col_names", "prim_key_or_index", "indexs", "values")
#: What can be modified in addition to the endpoints (drs_03_0107).
_CHANGES = (
    "name", "description", "alarm_notify", "task_type", "is_recreate", "is_target_readonly",
    "replace_definer", "store_db_info", "tags", "node_type", "job_direction", "db_use_type",
)  # fmt: skip


def read_objects(objects: object) -> list[dict[str, Any]]:
    """
    Return the rows of the objects that ``select_objects`` replicates (drs_03_0109).

    :raises DrsConfigError: objects is empty, or an object is invalid.
    """
    if isinstance(objects, str):
        objects = [name.strip() for name in re.split(r"[,\r\n]", objects) if name.strip()]
    if isinstance(objects, Mapping):
        named: list[tuple[object, object]] = list(objects.items())
    else:
        named = [(name, None) for name in objects] if isinstance(objects, Iterable) else []
    rows: dict[str, dict[str, Any]] = {}
    for name, alias in named:
        if isinstance(name, Mapping) and isinstance(name.get("id"), str):
            rows[name["id"]] = dict(name)
        elif isinstance(name, str) and _is_name(name) and isinstance(alias, str | None):
            _add_object(rows, name, alias)
        else:
            raise DrsConfigError(
                f"objects: {quote(name)} is invalid: expected a name such as 'shop' or 'shop.orders', or a "
                "row with an 'id'."
            )
    if not rows:
        raise DrsConfigError("objects is empty: expected one or more objects. Omit it to select all objects.")
    return list(rows.values())


def _is_name(name: str) -> bool:
    """Whether it is a name with all of its parts, and not the text of a list or of a missing value."""
    is_whole = all(part and part == part.strip() for part in name.split("."))
    return is_whole and name not in MISSING and not name.startswith(("[", "{", "("))


def _add_object(rows: dict[str, dict[str, Any]], name: str, alias: str | None) -> None:
    database, _, table = name.partition(".")
    if not table:
        rows[database] = _make_object(database, database, "database", alias=alias)
        return
    rows.setdefault(database, _make_object(database, database, "database", select="partial"))
    table_id = f"{database}{_SEPARATOR}{table}"
    rows[table_id] = _make_object(table_id, table, "table", parent_id=database, alias=alias)


def _make_object(
    row_id: str,
    name: str,
    kind: str,
    *,
    parent_id: str | None = None,
    select: str = "true",
    alias: Any = None,
) -> dict[str, Any]:
    return {
        "id": row_id,
        "parent_id": parent_id,
        "object_name": name,
        "object_type": kind,
        "select": select,
        "object_alias_name": alias,
    }


def read_windows(windows: Any) -> list[dict[str, Any]]:
    """
    Return the rows of the windows of ``set_flow_control`` (drs_03_0130).

    :raises DrsConfigError: a window is invalid, or two windows overlap.
    """
    is_list = isinstance(windows, Sequence) and not isinstance(windows, str)
    if not is_list or len(windows) > _MAX_WINDOWS:
        raise DrsConfigError(
            f"windows is invalid: expected a list of at most {_MAX_WINDOWS}, not {quote(windows)}."
        )
    taken: set[int] = set()
    rows = []
    for n, window in enumerate(windows):
        row = _read_window(f"windows[{n}]", window)
        hours = _hours(int(row["begin"][:2]), int(row["end"][:2]))
        if not taken.isdisjoint(hours):
            raise DrsConfigError(
                f"windows[{n}] ({row['begin']}-{row['end']}) overlaps another window. Change its times."
            )
        taken |= hours
        rows.append(row)
    return rows


def _read_window(place: str, window: object) -> dict[str, Any]:
    if isinstance(window, Mapping) and set(window) == {"begin", "end", "speed"}:
        begin, end, speed = (str(window[key]) for key in ("begin", "end", "speed"))
        is_span = _BEGIN.match(begin) and _END.match(end) and begin != end
        if is_span and speed.isdecimal() and int(speed) in _SPEEDS:
            return {"begin": begin, "end": end, "speed": str(int(speed)), "is_utc": True}
    raise DrsConfigError(
        f'{place} is invalid: expected begin ("08:00"), end ("17:59", always with minutes 59) and speed '
        f"({_SPEEDS.start}-{_SPEEDS.stop - 1} MB/s), in UTC."
    )


def _hours(first: int, last: int) -> set[int]:
    """Return the hours of a window, which may span midnight. DRS ignores the minutes of its beginning."""
    return {hour % 24 for hour in range(first, last + 1 if last >= first else last + 25)}


def read_policies(policies: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the synchronization policies that are not ``None`` (drs_03_0149).

    :raises DrsConfigError: all are ``None``, or one is invalid.
    """
    given = {name: value for name, value in policies.items() if value is not None}
    if not given:
        raise DrsConfigError(f"no policy is set: set at least one of {', '.join(policies)}.")
    for name in given.keys() & _POLICY_CHOICES.keys():
        check_choice(name, given[name], _POLICY_CHOICES[name])
    return given


def read_transformations(rules: object) -> list[dict[str, Any]]:
    """
    Return the rows of data processing rules, one per rule.

    :param rules: a list of rules, see :func:`read_transformation`.
    :raises DrsConfigError: rules is empty, a rule is invalid, or a table has more than one rule. DRS would
        reject the second rule of a table as one that already exists.
    """
    if isinstance(rules, Mapping | str) or not isinstance(rules, Iterable) or not rules:
        raise DrsConfigError("rules is invalid: expected a list of one or more rules.")
    rows = [read_transformation(rule) for rule in rules]
    seen: set[str] = set()
    for row in rows:
        names = {table["id"].replace(_SEPARATOR, ".") for table in row["object_info"]}
        names |= {row["config_transformation"]["db_table_name"]} if "config_transformation" in row else set()
        if repeated := sorted(seen & names):
            raise DrsConfigError(f"rules: {repeated[0]} is in more than one rule. Use one rule per table.")
        seen |= names
    return rows


def read_transformation(rule: object) -> dict[str, Any]:
    """
    Return the row of a data processing rule (drs_api_0103).

    :param rule: a mapping with ``tables`` (names such as ``"shop.orders"``) and ``where``, an SQL condition
        that selects the rows to replicate; or with ``config``, a mapping of ``db_name``, ``table_name``,
        ``col_names``, ``prim_key_or_index``, ``indexs`` and ``values``.
    :raises DrsConfigError: it is neither.
    """
    if isinstance(rule, Mapping) and set(rule) == {"tables", "where"}:
        tables, condition = _to_list(rule["tables"]), rule["where"]
        if not isinstance(condition, str) or condition in MISSING:
            raise DrsConfigError(f"rules: where is {quote(condition)}: expected an SQL condition.")
        if not 0 < len(tables) <= _MAX_TABLES:
            raise DrsConfigError(f"rules: tables must have 1 to {_MAX_TABLES} entries, not {len(tables)}.")
        if not 0 < len(condition) <= _MAX_CONDITION_LENGTH:
            raise DrsConfigError(
                f"rules: where must have 1 to {_MAX_CONDITION_LENGTH} characters, not {len(condition)}."
            )
        return {
            "object_info": [{"id": _table_id(name), "select": "true"} for name in tables],
            "transformation_info": {"transformation_type": "contentConditionalFilter", "value": condition},
        }
    config = rule.get("config") if isinstance(rule, Mapping) else None
    if isinstance(config, Mapping) and set(config) >= set(_CONFIG_KEYS):
        table_name = f"{config['db_name']}.{config['table_name']}"
        return {
            "object_info": [],
            "transformation_info": {"transformation_type": "configConditionalFilter", "value": "config"},
            "config_transformation": {"db_table_name": table_name, **config},
        }
    raise DrsConfigError(
        f"rules: {quote(rule)} is invalid: expected tables and where, or config with "
        f"{', '.join(_CONFIG_KEYS)}."
    )


def _to_list(names: object) -> list[str]:
    if isinstance(names, str):
        return [names]
    return [str(name) for name in names] if isinstance(names, Iterable) else []


def _table_id(name: str) -> str:
    database, _, table = name.partition(".")
    if not database or not table:
        raise DrsConfigError(
            f"rules: {quote(name)} is invalid: expected database and table, such as 'shop.orders'."
        )
    return f"{database}{_SEPARATOR}{table}"


def read_changes(changes: object) -> dict[str, Any]:
    """
    Return the fields of a modification.

    :raises DrsConfigError: it is not a mapping, or has a field that cannot be changed.
    """
    if not isinstance(changes, Mapping):
        raise DrsConfigError(f"changes is invalid: expected a mapping, not {type(changes).__name__}.")
    unknown = [str(name) for name in changes if name not in _CHANGES]
    if unknown:
        raise DrsConfigError(
            f"changes: {', '.join(unknown)} cannot be changed. Use only {', '.join(_CHANGES)}."
        )
    if not JOB_NAME.match(str(changes.get("name", "name"))):
        raise DrsConfigError(f"changes: name {JOB_NAME_RULE}, not {quote(changes['name'])}.")
    return dict(changes)
