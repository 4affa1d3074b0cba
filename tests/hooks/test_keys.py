"""Access keys: temporary ones, and the project that IAM finds for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_drs.emulator import Emulator
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.protocol.core.errors import DrsAuthError, DrsConfigError
from airflow_provider_drs.transport.tokens import TOKENS


@pytest.fixture(autouse=True)
def _no_tokens() -> None:
    TOKENS.clear()


def _connect(monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any], **extra: Any) -> None:
    changed = {key: value for key, value in {**connection["extra"], **extra}.items() if value is not None}
    monkeypatch.setenv("AIRFLOW_CONN_DRS_DEFAULT", json.dumps({**connection, "extra": changed}))


def test_project_is_found_once_by_the_region(
    emulator: Emulator, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, emulator.connection_with_keys, project_id=None, iam_endpoint=emulator.url)

    for _ in range(2):
        assert len(hook.get_job_statuses(emulator.job_ids)) == len(emulator.job_ids)

    assert len(emulator.journal("KeystoneListProjects")) == 1


@pytest.mark.usefixtures("no_backoff")
def test_unknown_project_is_named(emulator: Emulator, hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = emulator.connection_with_keys
    _connect(monkeypatch, keys, project_id=None, project_name="eu-de_shop", iam_endpoint=emulator.url)

    with pytest.raises(DrsConfigError, match="IAM lists no project 'eu-de_shop'.*or set extra.project_id"):
        hook.get_job_statuses(emulator.job_ids)
    assert "IAM project: " in DrsHook().test_connection()[1]


@pytest.mark.usefixtures("no_backoff")
def test_wrong_keys_are_rejected_by_iam(
    emulator: Emulator, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {**emulator.connection_with_keys, "password": "wrong-not-real"}
    _connect(monkeypatch, keys, project_id=None, iam_endpoint=emulator.url)

    with pytest.raises(DrsAuthError, match="KeystoneListProjects.*access key or its signature"):
        hook.get_job_statuses(emulator.job_ids)
    assert DrsHook().test_connection()[1].startswith("IAM credentials")


@pytest.mark.usefixtures("no_backoff")
def test_temporary_keys_work_until_they_expire(
    emulator: Emulator, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, emulator.connect_with_temporary_keys(600))

    assert len(hook.get_job_statuses(emulator.job_ids)) == len(emulator.job_ids)
    emulator.advance(601)
    with pytest.raises(DrsAuthError, match=r"extra\.security_token \(required by temporary keys"):
        hook.get_job_statuses(emulator.job_ids)


@pytest.mark.usefixtures("no_backoff")
def test_temporary_keys_require_their_security_token(
    emulator: Emulator, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = emulator.connect_with_temporary_keys()
    _connect(monkeypatch, connection, security_token=None)

    with pytest.raises(DrsAuthError, match="security_token"):
        hook.get_job_statuses(emulator.job_ids)


def test_unknown_field_is_a_warning_with_the_closest_field(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _connect(monkeypatch, emulator.connection, regions="eu-nl", xyz=43)
    texts = DrsHook().get_settings().unknown_fields

    assert texts == (
        "extra.regions is unknown and ignored. Did you mean region?",
        "extra.xyz is unknown and ignored. Remove it, or check its spelling.",
    )
    works, message = DrsHook().test_connection()
    assert works
    assert "Did you mean region?" in message
