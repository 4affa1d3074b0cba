"""The connection: what its Test button answers, what its form has, and what is refused."""

from __future__ import annotations

from typing import Any

# A connection of Airflow 2 can only be made where the tables that it is related to are known.
import airflow.models.dag  # noqa: F401
import pytest

from airflow_provider_drs.emulator import Emulator
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.protocol.connection.settings import read_settings
from airflow_provider_drs.protocol.core.errors import DrsConfigError
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
        ({"host": "http://127.0.0.1:9"}, "DRS connection: cannot connect to 127.0.0.1:9"),
        ({"login": ""}, "login is empty"),
    ],
)
def test_a_bad_one_says_which_part_failed(connect: Any, change: dict[str, Any], text: str) -> None:
    """And why."""
    connect({"retry_timeout": 0.6}, **change)

    works, message = DrsHook().test_connection()

    assert not works
    assert text in message


def test_a_host_that_is_another_service_is_no_success(connect: Any, emulator: Emulator) -> None:
    """A 404 without a code of DRS does not say that the job is unknown."""
    connect(host=f"{emulator.url}/elsewhere")

    works, message = DrsHook().test_connection()

    assert not works
    assert "is not DRS" in message


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


def _make_form(**stored: Any) -> Any:
    """Return the form of Airflow before 3.2, as it is shown for a connection."""
    pytest.importorskip("flask_appbuilder")
    wtforms = pytest.importorskip("wtforms")
    form = type("Form", (wtforms.Form,), DrsHook.get_connection_form_widgets())()
    for name, value in stored.items():
        form[name].data = value
    return form


def test_the_form_has_every_field_of_the_connection() -> None:
    """On Airflow 3.2 and later as data; before, the hook makes widgets that say the same."""
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


def test_choices_are_a_list_to_choose_from() -> None:
    """Each with its name, and what is stored is chosen, however it is spelt; what it is called is escaped."""
    drawn = _make_form(auth="AKSK")["auth"]()

    assert drawn.startswith("<select ")
    assert 'class="form-control"' in drawn
    assert '<option value="aksk" selected>aksk: access key and secret key</option>' in drawn
    assert drawn.count(" selected") == 1
    assert '<option value="otc" selected>' in _make_form()["cloud"]()


def test_a_stored_proxy_is_not_shown() -> None:
    """It may have a password in it; the form has the word for which Airflow keeps what is stored."""
    pytest.importorskip("airflow.www.views")

    drawn = _make_form(proxy="http://user:canary-not-real@proxy.example")["proxy"]()

    assert 'type="password"' in drawn
    assert "canary" not in drawn
    assert "RATHER_LONG_SENSITIVE_FIELD_PLACEHOLDER" in drawn
    assert "RATHER_LONG" not in _make_form()["proxy"]()


def test_a_tick_is_sent_as_the_connection_reads_it() -> None:
    """The Test button of Airflow 2 sends what is in the page, and not what the form makes of it."""
    drawn = _make_form(allow_http=True)["allow_http"]()

    assert 'type="checkbox"' in drawn
    assert 'value="true"' in drawn
    assert "checked" in drawn
    assert "checked" not in _make_form()["allow_http"]()


def test_the_form_shows_what_test_buttons_need() -> None:
    """Without the extra that of Airflow 2.11 does nothing, and that of 3.3.2 wants a port."""
    assert DrsHook.get_ui_field_behaviour()["hidden_fields"] == ["schema"]


def test_placeholders_are_for_fields_that_there_are() -> None:
    """The form of Airflow 2 stops at the first one without a field."""
    known = {"host", "port", "login", "password", *CONNECTION_FIELDS}

    assert DrsHook.get_ui_field_behaviour()["placeholders"].keys() <= known


@pytest.mark.parametrize("extra", [{"region": ""}, {"verify": "/no/such/file"}])
def test_an_answer_names_no_connection(connect: Any, extra: dict[str, Any]) -> None:
    """Airflow tests a form under an id that it makes up, and that nobody knows."""
    connect(extra)

    works, message = DrsHook().test_connection()

    assert not works
    assert "drs_default" not in message


def test_a_password_that_a_form_does_not_send_is_to_be_typed_again(connect: Any) -> None:
    """Airflow 2.11 neither shows nor sends what is stored."""
    connect({"extra__drs__region": "eu-de"}, password="")

    works, message = DrsHook().test_connection()

    assert not works
    assert message.startswith("password is empty.")
    assert message.endswith("enter it again to test it.")


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
