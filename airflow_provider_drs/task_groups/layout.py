"""Chain, omit and replace the parts of a task group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import XComArg

#: Creates a task from the job IDs of the previous task. The task must return job IDs.
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
    Create the tasks of *parts*, each with the IDs that the previous one returns, and return the IDs of the
    last.

    :param ids: the input of the first part.
    :param replace: replacements of parts by name; ``None`` omits a part.
    :param until: the name of the last part.
    :param turns: the parts from which other jobs are used, with the XCom of the first part that has their
        IDs.
    :raises ValueError: *replace* or *until* has an unknown part, or the first part is omitted and has
        *turns*.
    """
    chosen = {**parts, **(replace or {})}
    _refuse_unknown("replace", chosen, parts)
    _refuse_unknown("until", [str(until)], parts)
    for name, part in (replace or {}).items():
        if part is not None and not callable(part):
            raise ValueError(f"replace[{name!r}] is {part!r}: expected a function of the job IDs, or None.")
    first = next(iter(parts))
    if turns and chosen[first] is None:
        raise ValueError(
            f"replace: {first!r} cannot be None, because other parts use its XComs. Replace it with a task."
        )
    tasks: dict[str, Any] = {}
    for name in parts:
        if turns and name in turns:
            ids = _output(tasks[first])[turns[name]]
        if part := chosen[name]:
            task = part(ids)
            if not isinstance(task, XComArg) and not hasattr(task, "output"):
                raise ValueError(f"replace[{name!r}] returned {task!r}: expected a task.")
            if tasks:
                tasks[next(reversed(tasks))] >> task
            tasks[name], ids = task, _output(task)
        if name == until:
            break
    return ids


def _output(task: Any) -> Any:
    """Return the output of a task; a task function called in a Dag returns it already."""
    return task if isinstance(task, XComArg) else task.output


def _refuse_unknown(argument: str, names: Sequence[str] | Replacements, parts: Mapping[str, Part]) -> None:
    unknown = [name for name in names if name not in parts]
    if unknown:
        raise ValueError(f"{argument}: {', '.join(unknown)} is unknown: expected one of {', '.join(parts)}.")
