"""Every kind of credentials: keys, agencies, the metadata service, their renewal and their rotation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from drs_emulator import Emulator

from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.protocol.core.errors import DrsAuthError, DrsConfigError, DrsUnavailableError

READ = "BatchListJobStatus"


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
    _connect(monkeypatch, emulator.connection, regions="eu-nl", xyz=43, extra__drs__batch_size=5)
    texts = DrsHook().get_settings().unknown_fields

    assert texts == (
        "extra.regions is unknown and ignored. Did you mean region?",
        "extra.xyz is unknown and ignored. Remove it, or check its spelling.",
        "extra.extra__drs__batch_size is ignored. Name it batch_size.",
    )
    works, message = DrsHook().test_connection()
    assert works
    assert "Did you mean region?" in message


def test_connection_of_another_type_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DRS_DEFAULT", json.dumps({"conn_type": "mysql", "host": "192.0.2.1"}))

    with pytest.raises(DrsConfigError, match=r"login is empty.* The type of the connection is 'mysql', not"):
        DrsHook().get_settings()


def _with_token(emulator: Emulator, token: str, **extra: Any) -> dict[str, Any]:
    emulator.accept_token(token)
    connection = {**emulator.connection_with_keys, "password": token, "login": ""}
    return {**connection, "extra": {**connection["extra"], "auth": "token", **extra}}


def _rotate_password(emulator: Emulator) -> dict[str, Any]:
    emulator.set_iam(password="new-password-not-real")
    emulator.revoke_tokens()
    return {**emulator.connection, "password": "new-password-not-real"}


def _rotate_keys(emulator: Emulator) -> dict[str, Any]:
    emulator.set_iam(secret_key="new-key-not-real")
    return {**emulator.connection_with_keys, "password": "new-key-not-real"}


def _rotate_found_project(emulator: Emulator) -> dict[str, Any]:
    connection = _rotate_keys(emulator)
    return {**connection, "extra": _without_project(emulator)["extra"]}


def _without_project(emulator: Emulator) -> dict[str, Any]:
    connection = emulator.connection_with_keys
    extra = {**connection["extra"], "project_id": "", "iam_endpoint": emulator.url}
    return {**connection, "extra": extra}


def _rotate_temporary_keys(emulator: Emulator) -> dict[str, Any]:
    emulator.advance(601)
    return emulator.connect_with_temporary_keys()


def _rotate_token(emulator: Emulator) -> dict[str, Any]:
    emulator.revoke_tokens()
    return _with_token(emulator, "new-token-not-real")


def _rotate_agency_user(emulator: Emulator) -> dict[str, Any]:
    changed = _rotate_password(emulator)
    return {**changed, "extra": emulator.connection_with_agency["extra"]}


#: By kind of credentials: the connection, and a rotation that returns the new connection.
ROTATIONS: dict[str, tuple[Callable[[Emulator], dict[str, Any]], Callable[[Emulator], dict[str, Any]]]] = {
    "password": (lambda emulator: emulator.connection, _rotate_password),
    "keys": (lambda emulator: emulator.connection_with_keys, _rotate_keys),
    "keys without project": (_without_project, _rotate_found_project),
    "temporary keys": (lambda emulator: emulator.connect_with_temporary_keys(600), _rotate_temporary_keys),
    "token": (lambda emulator: _with_token(emulator, "token-not-real"), _rotate_token),
    "agency": (lambda emulator: emulator.connection_with_agency, _rotate_agency_user),
}


@pytest.mark.usefixtures("no_backoff")
@pytest.mark.parametrize("kind", ROTATIONS)
def test_credentials_that_are_rotated_while_a_hook_is_open(
    emulator: Emulator, hook: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    before, rotate = ROTATIONS[kind]
    _connect(monkeypatch, before(emulator))
    hook.get_job_statuses(emulator.job_ids)

    changed = rotate(emulator)
    with pytest.raises(DrsAuthError, match="connection 'drs_default'"):
        hook.get_job_statuses(emulator.job_ids)
    _connect(monkeypatch, changed)

    assert len(hook.get_job_statuses(emulator.job_ids)) == len(emulator.job_ids)


@pytest.mark.usefixtures("no_backoff")
def test_new_credentials_of_another_endpoint_are_not_used(
    emulator: Emulator, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, emulator.connection)
    hook.get_job_statuses(emulator.job_ids)
    _connect(monkeypatch, {**_rotate_password(emulator), "host": "https://drs.example"})

    with pytest.raises(DrsAuthError, match="rejected user"):
        hook.get_job_statuses(emulator.job_ids)


@pytest.mark.usefixtures("no_backoff")
def test_rejected_password_is_not_sent_again_if_another_field_has_changed(
    emulator: Emulator, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, emulator.connection)
    hook.get_job_statuses(emulator.job_ids)
    _rotate_password(emulator)
    emulator.clear_journal()
    _connect(monkeypatch, emulator.connection, proxy="http://127.0.0.1:9", read_timeout=30)

    with pytest.raises(DrsAuthError, match="rejected user"):
        hook.get_job_statuses(emulator.job_ids)
    assert len(emulator.journal("KeystoneCreateUserTokenByPassword")) == 1


@pytest.mark.usefixtures("no_backoff")
@pytest.mark.parametrize("broken", ["{", None])
def test_connection_that_cannot_be_read_again_is_a_warning(
    emulator: Emulator,
    hook: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    broken: str | None,
) -> None:
    _connect(monkeypatch, emulator.connection)
    hook.get_job_statuses(emulator.job_ids)
    _rotate_password(emulator)
    if broken is None:
        monkeypatch.delenv("AIRFLOW_CONN_DRS_DEFAULT")
    else:
        monkeypatch.setenv("AIRFLOW_CONN_DRS_DEFAULT", broken)

    with pytest.raises(DrsAuthError, match="rejected user"):
        hook.get_job_statuses(emulator.job_ids)
    assert "Cannot read connection 'drs_default' again" in caplog.text + capsys.readouterr().out


def test_agency_acts_in_its_own_account(
    emulator: Emulator, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, emulator.connection_with_agency)

    for _ in range(2):
        assert len(hook.get_job_statuses(emulator.job_ids)) == len(emulator.job_ids)

    assert [entry["operation"] for entry in emulator.journal()] == [
        "KeystoneCreateUserTokenByPassword",
        "KeystoneCreateAgencyToken",
        *[READ] * 2,
    ]
    assert DrsHook().test_connection() == (
        True,
        "The connection works: IAM accepts the credentials, and DRS responds.",
    )


def test_agency_with_a_token_finds_the_project_by_its_name(
    emulator: Emulator, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {**emulator.connection_with_agency["extra"], "project_id": ""}
    _connect(monkeypatch, _with_token(emulator, "token-not-real", **extra))

    assert len(hook.get_job_statuses(emulator.job_ids)) == len(emulator.job_ids)


@pytest.mark.usefixtures("no_backoff")
@pytest.mark.parametrize(
    ("extra", "has_agency", "reason"),
    [
        ({"agency_name": "other"}, True, "agency 'other' of account 'emulator-customer'.*HTTP 404"),
        ({"agency_domain_name": "other"}, True, "account 'other'.*Agent Operator"),
        ({"project_name": "eu-nl"}, True, "for project 'eu-nl'.*HTTP 401"),
        ({}, False, "HTTP 403: You are not authorized.*must delegate to the user's account"),
    ],
)
def test_refused_agency_names_what_to_check(
    emulator: Emulator,
    hook: Any,
    monkeypatch: pytest.MonkeyPatch,
    extra: dict[str, str],
    has_agency: bool,
    reason: str,
) -> None:
    _connect(monkeypatch, emulator.connection_with_agency, **extra)
    emulator.set_iam(has_agency=has_agency)

    with pytest.raises(DrsAuthError, match=reason):
        hook.get_job_statuses(emulator.job_ids)
    works, message = DrsHook().test_connection()
    assert (works, message.split(":")[0]) == (False, "IAM agency")


@pytest.mark.usefixtures("no_backoff")
def test_user_of_an_agency_who_is_rejected(
    emulator: Emulator, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, {**emulator.connection_with_agency, "password": "wrong-not-real"})

    with pytest.raises(DrsAuthError, match="rejected user 'drs-user' of domain 'emulator-domain' .HTTP 401"):
        hook.get_job_statuses(emulator.job_ids)
    assert DrsHook().test_connection()[1].startswith("IAM credentials: ")


@pytest.mark.usefixtures("no_backoff")
@pytest.mark.parametrize("mode", ["open", "session"])
@pytest.mark.parametrize("project_id", ["", None])
def test_metadata_keys_are_replaced_before_they_expire(
    emulator: Emulator,
    hook: Any,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    project_id: str | None,
) -> None:
    extra = {} if project_id is None else {"project_id": emulator.connection_with_keys["extra"]["project_id"]}
    _connect(monkeypatch, emulator.connection_with_metadata, **extra)
    emulator.set_iam(metadata=mode)

    for _ in range(3):
        assert len(hook.get_job_statuses(emulator.job_ids)) == len(emulator.job_ids)
        emulator.advance(3601)

    keys = [entry for entry in emulator.journal("GetSecurityKey") if entry["status"] == 200]
    assert len(keys) == 3
    assert DrsHook().test_connection()[0]


@pytest.mark.usefixtures("no_backoff")
def test_server_without_an_agency(emulator: Emulator, hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _connect(monkeypatch, emulator.connection_with_metadata)
    emulator.set_iam(metadata="no-agency")

    with pytest.raises(DrsAuthError, match="has no keys for connection 'drs_default'.*Bind an agency"):
        hook.get_job_statuses(emulator.job_ids)
    assert DrsHook().test_connection()[1].startswith("metadata credentials: ")
    assert not emulator.journal("GetMetadataToken")


@pytest.mark.usefixtures("no_backoff")
def test_metadata_outside_a_cloud_server(
    emulator: Emulator, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = {"metadata_endpoint": "http://127.0.0.1:9", "retry_timeout": 0.1}
    _connect(monkeypatch, emulator.connection_with_metadata, **endpoint)

    with pytest.raises(DrsUnavailableError, match=r"extra\.auth=metadata requires a cloud server"):
        hook.get_job_statuses(emulator.job_ids)
    assert DrsHook().test_connection()[1].startswith("metadata connection: ")
