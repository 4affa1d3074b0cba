from __future__ import annotations

import importlib.metadata
import runpy
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

DAGS = sorted((Path(__file__).parents[2] / "dags").glob("*.py"))


#: Examples that need Airflow 3.1: on older versions they define no DAG.
NEEDS_AIRFLOW_3_1 = {"drs_approved_alarms"}
#: Examples whose jobs another DAG in the same file pre-checks; an asset event triggers them.
CHECKED_ELSEWHERE = {"drs_migration_on_passed"}


def _load(path: Path) -> Any:
    if path.stem in NEEDS_AIRFLOW_3_1 and _has_airflow(3, 1):
        standard = Version(importlib.metadata.version("apache-airflow-providers-standard"))
        if standard < Version("1.12.2"):
            pytest.skip("this operator has no response_timeout")
    found = runpy.run_path(str(path))
    if path.stem in NEEDS_AIRFLOW_3_1 and "dag" not in found:
        assert not _has_airflow(3, 1)
        pytest.skip("this Airflow has no human-in-the-loop operators")
    return found["dag"]


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_example_parses(path: Path) -> None:
    dag = _load(path)

    assert dag.dag_id == path.stem
    assert len(dag.tasks) > 2


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_examples_precheck_before_start(path: Path) -> None:
    if path.stem in CHECKED_ELSEWHERE:
        pytest.skip("triggered by an asset event, see the test below")
    dag = _load(path)
    starts = [task for task in dag.tasks if task.task_type == "DrsStartJobsOperator"]

    for start in starts:
        before = {dag.get_task(task_id).task_type for task_id in start.get_flat_relative_ids(upstream=True)}
        assert {"DrsBatchPrecheckOperator", "DrsPrecheckSensor"} <= before


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_example_has_documentation_marks(path: Path) -> None:
    text = path.read_text()

    assert f"[START {path.stem}]" in text
    assert f"[END {path.stem}]" in text


@pytest.mark.parametrize("name", sorted(CHECKED_ELSEWHERE))
def test_asset_of_example_is_set_by_a_sensor(name: str) -> None:
    found = runpy.run_path(str(next(path for path in DAGS if path.stem == name)))

    checking = found["precheck"].dag
    assert [type(each).__name__ for each in checking.tasks if found["PASSED"] in each.outlets] == [
        "DrsPrecheckSensor"
    ]
    assert not [each for each in found["dag"].tasks if each.outlets]


def _has_airflow(*wanted: int) -> bool:
    return tuple(map(int, importlib.metadata.version("apache-airflow").split(".")[:2])) >= wanted
