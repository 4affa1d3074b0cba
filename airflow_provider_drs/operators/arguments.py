"""Read the arguments of operators and sensors after they were rendered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.protocol.core.job_ids import (
    check_job_ids,
    find_duplicates,
    read_job_ids,
    read_literal,
)
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, read_alarm_policy


class Log(Protocol):
    """What both Airflow lines give a task to log with; their classes differ."""

    def info(self, event: str, *args: Any) -> object:
        """Log a change."""

    def warning(self, event: str, *args: Any) -> object:
        """Log what a user may want to act on."""

    def error(self, event: str, *args: Any) -> object:
        """Log a failure."""


def read_ids(value: object, log: Log) -> tuple[str, ...]:
    """
    Return the job ids that an operator's argument stands for, after rendering.

    :raises DrsConfigError: there is none, or one cannot be a job id.
    """
    listed = read_job_ids(value)
    duplicates = find_duplicates([job_id for job_id in listed if isinstance(job_id, str)])
    if duplicates:
        log.warning("job_ids: dropping what is given more than once: %s", ", ".join(map(str, duplicates)))
    return check_job_ids(listed)


def read_objects(value: object, argument: str) -> list[dict[str, Any]]:
    """
    Return the list of objects that an operator's argument stands for: one of them, a list, or its text.

    :raises DrsConfigError: it is none of these, or empty.
    """
    listed = read_literal(value) if isinstance(value, str) else value
    listed = [listed] if isinstance(listed, Mapping) else listed
    if isinstance(listed, str) or not isinstance(listed, Iterable):
        listed = ()
    objects = [dict(each) for each in listed if isinstance(each, Mapping)]
    if not objects:
        raise DrsConfigError(f"{argument}: expected an object or a list of them, not {value!r}.")
    return objects


def read_number(value: object, argument: str) -> float:
    """
    Return the number that an operator's argument stands for, after rendering.

    :raises DrsConfigError: it is none.
    """
    try:
        return float(str(value))
    except ValueError:
        raise DrsConfigError(f"{argument}: expected a number, not {value!r}.") from None


def read_alarms(value: object, log: Log) -> AlarmPolicy:
    """
    Return the policy that an ``alarms`` argument stands for, after rendering; a file has become its text.

    :raises DrsConfigError: it stands for none.
    """
    policy = read_alarm_policy(value)
    if unknown := policy.unknown_items:
        log.warning("alarms: this version knows no check item %s; is it spelt right?", ", ".join(unknown))
    return policy
