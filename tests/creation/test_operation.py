"""Creation of dual-active pairs."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.protocol.conversations import create_jobs
from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.creation.messages import CreatedJob
from tests.scripted import ScriptedService, answer

PAIR = {
    "name": "pair",
    "db_use_type": "cloudDataGuard",
    "engine_type": "cloudDataGuard-mysql",
    "subnet_id": "5c6bbb05",
    "multi_write": True,
    "target_endpoint": {"region": "eu-de", "inst_id": "in01"},
}
CREATED = {"name": "pair", "id": "p", "status": "CREATING"}


@pytest.mark.parametrize("listed", [[], [{**CREATED, "children": [{"id": "x", "status": "CREATING"}]}]])
def test_pair_without_known_directions_has_no_pair_ids(listed: list[Any]) -> None:
    """The list may not contain the pair yet, or its children without a direction."""
    answers = [
        answer({"jobs": [], "total_record": 0}),
        answer({"results": [{**CREATED, "child_ids": ["x", "y"]}]}, 202),
        answer({"jobs": listed, "total_record": len(listed)}),
    ]

    created = ScriptedService(answers).run(create_jobs(Limits(10, 50, 300.0), [PAIR]))

    assert created["pair"] == CreatedJob("pair", "p", "CREATING", child_ids=("x", "y"))
