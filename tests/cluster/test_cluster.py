"""An Airflow on Celery starts many jobs while its components are killed and DRS fails."""

from __future__ import annotations

import os

import pytest

from dev.cluster.run import Size, run

pytestmark = pytest.mark.system
SEED = int(os.environ.get("DRS_CLUSTER_SEED", "1"))
#: How often each component is killed in the larger run.
ROUNDS = int(os.environ.get("DRS_CLUSTER_ROUNDS", "1"))


@pytest.mark.parametrize(
    ("line", "size"),
    [("cluster-3", Size(500, 25, ROUNDS)), ("cluster-2", Size(60, 4, 1))],
    ids=["airflow-3", "airflow-2"],
)
def test_every_job_is_started_exactly_once(line: str, size: Size) -> None:
    assert run(line, size, SEED)
