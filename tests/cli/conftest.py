"""A command line whose waiting moves the emulator's time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_drs.cli.__main__ import main
from airflow_provider_drs.emulator import Emulator


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Everything on standard output, which has to be one JSON document."""
        found: dict[str, Any] = json.loads(self.out)
        return found


Drs = Callable[..., Done]


@pytest.fixture
def drs(
    emulator: Emulator,
    connect: Any,
    no_backoff: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Drs:
    """Return a function that does what ``drs`` does with some arguments."""
    monkeypatch.setattr("time.sleep", emulator.advance)

    def run(*arguments: str) -> Done:
        capfd.readouterr()
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        return Done(code, *capfd.readouterr())

    return run
