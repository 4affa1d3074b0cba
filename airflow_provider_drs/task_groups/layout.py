"""How the parts of a task group are chained, left out and replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import XComArg

#: Makes a task out of the job ids that the task before returns. The task has to return job ids itself.
Part = Callable[[Any], Any]
Replacements = Mapping[str, Part | None]


def lay_out(
    parts: Mapping[str, Part],
    ids: Any,
    *,
    replace: Replacements | None,
    until: str,
    turns: Mapping[str, str] | None = None,
) -> Any:
    """
    Make the tasks of *parts*, each with the ids that the one before returns, and return those of the last.

    :param ids: what the first part gets.
    :param replace: other parts by name; ``None`` leaves one out.
    :param until: the name of the last part.
    :param turns: the parts from which on it is other jobs' turn, with the XCom of the first part that has
        their ids.
    :raises ValueError: *replace* or *until* names no part, or the first one is left out and has *turns*.
    """
    chosen = {**parts, **(replace or {})}
    _refuse_unknown("replace", chosen, parts)
    _refuse_unknown("until", [until], parts)
    first = next(iter(parts))
    if turns and chosen[first] is None:
        raise ValueError(f"replace: {first} can be replaced, and not left out: it tells the other jobs' ids")
    tasks: dict[str, Any] = {}
    for name in parts:
        if turns and name in turns:
            ids = _output(tasks[first])[turns[name]]
        if part := chosen[name]:
            task = part(ids)
            if tasks:
                tasks[next(reversed(tasks))] >> task
            tasks[name], ids = task, _output(task)
        if name == until:
            break
    return ids


def _output(task: Any) -> Any:
    """Return what a task returns; one of a decorated function stands for that itself."""
    return task if isinstance(task, XComArg) else task.output


def _refuse_unknown(argument: str, names: Sequence[str] | Replacements, parts: Mapping[str, Part]) -> None:
    unknown = [name for name in names if name not in parts]
    if unknown:
        raise ValueError(f"{argument}: {', '.join(unknown)} is no part; there are {', '.join(parts)}")
