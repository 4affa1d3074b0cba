"""
Runs checks, all of them even if one fails, and sums up at the end.

    python3.11 -m dev.checks.run lint types unit + test-cluster airflow

Each is a target of the Makefile; those that run pytest leave a report of theirs in .run/reports. What stands
on either side of a plus goes on side by side: a whole Airflow waits for half of its time, in which a machine
of two cores can do something else. What a check prints is shown when it has ended.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / ".run" / "reports"

_printing = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    """
    What became of one check.

    :param good: tests that have passed.
    :param bad: tests that have not.
    :param note: what the check itself wants to be read, e.g. that it could not be made.
    """

    target: str
    is_good: bool
    took_s: float
    good: int
    bad: int
    note: str

    def __str__(self) -> str:
        counts = f"{self.good} passed, {self.bad} failed" if self.good or self.bad else self.note
        verdict = "good" if self.is_good else "FAILED"
        return f"  {self.target:<13} {verdict:<7} {self.took_s:>5.0f} s  {counts}".rstrip()


def main(words: Sequence[str]) -> int:
    """Return 0 if every check passes."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    groups = [list(group) for is_plus, group in itertools.groupby(words, "+".__eq__) if not is_plus]
    began_s = time.monotonic()
    with ThreadPoolExecutor(len(groups)) as pool:
        outcomes = [each for done in pool.map(_run_all, groups) for each in done]
    # A target is a check itself where it runs no tests, or where it fails although they pass.
    passed = sum(each.good or each.is_good for each in outcomes)
    failed = sum(each.bad or not each.is_good for each in outcomes)
    print("\n".join(["", *map(str, outcomes), f"  {'in all':<21} {time.monotonic() - began_s:>5.0f} s"]))
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def _run_all(targets: Sequence[str]) -> list[Outcome]:
    return [_run(target) for target in targets]


def _run(target: str) -> Outcome:
    log = REPORTS / f"{target}.log"
    _describe(f"== {target} begins")
    began_s = time.monotonic()
    with log.open("wb") as output:
        command = ["make", "--no-print-directory", target]
        code = subprocess.call(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    took_s = time.monotonic() - began_s
    _describe(f"== {target}\n{log.read_text(errors='replace').rstrip()}")
    note = REPORTS / f"{target}.note"
    return Outcome(target, code == 0, took_s, *_count(target), note.read_text() if note.exists() else "")


def _describe(text: str) -> None:
    with _printing:
        print(text, flush=True)


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
