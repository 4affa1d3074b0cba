"""The state file of an emulator, from which it continues after a restart or a crash."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from drs_emulator import __version__
from drs_emulator.calls import Journal
from drs_emulator.faults import Faults
from drs_emulator.world.clock import Clock
from drs_emulator.world.jobs import Job
from drs_emulator.world.world import World


@dataclass
class State:
    """All state except tokens, which a restarted service does not accept either."""

    clock: Clock
    world: World
    faults: Faults
    journal: Journal
    version: str = __version__


@dataclass
class _StoredWorld:
    jobs: dict[str, Job]
    plans: dict[str, dict[str, Any]]
    precheck_s: float
    last_number: int
    pace: str | int


def read_state(file: Path) -> State | None:
    """
    Return the stored state, or ``None`` if the file does not exist.

    :raises OSError: the file cannot be read.
    :raises ValueError: the file is not a state file, or another version wrote it.
    """
    try:
        document = json.loads(file.read_bytes())
        version = document.get("version") if isinstance(document, dict) else None
        if version is None:
            raise ValueError("it is no JSON object with a version")
        state = msgspec.convert(document, State, dec_hook=_decode) if version == __version__ else None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError, msgspec.MsgspecError) as error:
        reason = f"the field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{file}: not a state file of the emulator: {reason}") from None
    if state is None:
        raise ValueError(
            f"{file}: written by another emulator version. Delete the file to start with a new state"
        )
    state.world.clock = state.clock
    return state


class StateLock:
    """
    Reserves a state file for one emulator, until it is released or the process ends.

    :raises ValueError: another emulator uses the file.
    """

    def __init__(self, file: Path) -> None:
        file = file.resolve()
        self._stream = file.with_name(f"{file.name}.lock").open("wb")
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._stream.close()
            raise ValueError(f"{file}: in use by another emulator. Stop it, or use another file") from None

    def release(self) -> None:
        """Let another emulator use the file."""
        self._stream.close()


def write_state(state: State, file: Path) -> None:
    """
    Write the state atomically: a concurrent reader sees the previous one.

    :raises OSError: the file cannot be written.
    """
    # A symbolic link is kept.
    file = file.resolve()
    new = file.with_name(f"{file.name}.new")
    try:
        content = msgspec.json.encode(state, enc_hook=_encode)
    except UnicodeEncodeError:
        # A request can contain lone surrogates, which only the slower encoder escapes.
        content = json.dumps(msgspec.to_builtins(state, enc_hook=_encode)).encode()
    # Jobs can contain the passwords of their databases.
    with open(new, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
        stream.write(content)
    new.replace(file)


def _encode(value: Any) -> Any:
    if isinstance(value, Clock):
        return value.__getstate__()
    return _StoredWorld(value.jobs, value._plans, value._precheck_s, value._last_number, value.pace)


def _decode(kind: type, value: Any) -> Any:
    if kind is Clock:
        clock = Clock()
        clock.__setstate__(msgspec.convert(value, dict[str, float]))
        return clock
    stored = msgspec.convert(value, _StoredWorld)
    world = World(Clock(), precheck_s=stored.precheck_s, pace=stored.pace)
    world.jobs, world._plans, world._last_number = stored.jobs, stored.plans, stored.last_number
    for job in stored.jobs.values():
        if job.leader is not None:
            # The file repeats the parent in each subtask; restore the shared object.
            job.leader = stored.jobs.get(job.leader.id, job.leader)
    return world
