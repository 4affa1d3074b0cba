from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

DAGS = sorted((Path(__file__).parents[2] / "dags").glob("*.py"))


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_an_example_parses_on_this_airflow(path: Path) -> None:
    """It holds one DAG of its own name, on a schedule, with the three tasks chained."""
    found: dict[str, Any] = runpy.run_path(str(path))
    dag = found["precheck"].dag

    assert dag.dag_id == path.stem
    assert {"precheck", "wait_until_passed", "start"} <= set(dag.task_ids)
    assert dag.get_task("start").upstream_task_ids == {"wait_until_passed"}
    assert dag.get_task("wait_until_passed").upstream_task_ids == {"precheck"}
    assert dag.timetable.can_be_scheduled


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_an_example_has_marks_for_the_documentation(path: Path) -> None:
    """The docs show what has run."""
    text = path.read_text()

    assert f"[START {path.stem}]" in text
    assert f"[END {path.stem}]" in text
