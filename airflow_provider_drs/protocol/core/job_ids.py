"""Job IDs of arguments, and batches of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeGuard, TypeVar

from airflow_provider_drs.protocol.core.errors import DrsConfigError, quote
from airflow_provider_drs.protocol.core.literals import MISSING, read_structure

T = TypeVar("T")

# A job ID resembles a UUID, but is not one ("140b5236-88ad-43c8-811c-1268453jb101"): uuid.UUID() would reject
# it.
_JOB_ID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_SEPARATOR = re.compile(r"[,\r\n]")
_JOB_IDS = re.compile(r"[A-Za-z0-9-]{1,64}(?: [A-Za-z0-9-]{1,64})*\Z")


def check_job_id(job_id: object, place: str = "job_ids") -> str:
    """
    Return *job_id* if it is valid.

    :param place: its place in the argument, for the error.
    :raises DrsConfigError: it is not a string of 1 to 64 characters ``A-Z a-z 0-9 -``.
    """
    if isinstance(job_id, str) and job_id in MISSING:
        raise DrsConfigError(
            f"{place} is {job_id!r}: the template has rendered a missing value. Check the XCom, the "
            "parameter or the variable that it reads."
        )
    if isinstance(job_id, str) and _JOB_ID.match(job_id):
        return job_id
    raise DrsConfigError(
        f"{place} is {quote(job_id)}: expected a DRS job ID (1-64 letters, digits and hyphens). "
        "If it comes from an XCom, check the upstream task's return value."
    )


def check_job_ids(job_ids: Iterable[object]) -> tuple[str, ...]:
    """
    Return the IDs in their order, without duplicates. Other forms are read as by :func:`read_job_ids`.

    :raises DrsConfigError: there are none, or one is invalid.
    """
    is_iterable = isinstance(job_ids, Iterable) and not isinstance(job_ids, str | bytes)
    listed = tuple(job_ids) if is_iterable else ()
    if not _are_job_ids(listed):
        listed = tuple(read_job_ids(listed if is_iterable else job_ids))
        for position, job_id in enumerate(listed):
            check_job_id(job_id, f"job_ids[{position}]")
        if not listed:
            raise DrsConfigError("job_ids is empty: expected at least one DRS job ID.")
    return tuple(dict.fromkeys(map(str, listed)))


def _are_job_ids(listed: tuple[Any, ...]) -> TypeGuard[tuple[str, ...]]:
    """Check all IDs with one regular expression: every poll of thousands of jobs needs it."""
    try:
        joined = " ".join(listed)
    except TypeError:
        return False
    is_plain = joined.count(" ") == len(listed) - 1 and _JOB_IDS.match(joined) is not None
    return is_plain and MISSING.isdisjoint(listed)


def read_job_ids(value: object) -> list[object]:
    """
    Return the list of a ``job_ids`` argument.

    Accepts one ID; IDs separated by commas or line breaks; any iterable of IDs, or of lists of IDs, such as
    the output of a mapped task; and the text of a list in JSON or Python: templating turns lists into text.

    :raises DrsConfigError: the value is something else, or a nested ID is invalid.
    """
    if isinstance(value, str):
        return _read_text(value)
    if value is None or isinstance(value, (bytes, dict)) or not isinstance(value, Iterable):
        raise DrsConfigError(
            f"job_ids: expected one job ID or a list of them, not {type(value).__name__}. "
            "If it comes from an XCom, check the upstream task's return value."
        )
    return list(_flatten(value))


def _flatten(values: Iterable[object]) -> Iterator[object]:
    for position, value in enumerate(values):
        if isinstance(value, str):
            yield from _read_text(value) or [value]
        elif isinstance(value, Iterable) and not isinstance(value, bytes | dict):
            for inner, job_id in enumerate(value):
                for part in (isinstance(job_id, str) and _read_text(job_id)) or [job_id]:
                    yield check_job_id(part, f"job_ids[{position}][{inner}]")
        else:
            yield value


def _read_text(text: str) -> list[object]:
    stripped = text.strip()
    listed = read_structure(stripped, "job_ids")
    if isinstance(listed, str):
        if stripped.startswith("LazySelectSequence("):
            raise DrsConfigError(
                "job_ids: the template has rendered several XComs as text. Use the output of the task "
                "(task.output), or add the filter list: {{ ti.xcom_pull(...) | list }}."
            )
        return _split_text(stripped)
    if isinstance(listed, dict):
        raise DrsConfigError(
            f"job_ids is {quote(text)}: expected one job ID or a list of them, not a mapping."
        )
    return list(_flatten(listed))


def _split_text(text: str) -> list[object]:
    return [part.strip() for part in _SEPARATOR.split(text) if part.strip()]


def find_duplicates(job_ids: Sequence[object]) -> list[object]:
    """Return the items that occur more than once, in the order of their first occurrence."""
    return [job_id for job_id, count in Counter(job_ids).items() if count > 1]


def split(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield *items* in batches of at most *size*, in order."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
