"""Read the arguments of operators and sensors after they were rendered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_drs.protocol.core.errors import DrsConfigError, quote
from airflow_provider_drs.protocol.core.job_ids import check_job_ids, find_duplicates, read_job_ids
from airflow_provider_drs.protocol.core.literals import MISSING, read_literal, read_structure
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, read_alarm_policy


class Log(Protocol):
    """The log of a task. Its class differs between Airflow 2 and 3."""

    def info(self, event: str, *args: Any) -> object:
        """Log a change."""

    def warning(self, event: str, *args: Any) -> object:
        """Log what a user may want to act on."""

    def error(self, event: str, *args: Any) -> object:
        """Log an error."""


def read_ids(value: object, log: Log, *, on_empty: str = "fail") -> tuple[str, ...]:
    """
    Return the job IDs of a rendered argument.

    :param on_empty: ``skip`` skips the task if there are none.
    :raises AirflowSkipException: there are none, with *on_empty* ``skip``.
    :raises DrsConfigError: there are none, or one is invalid.
    """
    listed = read_job_ids(value)
    if not listed and on_empty == "skip":
        raise AirflowSkipException("job_ids is empty: there is nothing to do.")
    if not listed:
        raise DrsConfigError(
            "job_ids is empty: expected at least one DRS job ID. To skip the task instead, set "
            "on_empty='skip'."
        )
    duplicates = find_duplicates([job_id for job_id in listed if isinstance(job_id, str)])
    if duplicates:
        log.warning("Ignoring duplicate job IDs in job_ids: %s", ", ".join(map(str, duplicates)))
    return check_job_ids(listed)


def check_rendered(task: Any, context: Any) -> None:
    """
    Check the rendered arguments of a task.

    :raises DrsConfigError: an argument, or a value in it, is set, but a template, a task or a mapping has
        rendered nothing: ``None``, or its text.
    """
    # Airflow renders a copy.
    original = task.dag.task_dict.get(task.task_id) if task.has_dag() else task
    for name in task.template_fields:
        value = getattr(task, name)
        if value is None or isinstance(value, str | Mapping | list | tuple):
            _check_value(name, value, _find_written(original, name, context, is_missing=value is None))


#: A value whose template is not known.
_SET = object()


def _find_written(original: Any, name: str, context: Any, *, is_missing: bool) -> Any:
    """Return an argument as it was written; ``None`` if it was not, or if its default is meant."""
    partial = getattr(original, "partial_kwargs", None)
    if partial is None:
        return getattr(original, name, None)
    if name in partial:
        return partial[name]
    mapped, index = original.expand_input.value, context["ti"].map_index
    if not isinstance(mapped, Mapping):
        return _find_in_row(mapped, name, context, index, is_missing=is_missing)
    if name not in mapped or not all(isinstance(values, list | tuple) for values in mapped.values()):
        return _SET if name in mapped else None
    # The last argument changes with each index.
    for key, values in reversed(list(mapped.items())):
        index, position = divmod(index, len(values))
        if key == name:
            return values[position]
    return None


def _find_in_row(rows: Any, name: str, context: Any, index: int, *, is_missing: bool) -> Any:
    """Return an argument of ``expand_kwargs``, whose rows, or each of them, can be the output of a task."""
    found = rows if hasattr(rows, "resolve") else rows[index]
    if not hasattr(found, "resolve"):
        return found.get(name)
    if not is_missing:
        # The XCom would be read for nothing.
        return _SET
    row = found.resolve(context)
    return _SET if name in (row[index] if found is rows else row) else None


def _check_value(place: str, value: Any, written: Any) -> None:
    if value is None and written is not None:
        raise DrsConfigError(
            f"{place} is None, although it is set: its template, or the task that it refers to, has returned "
            "nothing. Check the upstream task's return value, the parameter or the variable."
        )
    if isinstance(value, str) and value.strip() in MISSING and (value != written or place.isidentifier()):
        raise DrsConfigError(
            f"{place} is {value.strip()!r}: the template has rendered a missing value. Check the XCom, the "
            "parameter or the variable that it reads."
        )
    if isinstance(value, Mapping) and isinstance(written, Mapping):
        for key in value.keys() & written.keys():
            _check_value(f"{place}[{key!r}]", value[key], written[key])
    elif isinstance(value, list | tuple) and isinstance(written, list | tuple):
        for position, (inner, before) in enumerate(zip(value, written, strict=False)):
            _check_value(f"{place}[{position}]", inner, before)


def read_names(value: object, argument: str) -> tuple[str, ...]:
    """
    Return the names of a rendered argument: a list, or text with commas.

    :raises DrsConfigError: the value is something else.
    """
    listed = read_structure(value, argument)
    listed = listed.split(",") if isinstance(listed, str) else listed
    if not isinstance(listed, list | tuple | set | frozenset) or not all(isinstance(n, str) for n in listed):
        raise DrsConfigError(f"{argument} is {quote(value)}: expected a list of names.")
    return tuple(name.strip() for name in listed if name.strip())


def read_objects(value: object, argument: str) -> list[dict[str, Any]]:
    """
    Return the mappings of a rendered argument: one, a list, or the text of one.

    :raises DrsConfigError: the value is something else, or empty.
    """
    listed = read_literal(value) if isinstance(value, str) else value
    listed = [listed] if isinstance(listed, Mapping) else listed
    if isinstance(listed, str) or not isinstance(listed, Iterable):
        listed = ()
    objects = list(listed)
    for position, item in enumerate(objects):
        if not isinstance(item, Mapping):
            raise DrsConfigError(f"{argument}[{position}] is {quote(item)}: expected a mapping.")
    if not objects:
        raise DrsConfigError(f"{argument}: expected a mapping or a list of mappings, not {quote(value)}.")
    return [dict(item) for item in objects]


def read_number(value: object, argument: str) -> float:
    """
    Return the number of a rendered argument.

    :raises DrsConfigError: it is not a number.
    """
    try:
        return float(str(value))
    except ValueError:
        raise DrsConfigError(f"{argument}: expected a number, not {quote(value)}.") from None


def read_alarms(value: object, log: Log) -> AlarmPolicy:
    """
    Return the policy of a rendered ``alarms`` argument. A file has been replaced by its content.

    :raises DrsConfigError: the value is invalid.
    """
    policy = read_alarm_policy(value)
    if unknown := policy.unknown_items:
        log.warning("alarms: unknown check item %s. Check the spelling.", ", ".join(unknown))
    return policy
