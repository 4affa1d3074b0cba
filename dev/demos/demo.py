"""
Runs the pre-check example in a real Airflow against the emulator: all jobs pass, then one fails its
pre-check.

    .venvs/airflow-3/bin/python -m dev.demos.demo
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from drs_emulator import EmulatorClient

from dev.stacks.airflow_stack import ROOT, AirflowStack

BIN = Path(sys.prefix) / "bin"
DAG_ID = "drs_batch_precheck"
ALL_PASSED = {"precheck": "success", "wait_until_passed": "success", "start": "success"}
ONE_FAILED = {"precheck": "success", "wait_until_passed": "failed", "start": "upstream_failed"}
BOLD, GREEN, RED, PLAIN = ("\033[1m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else [""] * 4


def main() -> int:
    """Return 0 only if both runs had the expected result."""
    return run_demo(_show)


def run_demo(
    show: Callable[[AirflowStack, EmulatorClient], int],
    environment: Mapping[str, str] | None = None,
    *,
    interrupted: int = 1,
) -> int:
    """
    Run an Airflow and an emulator for a demo, and remove everything after it.

    :param show: runs the demo, and returns the exit code.
    :param environment: additional variables for Airflow.
    :param interrupted: the exit code after Ctrl-C.
    """
    # Ctrl-C and SIGTERM both run the clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        with tempfile.TemporaryDirectory(prefix="airflow-drs-") as home, _run_emulator() as (process, url):
            emulator = EmulatorClient(url)
            print(
                f"The emulator serves IAM and DRS at {url}: {len(emulator.job_ids)} jobs can be pre-checked."
            )
            print("Starting Airflow: scheduler, triggerer, Dag processor, API server ...", flush=True)
            variables = {"AIRFLOW_CONN_DRS_DEFAULT": emulator.connection_json, **(environment or {})}
            stack = AirflowStack(BIN, Path(home), ROOT / "dags", variables)
            # If this process is killed, the emulator ends as well.
            stack.adopt(process.pid)
            with stack as airflow:
                return show(airflow, emulator)
    except KeyboardInterrupt:
        return interrupted


def _show(airflow: AirflowStack, emulator: EmulatorClient) -> int:
    airflow.unpause(DAG_ID)
    # The first run is scheduled, as every night.
    first = airflow.first_run(DAG_ID)
    results = [_show_run(airflow, emulator, "All jobs pass", first, ALL_PASSED, starts=10)]
    emulator.reset()
    emulator.clear_journal()
    emulator.set_verdict(emulator.job_ids[2], "fail", items=["srcBinlogFormatCheck"])
    second = airflow.trigger(DAG_ID, "one-job-fails")
    results += [_show_run(airflow, emulator, "One job fails its pre-check", second, ONE_FAILED, starts=0)]
    verdict = (
        "Both runs had the expected result." if all(results) else "A run had an unexpected result, see above."
    )
    print(f"\n{BOLD}{verdict}{PLAIN}")
    return 0 if all(results) else 1


def _show_run(
    airflow: AirflowStack,
    emulator: EmulatorClient,
    title: str,
    run_id: str,
    expected: dict[str, str],
    *,
    starts: int,
) -> bool:
    print(f"\n{BOLD}{title} (run {run_id}){PLAIN}", flush=True)
    airflow.wait(DAG_ID, run_id)
    states = airflow.task_states(DAG_ID, run_id)
    for task_id, wanted in expected.items():
        print(f"  {task_id:<20}{GREEN if states[task_id] == wanted else RED}{states[task_id]}{PLAIN}")
    print("\n  Log of the sensor:")
    for line in _find_table(airflow.log(DAG_ID, run_id, "wait_until_passed")):
        print(f"    {line}")
    calls = Counter(entry["operation"] for entry in emulator.journal())
    print("\n  Requests to IAM and DRS:")
    for operation, count in calls.items():
        print(f"    {count:>3} x {operation}")
    started = sum(job["starts"] for job in emulator.jobs)
    print(f"    {started} jobs were started.", flush=True)
    return states == expected and started == starts and ("BatchStartJobs" in calls) == bool(starts)


def _find_table(log: str) -> list[str]:
    """Return the table of results in a log, up to its summary; without failed jobs, the summary."""
    found = re.search(r"(^JOB .*?^|^)\d+ jobs?: [^\n]*", log, re.DOTALL | re.MULTILINE)
    return found.group(0).splitlines() if found else [log]


@contextmanager
def _run_emulator() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``drs-emulator`` as a user would, and yield its process and its URL."""
    process = subprocess.Popen(
        [BIN / "drs-emulator", "--port", "0", "--precheck-seconds", "6"],
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C does not reach it: this process stops Airflow first.
        start_new_session=True,
    )
    try:
        assert process.stdout is not None  # noqa: S101 - narrows the type
        first = process.stdout.readline()
        found = re.search(r"http://\S+[0-9]", first)
        if found is None:
            raise RuntimeError(f"drs-emulator did not start: {first}")
        yield process, found.group(0)
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
