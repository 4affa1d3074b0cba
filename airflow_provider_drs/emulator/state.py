"""The state file of an emulator, from which it continues after a restart or a crash."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from airflow_provider_drs.emulator.calls import Journal
from airflow_provider_drs.emulator.faults import Faults
from airflow_provider_drs.emulator.world.clock import Clock
from airflow_provider_drs.emulator.world.world import World

_VERSION = metadata.version("airflow-provider-drs")
_OWN = f"{__package__}."


@dataclass
class State:
    """All state except tokens, which a restarted service does not accept either."""

    clock: Clock
    world: World
    faults: Faults
    journal: Journal
    version: str = _VERSION


def read_state(file: Path) -> State | None:
    """
    Return the stored state, or ``None`` if the file does not exist.

    :raises OSError: the file cannot be read.
    :raises ValueError: the file is not a state file, or another version wrote it.
    """
    try:
        with file.open("rb") as stream:
            state = _Reader(stream).load()
    except FileNotFoundError:
        return None
    except OSError:
        raise
    except Exception as error:
        # A damaged pickle can raise almost any exception.
        raise ValueError(f"{file}: not a state file of the emulator: {error}") from None
    if not isinstance(state, State) or state.version != _VERSION:
        raise ValueError(f"{file}: written by another version. Remove it to start with a new state")
    return state


def write_state(state: State, file: Path) -> None:
    """
    Write the state atomically: a concurrent reader sees the previous one.

    :raises OSError: the file cannot be written.
    """
    new = file.with_name(f"{file.name}.new")
    # Jobs can contain the passwords of their databases.
    with open(new, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
        pickle.dump(state, stream)
    new.replace(file)


class _Reader(pickle.Unpickler):
    """Creates only sets and objects of the emulator, so that a file cannot run other code."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)

    def find_class(self, module: str, name: str) -> Any:
        """Return a class by its name."""
        if module.startswith(_OWN) or (module, name) in {("builtins", "set"), ("builtins", "frozenset")}:
            return super().find_class(module, name)
        raise ValueError(f"it contains a {module}.{name}")
