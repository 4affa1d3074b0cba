"""
Shows the main job in a real Airflow against the emulator, once with all jobs passing and once with a job that fails.

    python3.11 dev/demo.py          run both, print what happened, stop everything
    python3.11 dev/demo.py --ui     leave it running, and print the address and login
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

import environments
from airflow_stack import PASSWORD, ROOT, USER, AirflowStack

if TYPE_CHECKING:
    from airflow_provider_drs.emulator import EmulatorClient

DAG_ID = "drs_batch_precheck"
ALL_WELL = {"precheck": "success", "wait_until_passed": "success", "start": "success"}
GATE_SHUT = {"precheck": "success", "wait_until_passed": "failed", "start": "upstream_failed"}
WHITE, GREEN, RED, PLAIN = ("\033[1m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else ("",) * 4


def main() -> int:
    """Return 0 only if both runs went as they should."""
    with_ui = "--ui" in sys.argv[1:]
    # Ctrl-C and a polite kill both go through the clean-up below.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    bin_folder = environments.make("airflow-3")
    if Path(sys.prefix) != bin_folder.parent:
        # The emulator's client lives in that environment.
        return subprocess.call([bin_folder / "python", __file__, *sys.argv[1:]])
    home = Path(tempfile.mkdtemp(prefix="airflow-drs-"))
    try:
        return _show(bin_folder, home, with_ui)
    except KeyboardInterrupt:
        return 0 if with_ui else 1
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _show(bin_folder: Path, home: Path, with_ui: bool) -> int:
    from airflow_provider_drs.emulator import EmulatorClient

    with _emulator(bin_folder) as url:
        emulator = EmulatorClient(url)
        print(f"The emulator serves IAM and DRS at {url}, with {len(emulator.job_ids)} jobs ready to pre-check.")
        print("Starting Airflow: scheduler, triggerer, dag processor, API server ...", flush=True)
        environment = {"AIRFLOW_CONN_DRS_DEFAULT": emulator.connection_json}
        with AirflowStack(bin_folder, home, ROOT / "dags", environment) as airflow:
            airflow.unpause(DAG_ID)
            if with_ui:
                print(f"\n{WHITE}Airflow is at {airflow.url}, user {USER}, password {PASSWORD}. Stop with Ctrl-C.{PLAIN}")
                print(f"Trigger {DAG_ID}, or steer the emulator: drs-emulator --help", flush=True)
                while True:
                    time.sleep(1)
                    airflow.check()
            # The schedule makes the first run by itself, as it does every night.
            good = _run(airflow, emulator, "All jobs pass", airflow.first_run(DAG_ID), ALL_WELL, starts=10)
            emulator.reset()
            emulator.clear_journal()
            emulator.set_verdict(emulator.job_ids[2], "fail", items=["srcBinlogFormatCheck"])
            second = airflow.trigger(DAG_ID, "one-job-fails")
            bad = _run(airflow, emulator, "One job fails its pre-check", second, GATE_SHUT, starts=0)
    print(f"\n{WHITE}{'Both runs went as they should.' if good and bad else 'Something went wrong, see above.'}{PLAIN}")
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
    print(f"    {started} jobs were started.")
    return states == expected and started == starts


def _report(log: str) -> list[str]:
    """Return the table of the log: from its headings, or its summary, on."""
    found = re.search(r"(^JOB .*?^|^)\d+ jobs?: [^\n]*", log, re.DOTALL | re.MULTILINE)
    return found.group(0).splitlines() if found else [log]


@contextmanager
def _emulator(bin_folder: Path) -> Iterator[str]:
    """Run ``drs-emulator`` as a user would, and yield its URL."""
    process = subprocess.Popen(
        [bin_folder / "drs-emulator", "--port", "0", "--precheck-seconds", "6"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None  # noqa: S101
        first = process.stdout.readline()
        found = re.search(r"http://\S+[0-9]", first)
        if found is None:
            raise RuntimeError(f"drs-emulator did not start: {first}")
        yield found.group(0)
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
