"""
Runs checks one after the other, all of them even if one fails, and sums up at the end.

    python3.11 dev/checks.py lint types unit

Each is a target of the Makefile; those that run pytest leave a report of theirs in .run/reports.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / ".run" / "reports"


def main(targets: list[str]) -> int:
    """Return 0 if every check passes."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    passed = failed = 0
    lines = []
    for target in targets:
        print(f"== {target}", flush=True)
        began_s = time.monotonic()
        is_good = subprocess.call(["make", "--no-print-directory", target], cwd=ROOT) == 0
        good, bad = _count(target)
        # A target is a check itself where it runs no tests, or where it fails although they pass.
        passed, failed = passed + (good or is_good), failed + (bad or not is_good)
        counts = f"{good} passed, {bad} failed" if good or bad else ""
        took_s = time.monotonic() - began_s
        lines.append(
            f"  {target:<13} {'good' if is_good else 'FAILED':<7} {took_s:>5.0f} s  {counts}".rstrip()
        )
    print("\n".join(["", *lines, "", f"{passed} passed, {failed} failed"]), flush=True)
    return 1 if failed else 0


def _count(target: str) -> tuple[int, int]:
    """Return how many tests of a target have passed, and how many have not."""
    report = REPORTS / f"{target}.xml"
    if not report.exists():
        return 0, 0
    # Written by our own pytest a moment ago.
    (suite,) = ElementTree.parse(report).getroot().iter("testsuite")  # noqa: S314
    tests, bad, skipped = (
        sum(int(suite.get(name, 0)) for name in names)
        for names in (["tests"], ["failures", "errors"], ["skipped"])
    )
    return tests - bad - skipped, bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
