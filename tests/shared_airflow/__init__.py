"""
An Airflow of each line that runs DAGs once, and whose events, metrics, logs and pages are then tested.

Tests of lineage, metrics, secrets and the report page share it, because starting an Airflow takes longer than
the tests.
"""

from __future__ import annotations

import pytest

#: Each line is a group, so that both run concurrently.
LINES = [
    pytest.param(line, marks=pytest.mark.xdist_group(f"shared_airflow-{line}"))
    for line in ("airflow-2", "airflow-3")
]
