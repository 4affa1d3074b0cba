"""World files: the jobs, plans and faults that an emulator begins with, and its pace."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_drs.emulator.faults import Faults
from airflow_provider_drs.emulator.world.world import World, check_pace

_KEYS = ("pace", "precheck_s", "jobs", "plans", "faults")


@dataclass(frozen=True)
class Beginning:
    """
    What an emulator begins with.

    :param name: what a mistake in it is said to be in.
    :param pace: how jobs go from phase to phase; the emulator's own, if not given.
    :param precheck_s: seconds that a pre-check takes; the emulator's own, if not given.
    :param jobs: arguments of ``seed_job``; ten ready jobs, if not given.
    :param plans: arguments of ``plan_job``, by the name of the job.
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
        Put jobs, plans and faults into an empty world.

        :raises ValueError: one of them makes no sense; the text names it.
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


def read_world(world: str | Path | Mapping[str, Any]) -> Beginning:
    """
    Return what a world file, or a mapping like one, says.

    :raises OSError: the file cannot be read.
    :raises ValueError: an unknown key or a senseless value; the text names it.
    """
    if isinstance(world, Mapping):
        return _check("world", world)
    try:
        document = json.loads(Path(world).read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{world}: this is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{world}: this is not an object")
    return _check(str(world), document)


def _check(name: str, document: Mapping[str, Any]) -> Beginning:
    for key, value in document.items():
        if key not in _KEYS:
            raise ValueError(f"{name}: a world has no {key!r}; it has {', '.join(_KEYS)}")
        if key == "pace":
            try:
                check_pace(value)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        elif key == "precheck_s":
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ValueError(f"{name}: precheck_s must be a number from 0 on, not {value!r}")
        elif not isinstance(value, Mapping if key == "plans" else list):
            kind = "an object" if key == "plans" else "a list"
            raise ValueError(f"{name}: {key} must be {kind}")
    return Beginning(name, **document)


def _check_object(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"this must be an object, not {value!r}")
    return dict(value)
