"""
The cost of a batch for Airflow and DRS: as one task, as a mapped task for each group, and as a task for each
job.

The same DAG, which pre-checks, waits and starts, runs in a real Airflow with the same number of jobs. The
costs are stored as a table with the figures.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from drs_emulator import Emulator

from benchmarks.figures import Figure

if TYPE_CHECKING:
    from dev.stacks.airflow_stack import AirflowStack

ROOT = Path(__file__).resolve().parent.parent
DAG_ID = "drs_start_many"
JOBS, GROUP, PRECHECK_S = 40, 10, 10
#: Operations that change jobs.
_WRITES = ("BatchCheckJobs", "BatchStartJobs")
_KEPT = ROOT / "benchmarks" / "mapping.rst"


@dataclass(frozen=True)
class Cost:
    """The cost of a run."""

    what: str
    tasks: int
    cpu_s: float
    took_s: float
    xcoms: int
    xcom_bytes: int
    largest_xcom: int
    writes: int
    reads: int
    tokens: int


def measure() -> Iterable[Figure]:
    """Measure all figures, one after the other."""
    from dev.stacks.airflow_stack import AirflowStack

    sizes = {"one task for all": JOBS, f"groups of {GROUP}": GROUP, "one for each": 1}
    jobs = [{"name": f"job-{number}"} for number in range(JOBS * len(sizes))]
    with (
        tempfile.TemporaryDirectory(prefix="airflow-drs-") as home,
        Emulator(seeds=jobs, precheck_s=PRECHECK_S) as drs,
    ):
        environment = {"AIRFLOW_CONN_DRS_DEFAULT": drs.connection_json}
        dags = ROOT / "tests" / "cluster" / "dags"
        with AirflowStack(Path(sys.executable).parent, Path(home), dags, environment) as airflow:
            airflow.unpause(DAG_ID)
            ids = list(drs.job_ids)
            costs = [
                _run(airflow, drs, what, size, ids[JOBS * number : JOBS * (number + 1)])
                for number, (what, size) in enumerate(sizes.items())
            ]
    _KEPT.write_text(_render(costs))
    alone, grouped, single = costs
    yield Figure("Mapping", f"requests that start jobs or checks, {JOBS} in {grouped.what} / in one task",
                 grouped.writes / alone.writes, 1)  # fmt: skip
    yield Figure("Mapping", f"largest XCom, {JOBS} jobs in {grouped.what} / in one task",
                 grouped.largest_xcom / alone.largest_xcom, 0.3)  # fmt: skip
    yield Figure("Mapping", f"Airflow's CPU, {JOBS} jobs in {grouped.what} / one task for each",
                 grouped.cpu_s / single.cpu_s, 0.3)  # fmt: skip


def _run(airflow: AirflowStack, drs: Emulator, what: str, size: int, job_ids: Sequence[str]) -> Cost:
    drs.clear_journal()
    run_id = what.replace(" ", "-")
    groups = [job_ids[first : first + size] for first in range(0, len(job_ids), size)]
    before_s = _spent_s()
    airflow.trigger(DAG_ID, run_id, {"groups": groups})
    state = airflow.wait(DAG_ID, run_id, timeout_s=900)
    spent_s = _spent_s() - before_s
    if state != "success":
        raise RuntimeError(f"{run_id}: {state}")
    calls = Counter(entry["operation"] for entry in drs.journal())
    tokens = calls.pop("KeystoneCreateUserTokenByPassword")
    writes = sum(calls.pop(operation) for operation in _WRITES)
    tasks = "from task_instance where dag_id = ? and run_id = ?"
    ((count, took_s),) = airflow.query(
        f"select count(*), (julianday(max(end_date)) - julianday(min(start_date))) * 86400 {tasks}",
        DAG_ID,
        run_id,
    )
    ((xcoms, total, largest),) = airflow.query(
        "select count(*), sum(length(value)), max(length(value)) from xcom where dag_id = ? and run_id = ?",
        DAG_ID,
        run_id,
    )
    return Cost(what, count, spent_s, took_s, xcoms, total, largest, writes, calls.total(), tokens)


def _spent_s() -> float:
    """Return the CPU seconds of all child processes, and of their children."""
    spent_s = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            spent_s += sum(process.cpu_times()[:4])
        except psutil.Error:
            # The process has ended; its parent has its CPU time from now on.
            continue
    return spent_s


def _render(costs: Sequence[Cost]) -> str:
    rows = [
        ("", [cost.what for cost in costs]),
        ("task instances", [str(cost.tasks) for cost in costs]),
        ("CPU of Airflow, s", [f"{cost.cpu_s:.0f}" for cost in costs]),
        (f"Duration of the Dag run, s (including {PRECHECK_S} s for the pre-check)",
         [f"{cost.took_s:.0f}" for cost in costs]),
        ("XComs", [str(cost.xcoms) for cost in costs]),
        ("all XComs, KB", [f"{cost.xcom_bytes / 1000:.0f}" for cost in costs]),
        ("largest XCom, KB", [f"{cost.largest_xcom / 1000:.1f}" for cost in costs]),
        ("Requests that start pre-checks or jobs", [str(cost.writes) for cost in costs]),
        ("Read requests", [str(cost.reads) for cost in costs]),
        ("Token requests", [str(cost.tokens) for cost in costs]),
    ]  # fmt: skip
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for name, cells in rows:
        lines.append(f"   * - {name}")
        lines += [f"     - {cell}" for cell in cells]
    return "\n".join(lines) + "\n"
