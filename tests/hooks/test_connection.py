from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.emulator import Emulator
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.protocol.errors import DrsConfigError
from airflow_provider_drs.protocol.settings import read_settings
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
    """On Airflow 3.2 and later as data; before, the hook makes widgets that say the same."""
    described = get_provider_info()["connection-types"][0]
    assert described["conn-fields"] == CONNECTION_FIELDS
    hidden, *_ = (value for name, value in described["ui-field-behaviour"].items() if "hidden" in name)
    assert DrsHook.get_ui_field_behaviour()["hidden_fields"] == hidden
    pytest.importorskip("flask_appbuilder")
    wtforms = pytest.importorskip("wtforms")

    form = type("Form", (wtforms.Form,), DrsHook.get_connection_form_widgets())()

    shown = {
        field.name: (field.label.text, field.description, field.default, _choices(field)) for field in form
    }
    assert shown == {
        name: (each["label"], each["description"], each["schema"].get("default"), each["schema"].get("enum"))
        for name, each in CONNECTION_FIELDS.items()
    }
    kinds = {field.name: type(field).__name__.removesuffix("Field").lower() for field in form}
    assert kinds == {name: each["schema"]["type"][0] for name, each in CONNECTION_FIELDS.items()}


def test_airflow_finds_the_form() -> None:
    """With each field; before 3.2 it takes the widgets of the hook's own class, and of no class above it."""
    pytest.importorskip("flask_appbuilder")
    from airflow.providers_manager import ProvidersManager

    found = {name for name in ProvidersManager().connection_form_widgets if name.startswith("extra__drs__")}

    assert found == {f"extra__drs__{name}" for name in CONNECTION_FIELDS}


def _choices(field: Any) -> Any:
    found = [list(each.values) for each in field.validators if hasattr(each, "values")]
    return found[0] if found else None


def test_every_field_of_the_form_is_read() -> None:
    """And a wrong value in it is refused by its name; texts and clearings alike are what forms send."""
    connection = {"host": "http://127.0.0.1:1", "port": None, "login": "user", "password": "not-real"}
    needed = {"region": "eu-de", "domain_name": "somebody", "iam_endpoint": "http://127.0.0.1:1"}
    empty = {name: "" for name in CONNECTION_FIELDS if name not in needed} | needed
    defaults = {
        name: str(each["schema"]["default"])
        if each["schema"]["type"][0] == "integer"
        else each["schema"]["default"]
        for name, each in CONNECTION_FIELDS.items()
        if "default" in each["schema"]
    }

    cleared = read_settings("drs_default", **connection, extra=empty)

    assert cleared == read_settings("drs_default", **connection, extra=needed)
    assert cleared == read_settings("drs_default", **connection, extra={**empty, **defaults})
    for name in CONNECTION_FIELDS:
        with pytest.raises(DrsConfigError, match=name):
            read_settings("drs_default", **connection, extra={**needed, name: ["no", "such", "value"]})


def test_airflow_accepts_the_description() -> None:
    """It validates against Airflow's own schema."""
    import json
    from importlib import resources

    import jsonschema

    schema = json.loads(resources.files("airflow").joinpath("provider_info.schema.json").read_text())

    jsonschema.validate(get_provider_info(), schema)
