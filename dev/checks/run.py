"""
Runs checks, all of them even if one fails, and prints a summary.

    python3.11 -m dev.checks.run lint types unit + cluster airflow

Each check is a target of the Makefile; those that run pytest write a report to .run/reports. The groups on
both sides of a plus run concurrently: a running Airflow is idle half of the time. The output of a check is
printed when it has finished.
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
class Result:
    """
    The result of a check.

    :param passed: number of tests that passed.
    :param failed: the tests that failed, each with the first line of its error.
    :param note: a remark of the check, e.g. that a part of it could not run.
    """

    target: str
    is_ok: bool
    took_s: float
    passed: int
    failed: tuple[str, ...]
    note: str

    def __str__(self) -> str:
        is_test = self.passed or self.failed
        counts = f"{self.passed} passed, {len(self.failed)} failed" if is_test else self.note
        state = "OK" if self.is_ok else "FAIL"
        return f"  {self.target:<13} {state:<7} {self.took_s:>5.0f} s  {counts}".rstrip()


def main(words: Sequence[str]) -> int:
    """Return 0 if every check passes."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    groups = [list(group) for is_plus, group in itertools.groupby(words, "+".__eq__) if not is_plus]
    began_s = time.monotonic()
    with ThreadPoolExecutor(len(groups)) as pool:
        results = [result for done in pool.map(_run_all, groups) for result in done]
    # A target counts as one test if it runs none, or fails although its tests pass.
    passed = sum(result.passed or result.is_ok for result in results)
    failed = sum(len(result.failed) or not result.is_ok for result in results)
    print("\n".join(["", *(f"FAILED {test}" for result in results for test in result.failed)]))
    print("\n".join(["", *map(str, results), f"  {'total':<21} {time.monotonic() - began_s:>5.0f} s"]))
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def _run_all(targets: Sequence[str]) -> list[Result]:
    return [_run(target) for target in targets]


def _run(target: str) -> Result:
    log = REPORTS / f"{target}.log"
    _print(f"== {target}: started")
    began_s = time.monotonic()
    with log.open("wb") as output:
        command = ["make", "--no-print-directory", target]
        code = subprocess.call(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    took_s = time.monotonic() - began_s
    _print(f"== {target}: output\n{log.read_text(errors='replace').rstrip()}")
    note = REPORTS / f"{target}.note"
    return Result(target, code == 0, took_s, *_count(target), note.read_text() if note.exists() else "")


def _print(text: str) -> None:
    with _printing:
        print(text, flush=True)


def _count(target: str) -> tuple[int, tuple[str, ...]]:
    """Return how many tests of a target passed, and those that failed."""
    report = REPORTS / f"{target}.xml"
    if not report.exists():
        return 0, ()
    # Written by our own pytest a moment ago.
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # noqa: S314 - our own file
    passed = sum(all(case.find(tag) is None for tag in ("failure", "error", "skipped")) for case in cases)
    failed = (
        (f"{case.get('classname')}::{case.get('name')}", problem.get("message", "").splitlines() or [""])
        for case in cases
        for problem in (*case.iter("failure"), *case.iter("error"))
    )
    return passed, tuple(f"{test}: {lines[0][:200]}" for test, lines in failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
