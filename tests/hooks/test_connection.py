from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.emulator import Emulator
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.protocol.errors import DrsConfigError
from airflow_provider_drs.provider_info import CONNECTION_FIELDS, get_provider_info

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")


def test_a_good_connection_tests_well(emulator: Emulator) -> None:
    """A look at the way there, then one token and one reading call."""
    works, text = DrsHook().test_connection()

    assert works, text
    assert [entry["operation"] for entry in emulator.journal() if entry["operation"]] == [
        "KeystoneCreateUserTokenByPassword",
        "BatchListJobStatus",
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"password": "wrong-not-real"}, "IAM credentials: IAM at"),
        ({"host": "http://127.0.0.1:9"}, "DRS connection: no connection to 127.0.0.1:9"),
        ({"login": ""}, "login is empty"),
    ],
)
def test_a_bad_one_says_which_part_failed(connect: Any, change: dict[str, Any], text: str) -> None:
    """And why."""
    connect({"retry_timeout": 0.1}, **change)

    works, message = DrsHook().test_connection()

    assert not works
    assert text in message


def test_a_host_that_is_another_service_is_no_success(connect: Any, emulator: Emulator) -> None:
    """A 404 without a code of DRS does not say that the job is unknown."""
    connect(host=f"{emulator.url}/elsewhere")

    works, message = DrsHook().test_connection()

    assert not works
    assert "not as DRS does" in message


@pytest.mark.parametrize("extra", ["[1]", "{"])
def test_extra_must_be_an_object(extra: str) -> None:
    """The text names the connection."""

    class Connection:
        host = port = login = password = schema = None

    Connection.extra = extra  # type: ignore[attr-defined]
    with pytest.raises(DrsConfigError, match="drs_default"):
        DrsHook()._read_settings(Connection())


def test_arguments_go_before_the_connection(emulator: Emulator) -> None:
    """Here, a project that the token is not for."""
    with DrsHook(project_id="f" * 32) as hook, pytest.raises(Exception, match="IAM at"):
        hook.get_job_statuses(emulator.job_ids)


def test_a_hook_can_be_used_after_it_was_closed(emulator: Emulator) -> None:
    """It connects anew."""
    hook = DrsHook()
    with hook:
        hook.get_job_statuses(emulator.job_ids)
    with hook:
        assert len(hook.get_job_statuses(emulator.job_ids)) == 10


def test_the_form_has_every_field_of_the_connection() -> None:
    """On Airflow 3.2 and later from the provider's description, before from the hook."""
    described = get_provider_info()["connection-types"][0]

    assert set(described["conn-fields"]) == set(CONNECTION_FIELDS)
    assert DrsHook.get_ui_field_behaviour()["hidden_fields"] == ["schema", "port", "extra"]
    pytest.importorskip("flask_appbuilder")
    assert set(DrsHook.get_connection_form_widgets()) == set(CONNECTION_FIELDS)


def test_airflow_accepts_the_description() -> None:
    """It validates against Airflow's own schema."""
    import json
    from importlib import resources

    import jsonschema

    schema = json.loads(resources.files("airflow").joinpath("provider_info.schema.json").read_text())

    jsonschema.validate(get_provider_info(), schema)
