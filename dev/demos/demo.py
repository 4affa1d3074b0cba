"""
Shows the main job in a real Airflow against the emulator: first all jobs pass, then one fails its pre-check.

    .venvs/airflow-3/bin/python -m dev.demos.demo
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_provider_drs.emulator import EmulatorClient
from dev.stacks.airflow_stack import ROOT, AirflowStack

BIN = Path(sys.prefix) / "bin"
DAG_ID = "drs_batch_precheck"
ALL_WELL = {"precheck": "success", "wait_until_passed": "success", "start": "success"}
GATE_SHUT = {"precheck": "success", "wait_until_passed": "failed", "start": "upstream_failed"}
_COLOURS = ("\033[1m", "\033[32m", "\033[31m", "\033[0m")
WHITE, GREEN, RED, PLAIN = _COLOURS if sys.stdout.isatty() else ("", "", "", "")


def main() -> int:
    """Return 0 only if both runs went as they should."""
    return run_in_folder(_show)


def run_in_folder(show: Callable[[Path], int], *, interrupted: int = 1) -> int:
    """
    Show something that keeps what it has in a folder, which is gone with it.

    :param show: is given the folder, and returns the exit code.
    :param interrupted: the exit code after Ctrl-C.
    """
    # Ctrl-C and a polite kill both go through the clean-up below.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    home = Path(tempfile.mkdtemp(prefix="airflow-drs-"))
    try:
        return show(home)
    except KeyboardInterrupt:
        return interrupted
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _show(home: Path) -> int:
    with run_emulator() as (process, url):
        emulator = EmulatorClient(url)
        print(
            f"The emulator serves IAM and DRS at {url}: {len(emulator.job_ids)} jobs are ready to pre-check."
        )
        print("Starting Airflow: scheduler, triggerer, dag processor, API server ...", flush=True)
        environment = {"AIRFLOW_CONN_DRS_DEFAULT": emulator.connection_json}
        stack = AirflowStack(BIN, home, ROOT / "dags", environment)
        # If this process is killed, the emulator goes with the rest.
        stack.adopt(process.pid)
        with stack as airflow:
            airflow.unpause(DAG_ID)
            # The schedule makes the first run by itself, as it does every night.
            good = _run(airflow, emulator, "All jobs pass", airflow.first_run(DAG_ID), ALL_WELL, starts=10)
            emulator.reset()
            emulator.clear_journal()
            emulator.set_verdict(emulator.job_ids[2], "fail", items=["srcBinlogFormatCheck"])
            second = airflow.trigger(DAG_ID, "one-job-fails")
            bad = _run(airflow, emulator, "One job fails its pre-check", second, GATE_SHUT, starts=0)
    verdict = "Both runs went as they should." if good and bad else "Something went wrong, see above."
    print(f"\n{WHITE}{verdict}{PLAIN}")
    return 0 if good and bad else 1


def _run(
    airflow: AirflowStack,
    emulator: EmulatorClient,
    title: str,
    run_id: str,
    expected: dict[str, str],
    *,
    starts: int,
) -> bool:
    print(f"\n{WHITE}{title} (run {run_id}){PLAIN}", flush=True)
    airflow.wait(DAG_ID, run_id)
    states = airflow.task_states(DAG_ID, run_id)
    for task_id, wanted in expected.items():
        colour = GREEN if states[task_id] == wanted else RED
        print(f"  {task_id:<20}{colour}{states[task_id]}{PLAIN}")
    print("\n  What the sensor says:")
    for line in _report(airflow.log(DAG_ID, run_id, "wait_until_passed")):
        print(f"    {line}")
    calls = Counter(entry["operation"] for entry in emulator.journal())
    print("\n  What reached IAM and DRS:")
    for operation, count in calls.items():
        print(f"    {count:>3} x {operation}")
    started = sum(job["starts"] for job in emulator.jobs)
    print(f"    {started} jobs were started.", flush=True)
    was_asked_to_start = "BatchStartJobs" in calls
    return states == expected and started == starts and was_asked_to_start == bool(starts)


def _report(log: str) -> list[str]:
    """Return the table of the log: from its headings, or its summary, on."""
    found = re.search(r"(^JOB .*?^|^)\d+ jobs?: [^\n]*", log, re.DOTALL | re.MULTILINE)
    return found.group(0).splitlines() if found else [log]


@contextmanager
def run_emulator() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``drs-emulator`` as a user would, and yield its process and its URL."""
    process = subprocess.Popen(
        [BIN / "drs-emulator", "--port", "0", "--precheck-seconds", "6"],
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C is for this process; it stops Airflow first.
        start_new_session=True,
    )
    try:
        assert process.stdout is not None  # noqa: S101
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
