"""How many faults are handled: every row of the failure table, and random sequences."""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

from benchmarks.figures import Figure

ROOT = Path(__file__).resolve().parent.parent
SEQUENCES = 1000
TESTS = {
    "failed tests of the failure table, both hooks": "tests/hooks/test_failure_table.py",
    "failed tests with malformed or malicious responses, both transports": (
        "tests/transport/test_hostile_responses.py"
    ),
    f"broken invariants in {SEQUENCES} random sequences of faults": "tests/faults",
}


def measure() -> Iterable[Figure]:
    """Run the tests, and count failures."""
    for what, path in TESTS.items():
        report = ROOT / ".run" / "reports" / "benchmark.xml"
        # The pytest of the tests' environment; this one has no test dependencies.
        command = [ROOT / ".venvs/airflow-3/bin/pytest", "-q", "-n", "2", f"--junit-xml={report}", path]
        environment = os.environ | {"DRS_SEQUENCES": str(SEQUENCES)}
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
        suite = ET.parse(report).getroot()[0]  # noqa: S314 - our own file
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        run = int(suite.get("tests", 0))
        yield Figure("Faults", f"{what} ({run} tests)", bad if run else 1, 0)
