"""
Takes the screenshots of the report page for the documentation.

    .venvs/airflow-3/bin/python -m dev.docs.report_pictures
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from drs_emulator import Emulator
from playwright.sync_api import Page

from dev.demos.demo import BIN, DAG_ID
from dev.demos.report_seeds import Seeds, make_report
from dev.demos.ui import SENSOR, make_runs, report_url
from dev.stacks.airflow_settings import PASSWORD, USER
from dev.stacks.airflow_stack import ROOT, AirflowStack
from dev.stacks.browser import run_browser

IMAGES = ROOT / "docs" / "images"


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="airflow-drs-") as home, Emulator(precheck_s=3) as drs:
        environment = {"AIRFLOW_CONN_DRS_DEFAULT": drs.connection_json}
        with AirflowStack(BIN, Path(home), ROOT / "dags", environment) as airflow, run_browser() as browser:
            runs = make_runs(airflow, drs)
            page = browser.new_page(viewport={"width": 1200, "height": 800})
            log_in(page, airflow.url)
            _take(page, "report-failed", report_url(airflow, runs["one failed"]), "light")
            _take(page, "report-waiting", report_url(airflow, runs["waiting"]), "light")
            tab = f"{airflow.url}/dags/{DAG_ID}/runs/{runs['one failed']}/tasks/{SENSOR}/plugin/drs-precheck"
            _take(page, "report-tab", tab, "dark")
            last = _add_nights(Seeds(airflow, runs["one failed"]))
            _take(page, "report-history", report_url(airflow, last), "light")


def _add_nights(seeds: Seeds) -> str:
    """Add 30 nightly runs with some failures, and return the last."""
    for night in range(30, 0, -1):
        is_failed = night in (1, 8, 9, 21)
        report = make_report(40, 40, failed=2 if is_failed else 0, alarmed=(night * 7) % 4)
        state = "failed" if is_failed else "success"
        seeds.add(f"night-{31 - night:02}", report, days_ago=night / 10_000, state=state)
    return "night-30"


def _take(page: Page, name: str, address: str, theme: str) -> None:
    page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
    page.goto(address)
    frame = page.frame_locator("iframe") if "/plugin/" in address else page
    frame.locator("#history:not([hidden])").wait_for()
    page.wait_for_timeout(1000)
    page.screenshot(path=IMAGES / f"{name}.png")


def log_in(page: Page, url: str) -> None:
    page.goto(f"{url}/auth/login")
    page.fill("input[name=username]", USER)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(lambda address: "login" not in address)


if __name__ == "__main__":
    main()
