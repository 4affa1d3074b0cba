"""What every suite shares: an Airflow home of its own, an emulator, and both hooks behind one face."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

# Before the first import of Airflow: it reads its configuration then.
if "PYTEST_XDIST_WORKER" not in os.environ:
    # Never the home of whoever runs the tests; the workers inherit this one.
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-drs-tests-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "True"
os.environ["NO_PROXY"] = "127.0.0.1,localhost"

import pytest
from hypothesis import HealthCheck, settings

from airflow_provider_drs.emulator import Emulator
from airflow_provider_drs.transport.tokens import TOKENS
from tests.watched import LINES

if TYPE_CHECKING:
    from tests.watched.stack import Watched

Connect = Callable[..., None]

# How long an example takes says nothing on a machine that others use as well.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    """Return one emulator for all tests of a process; its time stands still."""
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
    """No test inherits another one's token."""
    TOKENS.clear()


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full jitter draws 0, so that trying again takes no time."""
    monkeypatch.setattr("random.random", lambda: 0.0)


@pytest.fixture
def connect(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """
    Return a function that makes ``drs_default`` a connection to the emulator, with changes.

    Who gives up soon has a token already: on a busy machine a login may take longer.
    """
    from airflow_provider_drs.hooks.drs import DrsHook

    def make(extra: dict[str, Any] | None = None, **fields: Any) -> None:
        if extra and "retry_timeout" in extra and not fields:
            with DrsHook() as hook:
                hook.get_conn()._grant()
        connection = {**emulator.connection, **fields}
        connection["extra"] = {**connection["extra"], **(extra or {})}
        monkeypatch.setenv("AIRFLOW_CONN_DRS_DEFAULT", json.dumps(connection))

    make()
    return make


class HookInLoop:
    """The async hook with the face of the other one: each call runs in one event loop until it is done."""

    def __init__(self, hook: Any) -> None:
        self._hook = hook
        self._runner = asyncio.Runner()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a method that waits for the coroutine."""
        method = getattr(self._hook, name)
        return lambda *args, **kwargs: self._runner.run(method(*args, **kwargs))

    def close(self) -> None:
        """Close the hook, then its loop."""
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
    """Takes XComs as a task instance does, and keeps them."""

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}
        self.stats_tags: dict[str, str] = {}
        self.try_number = 1
        self.dag_id, self.run_id, self.task_id, self.map_index = "nightly", "manual__2026", "wait", -1

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep a value; one that is not JSON would not reach Airflow's database either."""
        self.xcoms[key] = json.loads(json.dumps(value))


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
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
    """Return what a task is given."""
    return {"ti": FakeTaskInstance()}


@pytest.fixture(scope="session", params=LINES)
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Return a running Airflow 2.11, then a 3.x, and what was seen while DAGs ran in it."""
    from tests.watched.stack import run

    yield from run(request.param, tmp_path_factory.mktemp("watched"))
