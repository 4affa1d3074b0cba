"""How the parts of a task group are chained, left out and replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: Makes a task out of the job ids that the task before returns. The task has to return job ids itself.
Part = Callable[[Any], Any]
Replacements = Mapping[str, Part | None]


def lay_out(parts: Mapping[str, Part], ids: Any, *, replace: Replacements | None, until: str) -> Any:
    """
    Make the tasks of *parts*, each with the ids that the one before returns, and return those of the last.

    :param ids: what the first part gets.
    :param replace: other parts by name; ``None`` leaves one out.
    :param until: the name of the last part.
    :raises ValueError: *replace* or *until* names no part.
    """
    replace = replace or {}
    _refuse_unknown("replace", replace, parts)
    _refuse_unknown("until", [until], parts)
    before = None
    for name, part in parts.items():
        chosen = replace.get(name, part)
        if chosen is not None:
            task = chosen(ids)
            if before is not None:
                before >> task
            before, ids = task, task.output
        if name == until:
            break
    return ids


def _refuse_unknown(argument: str, names: Sequence[str] | Replacements, parts: Mapping[str, Part]) -> None:
    unknown = [name for name in names if name not in parts]
    if unknown:
        raise ValueError(f"{argument}: {', '.join(unknown)} is no part; there are {', '.join(parts)}")
