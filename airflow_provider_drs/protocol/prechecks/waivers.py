"""Waivers: which alarm is accepted, for which jobs, why, and until when. DRS knows none; teams do."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from airflow_provider_drs.protocol.core.errors import DrsConfigError

_FIELDS = ("item", "jobs", "reason", "expires")


@dataclass(frozen=True, slots=True)
class Waiver:
    """
    Somebody's word that an item may alarm. It never covers an item that failed.

    :param item: the name of the check item.
    :param jobs: the ids of the jobs, as a pattern of ``*``, ``?`` and ``[...]`` that fits the whole id.
    :param reason: why; it is shown wherever the alarm is.
    :param expires: the last day, as ``2026-12-31`` (to its end, in UTC), or an instant with a time zone.
    :param expires_s: the same in epoch seconds.
    """

    item: str
    jobs: str
    reason: str
    expires: str
    expires_s: float

    def covers(self, job_id: str, item: str) -> bool:
        """Whether it is about this item of this job, whatever the time."""
        return self.item == item and fnmatchcase(job_id, self.jobs)

    def has_expired(self, now_s: float) -> bool:
        """
        Whether it counts no more.

        :param now_s: now, in epoch seconds.
        """
        return now_s >= self.expires_s

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, from which :func:`read_waiver` makes an equal one."""
        return {name: getattr(self, name) for name in _FIELDS}

    def __str__(self) -> str:
        """Return it for a log."""
        return f"{self.item} of {self.jobs}, until {self.expires}: {self.reason}"


def read_waiver(fields: Mapping[Any, Any], place: str) -> Waiver:
    """
    Return the waiver that a mapping of a DAG or a file stands for.

    :param fields: ``item``, ``jobs``, ``reason`` and ``expires``, all of them.
    :param place: where it stands, for the text of an error.
    :raises DrsConfigError: a field is missing, empty, unknown, or the date is none.
    """
    unknown = [str(name) for name in fields if name not in _FIELDS]
    if unknown:
        raise DrsConfigError(f"{place}: {', '.join(unknown)} is unknown; a waiver has {', '.join(_FIELDS)}.")
    texts = {}
    for name in _FIELDS:
        value = fields.get(name)
        # YAML knows dates.
        text = value.isoformat() if isinstance(value, datetime.date) else value
        if not isinstance(text, str) or not text.strip():
            raise DrsConfigError(f"{place}.{name} is missing; a waiver has {', '.join(_FIELDS)}, as text.")
        texts[name] = text.strip()
    return Waiver(**texts, expires_s=_read_end(texts["expires"], f"{place}.expires"))


def _read_end(text: str, place: str) -> float:
    try:
        end = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise DrsConfigError(
            f"{place}: {text!r} is no date such as 2026-12-31, and no instant with a time zone."
        ) from None
    is_day = len(text) <= len("2026-12-31")
    if is_day:
        end = (end + datetime.timedelta(days=1)).replace(tzinfo=datetime.UTC)
    if end.tzinfo is None:
        raise DrsConfigError(f"{place}: {text!r} has no time zone; add one, or give a date alone.")
    return end.timestamp()
