"""
Any number of job ids in, batches that the service takes out, and answers merged in the order of the input.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeGuard, TypeVar

from airflow_provider_drs.protocol.core.errors import DrsConfigError

T = TypeVar("T")

# A job id looks like a UUID and is not one ("140b5236-88ad-43c8-811c-1268453jb101"), so uuid.UUID() would
# refuse it.
_JOB_ID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_JOB_IDS = re.compile(r"[A-Za-z0-9-]{1,64}(?: [A-Za-z0-9-]{1,64})*\Z")


def check_job_id(job_id: object) -> str:
    """
    Return *job_id* if it can be one.

    :raises DrsConfigError: it is no text, or not 1 to 64 of ``A-Z a-z 0-9 -``.
    """
    if isinstance(job_id, str) and _JOB_ID.match(job_id):
        return job_id
    raise DrsConfigError(
        f"job_ids: {job_id!r} is not a job id; expected 1 to 64 letters, digits and hyphens, "
        "as the DRS console shows."
    )


def check_job_ids(job_ids: Iterable[object]) -> tuple[str, ...]:
    """
    Return the ids in their order, each once.

    :raises DrsConfigError: there is none, or one cannot be a job id.
    """
    if isinstance(job_ids, str):
        job_ids = (job_ids,)
    listed = tuple(job_ids)
    if not _are_job_ids(listed):
        for job_id in listed:
            check_job_id(job_id)
        raise DrsConfigError("job_ids is empty; give at least one DRS job id.")
    return tuple(dict.fromkeys(listed))


def _are_job_ids(listed: tuple[Any, ...]) -> TypeGuard[tuple[str, ...]]:
    """Look at all of them at once: every poll of thousands of jobs comes by here."""
    try:
        joined = " ".join(listed)
    except TypeError:
        return False
    return joined.count(" ") == len(listed) - 1 and _JOB_IDS.match(joined) is not None


def read_job_ids(value: object) -> list[object]:
    """
    Return the list that an operator's argument stands for.

    Understands one id, any iterable of ids, and the text of a rendered list, JSON or Python: templating turns
    lists into text.

    :raises DrsConfigError: the value is none of these.
    """
    if isinstance(value, str):
        return _read_text(value)
    if value is None or isinstance(value, (bytes, dict)) or not isinstance(value, Iterable):
        raise DrsConfigError(
            f"job_ids: expected one job id or a list of them, not {type(value).__name__}; "
            "if it comes from an XCom, check that the task before has returned job ids."
        )
    return list(value)


def _read_text(text: str) -> list[object]:
    stripped = text.strip()
    if not stripped.startswith(("[", "(")):
        return [stripped] if stripped else []
    parsed = read_literal(stripped)
    if isinstance(parsed, (list, tuple)):
        return list(parsed)
    raise DrsConfigError(
        f"job_ids: {text[:80]!r} starts like a list and is neither a JSON nor a Python list of ids."
    )


def read_literal(text: str) -> object:
    """Return the value that a text writes down, in JSON or Python; ``None`` for one that writes none."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return None


def find_duplicates(job_ids: Sequence[object]) -> list[object]:
    """Return what occurs more than once, each once, in the order of its first occurrence."""
    return [job_id for job_id, count in Counter(job_ids).items() if count > 1]


def split(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield *items* in batches of at most *size*, in order."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
