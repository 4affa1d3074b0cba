"""
Serves an Airflow with reports of pre-checks until Ctrl-C.

    .venvs/airflow-3/bin/python -m dev.demos.ui

It has three runs of the pre-check example: all jobs passed, one failed, and one run waits.
"""

from __future__ import annotations

import sys
import time
from urllib.parse import urlencode

from drs_emulator import EmulatorClient

from dev.demos.demo import BOLD, DAG_ID, PLAIN, run_demo
from dev.stacks.airflow_settings import PASSWORD, USER
from dev.stacks.airflow_stack import AirflowStack

SENSOR = "wait_until_passed"
#: The duration of pre-checks in seconds that are to stay unfinished.
_LONG_S = 100_000


def main() -> int:
    """Return 0 after Ctrl-C."""
    code = run_demo(_serve, interrupted=0)
    print("Stopped Airflow and the emulator, and removed their files.")
    return code


def _serve(airflow: AirflowStack, emulator: EmulatorClient) -> int:
    runs = make_runs(airflow, emulator)
    print(f"\n{BOLD}Airflow is at {airflow.url}, user {USER}, password {PASSWORD}.{PLAIN}")
    for title, run_id in runs.items():
        print(f"  {title:<16}{report_url(airflow, run_id)}")
    print("Find the reports in the tab DRS pre-check of each task, and in DRS pre-checks under Browse.")
    print("To finish the waiting run, advance the clock of the emulator:")
    print(f"  curl -X POST {emulator.url}/_emulator/advance -d '{{\"seconds\": 20000}}'")
    print("Press Ctrl-C to stop.", flush=True)
    try:
        while True:
            time.sleep(1)
            airflow.check()
    except KeyboardInterrupt:
        print("\nStopping ...", flush=True)
        raise


def make_runs(airflow: AirflowStack, emulator: EmulatorClient) -> dict[str, str]:
    """Run the example three times, and return the ID of each run by its result."""
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
    # Later pre-checks are quick again.
    emulator.set_verdict(None, "pass", duration_s=6)
    return runs


def report_url(airflow: AirflowStack, run_id: str, task_id: str = SENSOR, dag_id: str = DAG_ID) -> str:
    query = urlencode({"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": -1})
    return f"{airflow.url}/drs/report?{query}"


if __name__ == "__main__":
    sys.exit(main())
