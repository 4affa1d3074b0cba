"""
Shows a whole MySQL migration in a real Airflow against the emulator, from the creation of the job to its end.

    .venvs/airflow-3/bin/python -m dev.demos.demo_migration
"""

from __future__ import annotations

import datetime
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_provider_drs.emulator import EmulatorClient
from dev.demos.demo import BIN, GREEN, PLAIN, RED, WHITE, run_emulator, run_in_folder
from dev.demos.example_databases import PASSWORD, make_environment
from dev.stacks.airflow_stack import ROOT, AirflowStack

DAG_ID, RUN_ID = "drs_mysql_migration", "demo"
#: How fast the emulator's time runs: no phase of the job takes longer than a poll.
SPEED = 20.0
#: As in the DAG.
POKE_INTERVAL_S = 5.0
#: What Airflow itself may take of the run's time.
MOST_OVERHEAD_S = 60.0
#: Of the operations that wait for something: all but the first of them in a task come after a nap.
_POLLS = {
    "create": "BatchListJobStatus",
    "wait_until_passed": "BatchCheckResults",
    "start": "BatchListJobStatus",
    "full_copy": "BatchListJobStatus",
    "caught_up": "BatchListProgresses",
    "stop": "BatchListJobStatus",
}

_WHY = """ A task that changes a job reads first what it is, then sends
  one call for all jobs, one for each end in a connection test. A process asks IAM for a token once."""


def main() -> int:
    """Return 0 only if the migration went as it should."""
    return run_in_folder(_show)


def _show(home: Path) -> int:
    with run_emulator() as (process, url):
        emulator = EmulatorClient(url)
        print(f"The emulator serves IAM and DRS at {url}. Its time runs {SPEED:.0f} times as fast as ours.")
        print("Starting Airflow: scheduler, triggerer, dag processor, API server ...", flush=True)
        environment = {"AIRFLOW_CONN_DRS_DEFAULT": emulator.connection_json, **make_environment()}
        stack = AirflowStack(BIN, home, ROOT / "dags", environment)
        stack.adopt(process.pid)
        with stack as airflow:
            airflow.unpause(DAG_ID)
            began_s, drs_began_s = time.time(), emulator.now
            emulator.set_speed(SPEED)
            print(
                f"\n{WHITE}One MySQL database moves to the cloud (run {RUN_ID} of {DAG_ID}){PLAIN}",
                flush=True,
            )
            airflow.trigger(DAG_ID, RUN_ID)
            state = airflow.wait(DAG_ID, RUN_ID, timeout_s=600)
            took_s = time.time() - began_s
            calls = [
                {**entry, "real": began_s + (entry["at"] - drs_began_s) / SPEED}
                for entry in emulator.journal()
            ]
            is_good = _describe(airflow, calls, state, took_s)
            is_gone = "shop-migration" not in {job["name"] for job in emulator.jobs}
            kept = airflow.dump() + b"".join(file.read_bytes() for file in (home / "logs").rglob("*.log*"))
    is_kept = PASSWORD.encode() in kept
    print(f"  The job is {'gone' if is_gone else 'still there'}; a password of a database was "
          f"{'FOUND in' if is_kept else 'nowhere in'} Airflow's logs and database.")  # fmt: skip
    return 0 if is_good and is_gone and not is_kept else 1


def _describe(airflow: AirflowStack, calls: list[dict[str, Any]], state: str, took_s: float) -> bool:
    """Print what each task did at DRS, and what the run has cost."""
    rows = airflow.query(
        "select task_id, state, start_date, end_date from task_instance where dag_id = ? and run_id = ? "
        "order by start_date",
        DAG_ID,
        RUN_ID,
    )
    naps = 0
    begin_s = 0.0
    for task_id, task_state, _, end in rows:
        end_s = _seconds(end)
        done = Counter(call["operation"] for call in calls if begin_s < call["real"] <= end_s)
        begin_s = end_s
        naps += max(0, done[_POLLS.get(task_id, "")] - 1)
        colour = GREEN if task_state == "success" else RED
        print(f"  {task_id:<20}{colour}{task_state:<10}{PLAIN}{sum(done.values()):>3} calls: {_list(done)}")
    napped_s = naps * POKE_INTERVAL_S
    print(f"\n  The run took {took_s:.0f} s: {napped_s:.0f} s between polls,", end=" ")
    print(f"{took_s - napped_s:.0f} s of Airflow's own, which may take {MOST_OVERHEAD_S:.0f} s.")
    print(f"  {len(calls)} calls reached IAM and DRS.{_WHY}")
    return state == "success" and took_s - napped_s < MOST_OVERHEAD_S


def _list(done: Mapping[str, int]) -> str:
    return ", ".join(f"{name} x{count}" if count > 1 else name for name, count in done.items())


def _seconds(moment: str) -> float:
    return datetime.datetime.fromisoformat(moment).replace(tzinfo=datetime.UTC).timestamp()


if __name__ == "__main__":
    sys.exit(main())
