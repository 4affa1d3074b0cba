"""Shared by all tests: a separate Airflow home, an emulator, and both hooks with one interface."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

# Before the first import of Airflow: it reads its configuration then.
if "PYTEST_XDIST_WORKER" not in os.environ:
    # Never the home of the user who runs the tests; the workers inherit this one.
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-drs-tests-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "True"
os.environ["NO_PROXY"] = "127.0.0.1,localhost"

import pytest
from drs_emulator import Emulator
from hypothesis import HealthCheck, settings

from airflow_provider_drs.protocol.connection.auth import obtain_grant
from airflow_provider_drs.transport.tokens import TOKENS
from tests.shared_airflow import LINES

if TYPE_CHECKING:
    from tests.shared_airflow.stack import SharedAirflow

Connect = Callable[..., None]

# The duration of an example is not meaningful on a shared machine.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    """Return one emulator for all tests of a process; its clock moves only on request."""
    with Emulator(clock="manual") as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Emulator:
    """Return the emulator as if it had just been started."""
    running_emulator.reset()
    return running_emulator


@pytest.fixture(scope="session")
def running_secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(clock="manual", tls=tmp_path_factory.mktemp("tls")) as emulator:
        yield emulator


@pytest.fixture
def secure(running_secure: Emulator) -> Emulator:
    """Return an emulator behind TLS, as if it had just been started."""
    running_secure.reset()
    return running_secure


@pytest.fixture(autouse=True)
def _no_tokens() -> None:
    TOKENS.clear()


@pytest.fixture(autouse=True)
def _no_masked_secrets() -> None:
    """Forget the secrets of earlier tests: Airflow 3 compiles all of them again for each new one."""
    module = sys.modules.get("airflow.sdk._shared.secrets_masker.secrets_masker")
    if module is not None:
        module.reset_secrets_masker()


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full jitter draws 0, so that retries take no time."""
    monkeypatch.setattr("random.random", lambda: 0.0)


@pytest.fixture
def connect(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """
    Return a function that makes ``drs_default`` a connection to the emulator, with changes.

    With a small retry budget it logs in first: on a busy machine a login may take longer.
    """
    from airflow_provider_drs.hooks.drs import DrsHook

    def make(extra: dict[str, Any] | None = None, **fields: Any) -> None:
        if extra and "retry_timeout" in extra and not fields:
            with DrsHook() as hook:
                client = hook.get_conn()
                if client._slot.current() is None:
                    client._slot.store(client.run(obtain_grant(hook.get_settings())))
        connection = {**emulator.connection, **fields}
        connection["extra"] = {**connection["extra"], **(extra or {})}
        monkeypatch.setenv("AIRFLOW_CONN_DRS_DEFAULT", json.dumps(connection))

    make()
    return make


class HookInLoop:
    """The async hook with the interface of the sync one: each call runs to completion in one event loop."""

    def __init__(self, hook: Any) -> None:
        self._hook = hook
        self._runner = asyncio.Runner()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._hook, name)
        return lambda *args, **kwargs: self._runner.run(method(*args, **kwargs))

    def close(self) -> None:
        self._runner.run(self._hook.close())
        self._runner.close()


@pytest.fixture(params=["requests", "aiohttp"])
def hook(request: pytest.FixtureRequest, connect: Connect) -> Iterator[Any]:
    """Return a hook on the emulator: the worker's, then the triggerer's."""
    from airflow_provider_drs.hooks.drs import DrsAsyncHook, DrsHook

    made: Any = DrsHook() if request.param == "requests" else HookInLoop(DrsAsyncHook())
    yield made
    made.close()


class FakeTaskInstance:
    """Records XComs as a task instance does."""

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}
        self.stats_tags: dict[str, str] = {}
        self.try_number, self.max_tries = 1, 0
        self.dag_id, self.run_id, self.task_id, self.map_index = "nightly", "manual__2026", "wait", -1

    def xcom_push(self, key: str, value: Any) -> None:
        """Record a value; Airflow stores only JSON, too."""
        self.xcoms[key] = json.loads(json.dumps(value))

    def get_first_reschedule_date(self, context: Any) -> None:
        """Return that the task was not rescheduled."""


@pytest.fixture
def log_lines(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """Return a function that returns what tasks and triggers have logged so far, on either Airflow line."""
    caplog.set_level("INFO")
    try:
        from structlog.testing import capture_logs
    except ImportError:
        yield lambda: caplog.messages
        return
    with capture_logs() as entries:
        yield lambda: [_render(entry) for entry in entries] + caplog.messages


def _render(entry: Any) -> str:
    values = entry.get("positional_args")
    return str(entry["event"]) % tuple(values) if values else str(entry["event"])


@pytest.fixture
def context() -> dict[str, Any]:
    return {"ti": FakeTaskInstance()}


@pytest.fixture(scope="session", params=LINES)
def shared_airflow(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedAirflow]:
    """Return a running Airflow 2.11, then 3.x, and what was recorded while DAGs ran in it."""
    from tests.shared_airflow.stack import run

    yield from run(request.param, tmp_path_factory.mktemp("shared_airflow"))
