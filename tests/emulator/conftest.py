"""A caller that is logged in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from drs_emulator import Emulator

from tests.emulator.caller import Caller


@pytest.fixture
def call(emulator: Emulator) -> Iterator[Caller]:
    caller = Caller(emulator)
    yield caller
    caller.close()
