"""
Measures, prints a table, and stores it for the documentation.

    make benchmark
    make benchmark PARTS=waits

Each figure is a count, or a ratio measured in one run, so that it does not depend on the machine.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from benchmarks.figures import Figure, render_line, render_rst

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / ".run" / "benchmark"
PARTS = ("calls", "waits", "faults", "report", "mapping")


def main(parts: Sequence[str]) -> int:
    """Measure some parts, and return 0 if all figures are within their limits."""
    os.environ["AIRFLOW_HOME"] = str(ROOT / ".run" / "bench")
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
    KEPT.mkdir(parents=True, exist_ok=True)
    good = True
    for part in parts:
        figures = []
        for figure in import_module(f"benchmarks.{part}").measure():
            print(render_line(figure), flush=True)
            figures.append(figure)
        good = good and all(figure.passes for figure in figures)
        (KEPT / f"{part}.json").write_text(json.dumps([asdict(figure) for figure in figures]))
    _keep()
    return 0 if good else 1


def _keep() -> None:
    """Write the table that the documentation includes, once every part has been measured."""
    files = [KEPT / f"{part}.json" for part in PARTS]
    if all(file.exists() for file in files):
        figures = [Figure(**fields) for file in files for fields in json.loads(file.read_text())]
        where = (
            f"Measured on {datetime.now(UTC):%Y-%m-%d} with Python {platform.python_version()} and Airflow "
            f"{version('apache-airflow')} on {os.cpu_count()} shared CPU cores."
        )
        (ROOT / "benchmarks" / "results.rst").write_text(f"{where}\n\n{render_rst(figures)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or PARTS))
