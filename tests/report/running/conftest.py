"""The reports of a running Airflow of each line, and who may see them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from airflow_provider_drs.emulator import Emulator
from dev.demos.report_seeds import DAG_ID, TASK_ID, Seeds, make_report
from dev.stacks.airflow_settings import RESPONSE_S
from dev.stacks.airflow_stack import AirflowStack
from dev.stacks.browser import run_browser
from tests.watched import LINES
from tests.watched.main_job import FAILED_RUN
from tests.watched.stack import PREFIX, USERS, Watched

ROOT = Path(__file__).parents[3]
SCREENSHOTS = ROOT / ".run" / "screenshots"
OTHER_DAG = "another_dag"
# Five seconds, as playwright has it, are too few for a machine that does other things as well.
expect.set_options(timeout=1000 * RESPONSE_S)


@dataclass
class Site:
    """A running Airflow, its DRS, and the sessions of those who are logged in."""

    airflow: AirflowStack
    drs: Emulator
    seeds: Seeds
    sessions: dict[str, requests.Session] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where Airflow is, prefix included."""
        return self.airflow.url

    def get(self, what: str, who: str | None = "admin", **query: object) -> requests.Response:
        """Ask for something below ``/drs/``, as somebody or as nobody."""
        session = self.sessions[who] if who else _open_session()
        return session.get(f"{self.url}/drs/{what}", params=query, timeout=RESPONSE_S, allow_redirects=False)

    def get_report(self, run_id: str, who: str | None = "admin", **query: object) -> requests.Response:
        """Ask for the report of the sensor in a run."""
        return self.get("data/report", who, **place(run_id), **query)

    def address(self, run_id: str, **changes: object) -> str:
        return f"{self.url}/drs/report?{urlencode({**place(run_id), **changes})}"


def place(run_id: str, task_id: str = TASK_ID, dag_id: str = DAG_ID) -> dict[str, object]:
    """Return what says which report is meant."""
    return {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": -1}


@pytest.fixture(scope="session")
def site(watched: Watched) -> Site:
    """Return a running Airflow 2.11, then a 3.x."""
    site = Site(watched.airflow, watched.drs, Seeds(watched.airflow, FAILED_RUN))
    site.seeds.add("its-only-run", make_report(2, 10, failed=1), days_ago=1, dag_id=OTHER_DAG)
    site.sessions.update({who: _log_in(site, who, watched.passwords[who]) for who in USERS})
    return site


#: For what is the same on both lines.
ON_3 = pytest.mark.parametrize("watched", LINES[1:], indirect=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a Chromium without a window."""
    with run_browser() as found:
        yield found


@dataclass
class Visit:
    """A browser that somebody is logged in with, and what went wrong in it."""

    site: Site
    context: BrowserContext
    page: Page
    #: Errors of scripts, dialogs, and what the page's policy has stopped.
    complaints: list[str] = field(default_factory=list)
    #: What was asked for, from anywhere.
    addresses: list[str] = field(default_factory=list)

    def open(self, run_id: str, **changes: object) -> Page:
        """Open a report, and return when it is shown."""
        return self.go(self.site.address(run_id, **changes))

    def go(self, address: str) -> Page:
        """Open an address, and return when the page has something to show."""
        self.page.goto(address)
        self.page.wait_for_selector("main[aria-busy=false]")
        return self.page

    def set_theme(self, theme: str) -> None:
        """Choose a theme, as the switch in Airflow does."""
        is_3 = self.site.airflow.major == 3
        item = ("theme", theme) if is_3 else ("darkTheme", str(theme == "dark").lower())
        self.page.goto(f"{self.site.url}/drs/static/icon.svg")
        self.page.evaluate("item => localStorage.setItem(...item)", list(item))

    def shoot(self, name: str) -> None:
        """Keep a picture of what is seen, to be looked at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_timeout(400)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@pytest.fixture
def visit(site: Site, browser: Browser) -> Iterator[Visit]:
    """Return an admin's browser. A script that fails, a dialog, or what was stopped fails the test."""
    found = _make_visit(site, browser, "admin")
    yield found
    found.context.close()
    assert found.complaints == []
    assert not [
        address for address in found.addresses if not address.startswith((site.url, "blob:", "data:"))
    ]


@pytest.fixture
def visit_as(site: Site, browser: Browser) -> Iterator[Callable[[str | None], Visit]]:
    """Return a function that returns the browser of somebody, or of nobody."""
    made: list[Visit] = []

    def make(who: str | None) -> Visit:
        made.append(_make_visit(site, browser, who))
        return made[-1]

    yield make
    for each in made:
        each.context.close()


def _make_visit(site: Site, browser: Browser, who: str | None) -> Visit:
    context = browser.new_context(viewport={"width": 1280, "height": 860}, accept_downloads=True)
    context.set_default_timeout(1000 * RESPONSE_S)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    # Nothing leaves this machine, wherever a link leads.
    context.route(re.compile(r"^https://"), lambda route: route.fulfill(body="elsewhere"))
    if who:
        cookies = site.sessions[who].cookies
        context.add_cookies(
            [
                {"name": each.name, "value": str(each.value), "domain": "127.0.0.1", "path": each.path}
                for each in cookies
            ]
        )
    page = context.new_page()
    visit = Visit(site, context, page)
    page.on("pageerror", lambda error: _note(visit, str(error)))
    page.on("dialog", lambda dialog: (visit.complaints.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: _listen(visit, message))
    page.on("request", lambda request: visit.addresses.append(request.url))
    return visit


def _note(visit: Visit, complaint: str) -> None:
    # A script of Airflow 2.11 fails on each form of a connection.
    if "setting 'autocomplete'" not in complaint:
        visit.complaints.append(complaint)


def _listen(visit: Visit, message: ConsoleMessage) -> None:
    if "Content Security Policy" in message.text or message.text.startswith("Uncaught"):
        visit.complaints.append(message.text)


def _open_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def _log_in(site: Site, who: str, password: str) -> requests.Session:
    session = _open_session()
    if site.airflow.major == 3:
        body = {"username": who, "password": password}
        answer = session.post(f"{site.url}/auth/token", json=body, timeout=RESPONSE_S)
        answer.raise_for_status()
        session.cookies.set("_token", answer.json()["access_token"], domain="127.0.0.1", path=f"{PREFIX}/")
        return session
    page = session.get(f"{site.url}/login/", timeout=RESPONSE_S)
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert token, page.text[:2000]
    form = {"username": who, "password": password, "csrf_token": token.group(1)}
    answer = session.post(f"{site.url}/login/", data=form, timeout=RESPONSE_S, allow_redirects=False)
    assert answer.status_code == 302, answer.text[:2000]
    return session
