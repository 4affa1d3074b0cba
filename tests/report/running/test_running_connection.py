"""The connection form in a browser and the results of connection tests, on a running Airflow of each line."""

from __future__ import annotations

import json
import re
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet
from drs_emulator import Emulator
from drs_emulator.http.iam import ACCESS_KEY, SECRET_KEY
from drs_emulator.world.world import PROJECT_ID
from playwright.sync_api import Page, expect

from airflow_provider_drs.provider_info import CONNECTION_FIELDS, FIELD_BEHAVIOUR
from dev.stacks.airflow_settings import RESPONSE_S
from tests.report.running.conftest import ON_3, RunningAirflow, Visit
from tests.security.servers import Received, RecordingServer, grant, respond
from tests.shared_airflow import LINES

pytestmark = pytest.mark.system

ON_2 = pytest.mark.parametrize("shared_airflow", LINES[:1], indirect=True)
SECRET = "canary-41-not-real"
PROXY = f"http://user:{SECRET}@127.0.0.1:9"
SECTIONS = dict.fromkeys(field["schema"]["section"] for field in CONNECTION_FIELDS.values())
CHOICES = CONNECTION_FIELDS["auth"]["schema"]["values_display"]


def _open_form(visit: Visit, conn_id: str) -> Page:
    """Open the form of a new connection of type ``drs``."""
    page = visit.page
    if visit.running.airflow.major == 2:
        page.goto(f"{visit.running.url}/connection/add")
        page.locator("#conn_id").fill(conn_id)
        page.locator("#conn_type").evaluate("e => $(e).val('drs').trigger('change')")
        return page
    page.goto(f"{visit.running.url}/connections")
    page.get_by_role("button", name="Add Connection").click()
    page.locator("input[name=connection_id]").fill(conn_id)
    page.get_by_role("dialog").get_by_role("combobox").click()
    page.keyboard.type("Data Repl")
    page.keyboard.press("Enter")
    return page


def _fill(visit: Visit, **changes: str) -> None:
    """Fill in the form with the connection to the emulator, with changes."""
    connection = visit.running.drs.connection
    own = {name: connection[name] for name in ("host", "login", "password")}
    values = own | {"port": "443"} | connection["extra"] | changes
    is_2 = visit.running.airflow.major == 2
    for section, names in _group(values).items():
        if section and not is_2:
            visit.page.get_by_role("button", name=section).click()
        for name in names:
            field = f"#extra__drs__{name}" if section else f"#{name}"
            if not is_2:
                field = f"#element_{name}" if section else f"input[name={name}]"
            visit.page.locator(field).fill(values[name])


def _group(names: Any) -> dict[str | None, list[str]]:
    """Return the names of fields by section; Airflow's own fields come first."""
    found: dict[str | None, list[str]] = {None: []} | {section: [] for section in SECTIONS}
    for name in names:
        field = CONNECTION_FIELDS.get(name)
        found[field["schema"]["section"] if field else None].append(name)
    return {section: names for section, names in found.items() if names}


def _describe(running: RunningAirflow, **changes: Any) -> dict[str, Any]:
    """Return a connection to the emulator in the format of Airflow's API."""
    fields = {**running.drs.connection, **changes}
    extra = {**running.drs.connection["extra"], **changes.get("extra", {})}
    return {**fields, "connection_id": "never_kept", "extra": json.dumps(extra)}


def _call(running: RunningAirflow, method: str, path: str, **options: Any) -> requests.Response:
    version = "v1" if running.airflow.major == 2 else "v2"
    session = running.sessions["admin"]
    token = {"Authorization": f"Bearer {session.cookies.get('_token')}"} if version == "v2" else {}
    headers = token | options.pop("headers", {})
    return session.request(
        method, f"{running.url}/api/{version}/{path}", headers=headers, timeout=RESPONSE_S, **options
    )


@ON_2
def test_form_of_airflow_2(visit: Visit) -> None:
    page = _open_form(visit, "looked_at")

    for name, field in CONNECTION_FIELDS.items():
        expect(page.locator(f"label[for=extra__drs__{name}]")).to_have_text(field["label"])
        expect(page.locator(f"#extra__drs__{name} ~ .help-block")).to_have_text(field["description"])
        hint = FIELD_BEHAVIOUR["placeholders"].get(name, "")
        assert (page.locator(f"#extra__drs__{name}").get_attribute("placeholder") or "") == hint
    expect(page.locator("#extra__drs__auth option")).to_have_text(list(CHOICES.values()))
    expect(page.locator("#extra__drs__proxy")).to_have_attribute("type", "password")
    for name, label in FIELD_BEHAVIOUR["relabeling"].items():
        expect(page.locator(f"label[for={name}]")).to_have_text(label)
    expect(page.locator("#schema")).to_be_hidden()
    visit.shoot("connection-airflow-2")


@ON_3
def test_form_of_airflow_3(visit: Visit) -> None:
    visit.set_theme("light")
    page = _open_form(visit, "looked_at")
    for name, label in FIELD_BEHAVIOUR["relabeling"].items():
        if name != "extra":
            expect(page.get_by_role("dialog").get_by_text(label, exact=True)).to_be_visible()
            hint = FIELD_BEHAVIOUR["placeholders"][name]
            expect(page.locator(f"input[name={name}]")).to_have_attribute("placeholder", hint)
    expect(page.locator("input[name=url_schema]")).to_have_count(0)

    for section in SECTIONS:
        page.get_by_role("button", name=section).click()
        for field in CONNECTION_FIELDS.values():
            if field["schema"]["section"] == section:
                expect(page.get_by_text(field["label"], exact=True)).to_be_visible()
                expect(page.get_by_text(field["description"], exact=True)).to_be_visible()
        visit.shoot(f"connection-airflow-3-{section.split()[0].lower()}")
    page.get_by_role("button", name="Endpoints and network").click()
    expect(page.locator("#element_proxy")).to_have_attribute("type", "password")
    page.get_by_role("button", name="Cloud and account").click()
    page.locator("#element_auth input").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option")).to_have_text(list(CHOICES.values()))


@ON_2
def test_test_button_of_airflow_2(visit: Visit) -> None:
    page = _open_form(visit, "tested_first")
    _fill(visit)
    page.locator("#extra__drs__allow_http").check()

    page.locator("#test-connection").click()
    expect(page.locator(".alert-success")).to_contain_text("The connection works")
    page.locator("#extra__drs__domain_name").fill("another-account")
    page.locator("#test-connection").click()

    expect(page.locator(".alert-success")).to_contain_text("domain 'another-account'")
    expect(page.locator(".alert-success")).to_contain_text("Check login, password, domain_name")


@ON_2
def test_stored_proxy_is_hidden_and_kept(visit: Visit) -> None:
    page = _open_form(visit, "kept_on_2")
    _fill(visit, proxy=PROXY)
    page.get_by_role("button", name="Save").click()
    page.wait_for_load_state()

    airflow = visit.running.airflow

    def proxy() -> str:
        ((kept,),) = airflow.query("select extra from connection where conn_id = ?", "kept_on_2")
        extra = Fernet(airflow.environment["AIRFLOW__CORE__FERNET_KEY"]).decrypt(kept)
        return str(json.loads(extra)["proxy"])

    first = proxy()
    page.goto(f"{visit.running.url}/connection/list/?_flt_3_conn_id=kept_on_2")
    page.locator("a[href*='/connection/edit/']").last.click()
    page.locator("#conn_id").wait_for()
    seen = page.content()
    page.locator("#test-connection").click()
    expect(page.locator(".alert-success")).to_contain_text("password is empty")
    expect(page.locator(".alert-success")).to_contain_text("Enter them again")
    page.get_by_role("button", name="Save").click()
    page.wait_for_load_state()

    assert SECRET not in seen
    assert (first, proxy()) == (PROXY, PROXY)


@ON_3
def test_test_button_of_airflow_3(visit: Visit) -> None:
    page = _open_form(visit, "kept_on_3")
    _fill(visit)
    page.get_by_role("button", name="Save").click()
    row = page.get_by_role("row", name="kept_on_3")
    row.get_by_role("button", name="Test Connection").click()

    expect(page.get_by_role("status").filter(has_text="works")).to_contain_text(
        "The connection works: IAM accepts the credentials, and DRS responds."
    )


#: Invalid connections, and the message of the test.
INVALID = [
    ({"extra": {"region": ""}}, "the project is missing. Set extra.region"),
    ({"host": "https://drs.eu-xx.invalid"}, "DRS DNS: cannot resolve.*extra.region"),
    ({"host": "http://127.0.0.1:9"}, "DRS connection: cannot connect to 127.0.0.1:9.*the firewall"),
    (
        {"extra": {"proxy": PROXY}},
        "through the proxy 127.0.0.1:9 of extra.proxy.*Check the proxy",
    ),
    ({"extra": {"domain_name": "another"}}, "rejected user 'drs-user' of domain 'another'.*domain_name"),
]


@pytest.mark.parametrize(("changes", "pattern"), INVALID)
def test_failed_test_has_a_fix(running: RunningAirflow, changes: dict[str, Any], pattern: str) -> None:
    found = _test(running, **changes)

    assert re.search(pattern, found, re.DOTALL), found
    assert SECRET not in found


def _test(running: RunningAirflow, **changes: Any) -> str:
    """Test an invalid connection, and return the message."""
    found = _call(running, "POST", "connections/test", json=_describe(running, **changes)).json()
    assert found["status"] is False
    return str(found["message"])


def test_missing_permission(running: RunningAirflow) -> None:
    fault = running.drs.inject("no_permission", operation="BatchListJobStatus")
    try:
        response = _test(running)
    finally:
        running.drs.remove_fault(fault)

    assert response.startswith("DRS permission: DRS denied access to the user 'drs-user'")
    assert "Ask the account's administrator" in response


def test_missing_project(running: RunningAirflow) -> None:
    def respond_as_iam(request: Received) -> bytes:
        if request.line.startswith(b"GET"):
            return respond(200, {"projects": [{"name": "eu-de_crm", "id": "1234"}]})
        return respond(401, {"error": {}}) if b'"scope"' in request.body else grant("token-not-real")

    with RecordingServer(respond_as_iam) as iam:
        response = _test(running, extra={"iam_endpoint": iam.url, "project_name": "eu-de_shop"})

    assert (
        "user 'drs-user' has no access to project 'eu-de_shop'. Its projects: eu-de_crm (1234)." in response
    )
    assert "ask for a role in the project" in response


def test_untrusted_issuer(running: RunningAirflow, tmp_path: Path) -> None:
    with Emulator(tls=tmp_path) as secure:
        response = _test(running, host=secure.url)

    assert response.startswith("DRS TLS: the certificate's issuer OU=local CA,O=drs-emulator")
    assert "Set extra.verify to the path of a CA bundle that contains this issuer" in response


def test_wrong_clock(running: RunningAirflow) -> None:
    in_an_hour = formatdate(time.time() + 3600, usegmt=True)
    extra = {"auth": "aksk", "project_id": PROJECT_ID}

    with RecordingServer(lambda _: respond(200, {}, Date=in_an_hour)) as drs:
        response = _test(running, host=drs.url, login=ACCESS_KEY, password=SECRET_KEY, extra=extra)

    assert response.startswith("DRS clock: this machine's clock is ")
    assert "Synchronize the clock" in response


@ON_3
@pytest.mark.parametrize(
    ("changes", "state", "response"),
    [
        ({}, "success", "The connection works"),
        ({"password": SECRET}, "failed", "IAM credentials: .*Check login, password"),
    ],
)
def test_test_on_a_worker(
    running: RunningAirflow, changes: dict[str, Any], state: str, response: str
) -> None:
    asked = _call(running, "POST", "connections/enqueue-test", json=_describe(running, **changes))
    assert asked.status_code == 202, asked.text
    headers = {"Airflow-Connection-Test-Token": asked.json()["token"]}
    deadline_s = time.monotonic() + RESPONSE_S

    found: dict[str, Any] = {"result_message": None}
    while not found["result_message"] and time.monotonic() < deadline_s:
        time.sleep(0.3)
        found = _call(running, "GET", "connections/enqueue-test", headers=headers).json()

    assert found["state"] == state
    assert re.search(response, found["result_message"])
    assert SECRET not in found["result_message"]
