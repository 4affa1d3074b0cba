"""A real OpenStack Keystone as IAM, for both hooks; the emulator validates each token with it."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import requests
from drs_emulator import Emulator

from airflow_provider_drs.hooks.drs import DrsAsyncHook, DrsHook
from airflow_provider_drs.protocol.connection.grants import Grant
from airflow_provider_drs.protocol.core.errors import DrsAuthError, DrsError, DrsUnavailableError
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
from airflow_provider_drs.protocol.watches import PrecheckWatch
from airflow_provider_drs.transport import tokens
from airflow_provider_drs.transport.diagnosis import diagnose
from tests.conftest import HookInLoop

if TYPE_CHECKING:
    from dev.stacks.keystone import Keystone

# One Keystone for all tests: it starts more slowly than the tests run.
pytestmark = [pytest.mark.system, pytest.mark.xdist_group("keystone")]


@pytest.fixture(scope="module")
def running_drs(keystone: Keystone) -> Iterator[Emulator]:
    """Return a DRS that trusts this Keystone."""
    with Emulator(iam_url=keystone.url) as emulator:
        yield emulator


@pytest.fixture
def drs(running_drs: Emulator) -> Emulator:
    running_drs.reset()
    return running_drs


@pytest.fixture
def connect_both(keystone: Keystone, drs: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that points ``drs_default`` at that DRS and Keystone, with changes."""

    def make(extra: dict[str, Any] | None = None, **fields: Any) -> None:
        connection = {**keystone.make_connection(drs.url), **fields}
        connection["extra"] = {**connection["extra"], **(extra or {})}
        monkeypatch.setenv("AIRFLOW_CONN_DRS_DEFAULT", json.dumps(connection))

    make()
    return make


@pytest.fixture(params=["requests", "aiohttp"])
def hook(request: pytest.FixtureRequest, connect_both: object) -> Iterator[Any]:
    """Return the worker's hook, then the triggerer's; each reads the connection at its first call."""
    made: Any = DrsHook() if request.param == "requests" else HookInLoop(DrsAsyncHook())
    yield made
    made.close()


@pytest.fixture
def grants(monkeypatch: pytest.MonkeyPatch) -> list[Grant]:
    """Return a list that every token is added to when it is granted."""
    granted: list[Grant] = []
    store = tokens.TokenSlot.store

    def record(slot: tokens.TokenSlot, grant: Grant) -> None:
        granted.append(grant)
        store(slot, grant)

    monkeypatch.setattr(tokens.TokenSlot, "store", record)
    return granted


def _call_keystone(keystone: Keystone, method: str, token: str) -> int:
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    return requests.request(
        method, f"{keystone.url}/v3/auth/tokens", headers=headers, timeout=120
    ).status_code


def _wait_until_expired(keystone: Keystone, token: str) -> None:
    deadline = time.monotonic() + 300
    while _call_keystone(keystone, "HEAD", token) == 200:
        assert time.monotonic() < deadline, "the token does not expire"
        time.sleep(0.1)


def _statuses(drs: Emulator, operation: str = "BatchListJobStatus") -> list[int]:
    return [entry["status"] for entry in drs.journal(operation)]


@pytest.mark.parametrize("scope", ["region", "project name", "project id", "domain id", "/v3"])
def test_login_with_project_scope(
    hook: Any, connect_both: Any, keystone: Keystone, drs: Emulator, scope: str
) -> None:
    ways: dict[str, dict[str, Any]] = {
        "region": {},
        "project name": {"region": "elsewhere", "project_name": keystone.project},
        "project id": {"region": "elsewhere", "project_id": keystone.project_id},
        "domain id": {"domain_name": "", "domain_id": keystone.domain_id},
        "/v3": {"iam_endpoint": f"{keystone.url}/v3/"},
    }
    connect_both(ways[scope])

    answers = hook.get_job_statuses(drs.job_ids)

    assert {answer.status for answer in answers.values()} == {"CONFIGURATION"}
    assert drs.journal()[0]["path"] == f"/v3/{keystone.project_id}/jobs/batch-status"


@pytest.mark.parametrize(
    "change",
    [
        {"password": "wrong-not-real"},
        {"login": "unknown"},
        {"login": "stranger"},
        {"extra": {"domain_name": "Nowhere"}},
        {"extra": {"project_name": "us"}},
        {"extra": {"project_id": "f" * 32}},
    ],
    ids=str,
)
def test_wrong_credentials_name_the_user_and_no_secret(
    hook: Any, connect_both: Any, keystone: Keystone, drs: Emulator, change: dict[str, Any]
) -> None:
    connect_both(**change)

    with pytest.raises(DrsAuthError, match=r"IAM at .* rejected user .* for project") as caught:
        hook.get_job_statuses(drs.job_ids)

    assert caught.value.http_status == 401
    assert keystone.password not in str(caught.value)
    assert "wrong-not-real" not in str(caught.value)
    assert drs.journal() == []


def test_token_is_renewed_before_it_expires(
    hook: Any, drs: Emulator, keystone: Keystone, grants: list[Grant], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    monkeypatch.setattr(tokens, "time", SimpleNamespace(monotonic=lambda: now_s))
    # A tenth of the lifetime, and the fraction of a second that Keystone may have truncated.
    renewal_s = keystone.lifetime_s * 0.9 - 1

    granted = []
    for now_s in (0.0, renewal_s - 0.1, renewal_s + 0.1):  # noqa: B007  # the clock above reads it
        hook.get_job_statuses(drs.job_ids)
        granted.append(len(grants))

    assert granted == [1, 1, 2]
    assert [grant.lifetime_s for grant in grants] == [keystone.lifetime_s] * 2
    assert _statuses(drs) == [200, 200, 200]


@pytest.fixture
def only_when_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renew tokens only after DRS rejected them, not shortly before they expire."""
    monkeypatch.setattr(Grant, "useful_s", property(lambda grant: math.inf))


@pytest.mark.usefixtures("only_when_rejected")
def test_expired_token_is_renewed(hook: Any, drs: Emulator, keystone: Keystone, grants: list[Grant]) -> None:
    hook.get_job_statuses(drs.job_ids)
    _wait_until_expired(keystone, grants[0].token)

    answers = hook.get_job_statuses(drs.job_ids)

    assert {answer.status for answer in answers.values()} == {"CONFIGURATION"}
    assert _statuses(drs) == [200, 403, 200]
    assert len(grants) == 2


@pytest.mark.usefixtures("only_when_rejected")
def test_revoked_token_is_renewed(hook: Any, drs: Emulator, keystone: Keystone, grants: list[Grant]) -> None:
    hook.get_job_statuses(drs.job_ids)
    assert _call_keystone(keystone, "DELETE", grants[0].token) == 204

    answers = hook.get_job_statuses(drs.job_ids)

    assert {answer.status for answer in answers.values()} == {"CONFIGURATION"}
    assert _statuses(drs) == [200, 403, 200]
    assert len(grants) == 2


@pytest.mark.usefixtures("only_when_rejected")
def test_write_with_expired_token_is_sent_once(
    hook: Any, drs: Emulator, keystone: Keystone, grants: list[Grant]
) -> None:
    hook.get_job_statuses(drs.job_ids)
    _call_keystone(keystone, "DELETE", grants[0].token)

    answers = hook.precheck_jobs(drs.job_ids)

    assert not [answer for answer in answers.values() if isinstance(answer, DrsError)]
    assert [entry["applied"] for entry in drs.journal("BatchCheckJobs")] == [False, True]


@pytest.fixture
def long_precheck(connect_both: object, drs: Emulator, keystone: Keystone) -> list[str]:
    """Return jobs whose pre-check has just started and outlasts a token."""
    drs.set_verdict(None, "pass", duration_s=keystone.lifetime_s * 1.5)
    with DrsHook() as hook:
        hook.precheck_jobs(drs.job_ids)
    tokens.TOKENS.clear()
    return list(drs.job_ids)


def test_worker_waits_longer_than_token_lifetime(
    long_precheck: list[str], grants: list[Grant], context: dict[str, Any]
) -> None:
    from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

    sensor = DrsPrecheckSensor(
        task_id="wait", job_ids=long_precheck, poke_interval=0.5, timeout=60, deferrable=False
    )

    assert sensor.execute(context) == long_precheck
    assert len({grant.token for grant in grants}) > 1


def test_triggerer_waits_longer_than_token_lifetime(long_precheck: list[str], grants: list[Grant]) -> None:
    from airflow_provider_drs.triggers.drs import DrsWatchTrigger

    trigger = DrsWatchTrigger(
        drs_conn_id="drs_default",
        watch=PrecheckWatch(long_precheck, AlarmPolicy()).to_dict(),
        poke_interval=0.5,
        deadline=time.time() + 60,
    )

    event = asyncio.run(anext(trigger.run()))

    assert event.payload["status"] == "done"
    assert len({grant.token for grant in grants}) > 1


def test_unreachable_iam_names_the_field(hook: Any, connect_both: Any, drs: Emulator) -> None:
    connect_both({"iam_endpoint": "http://127.0.0.1:9", "retry_timeout": 0.1})

    with pytest.raises(DrsUnavailableError, match="iam_endpoint"):
        hook.get_job_statuses(drs.job_ids)


@pytest.mark.parametrize(
    ("extra", "fields", "step"),
    [
        ({}, {}, "DRS"),
        ({"project_name": "no-such-project"}, {}, "IAM project"),
        ({}, {"password": "wrong-not-real"}, "IAM credentials"),
        ({"domain_name": "no-such-account"}, {}, "IAM credentials"),
    ],
)
def test_diagnosis_distinguishes_wrong_project_and_password(
    connect_both: Callable[..., None], keystone: Keystone, extra: dict[str, Any], fields: Any, step: str
) -> None:
    connect_both(extra, **fields)
    hook = DrsHook()

    *_, last = diagnose(hook._read_settings(hook.get_connection(hook.drs_conn_id)))

    assert last.step == step
    if step == "IAM project":
        assert f"Its projects: {keystone.project} ({keystone.project_id})." in last.message


def test_agency_needs_a_token_of_the_account_which_keystone_issues(
    hook: Any, connect_both: Callable[..., None], keystone: Keystone
) -> None:
    """Keystone has no agencies: it issues the token of the user, and rejects the second step."""
    connect_both({"agency_name": "agency", "agency_domain_name": "Customer"})

    with pytest.raises(DrsAuthError) as caught:
        hook.get_job_statuses(["any-job"])

    assert caught.value.operation == "KeystoneCreateAgencyToken"
    assert "agency 'agency' of account 'Customer'" in str(caught.value)
