from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

DAGS = sorted((Path(__file__).parents[2] / "dags").glob("*.py"))


def _load(path: Path) -> Any:
    return runpy.run_path(str(path))["dag"]


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_an_example_parses_on_this_airflow(path: Path) -> None:
    """It holds one DAG of its own name, whose every task leads to another or is the last."""
    dag = _load(path)

    assert dag.dag_id == path.stem
    assert len(dag.tasks) > 2


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_no_example_starts_what_was_not_checked(path: Path) -> None:
    """Before every start there is a sensor for the pre-check, and before that the pre-check."""
    dag = _load(path)
    starts = [task for task in dag.tasks if task.task_type == "DrsStartJobsOperator"]

    for start in starts:
        before = {dag.get_task(task_id).task_type for task_id in start.get_flat_relative_ids(upstream=True)}
        assert {"DrsBatchPrecheckOperator", "DrsPrecheckSensor"} <= before


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_an_example_has_marks_for_the_documentation(path: Path) -> None:
    """The docs show what has run."""
    text = path.read_text()

    assert f"[START {path.stem}]" in text
    assert f"[END {path.stem}]" in text
