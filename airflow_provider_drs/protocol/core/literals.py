"""Values that a template has rendered as text."""

from __future__ import annotations

import ast
import json
from typing import Any

from airflow_provider_drs.protocol.core.errors import DrsConfigError, quote

#: What a template renders for a value that is missing.
MISSING = frozenset({"None", "NOTSET", "null", "undefined"})


def read_literal(text: str) -> object:
    """Return the value of a JSON or Python literal; ``None`` if *text* is not one."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return None


def read_structure(value: object, argument: str) -> Any:
    """
    Return the list or mapping of a rendered argument: templating turns it into text. Other values are not
    changed.

    :raises DrsConfigError: the text starts like a list or mapping, but is none.
    """
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "(", "{")):
        return value
    parsed = read_literal(value)
    if isinstance(parsed, list | tuple | dict):
        return parsed
    raise DrsConfigError(
        f"{argument}: {quote(value)} is not a valid list or mapping in JSON or Python. Check its brackets "
        "and quotes."
    )
