"""A real OpenStack Keystone for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.stacks.keystone import Keystone


@pytest.fixture(scope="session")
def keystone() -> Iterator[Keystone]:
    """Return a Keystone whose tokens live for seconds; shared, because it starts slowly."""
    with Keystone(lifetime_s=4) as running:
        yield running
