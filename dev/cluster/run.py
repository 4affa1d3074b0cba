"""One run from the beginning to the proof."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_drs.emulator import EmulatorClient
from dev import environments
from dev.cluster.chaos import Chaos, Struck
from dev.cluster.drs import Drs
from dev.cluster.faults import Site
from dev.cluster.gate import Gate
from dev.cluster.plan import make_plan, make_world
from dev.cluster.processes import Processes
from dev.cluster.proof import Line, count_calls, prove
from dev.cluster.services import run_services
from dev.cluster.stack import SCHEDULER, TRIGGERERS, WORKERS, ClusterStack
from dev.stacks.airflow_stack import ROOT

_DAG_ID = "drs_start_many"
_RUN_ID = "many"
#: The task that writes the reports.
_WAIT = "start_group.wait_until_passed"
#: Seconds after which a run is given up.
_LIMIT_S = 1200.0
_POLL_S = 0.5
_TELL_S = 15.0


@dataclass(frozen=True)
class Size:
    """
    How large a run is.

    :param group: jobs that are started together.
    :param rounds: how often each part is killed, and each kind of fault comes.
    """

    jobs: int
    group: int
    rounds: int


def run(line: str, size: Size, seed: int) -> bool:
    """
    Start everything, break it, and return whether every line of the proof is true.

    :param line: the environment, by its name in dev/environments.py.
    """
    bin_folder = environments.make(line)
    home = ROOT / ".run" / "cluster" / line
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    world = make_world(seed, size.jobs)
    (home / "world.json").write_text(json.dumps(world))
    tell = _Teller()
    tell(f"{line}: {size.jobs} jobs in groups of {size.group}, seed {seed}")
    tell(f"Logs are in {home.relative_to(ROOT)}")
    with Processes(home) as processes:
        drs = Drs(processes, home)
        with run_services(home) as services, Gate(drs.client.url) as gate:
            environment = {"AIRFLOW_CONN_DRS_DEFAULT": _connect(drs.client, gate)}
            dags = ROOT / "tests" / "cluster" / "dags"
            tell("Starting Airflow: API server, scheduler, workers, triggerers ...")
            with ClusterStack(bin_folder, home, dags, services, environment) as stack:
                plan = make_plan(seed, (SCHEDULER, *TRIGGERERS, *WORKERS), rounds=size.rounds)
                tell("The plan, and at which share of the work:")
                for blow in plan:
                    tell(f"  {blow.at:>5.0%}  {blow}, for {blow.lasts_s:.0f} s")
                groups = _make_groups(drs.client.job_ids, size.group)
                numbers = {job_id: number for number, group in enumerate(groups) for job_id in group}
                site = Site(stack, drs, gate, numbers)
                chaos = Chaos(plan, site, tell)
                began_s = time.monotonic()
                state = _work(site, groups, chaos, tell)
                took_s = time.monotonic() - began_s
                chaos.mend_all()
                tries = _count_tries(stack)
                shown = stack.count_reported(_DAG_ID, _RUN_ID, _WAIT)
        journal, jobs = drs.client.journal(), drs.client.jobs
    # For whoever wants to see what a broken line is made of.
    (home / "journal.json").write_text(json.dumps({"journal": journal, "jobs": jobs}, indent=1))
    durations_s = {job["job_id"]: job["verdict"]["duration_s"] for job in world["jobs"]}
    spared = chaos.spared
    lines = [
        *prove(durations_s, jobs, journal),
        Line("the run of the DAG has succeeded", state == "success", str(state)),
        Line("jobs that the report page shows as passed", shown == size.jobs, f"{shown} of {size.jobs}"),
        # A run in which nothing broke would prove nothing.
        Line("parts and kinds of trouble that were spared", not spared, str(len(spared)), spared),
    ]
    _report(lines, chaos.struck, journal, tries, took_s)
    if chaos.missed:
        # The machine was quicker than the plan. What has come too late each time, the proof calls spared.
        print(f"Blows that came too late to hit anything: {', '.join(chaos.missed)}", flush=True)
    checks, starts = (sum(job[name] for job in jobs) for name in ("prechecks", "starts"))
    print(f"In all, DRS ran {checks} pre-checks and {starts} starts of {len(jobs)} jobs.\n", flush=True)
    return all(each.is_true for each in lines)


def _connect(emulator: EmulatorClient, gate: Gate) -> str:
    """Return the connection, which goes through the gate; who waits for an answer soon asks again."""
    connection = emulator.connection
    extra = connection["extra"] | {"iam_endpoint": gate.url, "connect_timeout": 5, "read_timeout": 6}
    return json.dumps(connection | {"host": gate.url, "extra": extra})


def _make_groups(job_ids: Sequence[str], size: int) -> list[list[str]]:
    return [list(job_ids[first : first + size]) for first in range(0, len(job_ids), size)]


def _work(site: Site, groups: Sequence[Sequence[str]], chaos: Chaos, tell: _Teller) -> str | None:
    """Let the DAG run, with everything that is to happen meanwhile, and return the state it ends in."""
    stack = site.stack
    stack.unpause(_DAG_ID)
    stack.trigger(_DAG_ID, _RUN_ID, {"groups": groups})
    deadline_s, told_s, done = time.monotonic() + _LIMIT_S, 0.0, 0.0
    while (state := stack.state(_DAG_ID, _RUN_ID)) not in ("success", "failed"):
        stack.check()
        if not site.drs.is_away:
            jobs = site.drs.client.jobs
            done = sum(bool(job["prechecks"]) + bool(job["starts"]) for job in jobs) / (2 * len(jobs))
        chaos.go_on(done)
        if time.monotonic() > told_s + _TELL_S:
            told_s = time.monotonic()
            tell(f"{done:>4.0%} done; tasks: {_tasks(stack)}")
        if time.monotonic() > deadline_s:
            break
        time.sleep(_POLL_S)
    return state


def _tasks(stack: ClusterStack) -> str:
    rows = stack.query(
        "select coalesce(state, 'to come') as state, count(*) as n from task_instance group by 1 order by 1"
    )
    return ", ".join(f"{count} {state}" for state, count in rows)


def _count_tries(stack: ClusterStack) -> list[tuple[str, int, int]]:
    """Return for each task how many there are, and how many tries they took together."""
    return [
        (task, int(count), int(tries))
        for task, count, tries in stack.query(
            "select task_id, count(*) as n, sum(try_number) as tries from task_instance group by 1 order by 1"
        )
    ]


class _Teller:
    """Prints lines with the seconds since it was made."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    def __call__(self, line: str) -> None:
        print(f"{time.monotonic() - self._began_s:>6.1f} s  {line}", flush=True)


def _report(
    lines: Sequence[Line],
    struck: Sequence[Struck],
    journal: Sequence[dict[str, Any]],
    tries: Sequence[tuple[str, int, int]],
    took_s: float,
) -> None:
    print("\nWhat was done to it:")
    for each in struck:
        print(f"  {each.at_s:>6.1f} s  {each}")
    print("\nCalls:                                   all  carried out  spoiled  answers")
    for calls in count_calls(journal):
        statuses = ", ".join(f"{count} x {status}" for status, count in sorted(calls.statuses.items()))
        print(f"  {calls.operation:<36} {calls.count:>5} {calls.applied:>12} {calls.spoiled:>8}  {statuses}")
    print("\nTasks:                                 count  tries")
    for task, count, together in tries:
        print(f"  {task:<36} {count:>5} {together:>6}")
    print(f"\nThe proof, after {took_s:.0f} s of work:")
    for line in lines:
        print(f"  {line}")
    print(flush=True)
