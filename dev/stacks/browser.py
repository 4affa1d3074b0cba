"""
A headless Chromium of the system, installed if it is missing, and driven by Playwright.

    .venvs/airflow-3/bin/python dev/browser.py    installs it

Playwright is only the driver here: it downloads no browser of its own.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: Nothing leaves this machine, and nothing is asked.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str:
    """
    Return the path of Chromium; it is installed with apt-get if there is none.

    :raises RuntimeError: there is none, and it cannot be installed.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        print("Installing chromium", flush=True)
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "chromium"]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{' '.join(command)} failed; install chromium by hand:\n{done.stderr}")
        found = shutil.which("chromium")
    if found is None:
        raise RuntimeError("chromium was installed and cannot be found")
    return found


@contextmanager
def run_browser() -> Iterator[Browser]:
    """Run a Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    print(find_chromium())
