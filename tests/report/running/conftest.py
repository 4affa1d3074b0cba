"""A running Airflow of each line, its pre-check reports, and browsers of its users."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests
from drs_emulator import Emulator
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from dev.demos.report_seeds import DAG_ID, TASK_ID, Seeds, make_report
from dev.stacks.airflow_settings import RESPONSE_S
from dev.stacks.airflow_stack import AirflowStack
from dev.stacks.browser import run_browser
from tests.shared_airflow import LINES
from tests.shared_airflow.main_job import FAILED_RUN
from tests.shared_airflow.stack import PREFIX, USERS, SharedAirflow

ROOT = Path(__file__).parents[3]
SCREENSHOTS = ROOT / ".run" / "screenshots"
OTHER_DAG = "another_dag"
# The default of playwright, 5 seconds, is too short for a busy machine.
expect.set_options(timeout=1000 * RESPONSE_S)


@dataclass
class RunningAirflow:
    """A running Airflow, its DRS, and the sessions of its users."""

    airflow: AirflowStack
    drs: Emulator
    seeds: Seeds
    sessions: dict[str, requests.Session] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The URL of Airflow, with its prefix."""
        return self.airflow.url

    def get(self, path: str, user: str | None = "admin", **query: object) -> requests.Response:
        """Request a path below ``/drs/`` as a user; ``None`` is not logged in."""
        session = self.sessions[user] if user else _open_session()
        return session.get(f"{self.url}/drs/{path}", params=query, timeout=RESPONSE_S, allow_redirects=False)

    def get_report(self, run_id: str, user: str | None = "admin", **query: object) -> requests.Response:
        """Request the report of the sensor in a run."""
        return self.get("data/report", user, **place(run_id), **query)

    def address(self, run_id: str, **changes: object) -> str:
        return f"{self.url}/drs/report?{urlencode({**place(run_id), **changes})}"


def place(run_id: str, task_id: str = TASK_ID, dag_id: str = DAG_ID) -> dict[str, object]:
    """Return the query parameters that identify a report."""
    return {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": -1}


@pytest.fixture(scope="session")
def running(shared_airflow: SharedAirflow) -> RunningAirflow:
    """Return a running Airflow 2.11, then a 3.x."""
    running = RunningAirflow(
        shared_airflow.airflow, shared_airflow.drs, Seeds(shared_airflow.airflow, FAILED_RUN)
    )
    running.seeds.add("its-only-run", make_report(2, 10, failed=1), days_ago=1, dag_id=OTHER_DAG)
    running.sessions.update({user: _log_in(running, user, shared_airflow.passwords[user]) for user in USERS})
    return running


#: For tests whose result does not depend on the line.
ON_3 = pytest.mark.parametrize("shared_airflow", LINES[1:], indirect=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a Chromium without a window."""
    with run_browser() as found:
        yield found


@dataclass
class Visit:
    """
    The browser of a user.

    :param problems: errors of scripts, dialogs, and violations of the page's security policy.
    :param addresses: the URLs of all requests.
    """

    running: RunningAirflow
    context: BrowserContext
    page: Page
    problems: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def open(self, run_id: str, **changes: object) -> Page:
        """Open a report, and wait until it is shown."""
        return self.go(self.running.address(run_id, **changes))

    def go(self, address: str) -> Page:
        """Open a URL, and wait until the page has loaded its data."""
        self.page.goto(address)
        self.page.wait_for_selector("main[aria-busy=false]")
        return self.page

    def set_theme(self, theme: str) -> None:
        """Select a theme in the same way as Airflow's switch."""
        is_3 = self.running.airflow.major == 3
        item = ("theme", theme) if is_3 else ("darkTheme", str(theme == "dark").lower())
        self.page.goto(f"{self.running.url}/drs/static/icon.svg")
        self.page.evaluate("item => localStorage.setItem(...item)", list(item))

    def shoot(self, name: str) -> None:
        """Save a screenshot for manual review."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_timeout(400)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@pytest.fixture
def visit(running: RunningAirflow, browser: Browser) -> Iterator[Visit]:
    """Return an admin's browser. Script errors, dialogs and requests to other hosts fail the test."""
    found = _make_visit(running, browser, "admin")
    yield found
    found.context.close()
    assert found.problems == []
    assert not [
        address for address in found.addresses if not address.startswith((running.url, "blob:", "data:"))
    ]


@pytest.fixture
def visit_as(running: RunningAirflow, browser: Browser) -> Iterator[Callable[[str | None], Visit]]:
    """Return a function that returns the browser of a user; ``None`` is not logged in."""
    visits: list[Visit] = []

    def make(user: str | None) -> Visit:
        visits.append(_make_visit(running, browser, user))
        return visits[-1]

    yield make
    for visit in visits:
        visit.context.close()


def _make_visit(running: RunningAirflow, browser: Browser, user: str | None) -> Visit:
    context = browser.new_context(viewport={"width": 1280, "height": 860}, accept_downloads=True)
    context.set_default_timeout(1000 * RESPONSE_S)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    # No request leaves this machine, whatever a link refers to.
    context.route(re.compile(r"^https://"), lambda route: route.fulfill(body="elsewhere"))
    if user:
        context.add_cookies(
            [
                {"name": cookie.name, "value": str(cookie.value), "domain": "127.0.0.1", "path": cookie.path}
                for cookie in running.sessions[user].cookies
            ]
        )
    page = context.new_page()
    visit = Visit(running, context, page)
    page.on("pageerror", lambda error: _note(visit, str(error)))
    page.on("dialog", lambda dialog: (visit.problems.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: _listen(visit, message))
    page.on("request", lambda request: visit.addresses.append(request.url))
    return visit


def _note(visit: Visit, problem: str) -> None:
    # A script of Airflow 2.11 fails on every connection form.
    if "setting 'autocomplete'" not in problem:
        visit.problems.append(problem)


def _listen(visit: Visit, message: ConsoleMessage) -> None:
    if "Content Security Policy" in message.text or message.text.startswith("Uncaught"):
        visit.problems.append(message.text)


def _open_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def _log_in(running: RunningAirflow, user: str, password: str) -> requests.Session:
    session = _open_session()
    if running.airflow.major == 3:
        body = {"username": user, "password": password}
        response = session.post(f"{running.url}/auth/token", json=body, timeout=RESPONSE_S)
        response.raise_for_status()
        session.cookies.set("_token", response.json()["access_token"], domain="127.0.0.1", path=f"{PREFIX}/")
        return session
    page = session.get(f"{running.url}/login/", timeout=RESPONSE_S)
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert token, page.text[:2000]
    form = {"username": user, "password": password, "csrf_token": token.group(1)}
    response = session.post(f"{running.url}/login/", data=form, timeout=RESPONSE_S, allow_redirects=False)
    assert response.status_code == 302, response.text[:2000]
    return session
