"""World files: the initial jobs, plans, faults and pace of an emulator."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drs_emulator.faults import Faults
from drs_emulator.world.world import World, check_pace

_KEYS = ("pace", "precheck_s", "jobs", "plans", "faults")


@dataclass(frozen=True)
class InitialWorld:
    """
    The initial content of an emulator.

    :param name: the source, for error messages.
    :param pace: how jobs progress; the emulator's default, if not given.
    :param precheck_s: duration of a pre-check; the emulator's default, if not given.
    :param jobs: arguments of ``seed_job``; ten ready jobs, if not given.
    :param plans: arguments of ``plan_job``, by job name.
    :param faults: arguments of ``inject``.
    """

    name: str = "world"
    pace: str | int | None = None
    precheck_s: float | None = None
    jobs: list[Any] | None = None
    plans: Mapping[str, Any] = field(default_factory=dict)
    faults: Sequence[Any] = ()

    def fill(self, world: World, faults: Faults) -> None:
        """
        Add jobs, plans and faults to an empty world.

        :raises ValueError: one of them is invalid; the text names it.
        """
        if self.jobs is None:
            world.seed_defaults()
        for number, job in enumerate(self.jobs or ()):
            with self._locate(f"jobs[{number}]"):
                world.seed(**_check_object(job))
        for name, details in self.plans.items():
            with self._locate(f"plans[{name!r}]"):
                world.plan_job(name, **_check_object(details))
        for number, fault in enumerate(self.faults):
            with self._locate(f"faults[{number}]"):
                faults.add(**_check_object(fault))

    @contextmanager
    def _locate(self, place: str) -> Iterator[None]:
        try:
            yield
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.name}: {place}: {error}") from None


def read_world(world: str | Path | Mapping[str, Any]) -> InitialWorld:
    """
    Return the content of a world file, or of a mapping of the same form.

    :raises OSError: the file cannot be read.
    :raises ValueError: a key is unknown or a value is invalid; the text names it.
    """
    if isinstance(world, Mapping):
        return _check("world", world)
    try:
        document = json.loads(Path(world).read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{world}: invalid JSON: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{world}: expected a JSON object")
    return _check(str(world), document)


def _check(name: str, document: Mapping[str, Any]) -> InitialWorld:
    for key, value in document.items():
        if key not in _KEYS:
            raise ValueError(f"{name}: unknown key {key!r}; expected one of {', '.join(_KEYS)}")
        if key == "pace":
            try:
                check_pace(value)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        elif key == "precheck_s":
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ValueError(f"{name}: precheck_s must be a number of at least 0, not {value!r}")
        elif not isinstance(value, Mapping if key == "plans" else list):
            kind = "an object" if key == "plans" else "a list"
            raise ValueError(f"{name}: {key} must be {kind}")
    return InitialWorld(name, **document)


def _check_object(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"expected an object, not {value!r}")
    return dict(value)
