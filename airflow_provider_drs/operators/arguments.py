"""Read the arguments of operators and sensors after they were rendered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_drs.protocol.core.errors import DrsConfigError, quote
from airflow_provider_drs.protocol.core.job_ids import (
    check_job_ids,
    find_duplicates,
    read_job_ids,
    read_literal,
)
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


def read_objects(value: object, argument: str) -> list[dict[str, Any]]:
    """
    Return the mappings of a rendered argument: one, a list, or the text of one.

    :raises DrsConfigError: the value is something else, or empty.
    """
    listed = read_literal(value) if isinstance(value, str) else value
    listed = [listed] if isinstance(listed, Mapping) else listed
    if isinstance(listed, str) or not isinstance(listed, Iterable):
        listed = ()
    objects = [dict(item) for item in listed if isinstance(item, Mapping)]
    if not objects:
        raise DrsConfigError(f"{argument}: expected a mapping or a list of mappings, not {quote(value)}.")
    return objects


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
