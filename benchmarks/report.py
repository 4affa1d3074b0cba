"""
The time until the report page is visible, in a real browser with a running Airflow.

Each report is opened for the first time: it is read from the database, decoded and counted. Reports of 10 and
of 1,000 jobs alternate, so that both are measured under the same load.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Figure

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from dev.stacks.airflow_stack import AirflowStack

ROOT = Path(__file__).resolve().parent.parent
JOBS, ITEMS, FEW, ROUNDS = 1000, 40, 10, 7

#: Resolves with the time in ms from navigation until a frame with the report is on the screen.
_SEEN = """() => new Promise((resolve) => {
    const done = () => requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now())));
    if (document.querySelector("main[aria-busy=false]")) done();
    else new MutationObserver((_, observer) => {
        if (document.querySelector("main[aria-busy=false]")) { observer.disconnect(); done(); }
    }).observe(document.getElementById("page"), { attributes: true });
})"""


def measure() -> Iterable[Figure]:
    """Measure all figures, one after the other."""
    from drs_emulator import Emulator

    from dev.stacks.airflow_stack import AirflowStack

    with tempfile.TemporaryDirectory(prefix="airflow-drs-") as home, Emulator(precheck_s=1) as drs:
        bin_folder = Path(sys.executable).parent
        environment = {"AIRFLOW_CONN_DRS_DEFAULT": drs.connection_json}
        with AirflowStack(bin_folder, Path(home), ROOT / "dags", environment) as airflow:
            yield from _measure_page(airflow)


def _measure_page(airflow: AirflowStack) -> Iterable[Figure]:
    from dev.demos.report_seeds import DAG_ID, Seeds, make_report
    from dev.stacks.browser import run_browser

    airflow.unpause(DAG_ID)
    origin = airflow.first_run(DAG_ID)
    airflow.wait(DAG_ID, origin)
    seeds = Seeds(airflow, origin)
    many, few = (make_report(jobs, ITEMS, failed=4, alarmed=ITEMS - 4) for jobs in (JOBS, FEW))
    # The first of each warms up the server and the browser.
    for n in range(ROUNDS + 1):
        seeds.add(f"many-{n}", many)
        seeds.add(f"few-{n}", few)
    with run_browser() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        _log_in(page, airflow.url)
        first: dict[str, list[float]] = {"many": [], "few": []}
        for n in range(ROUNDS + 1):
            for name, found in first.items():
                found.append(_open(page, airflow.url, f"{name}-{n}"))
        again = [_open(page, airflow.url, f"many-{ROUNDS}") for _ in range(ROUNDS)]
    many_ms, few_ms = (statistics.median(found[1:]) for found in first.values())
    what = f"{JOBS:,} jobs of {ITEMS} checks"
    yield Figure("Report", f"first view of {what}, not cached", many_ms, 1000, " ms")
    yield Figure("Report", f"second view, maximum of {ROUNDS}", max(again), 1000, " ms")
    yield Figure("Report", f"first view of {what} / of {FEW} jobs", many_ms / few_ms, 4)


def _log_in(page: Page, url: str) -> None:
    from dev.stacks.airflow_settings import PASSWORD, USER

    page.goto(f"{url}/auth/login")
    page.fill("input[name=username]", USER)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(lambda address: "login" not in address)


def _open(page: Page, url: str, run_id: str) -> float:
    from dev.demos.report_seeds import DAG_ID, TASK_ID

    page.goto(
        f"{url}/drs/report?dag_id={DAG_ID}&run_id={run_id}&task_id={TASK_ID}&map_index=-1",
        wait_until="commit",
    )
    page.wait_for_selector("#page", state="attached")
    seen_ms: float = page.evaluate(_SEEN)
    return seen_ms
