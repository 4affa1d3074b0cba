"""
An Airflow of each line in which DAGs run before any test looks at what it has told and what it shows.

Lineage and metrics, secrets, and the page of reports are different questions to the same Airflow; starting
one takes longer than asking.
"""

from __future__ import annotations

import pytest

#: Each line is a group of its own, so that the two run side by side.
LINES = [
    pytest.param(line, marks=pytest.mark.xdist_group(f"watched-{line}"))
    for line in ("airflow-2", "airflow-3")
]
