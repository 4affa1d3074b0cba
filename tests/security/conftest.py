"""What the security tests share."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

Use = Callable[[Mapping[str, Any]], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Return a function that makes ``drs_default`` a connection with exactly these fields."""

    def make(connection: Mapping[str, Any]) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_DRS_DEFAULT", json.dumps(connection))

    return make


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore the CA bundle and the proxy of the user who runs the tests."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def collect() -> Iterator[None]:
    """Collect sockets of failed handshakes, which urllib3 leaves to the garbage collector."""
    # Only what the test leaves: a collection of all of Airflow takes most of a second.
    gc.freeze()
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.unfreeze()


@pytest.fixture
def start_emulator() -> Iterator[Callable[..., list[str]]]:
    """Return a function that runs ``drs-emulator`` with options, and returns its first lines."""
    with ExitStack() as stack:

        def start(*options: str) -> list[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "drs_emulator", "--port", "0", *options],
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.terminate)
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                if line.startswith("export "):
                    break
            return lines

        yield start
