"""
Measures, prints a table, and keeps it for the documentation.

    make benchmark

Each figure is a count, or a ratio taken in one run, so that the speed of the machine does not matter.
"""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("calls", "waits", "faults")


def main() -> int:
    """Take all figures, or those of the parts that are named."""
    os.environ["AIRFLOW_HOME"] = str(ROOT / ".run" / "bench")
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
    from importlib import import_module

    from benchmarks.figures import Figure, render_rst, render_text

    chosen = sys.argv[1:] or PARTS
    figures: list[Figure] = []
    for part in chosen:
        for figure in import_module(f"benchmarks.{part}").measure():
            print(
                render_text([figure]) if not figures else render_text([*figures, figure]).splitlines()[-1],
                flush=True,
            )
            figures.append(figure)
    if tuple(chosen) == PARTS:
        where = (
            f"Taken on {datetime.now(UTC):%Y-%m-%d} with Python {platform.python_version()} and Airflow "
            f"{version('apache-airflow')} on {os.cpu_count()} shared cores."
        )
        (ROOT / "benchmarks" / "results.rst").write_text(f"{where}\n\n{render_rst(figures)}")
    return 0 if all(figure.passes for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
