"""Looking up jobs whose creation was reported as failed."""

from __future__ import annotations

from airflow_provider_drs.protocol.conversations import create_jobs
from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.creation.messages import CreatedJob
from tests.scripted import Talk, answer


def _limits() -> Limits:
    return Limits(10, 50, 300.0)


def test_the_children_of_a_pair_that_was_refused_are_not_looked_for_in_vain() -> None:
    """Between creation and look-up the pair can vanish; what was created is told all the same."""
    spec = {
        "name": "pair",
        "db_use_type": "cloudDataGuard",
        "engine_type": "cloudDataGuard-mysql",
        "subnet_id": "5c6bbb05",
        "multi_write": True,
        "target_endpoint": {"region": "eu-de", "inst_id": "in01"},
    }
    nothing = answer({"jobs": [], "total_record": 0})
    made = {"name": "pair", "id": "p", "status": "CREATING", "child_ids": ["x", "y"]}

    found = Talk([nothing, answer({"results": [made]}, 202), nothing]).run(create_jobs(_limits(), [spec]))

    assert found["pair"] == CreatedJob("pair", "p", "CREATING", child_ids=("x", "y"))


def test_a_child_that_has_no_direction_yet_is_left_open() -> None:
    """The list shows it before it is whole."""
    spec = {
        "name": "pair",
        "db_use_type": "cloudDataGuard",
        "engine_type": "cloudDataGuard-mysql",
        "subnet_id": "5c6bbb05",
        "multi_write": True,
        "target_endpoint": {"region": "eu-de", "inst_id": "in01"},
    }
    made = {"name": "pair", "id": "p", "status": "CREATING", "child_ids": ["x"]}
    row = {"name": "pair", "id": "p", "status": "CREATING", "children": [{"id": "x", "status": "CREATING"}]}
    listed = answer({"jobs": [row], "total_record": 1})
    nothing = answer({"jobs": [], "total_record": 0})

    found = Talk([nothing, answer({"results": [made]}, 202), listed]).run(create_jobs(_limits(), [spec]))

    pair = found["pair"]
    assert isinstance(pair, CreatedJob)
    assert (pair.forward_id, pair.backward_id) == (None, None)
