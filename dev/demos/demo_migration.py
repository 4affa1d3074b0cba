"""
Runs a whole MySQL migration in a real Airflow against the emulator, from the creation of the job to its
deletion.

    .venvs/airflow-3/bin/python -m dev.demos.demo_migration
"""

from __future__ import annotations

import datetime
import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from drs_emulator import EmulatorClient

from dev.demos.demo import BOLD, GREEN, PLAIN, RED, run_demo
from dev.demos.example_databases import PASSWORD, make_environment
from dev.stacks.airflow_stack import AirflowStack

DAG_ID, RUN_ID = "drs_mysql_migration", "demo"
#: How much faster the emulator's clock runs: no phase of the job takes longer than a poll interval.
SPEED = 20.0
#: The poll interval of the DAG.
POKE_INTERVAL_S = 5.0
#: Maximum seconds of the run that are spent by Airflow itself.
MAX_OVERHEAD_S = 60.0
#: The operation that each waiting task polls: all calls but the first come after a poll interval.
_POLLS = {
    "create": "BatchListJobStatus",
    "wait_until_passed": "BatchCheckResults",
    "start": "BatchListJobStatus",
    "full_copy": "BatchListJobStatus",
    "caught_up": "BatchListProgresses",
    "stop": "BatchListJobStatus",
}

_EXPLANATION = """ A task that changes jobs first reads their details, and then
  sends one call for all jobs; a connection test, one for each database. Each process requests one token."""


def main() -> int:
    """Return 0 only if the migration had the expected result."""
    return run_demo(_show, make_environment())


def _show(airflow: AirflowStack, emulator: EmulatorClient) -> int:
    airflow.unpause(DAG_ID)
    began_s, drs_began_s = time.time(), emulator.now
    emulator.set_speed(SPEED)
    print(f"\n{BOLD}Migrate a MySQL database (run {RUN_ID} of {DAG_ID}){PLAIN}")
    print(f"The clock of the emulator runs {SPEED:.0f} times as fast.", flush=True)
    airflow.trigger(DAG_ID, RUN_ID)
    state = airflow.wait(DAG_ID, RUN_ID)
    took_s = time.time() - began_s
    calls = [{**call, "real": began_s + (call["at"] - drs_began_s) / SPEED} for call in emulator.journal()]
    is_ok = _show_tasks(airflow, calls, state, took_s)
    is_deleted = "shop-migration" not in {job["name"] for job in emulator.jobs}
    stored = airflow.dump() + b"".join(file.read_bytes() for file in (airflow.home / "logs").rglob("*.log*"))
    is_leaked = PASSWORD.encode() in stored
    print(f"  The job {'was deleted' if is_deleted else 'STILL EXISTS'}. Airflow's logs and database contain "
          f"{'A' if is_leaked else 'no'} database password.")  # fmt: skip
    return 0 if is_ok and is_deleted and not is_leaked else 1


def _show_tasks(airflow: AirflowStack, calls: list[dict[str, Any]], state: str, took_s: float) -> bool:
    """Print the calls of each task, and the time and calls of the run."""
    rows = airflow.query(
        "select task_id, state, start_date, end_date from task_instance where dag_id = ? and run_id = ? "
        "order by start_date",
        DAG_ID,
        RUN_ID,
    )
    polls = 0
    begin_s = 0.0
    for task_id, task_state, _, end in rows:
        end_s = datetime.datetime.fromisoformat(end).replace(tzinfo=datetime.UTC).timestamp()
        done = Counter(call["operation"] for call in calls if begin_s < call["real"] <= end_s)
        begin_s = end_s
        polls += max(0, done[_POLLS.get(task_id, "")] - 1)
        color = GREEN if task_state == "success" else RED
        print(f"  {task_id:<20}{color}{task_state:<10}{PLAIN}{sum(done.values()):>3} calls: {_format(done)}")
    overhead_s = took_s - polls * POKE_INTERVAL_S
    print(f"\n  The run took {took_s:.0f} s: {took_s - overhead_s:.0f} s of poll intervals,", end=" ")
    print(f"{overhead_s:.0f} s in Airflow (limit: {MAX_OVERHEAD_S:.0f} s).")
    print(f"  It sent {len(calls)} requests to IAM and DRS.{_EXPLANATION}")
    return state == "success" and overhead_s < MAX_OVERHEAD_S


def _format(done: Mapping[str, int]) -> str:
    return ", ".join(f"{name} x{count}" if count > 1 else name for name, count in done.items())


if __name__ == "__main__":
    sys.exit(main())
