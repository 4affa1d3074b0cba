"""
A headless Chromium from the Debian package, controlled by Playwright, which downloads no browser of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dev import packages

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: The browser sends nothing outside this machine, and shows no dialogs.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def run_browser() -> Iterator[Browser]:
    """Run Chromium; it is installed if it is missing."""
    from playwright.sync_api import sync_playwright

    packages.install("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()
