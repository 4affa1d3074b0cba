"""
Takes the screenshot of the connection form for the documentation.

    .venvs/airflow-3/bin/python -m dev.docs.connection_pictures
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page

from dev.demos.demo import BIN
from dev.docs.report_pictures import IMAGES, log_in
from dev.stacks.airflow_stack import ROOT, AirflowStack
from dev.stacks.browser import run_browser


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="airflow-drs-") as home,
        AirflowStack(BIN, Path(home), ROOT / "dags", {}) as airflow,
        run_browser() as browser,
    ):
        page = browser.new_page(viewport={"width": 1200, "height": 2000})
        log_in(page, airflow.url)
        _take(page, airflow.url)


def _take(page: Page, url: str) -> None:
    page.evaluate("localStorage.setItem('theme', 'light')")
    page.goto(f"{url}/connections")
    page.get_by_role("button", name="Add Connection").click()
    page.locator("input[name=connection_id]").fill("drs_default")
    page.get_by_role("dialog").get_by_role("combobox").click()
    page.keyboard.type("Data Repl")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Cloud and account").click()
    page.locator("#element_region").fill("eu-de")
    page.locator("#element_domain_name").fill("OTC-EU-DE-00000000001000000000")
    page.wait_for_timeout(1000)
    page.get_by_role("dialog").screenshot(path=IMAGES / "connection-form.png")


if __name__ == "__main__":
    main()
