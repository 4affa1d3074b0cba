"""
Starts many jobs with an Airflow on Celery while components and DRS fail, and proves that each started once.

    .venvs/airflow-3/bin/python -m dev.cluster --line cluster-3 --jobs 500 --group 20 --seed 1
"""

from __future__ import annotations

import argparse
import signal
import sys

from dev.cluster.run import Size, run


def main() -> int:
    """Return 0 only if every line of the proof holds."""
    parser = argparse.ArgumentParser("cluster", description="Start many jobs while faults are injected.")
    parser.add_argument("--line", choices=("cluster-3", "cluster-2"), default="cluster-3")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--group", type=int, default=20, help="number of jobs that are started together")
    parser.add_argument("--rounds", type=int, default=2, help="how often each component is killed")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    # Ctrl-C and SIGTERM both run the clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    size = Size(options.jobs, options.group, options.rounds)
    return 0 if run(options.line, size, options.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
