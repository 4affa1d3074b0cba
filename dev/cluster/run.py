"""One run, from the start of all components to the proof."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from drs_emulator import EmulatorClient

from dev import environments
from dev.cluster.chaos import Chaos
from dev.cluster.drs import Drs
from dev.cluster.faults import Site
from dev.cluster.plan import make_plan, make_world
from dev.cluster.proof import Line, count_calls, prove
from dev.cluster.proxy import Proxy
from dev.cluster.services import run_services
from dev.cluster.stack import SCHEDULER, TRIGGERERS, WORKERS, ClusterStack
from dev.stacks.airflow_stack import ROOT
from dev.stacks.processes import Processes

_DAG_ID = "drs_start_many"
_RUN_ID = "many"
#: The task that writes the reports.
_WAIT = "start_group.wait_until_passed"
#: Timeout of a run in seconds.
_TIMEOUT_S = 1200.0
_POLL_S = 0.5
_LOG_S = 15.0


@dataclass(frozen=True)
class Size:
    """
    The size of a run.

    :param group: number of jobs that are started together.
    :param rounds: how often each component is killed, and each kind of API fault is injected.
    """

    jobs: int
    group: int
    rounds: int


def run(line: str, size: Size, seed: int) -> bool:
    """
    Run the cluster with faults, and return whether every line of the proof holds.

    :param line: the environment, by its name in dev/environments.py.
    """
    bin_folder = environments.make(line)
    home = ROOT / ".run" / "cluster" / line
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    world = make_world(seed, size.jobs)
    (home / "world.json").write_text(json.dumps(world))
    log = _make_log()
    log(f"{line}: {size.jobs} jobs in groups of {size.group}, seed {seed}")
    log(f"Logs are in {home.relative_to(ROOT)}")
    with Processes(home) as processes:
        drs = Drs(processes, home)
        with run_services(home) as services, Proxy(drs.client.url) as proxy:
            environment = {"AIRFLOW_CONN_DRS_DEFAULT": _make_connection(drs.client, proxy)}
            dags = ROOT / "tests" / "cluster" / "dags"
            log("Starting Airflow: API server, scheduler, workers, triggerers ...")
            with ClusterStack(bin_folder, home, dags, services, environment) as stack:
                plan = make_plan(seed, (SCHEDULER, *TRIGGERERS, *WORKERS), rounds=size.rounds)
                log("The planned faults, and at which share of the work:")
                for planned in plan:
                    log(f"  {planned.at:>5.0%}  {planned}, for {planned.lasts_s:.0f} s")
                ids = drs.client.job_ids
                groups = [ids[first : first + size.group] for first in range(0, len(ids), size.group)]
                site = Site(stack, drs, proxy, {job: n for n, group in enumerate(groups) for job in group})
                chaos = Chaos(plan, site, log)
                began_s = time.monotonic()
                state = _work(site, groups, chaos, log)
                took_s = time.monotonic() - began_s
                chaos.recover_all()
                tasks = stack.query(
                    "select task_id, count(*) as n, sum(try_number) as tries "
                    "from task_instance group by 1 order by 1"
                )
                shown = stack.count_reported(_DAG_ID, _RUN_ID, _WAIT)
        journal, jobs = drs.client.journal(), drs.client.jobs
    # To investigate a line that does not hold.
    (home / "journal.json").write_text(json.dumps({"journal": journal, "jobs": jobs}, indent=1))
    durations_s = {job["job_id"]: job["verdict"]["duration_s"] for job in world["jobs"]}
    lines = [
        *prove(durations_s, jobs, journal),
        Line("the DAG run succeeded", state == "success", str(state)),
        Line("jobs shown as passed on the report page", shown == size.jobs, f"{shown} of {size.jobs}"),
        # A run without faults would prove nothing.
        Line("faults without effect", not chaos.never_hit, str(len(chaos.never_hit)), chaos.never_hit),
    ]
    _report(lines, chaos, journal, tasks, took_s)
    prechecks, starts = (sum(job[name] for job in jobs) for name in ("prechecks", "starts"))
    print(f"In total, DRS ran {prechecks} pre-checks and {starts} starts of {len(jobs)} jobs.\n", flush=True)
    return all(line.holds for line in lines)


def _make_connection(emulator: EmulatorClient, proxy: Proxy) -> str:
    """Return a connection through the proxy, with short timeouts so that clients retry soon."""
    connection = emulator.connection
    extra = connection["extra"] | {"iam_endpoint": proxy.url, "connect_timeout": 5, "read_timeout": 6}
    return json.dumps(connection | {"host": proxy.url, "extra": extra})


def _work(
    site: Site, groups: Sequence[Sequence[str]], chaos: Chaos, log: Callable[[str], None]
) -> str | None:
    """Run the DAG while faults are injected, and return its final state."""
    stack = site.stack
    stack.unpause(_DAG_ID)
    stack.trigger(_DAG_ID, _RUN_ID, {"groups": groups})
    deadline_s, logged_s, done = time.monotonic() + _TIMEOUT_S, 0.0, 0.0
    while (state := stack.state(_DAG_ID, _RUN_ID)) not in ("success", "failed"):
        stack.check()
        if not site.drs.is_down:
            jobs = site.drs.client.jobs
            done = sum(bool(job["prechecks"]) + bool(job["starts"]) for job in jobs) / (2 * len(jobs))
        chaos.step(done)
        if time.monotonic() > logged_s + _LOG_S:
            logged_s = time.monotonic()
            rows = stack.query(
                "select coalesce(state, 'none') as state, count(*) as n "
                "from task_instance group by 1 order by 1"
            )
            log(f"{done:>4.0%} done; tasks: {', '.join(f'{count} {state}' for state, count in rows)}")
        if time.monotonic() > deadline_s:
            break
        time.sleep(_POLL_S)
    return state


def _make_log() -> Callable[[str], None]:
    began_s = time.monotonic()
    return lambda line: print(f"{time.monotonic() - began_s:>6.1f} s  {line}", flush=True)


def _report(
    lines: Sequence[Line],
    chaos: Chaos,
    journal: Sequence[dict[str, Any]],
    tasks: Sequence[tuple[Any, ...]],
    took_s: float,
) -> None:
    print("\nInjected faults:")
    for entry in chaos.injected:
        print(f"  {entry.at_s:>6.1f} s  {entry}")
    print("\nCalls:                               total      applied   faulty  responses")
    for calls in count_calls(journal):
        statuses = ", ".join(f"{count} x {status}" for status, count in sorted(calls.statuses.items()))
        print(f"  {calls.operation:<33} {calls.count:>5} {calls.applied:>12} {calls.faulty:>8}  {statuses}")
    print("\nTasks:                               count  tries")
    for task_id, count, tries in tasks:
        print(f"  {task_id:<33} {count:>5} {tries:>6}")
    print(f"\nProof after {took_s:.0f} s of work:")
    for line in lines:
        print(f"  {line}")
    if chaos.missed:
        # The work was done before them. `never_hit` fails if that is so for all faults of a name.
        print(f"Faults that came too late: {', '.join(chaos.missed)}")
    print(flush=True)
