"""What an emulator knows, in a file: one whose process has died goes on where it was."""

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
    """Everything but the tokens: a service that was restarted knows none of them any more."""

    clock: Clock
    world: World
    faults: Faults
    journal: Journal
    version: str = _VERSION


def read_state(file: Path) -> State | None:
    """
    Return what was written last, or ``None`` if nothing was.

    :raises OSError: the file cannot be read.
    :raises ValueError: this is no such file, or one of another version.
    """
    try:
        with file.open("rb") as stream:
            state = _Reader(stream).load()
    except FileNotFoundError:
        return None
    except OSError:
        raise
    except Exception as error:
        # There is hardly an error that a damaged pickle cannot raise.
        raise ValueError(f"{file}: this is not the state of an emulator: {error}") from None
    if not isinstance(state, State) or state.version != _VERSION:
        raise ValueError(f"{file}: another version has written this; remove it, and begin anew")
    return state


def write_state(state: State, file: Path) -> None:
    """
    Write everything down, or nothing: whoever reads it meanwhile sees what was there before.

    :raises OSError: the file cannot be written.
    """
    new = file.with_name(f"{file.name}.new")
    # Jobs may have been told the passwords of their databases.
    with open(new, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
        pickle.dump(state, stream)
    new.replace(file)


class _Reader(pickle.Unpickler):
    """Makes objects of the emulator's own and sets, and nothing else: a file must not run code of others."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)

    def find_class(self, module: str, name: str) -> Any:
        """Return a class by its name."""
        if module.startswith(_OWN) or (module, name) in {("builtins", "set"), ("builtins", "frozenset")}:
            return super().find_class(module, name)
        raise ValueError(f"it holds a {module}.{name}")
