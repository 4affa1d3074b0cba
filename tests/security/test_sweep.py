"""
With secrets in every field that can hold one, nothing that is logged, raised or stored contains one.

Without a running Airflow; ``test_running_sweep.py`` does the same with one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from drs_emulator import Emulator
from drs_emulator.__main__ import _print_request

from airflow_provider_drs.hooks.drs import DrsAsyncHook, DrsHook
from airflow_provider_drs.hooks.endpoints import read_endpoint
from airflow_provider_drs.operators import drs as operators
from airflow_provider_drs.protocol.core.errors import ERROR_CLASS_BY_NAME, DrsError, DrsRequestError
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor
from airflow_provider_drs.transport.tokens import TOKENS
from tests.conftest import HookInLoop
from tests.operators.test_whole_life import ACTIONS, SPEC
from tests.security.canaries import Canaries
from tests.security.conftest import Use
from tests.security.planted import listen_for_tokens, make_database

ENDS = {"source_conn_id": "there", "target_conn_id": "here"}


class Sweep:
    """Everything that was shown or stored, and the secrets that must not be in it."""

    def __init__(self) -> None:
        self.canaries = Canaries()
        self.places: dict[str, str | bytes] = {}

    def keep(self, place: str, value: Any) -> None:
        """Record a value in each form in which it may be written."""
        place = f"{place}, {len(self.places)}"
        self.places[place] = f"{value}\n{value!r}"
        if isinstance(value, BaseException):
            self.places[f"{place}, trace"] = "".join(traceback.format_exception(value))
            self.places[f"{place}, pickled"] = pickle.dumps(value)
            return
        # Only JSON is stored in a database; a live client is not JSON.
        with suppress(TypeError):
            self.places[f"{place}, JSON"] = json.dumps(value)
            self.places[f"{place}, pickled"] = pickle.dumps(value)

    def keep_error(self, place: str, error: DrsError) -> None:
        """Record an error, also as other processes receive it."""
        self.keep(place, error)
        self.keep(f"{place}, as a dict", error.to_dict())
        self.keep(f"{place}, back from a dict", DrsError.from_dict(error.to_dict()))
        self.keep(f"{place}, back from a pickle", pickle.loads(pickle.dumps(error)))  # noqa: S301 - a value of this test

    def check(self) -> None:
        assert self.places
        assert self.canaries.search(self.places) == []


@pytest.fixture
def sweep(
    emulator: Emulator, use: Use, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sweep]:
    """
    Return a collector, with secrets in every connection, that is searched at the end.

    It includes the logs of all libraries.
    """
    sweep = Sweep()
    make = sweep.canaries.make
    emulator.set_iam(password=make("password", awkward=True))
    use({**emulator.connection, "password": sweep.canaries.by_name["password"]})
    listen_for_tokens(sweep.canaries, monkeypatch)
    for name in ("there", "here"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(make_database(name, sweep.canaries)))
    echo = {"db_password": make("echo", awkward=True), "ssl_cert_password": make("echo-of-certificate")}
    monkeypatch.setattr("drs_emulator.world.views._SECRET_ECHO", echo)
    # asyncio then logs more, including slow coroutines.
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    caplog.set_level(logging.DEBUG)
    with _structlog() as entries:
        yield sweep
        sweep.keep("structlog", entries)
    sweep.places["logging"] = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    sweep.keep("journal", emulator.journal())
    sweep.keep("jobs", emulator.jobs)
    sweep.check()


def _structlog() -> AbstractContextManager[Any]:
    try:
        from structlog.testing import capture_logs
    except ImportError:
        # Airflow 2.11 does not use structlog.
        return nullcontext([])
    return capture_logs()


@pytest.fixture(params=["requests", "aiohttp"])
def any_hook(request: pytest.FixtureRequest, sweep: Sweep) -> Iterator[Any]:
    """Return a hook on the emulator, with the secrets in its connection."""
    made: Any = DrsHook() if request.param == "requests" else HookInLoop(DrsAsyncHook())
    yield made
    sweep.keep("hook", vars(made))
    made.close()


def _secrets_in_text(sweep: Sweep) -> str:
    """Return a text in which a service or a library echoes secrets."""
    secret = dict(sweep.canaries.by_name)
    return "; ".join(
        [
            f"cannot connect: db_password={secret['there-password']!r}, user=root",
            json.dumps({"ssl_cert_password": secret["there-certificate-password"]}),
            f"X-Auth-Token: {secret.get('token', 'none')}",
            f"http://root:{secret['here-certificate']}@192.0.2.1/",
        ]
    )


def _faults(sweep: Sweep) -> dict[str, dict[str, Any]]:
    text = _secrets_in_text(sweep)
    return {
        "none": {},
        "reset_after": {"times": 2},
        "reset_before": {"times": 2},
        "truncated": {},
        "html": {},
        "wrong_shape": {"body": {"results": text}},
        "expire_token": {"times": None},
        "gateway_401": {"times": None},
        "no_permission": {"times": None},
        "too_frequent": {"times": None},
        "redirect": {
            "location": "http://root:{}@evil.example/".format(sweep.canaries.by_name["password"][:36])
        },
        "status": {
            "times": None,
            "status": 400,
            "body": json.dumps({"error_code": "DRS.M09999", "error_msg": text}),
        },
    }


FAULTS = [
    *("none", "reset_after", "reset_before", "truncated", "html", "wrong_shape", "expire_token"),
    *("gateway_401", "no_permission", "too_frequent", "redirect", "status"),
]


def _inject(emulator: Emulator, sweep: Sweep, fault: str, operation: str | None) -> None:
    if fault != "none":
        emulator.inject(fault, operation=operation, **_faults(sweep)[fault])


def _keep_outcome(sweep: Sweep, place: str, call: Callable[[], Any]) -> None:
    try:
        result = call()
    except DrsError as error:
        sweep.keep_error(place, error)
        return
    except Exception as error:
        sweep.keep(place, error)
        return
    sweep.keep(place, result)
    for value in result.values() if isinstance(result, Mapping) else ():
        if isinstance(value, DrsError):
            sweep.keep_error(place, value)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("no_backoff", "short_retries")
def test_hooks_leak_no_secret(any_hook: Any, sweep: Sweep, emulator: Emulator, fault: str) -> None:
    job_id = emulator.seed_job(echo_secrets=True, has_endpoints=True)
    running = emulator.seed_job(status="INCRE_TRANSFER_STARTED")
    # Log in first: on a busy machine that may take longer than the retry budget.
    _keep_outcome(sweep, "login", lambda: any_hook.get_job_statuses([job_id]))
    _inject(emulator, sweep, fault, None)
    there, here = read_endpoint("there"), read_endpoint("here")
    calls: dict[str, Callable[[], Any]] = {
        "details": lambda: any_hook.get_job_details([job_id, running]),
        "test": lambda: any_hook.validate_connections([job_id], source=there, target=here),
        "modify": lambda: any_hook.modify_jobs([job_id], source=there, target=here),
        "passwords": lambda: any_hook.change_passwords([running], source=there.db_password),
        "start": lambda: any_hook.start_jobs([job_id]),
        "delete": lambda: any_hook.delete_jobs([job_id]),
    }
    sweep.keep("endpoints", [repr(there), str(here)])
    for place, call in calls.items():
        _keep_outcome(sweep, place, call)
    if fault == "status":
        # The service returned a secret, and it was masked.
        assert any("db_password=***" in str(content) for content in sweep.places.values())


@pytest.fixture
def short_retries(sweep: Sweep, emulator: Emulator, use: Use) -> None:
    """Use a small retry budget for lasting faults, after a login that may take longer."""
    with DrsHook() as hook:
        hook.get_job_statuses(emulator.job_ids)
    emulator.clear_journal()
    connection = emulator.connection
    extra = {**connection["extra"], "retry_timeout": 0.2}
    use({**connection, "password": sweep.canaries.by_name["password"], "extra": extra})


@pytest.mark.parametrize("fault", ["none", "status"])
@pytest.mark.parametrize(("name", "seed", "arguments"), ACTIONS, ids=[name for name, _, _ in ACTIONS])
@pytest.mark.usefixtures("no_backoff", "short_retries")
def test_operators_leak_no_secret(
    sweep: Sweep,
    emulator: Emulator,
    context: dict[str, Any],
    fault: str,
    name: str,
    seed: dict[str, Any],
    arguments: dict[str, Any],
) -> None:
    job_id = emulator.seed_job(echo_secrets=True, **seed)
    operator = getattr(operators, name)(task_id="task", job_ids=job_id, **arguments)
    _inject(emulator, sweep, fault, None)

    _keep_outcome(sweep, name, lambda: _run(sweep, operator, context))

    sweep.keep("xcoms", context["ti"].xcoms)
    sweep.keep("rendered", {field: getattr(operator, field) for field in operator.template_fields})
    sweep.keep("operator", {key: repr(value) for key, value in vars(operator).items()})


def _run(sweep: Sweep, task: Any, context: dict[str, Any]) -> Any:
    """Run a task as Airflow does, and record what is stored in its database."""
    try:
        return task.execute(context)
    except TaskDeferred as deferred:
        sweep.keep("trigger", deferred.trigger.serialize())
        sweep.keep(
            "deferral", [deferred.method_name, deferred.kwargs, repr(deferred), repr(deferred.trigger)]
        )
        event = asyncio.run(anext(deferred.trigger.run())).payload
        sweep.keep("event", event)
        return task.resume_execution(deferred.method_name, {"event": event}, context)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("no_backoff", "short_retries")
def test_deferred_waits_leak_no_secret(
    sweep: Sweep, emulator: Emulator, context: dict[str, Any], fault: str
) -> None:
    emulator.set_pace(2)
    ids = list(emulator.job_ids)[:2]
    waits: dict[str, Any] = {"deferrable": True, "poke_interval": 0.01, "timeout": 2}
    precheck = operators.DrsBatchPrecheckOperator(task_id="precheck", job_ids=ids)
    _run(sweep, precheck, context)
    _inject(emulator, sweep, fault, "BatchCheckResults")

    sensor = DrsPrecheckSensor(task_id="wait", job_ids=ids, **waits)
    _keep_outcome(sweep, "sensor", lambda: _run(sweep, sensor, context))
    create = operators.DrsCreateJobsOperator(task_id="create", jobs=[SPEC], target_conn_id="here", **waits)
    _keep_outcome(sweep, "create", lambda: _run(sweep, create, context))

    sweep.keep("xcoms", context["ti"].xcoms)


#: For each error class, a fault that causes it.
CAUSES: dict[str, tuple[str, dict[str, Any]]] = {
    "DrsConfigError": ("redirect", {}),
    "DrsAuthError": ("gateway_401", {"times": None}),
    "DrsPermissionError": ("no_permission", {}),
    "DrsRequestError": ("status", {"status": 400, "body": '{"error_code": "DRS.M09999"}'}),
    "DrsJobNotFoundError": ("status", {"status": 400, "body": '{"error_code": "DRS.M00289"}'}),
    "DrsJobStateError": ("status", {"status": 400, "body": '{"error_code": "DRS.M00304"}'}),
    "DrsThrottledError": ("too_frequent", {"times": None}),
    "DrsUnavailableError": ("reset_before", {"times": None}),
    "DrsResponseError": ("html", {"times": None}),
}


def test_every_error_class_is_raised() -> None:
    assert set(CAUSES) == set(ERROR_CLASS_BY_NAME) - {"DrsError"}


@pytest.mark.parametrize("name", CAUSES)
@pytest.mark.usefixtures("no_backoff")
def test_errors_leak_no_secret(
    any_hook: Any, sweep: Sweep, emulator: Emulator, request: pytest.FixtureRequest, name: str
) -> None:
    job_id = emulator.seed_job()
    kind, details = CAUSES[name]
    # A slow machine can exceed the small budget with a single request.
    if details.get("times", 1) is None:
        request.getfixturevalue("short_retries")
    emulator.inject(kind, operation="BatchListJobDetails", **details)

    with pytest.raises(DrsError) as caught:
        _raise_first(any_hook.get_job_details([job_id]))

    assert type(caught.value).__name__ == name
    assert type(pickle.loads(pickle.dumps(caught.value))) is type(caught.value)  # noqa: S301 - a value of this test
    sweep.keep_error(name, caught.value)


def _raise_first(answers: Mapping[str, Any]) -> None:
    for answer in answers.values():
        if isinstance(answer, DrsError):
            raise answer


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.usefixtures("no_backoff", "short_retries")
def test_login_and_connection_test_leak_no_secret(
    any_hook: Any, sweep: Sweep, emulator: Emulator, right: bool
) -> None:
    if not right:
        emulator.set_iam(password="another-password-not-real")
    _keep_outcome(sweep, "statuses", lambda: any_hook.get_job_statuses(emulator.job_ids))

    sweep.keep("connection test", DrsHook().test_connection())


@pytest.mark.parametrize("refused", [True, False])
@pytest.mark.usefixtures("no_backoff")
def test_keys_and_tokens_are_not_leaked(
    any_hook: Any, sweep: Sweep, emulator: Emulator, use: Use, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    secret_key, token = sweep.canaries.make("secret key"), sweep.canaries.make("given-token")
    accepted = "another-key-not-real" if refused else secret_key
    monkeypatch.setattr("drs_emulator.http.iam.SECRET_KEY", accepted)
    if not refused:
        emulator.accept_token(token)
    keys = emulator.connection_with_keys
    for connection in (
        {**keys, "password": secret_key},
        {
            **keys,
            "password": sweep.canaries.make("temporary-secret-key"),
            "extra": {**keys["extra"], "security_token": sweep.canaries.make("security-token")},
        },
        {**keys, "password": token, "extra": {**keys["extra"], "auth": "token"}},
    ):
        use(connection)
        _keep_outcome(sweep, "statuses", lambda: any_hook.get_job_statuses(emulator.job_ids))
        sweep.keep("client", any_hook.get_conn())
        _close_for_reuse(any_hook)
    statuses = {entry["status"] for entry in emulator.journal()}
    assert statuses == ({200, 401} if not refused else {401, 403})


@pytest.mark.parametrize("refused", [True, False])
@pytest.mark.parametrize("kind", ["agency", "metadata"])
@pytest.mark.usefixtures("no_backoff")
def test_issued_credentials_are_not_leaked(
    any_hook: Any,
    sweep: Sweep,
    emulator: Emulator,
    use: Use,
    kind: str,
    refused: bool,
) -> None:
    password = sweep.canaries.by_name["password"]
    agency, metadata = emulator.connection_with_agency, emulator.connection_with_metadata
    use({**agency, "password": password} if kind == "agency" else metadata)
    emulator.set_iam(metadata="no-agency" if refused else "session", has_agency=not refused)

    _keep_outcome(sweep, "statuses", lambda: any_hook.get_job_statuses(emulator.job_ids))
    sweep.keep("client", vars(any_hook.get_conn()))
    sweep.keep("connection test", DrsHook().test_connection())
    sweep.places["slots"] = repr(list(TOKENS._slots.items()))
    sweep.places["journal"] = repr(emulator.journal())
    statuses = [entry["status"] for entry in emulator.journal("BatchListJobStatus")]
    assert (200 in statuses) is not refused


@pytest.mark.parametrize("rotated", [True, False])
@pytest.mark.usefixtures("no_backoff")
def test_rotated_password_is_not_leaked(
    any_hook: Any, sweep: Sweep, emulator: Emulator, use: Use, rotated: bool
) -> None:
    any_hook.get_job_statuses(emulator.job_ids)
    new = sweep.canaries.make("new-password")
    emulator.set_iam(password=new if rotated else "another-password-not-real")
    emulator.revoke_tokens()
    use({**emulator.connection, "password": new})

    _keep_outcome(sweep, "statuses", lambda: any_hook.get_job_statuses(emulator.job_ids))
    sweep.keep("client", vars(any_hook.get_conn()))


def _close_for_reuse(hook: Any) -> None:
    """Close a hook for reuse: closing HookInLoop would also close its loop."""
    if isinstance(hook, HookInLoop):
        hook._runner.run(hook._hook.close())
    else:
        hook.close()


@pytest.mark.parametrize("url", ["https://drs.example", "http://127.0.0.1:9"])
@pytest.mark.usefixtures("no_backoff")
def test_proxy_password_is_not_leaked(
    any_hook: Any, sweep: Sweep, emulator: Emulator, use: Use, url: str
) -> None:
    connection = emulator.connection
    proxy = f"http://user:{sweep.canaries.make('proxy')}@127.0.0.1:9"
    extra = {**connection["extra"], "iam_endpoint": url, "proxy": proxy, "retry_timeout": 0.1}
    use({**connection, "host": url, "extra": extra})

    _keep_outcome(sweep, "statuses", lambda: any_hook.get_job_statuses(emulator.job_ids))
    sweep.keep("connection test", DrsHook().test_connection())


def test_reprs_have_no_secret(any_hook: Any, sweep: Sweep, emulator: Emulator) -> None:
    any_hook.get_job_statuses(emulator.job_ids)
    client = any_hook.get_conn()
    slots = list(TOKENS._slots.items())
    assert any(slot.current() for _, slot in slots)

    sweep.keep("settings", client._settings)
    sweep.keep("client", vars(client))
    sweep.keep("transport", {key: repr(value) for key, value in vars(client._transport).items()})
    sweep.places["slots"] = repr(slots)
    sweep.places["identity"] = client._settings.identity


def test_request_repr_has_no_body(sweep: Sweep, emulator: Emulator) -> None:
    from airflow_provider_drs.protocol.connection.iam import build_token
    from airflow_provider_drs.protocol.core.wire import Send

    with DrsHook() as hook:
        request = build_token(hook.get_conn()._settings)

    assert sweep.canaries.search({"request": repr(request), "step": repr(Send(request, 1.0))}) == []


def test_emulator_journal_and_log_have_no_secret(
    sweep: Sweep, emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    with DrsHook() as hook:
        hook.validate_connections(
            [emulator.seed_job()], source=read_endpoint("there"), target=read_endpoint("here")
        )
    for entry in emulator.journal():
        _print_request(entry)

    printed = capsys.readouterr().out
    assert "BatchValidateConnections" in printed
    sweep.places["printed"] = printed


def test_sweep_finds_planted_secrets(sweep: Sweep) -> None:
    secret = sweep.canaries.by_name["password"]
    sweep.keep_error("error", DrsRequestError(f"refused: {secret}"))
    sweep.keep("rows", {"rows": [{"it": secret}]})

    hits = sweep.canaries.search(sweep.places)

    assert len({hit.place for hit in hits}) == len(sweep.places)
    sweep.places.clear()


def test_loggers_of_all_libraries_are_captured(
    any_hook: Any, sweep: Sweep, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    any_hook.get_job_statuses(emulator.job_ids)

    names = {record.name.partition(".")[0] for record in caplog.records}
    assert ("asyncio" if isinstance(any_hook, HookInLoop) else "urllib3") in names
    assert sweep.canaries.by_name
