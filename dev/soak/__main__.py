"""
Runs thousands of deferred waits for hours of the emulator's time, and checks requests, memory and results.

    make soak

Two triggerers of Airflow 2.11 share the waits. Both are restarted, tokens expire every hour, and DRS is down
for an hour.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import psutil
from drs_emulator import EmulatorClient

from airflow_provider_drs.hooks.drs import DrsHook
from dev import environments
from dev.cluster.services import run_services
from dev.cluster.stack import SCHEDULER, TRIGGERERS, ClusterStack
from dev.stacks.processes import Processes, find

ROOT = environments.ROOT
RESULT = ROOT / "benchmarks" / "soak.rst"
_HOUR_S = 3600.0
#: The poll interval in seconds.
_POKE_S = 3.0
_PER_DAG = 100
#: Jobs per read request, the default of the connection.
_BATCH = 50
_SAMPLE_S = 2.0
_READ = "BatchCheckResults"
_LOGIN = "KeystoneCreateUserTokenByPassword"


@dataclass
class Soak:
    """
    One run.

    :param jobs: how many jobs, each with a wait of its own.
    :param hours: how long the last pre-check takes, by the emulator's clock.
    :param speed: how much faster than real time that clock is.
    """

    jobs: int
    hours: float
    speed: float
    memory: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    @property
    def lasts_s(self) -> float:
        return self.hours * _HOUR_S / self.speed


class SoakStack(ClusterStack):
    """An Airflow without workers: the scheduler defers the tasks, and no task is resumed."""

    @property
    def components(self) -> tuple[str, ...]:
        return (SCHEDULER, *TRIGGERERS)

    def measure(self, triggerer: str) -> float:
        """Return the resident memory of a triggerer and its children in MiB."""
        session = self._processes.session(triggerer)
        sizes = [psutil.Process(pid).memory_info().rss for pid in find({session} if session else set())]
        return sum(sizes) / 2**20


def run(soak: Soak) -> list[tuple[str, str, bool]]:
    """Run, and return the lines of the result: what was measured, the value, and whether it is good."""
    home = ROOT / ".run" / "soak"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    with Processes(home) as processes, run_services(home) as services:
        drs = _start_emulator(processes, home, soak)
        deadline = str(time.time() + 10 * soak.lasts_s + 600)
        ids = drs.job_ids
        groups = [ids[first : first + _PER_DAG] for first in range(0, len(ids), _PER_DAG)]
        environment = {
            "AIRFLOW_CONN_DRS_DEFAULT": _connect(drs),
            "SOAK_JOBS": json.dumps(groups),
            "SOAK_DEADLINE": deadline,
            "SOAK_POKE_S": str(_POKE_S),
            "AIRFLOW__TRIGGERER__DEFAULT_CAPACITY": str(2 * soak.jobs),
            "AIRFLOW__SCHEDULER__MAX_DAGRUNS_TO_CREATE_PER_LOOP": "50",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        }
        dags = home / "dags"
        dags.mkdir()
        shutil.copy(Path(__file__).with_name("dags.py"), dags)
        with SoakStack(environments.make("cluster-2"), home, dags, services, environment) as stack:
            _log(f"Deferring {soak.jobs} tasks ...")
            stack.until(lambda: stack.count_deferred() == soak.jobs, "not all tasks are deferred")
            stack.kill(SCHEDULER)
            _begin_prechecks(drs, soak)
            return list(_watch(stack, drs, soak))


def _start_emulator(processes: Processes, home: Path, soak: Soak) -> EmulatorClient:
    world = {"jobs": [{"name": f"job-{number}"} for number in range(soak.jobs)]}
    (home / "world.json").write_text(json.dumps(world))
    program = Path(sys.prefix) / "bin" / "drs-emulator"
    options = ["--world", home / "world.json", "--token-lifetime", str(_HOUR_S), "--port", "0"]
    output = processes.start("emulator", [program, *options])
    processes.wait("emulator", lambda: " at http" in output.read_text())
    return EmulatorClient(output.read_text().split(" at ")[1].split(". ")[0])


def _connect(drs: EmulatorClient) -> str:
    connection = drs.connection
    # A short retry budget: the outage is longer than one call may last.
    return json.dumps({**connection, "extra": {**connection["extra"], "retry_timeout": 10}})


def _begin_prechecks(drs: EmulatorClient, soak: Soak) -> None:
    """Start all pre-checks, which end at any time between half an hour and the end."""
    dice = random.Random(1)  # noqa: S311 - not a secret
    os.environ["AIRFLOW_CONN_DRS_DEFAULT"] = _connect(drs)
    for job_id in drs.job_ids:
        drs.set_verdict(job_id, "pass", duration_s=dice.uniform(0.5, soak.hours) * _HOUR_S)
    with DrsHook() as hook:
        hook.precheck_jobs(drs.job_ids)
    drs.set_speed(soak.speed)
    drs.clear_journal()


def _watch(stack: SoakStack, drs: EmulatorClient, soak: Soak) -> Iterator[tuple[str, str, bool]]:
    began_s, calls = time.monotonic(), Counter[str]()
    events = iter(
        [
            (0.05, "kill triggerer-1", lambda: stack.kill(TRIGGERERS[0])),
            (0.08, "start triggerer-1", lambda: stack.start(TRIGGERERS[0])),
            (0.15, "stop triggerer-2", lambda: stack.terminate(TRIGGERERS[1])),
            (0.18, "start triggerer-2", lambda: stack.start(TRIGGERERS[1])),
            (0.3, "DRS is down for an hour", lambda: drs.inject("status", status=503, times=None)),
            (0.3 + 1 / soak.hours, "DRS is up", drs.clear_faults),
        ]
    )
    planned = next(events)
    while stack.count_deferred():
        passed = (time.monotonic() - began_s) / soak.lasts_s
        if passed > 3:
            break
        if planned and passed >= planned[0]:
            _log(f"{passed:>4.0%}  {planned[1]}; {stack.count_deferred()} tasks are deferred")
            planned[2]()
            planned = next(events, None)
        # After the last event, when no wait moves from one triggerer to the other any more.
        for triggerer in () if planned else TRIGGERERS:
            sample = (time.monotonic() - began_s, stack.measure(triggerer))
            soak.memory.setdefault(triggerer, []).append(sample)
        calls += _take_calls(drs)
        time.sleep(_SAMPLE_S)
    took_s = time.monotonic() - began_s
    calls += _take_calls(drs)
    events_done = stack.query(
        "select count(*) as n from task_instance where trigger_id is null and next_kwargs::text like ?",
        '%"done"%',
    )[0][0]
    yield (
        "Completed waits",
        f"{events_done} of {soak.jobs}",
        events_done == soak.jobs,
    )
    lost = stack.query("select count(*) as n from task_instance where state in ('deferred', 'failed')")[0][0]
    yield "Lost or failed waits", str(lost), lost == 0
    # A triggerer polls each of its jobs once per interval; those that are its last batch may not fill it.
    promised = math.ceil(took_s / _POKE_S + 4) * (math.ceil(soak.jobs / _BATCH) + len(TRIGGERERS))
    yield "Read requests (limit)", f"{calls[_READ]} ({promised})", calls[_READ] <= promised
    # One per hour and triggerer, and one per restart.
    most = len(TRIGGERERS) * (math.ceil(took_s * soak.speed / _HOUR_S) + 2)
    is_good = soak.hours - 1 <= calls[_LOGIN] <= most
    yield "Tokens (limit)", f"{calls[_LOGIN]} ({most})", is_good
    for triggerer, samples in soak.memory.items():
        slope, share = _measure_growth(samples)
        yield (
            f"Memory growth of {triggerer}",
            f"{slope:+.1f} MiB per hour of real time, {share:+.1%}",
            share < 0.1,
        )
    yield "Duration", f"{soak.hours:g} h of the emulator's clock in {took_s:.0f} s", True


def _take_calls(drs: EmulatorClient) -> Counter[str]:
    """Return the requests since the last call, by operation; logins only if they succeeded."""
    entries = drs.journal()
    drs.clear_journal()
    return Counter(
        str(entry["operation"])
        for entry in entries
        if entry["operation"] != _LOGIN or entry["status"] == HTTPStatus.CREATED
    )


def _measure_growth(samples: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the growth of memory: MiB per hour, and the share of its mean over the whole time."""
    times, sizes = zip(*samples, strict=True)
    slope = statistics.linear_regression(times, sizes).slope
    return slope * _HOUR_S, slope * (times[-1] - times[0]) / statistics.mean(sizes)


def _log(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    """Return 0 if every line is good, and write the result for the documentation."""
    parser = argparse.ArgumentParser("soak", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--speed", type=float, default=64.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["AIRFLOW_HOME"] = home
        lines = run(Soak(options.jobs, options.hours, options.speed))
    for what, value, is_good in lines:
        _log(f"  {what:<42} {value:<44} {'OK' if is_good else 'FAILED'}")
    rows = "\n".join(f'   "{what}", "{value}"' for what, value, _ in lines)
    RESULT.write_text(f".. csv-table::\n   :header: Measured, Value\n\n{rows}\n")
    return 0 if all(is_good for *_, is_good in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
