"""The HTTP calls of each step of the MySQL migration, as documented."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from drs_emulator import Emulator

from airflow_provider_drs.transport.tokens import TOKENS
from dev.demos.example_databases import make_environment

ROOT = Path(__file__).parents[2]
TIMES = {"": 1, "twice": 2, "three times": 3}


def _read_table() -> dict[str, Counter[str]]:
    """Return the number of calls of each operation in each step, as documented."""
    text = (ROOT / "docs" / "migration.rst").read_text("utf-8")
    found = {}
    for step, count, calls in re.findall(
        r"^   \* - ``(\w+)``\n     - (\d+)\n     - (.+)$", text, re.MULTILINE
    ):
        named = re.findall(r"([A-Z]\w+)(?: \((twice|three times)\))?", calls)
        found[step] = Counter({name: TIMES[times] for name, times in named})
        assert found[step].total() == int(count)
    return found


@pytest.mark.usefixtures("connect", "no_backoff")
def test_requests_per_task_match_documentation(
    emulator: Emulator, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in make_environment().items():
        monkeypatch.setenv(name, value)
    emulator.set_pace("at-once")
    dag = runpy.run_path(str(ROOT / "dags" / "drs_mysql_migration.py"))["dag"]
    job_ids = None
    cost: dict[str, Counter[str]] = {}

    for task in dag.topological_sort():
        TOKENS.clear()
        emulator.clear_journal()
        if job_ids is not None:
            task.job_ids = job_ids
        if task.task_id == "start":
            task.start_time = None
        task.deferrable, task.poke_interval = False, 0.01
        job_ids = task.execute(context)
        cost[task.task_id] = Counter(entry["operation"] for entry in emulator.journal())

    tokens = [calls.pop("KeystoneCreateUserTokenByPassword") for calls in cost.values()]
    assert tokens == [1] * len(cost)
    assert cost == _read_table()
