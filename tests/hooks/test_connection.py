"""The connection: its Test button, its form, and invalid fields."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

# Airflow 2 creates a connection only if the related tables are imported.
import airflow.models.dag  # noqa: F401
import pytest
from drs_emulator import Emulator

from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.protocol.connection.settings import EXTRA_FIELDS, read_settings
from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.provider_info import CONNECTION_FIELDS, get_provider_info

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")


def test_valid_connection_passes(emulator: Emulator) -> None:
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
        ({"host": "http://127.0.0.1:9"}, "DRS connection: cannot connect to 127.0.0.1:9"),
        ({"login": ""}, "login is empty"),
    ],
)
def test_invalid_connection_names_the_failed_check(connect: Any, change: dict[str, Any], text: str) -> None:
    connect({"retry_timeout": 0.6}, **change)

    works, message = DrsHook().test_connection()

    assert not works
    assert text in message


def test_other_service_fails_the_test(connect: Any, emulator: Emulator) -> None:
    connect(host=f"{emulator.url}/elsewhere")

    works, message = DrsHook().test_connection()

    assert not works
    assert "is not DRS" in message


@pytest.mark.parametrize("extra", ["[1]", "{"])
def test_extra_must_be_a_json_object(extra: str) -> None:
    class Connection:
        host = port = login = password = schema = None

    Connection.extra = extra  # type: ignore[attr-defined]
    with pytest.raises(DrsConfigError, match="drs_default"):
        DrsHook()._read_settings(Connection())


def test_arguments_override_the_connection(emulator: Emulator) -> None:
    with DrsHook(project_id="f" * 32) as hook, pytest.raises(Exception, match="IAM at"):
        hook.get_job_statuses(emulator.job_ids)


def test_closed_hook_can_be_used_again(emulator: Emulator) -> None:
    hook = DrsHook()
    with hook:
        hook.get_job_statuses(emulator.job_ids)
    with hook:
        assert len(hook.get_job_statuses(emulator.job_ids)) == 10


def _make_form(**stored: Any) -> Any:
    """Return the form of Airflow before 3.2, as it is shown for a connection."""
    pytest.importorskip("flask_appbuilder")
    wtforms = pytest.importorskip("wtforms")
    form = type("Form", (wtforms.Form,), DrsHook.get_connection_form_widgets())()
    for name, value in stored.items():
        form[name].data = value
    return form


def test_form_has_every_field() -> None:
    described = get_provider_info()["connection-types"][0]
    assert described["conn-fields"] == CONNECTION_FIELDS
    assert DrsHook.get_ui_field_behaviour() == {
        name.replace("-", "_"): value for name, value in described["ui-field-behaviour"].items()
    }

    form = _make_form()

    shown = {
        field.name: (field.label.text, field.description, field.default, _choices(field)) for field in form
    }
    assert shown == {
        name: (each["label"], each["description"], each["schema"].get("default"), each["schema"].get("enum"))
        for name, each in CONNECTION_FIELDS.items()
    }
    kinds = {field.name: type(field).__name__.removesuffix("Field").lower() for field in form}
    assert kinds == {
        name: each["schema"].get("format") or each["schema"]["type"][0]
        for name, each in CONNECTION_FIELDS.items()
    }


def test_choices_are_a_select_list() -> None:
    drawn = _make_form(auth="AKSK")["auth"]()

    assert drawn.startswith("<select ")
    assert 'class="form-control"' in drawn
    assert '<option value="aksk" selected>aksk: access key and secret key</option>' in drawn
    assert drawn.count(" selected") == 1
    assert '<option value="otc" selected>' in _make_form()["cloud"]()


def test_stored_proxy_is_hidden() -> None:
    pytest.importorskip("airflow.www.views")

    drawn = _make_form(proxy="http://user:canary-not-real@proxy.example")["proxy"]()

    assert 'type="password"' in drawn
    assert "canary" not in drawn
    assert "RATHER_LONG_SENSITIVE_FIELD_PLACEHOLDER" in drawn
    assert "RATHER_LONG" not in _make_form()["proxy"]()


def test_checkbox_value_is_read() -> None:
    drawn = _make_form(allow_http=True)["allow_http"]()

    assert 'type="checkbox"' in drawn
    assert 'value="true"' in drawn
    assert "checked" in drawn
    assert "checked" not in _make_form()["allow_http"]()


def test_form_shows_extra_and_port() -> None:
    assert DrsHook.get_ui_field_behaviour()["hidden_fields"] == ["schema"]


def test_form_has_the_fields_of_the_extra() -> None:
    assert set(EXTRA_FIELDS) == set(CONNECTION_FIELDS)


def test_placeholders_match_fields() -> None:
    known = {"host", "port", "login", "password", *CONNECTION_FIELDS}

    assert DrsHook.get_ui_field_behaviour()["placeholders"].keys() <= known


@pytest.mark.parametrize("extra", [{"region": ""}, {"verify": "/no/such/file"}])
def test_test_result_has_no_connection_id(connect: Any, extra: dict[str, Any]) -> None:
    connect(extra)

    works, message = DrsHook().test_connection()

    assert not works
    assert "drs_default" not in message


def test_missing_password_of_form_is_explained(connect: Any) -> None:
    connect({"extra__drs__region": "eu-de"}, password="")

    works, message = DrsHook().test_connection()

    assert not works
    assert message.startswith("password is empty.")
    assert message.endswith("Enter them again to test the connection.")


def test_airflow_loads_the_form() -> None:
    pytest.importorskip("flask_appbuilder")
    from airflow.providers_manager import ProvidersManager

    found = {name for name in ProvidersManager().connection_form_widgets if name.startswith("extra__drs__")}

    assert found == {f"extra__drs__{name}" for name in CONNECTION_FIELDS}


def _choices(field: Any) -> Any:
    found = [list(each.values) for each in field.validators if hasattr(each, "values")]
    return found[0] if found else None


def test_every_form_field_is_read() -> None:
    connection = {"host": "http://127.0.0.1:1", "port": None, "login": "user", "password": "not-real"}
    needed = {"region": "eu-de", "domain_name": "security-tests", "iam_endpoint": "http://127.0.0.1:1"}
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


def test_provider_info_matches_the_schema() -> None:
    import json
    from importlib import resources

    import jsonschema

    schema = json.loads(resources.files("airflow").joinpath("provider_info.schema.json").read_text())

    jsonschema.validate(get_provider_info(), schema)


_TWO_LOOPS = """
import asyncio
from airflow_provider_drs.hooks.drs import DrsAsyncHook

hook = DrsAsyncHook()
for _ in range(2):
    print("answers:", len(asyncio.run(hook.get_job_statuses({job_ids!r}))))
"""


def test_async_hook_is_used_in_a_second_event_loop(emulator: Emulator) -> None:
    # In a process of its own: the session of the first loop cannot be closed any more.
    script = _TWO_LOOPS.format(job_ids=emulator.job_ids)

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.stdout.count("answers: 10") == 2, done.stderr


def test_closed_hook_keeps_the_names_of_jobs(emulator: Emulator) -> None:
    with DrsHook() as hook:
        hook.get_job_details(emulator.job_ids[:1])
    with hook:
        hook.get_job_statuses(emulator.job_ids[:1])

    assert hook.job_names == {emulator.job_ids[0]: "orders-migration-01"}
