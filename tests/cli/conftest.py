"""Runs commands; their waits advance the emulator's clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from drs_emulator import Emulator

from airflow_provider_drs.cli.__main__ import main


@dataclass(frozen=True)
class Done:
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on standard output."""
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
    """Return a function that runs ``drs`` with arguments."""
    monkeypatch.setattr("time.sleep", emulator.advance)

    def run(*arguments: str) -> Done:
        capfd.readouterr()
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        return Done(code, *capfd.readouterr())

    return run
