"""A real OpenStack Keystone as the IAM, for both hooks; the emulator asks it about each token."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_drs.emulator import Emulator
from airflow_provider_drs.protocol.auth import Grant
from airflow_provider_drs.protocol.errors import DrsAuthError, DrsUnavailableError
from tests.conftest import HookInLoop

sys.path.insert(0, str(Path(__file__).parents[2] / "dev"))

from keystone import DOMAIN, PASSWORD, PROJECT, USER, Keystone

# One Keystone for all of them: it takes longer to come up than the tests take.
pytestmark = pytest.mark.xdist_group("keystone")

LIFETIME_S = 3


@pytest.fixture(scope="module")
def keystone() -> Iterator[Keystone]:
    """Return a Keystone whose tokens live for seconds."""
    with Keystone(lifetime_s=LIFETIME_S) as running:
        yield running


@pytest.fixture(scope="module")
def drs(keystone: Keystone) -> Iterator[Emulator]:
    """Return a DRS that trusts this Keystone."""
    with Emulator(iam_url=keystone.url) as emulator:
        yield emulator


@pytest.fixture(params=["requests", "aiohttp"])
def make_hook(
    request: pytest.FixtureRequest, keystone: Keystone, drs: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Return a function that makes a hook whose connection has some fields changed."""
    from airflow_provider_drs.hooks.drs import DrsAsyncHook, DrsHook

    made: list[Any] = []
    drs.clear_journal()

    def make(extra: dict[str, Any] | None = None, **fields: Any) -> Any:
        own = {"region": "eu-de", "domain_name": DOMAIN, "iam_endpoint": keystone.url, **(extra or {})}
        connection = {"conn_type": "drs", "host": drs.url, "login": USER, "password": PASSWORD, **fields, "extra": own}
        monkeypatch.setenv("AIRFLOW_CONN_DRS_DEFAULT", json.dumps(connection))
        made.append(DrsHook() if request.param == "requests" else HookInLoop(DrsAsyncHook()))
        return made[-1]

    yield make
    for hook in made:
        hook.close()


@pytest.mark.parametrize(
    "scope",
    [{}, {"iam_endpoint_suffix": "/v3"}, {"project_name": PROJECT, "region": "elsewhere"}, {"by_id": True}],
    ids=str,
)
def test_login_with_project_scope(make_hook: Any, keystone: Keystone, drs: Emulator, scope: dict[str, Any]) -> None:
    """By region, by project name, by domain id; the project id of every path comes from the token."""
    extra = {key: value for key, value in scope.items() if key in ("project_name", "region")}
    if "iam_endpoint_suffix" in scope:
        extra["iam_endpoint"] = f"{keystone.url}/v3/"
    if "by_id" in scope:
        extra |= {"domain_id": "default", "domain_name": ""}

    answers = make_hook(extra).get_job_statuses(drs.job_ids)

    assert {answer.status for answer in answers.values()} == {"CONFIGURATION"}


@pytest.mark.parametrize(
    "change",
    [{"password": "wrong-not-real"}, {"login": "nobody"}, {"extra": {"domain_name": "Nowhere"}}, {"extra": {"project_name": "us"}}],
    ids=str,
)
def test_wrong_credentials_are_named_and_never_shown(make_hook: Any, drs: Emulator, change: dict[str, Any]) -> None:
    """The text has user, domain and project; DRS is not even asked."""
    with pytest.raises(DrsAuthError, match="IAM at") as caught:
        make_hook(**change).get_job_statuses(drs.job_ids)

    assert PASSWORD not in str(caught.value)
    assert "wrong-not-real" not in str(caught.value)
    assert drs.journal() == []


def test_a_token_is_renewed_before_it_expires(make_hook: Any, drs: Emulator) -> None:
    """A wait goes on over the life of several tokens, and DRS never sees an old one."""
    hook = make_hook()
    ends = time.monotonic() + 1.5 * LIFETIME_S
    while time.monotonic() < ends:
        hook.get_job_statuses(drs.job_ids)
        time.sleep(0.2)

    assert {entry["status"] for entry in drs.journal("BatchListJobStatus")} == {200}


def test_a_token_that_expired_in_the_middle_of_a_wait_is_renewed(
    make_hook: Any, drs: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DRS refuses it with 403; one renewal, and the call succeeds."""
    monkeypatch.setattr(Grant, "useful_s", property(lambda self: float("inf")))
    hook = make_hook()
    hook.get_job_statuses(drs.job_ids)
    time.sleep(LIFETIME_S + 1)

    answers = hook.get_job_statuses(drs.job_ids)

    assert len(answers) == 10
    assert [entry["status"] for entry in drs.journal("BatchListJobStatus")] == [200, 403, 200]


def test_an_iam_that_cannot_be_reached_says_so(make_hook: Any, drs: Emulator) -> None:
    """With the field to look at."""
    hook = make_hook({"iam_endpoint": "http://127.0.0.1:9", "retry_timeout": 0.1})

    with pytest.raises(DrsUnavailableError, match="iam_endpoint"):
        hook.get_job_statuses(drs.job_ids)
