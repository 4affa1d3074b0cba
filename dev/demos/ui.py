"""
Leaves an Airflow running in which the report on pre-checks can be looked at.

    .venvs/airflow-3/bin/python -m dev.demos.ui

The main job has run three times in it: all jobs passed; one failed; and one run waits for an hour.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from urllib.parse import urlencode

from airflow_provider_drs.emulator import EmulatorClient
from dev.demos.demo import BIN, DAG_ID, PLAIN, WHITE, run_emulator, run_in_folder
from dev.stacks.airflow_settings import PASSWORD, USER
from dev.stacks.airflow_stack import ROOT, AirflowStack

SENSOR = "wait_until_passed"
#: Pre-checks of so many seconds are half done for hours.
_LONG_S = 100_000


def main() -> int:
    """Return 0 when somebody has had enough of it."""
    code = run_in_folder(_show, interrupted=0)
    print("Stopped: Airflow, the emulator, and all that they kept are gone.")
    return code


def _show(home: Path) -> int:
    with run_emulator() as (process, url):
        emulator = EmulatorClient(url)
        print("Starting Airflow: scheduler, triggerer, dag processor, API server ...", flush=True)
        stack = AirflowStack(BIN, home, ROOT / "dags", {"AIRFLOW_CONN_DRS_DEFAULT": emulator.connection_json})
        # If this process is killed, the emulator goes with the rest.
        stack.adopt(process.pid)
        with stack as airflow:
            runs = make_runs(airflow, emulator)
            print(f"\n{WHITE}Airflow is at {airflow.url}, user {USER}, password {PASSWORD}.{PLAIN}")
            for title, run_id in runs.items():
                print(f"  {title:<16}{report_url(airflow, run_id)}")
            print("In Airflow they are the tab DRS pre-check of each task, and DRS pre-checks under Browse.")
            print("The run that waits goes on if the time of the emulator does:")
            print(f"  curl -X POST {url}/_emulator/advance -d '{{\"seconds\": 20000}}'")
            print("Stop with Ctrl-C.", flush=True)
            try:
                while True:
                    time.sleep(1)
                    airflow.check()
            except KeyboardInterrupt:
                print("\nStopping ...", flush=True)
                raise


def make_runs(airflow: AirflowStack, emulator: EmulatorClient) -> dict[str, str]:
    """Run the main job three times, and return the id of each run by what has become of it."""
    airflow.unpause(DAG_ID)
    runs = {"all passed": airflow.first_run(DAG_ID)}
    airflow.wait(DAG_ID, runs["all passed"])
    emulator.reset()
    emulator.set_verdict(emulator.job_ids[2], "fail", items=["srcBinlogFormatCheck"])
    emulator.set_verdict(emulator.job_ids[5], "alarm")
    runs["one failed"] = airflow.trigger(DAG_ID, "one-job-fails")
    airflow.wait(DAG_ID, runs["one failed"])
    emulator.reset()
    for n, job_id in enumerate(emulator.job_ids):
        if n >= 4:
            emulator.set_verdict(job_id, "pass", duration_s=_LONG_S + n * _LONG_S / 8)
    runs["waiting"] = airflow.trigger(DAG_ID, "still-waiting")
    airflow.wait_for_task(DAG_ID, runs["waiting"], SENSOR, ["deferred"])
    emulator.advance(_LONG_S * 0.9)
    # The pre-checks to come are quick again.
    emulator.set_verdict(None, "pass", duration_s=6)
    return runs


def report_url(airflow: AirflowStack, run_id: str, task_id: str = SENSOR, dag_id: str = DAG_ID) -> str:
    """Return the address of a report."""
    query = urlencode({"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": -1})
    return f"{airflow.url}/drs/report?{query}"


if __name__ == "__main__":
    sys.exit(main())
