"""Waivers: which alarm is accepted, for which jobs, why, and until when. They exist only in this provider."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from airflow_provider_drs.protocol.core.errors import DrsConfigError, quote
from airflow_provider_drs.protocol.core.values import Value


class Waiver(Value, frozen=True):
    """
    Accepts the alarm of a check item for some jobs until it expires. It never accepts an item that failed.

    :param item: the name of the check item.
    :param jobs: a pattern with ``*``, ``?`` and ``[...]`` that matches the whole job ID.
    :param reason: why the alarm is accepted; shown in reports.
    :param expires: the last day, such as ``2026-12-31`` (until its end, UTC), or a timestamp with a time
        zone.
    """

    item: str
    jobs: str
    reason: str
    expires: str

    @property
    def expires_s(self) -> float:
        """When the waiver expires, in epoch seconds."""
        return _parse_expiry(self.expires)

    def covers(self, job_id: str, item: str) -> bool:
        """Whether the waiver applies to this item of this job, expired or not."""
        return self.item == item and fnmatchcase(job_id, self.jobs)

    def has_expired(self, now_s: float) -> bool:
        """Whether the waiver has expired at a time, in epoch seconds. It then accepts no alarm."""
        return now_s >= self.expires_s

    def __str__(self) -> str:
        """Return the text for a log line."""
        return f"{self.item} of {self.jobs}, until {self.expires}: {self.reason}"


_FIELDS = Waiver.__struct_fields__
_EXPECTED = f"A waiver requires the fields {', '.join(_FIELDS)}, all of them strings."


def read_waiver(fields: Mapping[Any, Any], place: str) -> Waiver:
    """
    Return the waiver that a mapping from a DAG or a file describes.

    :param fields: ``item``, ``jobs``, ``reason`` and ``expires``; all are required.
    :param place: where the mapping is, for error messages.
    :raises DrsConfigError: a field is missing, empty or unknown, or the date is invalid.
    """
    unknown = [str(name) for name in fields if name not in _FIELDS]
    if unknown:
        raise DrsConfigError(f"{place}: unknown field {', '.join(unknown)}. {_EXPECTED}")
    texts = []
    for name in _FIELDS:
        value = fields.get(name)
        # YAML parses dates.
        text = value.isoformat() if isinstance(value, datetime.date) else value
        if not isinstance(text, str) or not text.strip():
            raise DrsConfigError(f"{place}.{name} is missing. {_EXPECTED}")
        texts.append(text.strip())
    waiver = Waiver(*texts)
    try:
        _parse_expiry(waiver.expires)
    except ValueError:
        raise DrsConfigError(
            f"{place}.expires is invalid: {quote(waiver.expires)} is neither a date such as 2026-12-31 nor a "
            "timestamp with a time zone."
        ) from None
    return waiver


def _parse_expiry(text: str) -> float:
    end = datetime.datetime.fromisoformat(text)
    if len(text) <= len("2026-12-31"):
        end = (end + datetime.timedelta(days=1)).replace(tzinfo=datetime.UTC)
    if end.tzinfo is None:
        raise ValueError("no time zone")
    return end.timestamp()
