"""Complete replications in running Airflow of both lines: the unchanged example DAGs."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from dev.demos.example_databases import PASSWORD
from tests.airflow.conftest import Stack

# In an Airflow of their own, so that they run concurrently with the other tests.
pytestmark = [pytest.mark.system, pytest.mark.xdist_group("waits")]

#: The speed of the emulator's clock: no phase takes longer than a poll interval.
SPEED = 20.0
STORIES = (
    "drs_mysql_migration",
    "drs_postgresql_sync",
    "drs_mongodb_cluster_migration",
    "drs_dual_active_dr",
    "drs_cutover",
    # Not an example: task groups that are expanded at run time.
    "drs_mapped_groups",
)
REPLICATING = {"INCRE_TRANSFER_STARTED"}
READS = {
    "BatchListJobDetails",
    "BatchListJobStatus",
    "BatchListProgresses",
    "BatchCheckResults",
    "ShowJobList",
    "KeystoneCreateUserTokenByPassword",
}
DR = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql"}


@pytest.fixture
def fast(stack: Stack) -> Stack:
    """Return the stack with a fast clock of DRS."""
    stack.drs.set_speed(SPEED)
    return stack


def _calls(stack: Stack) -> Counter[str]:
    return Counter(entry["operation"] for entry in stack.drs.journal())


def _trigger(stack: Stack, run_id: str, *dag_ids: str) -> None:
    for dag_id in dag_ids:
        stack.airflow.unpause(dag_id)
        stack.airflow.trigger(dag_id, run_id)


def _wait(stack: Stack, run_id: str, dag_id: str, wanted: str = "success") -> None:
    state = stack.airflow.wait(dag_id, run_id)
    assert state == wanted, _explain(stack, dag_id, run_id)


def _explain(stack: Stack, dag_id: str, run_id: str) -> str:
    return f"{stack.airflow.task_states(dag_id, run_id)}\n{stack.airflow.log(dag_id, run_id, '*')[-6000:]}"


def _job(stack: Stack, name: str) -> dict[str, Any]:
    return next(job for job in stack.drs.jobs if job["name"] == name)


def _status(stack: Stack, name: str) -> str:
    return str(_job(stack, name)["status"])


def test_example_dags_run_concurrently(fast: Stack) -> None:
    run_id = "whole"
    fast.drs.plan_job("catalogue-migration", verdict={"outcome": "alarm", "items": ["srcCollHasTtlIndex"]})
    fast.drs.seed_job(name="shop-dr", status="INCRE_TRANSFER_STARTED", **DR)
    fast.drs.seed_job(name="shop-sync", db_use_type="sync", status="INCRE_TRANSFER_STARTED")

    _trigger(fast, run_id, *STORIES)
    for dag_id in STORIES:
        _wait(fast, run_id, dag_id)

    calls = _calls(fast)
    # One for each of four examples, for the second database of the synchronization, and for each mapped
    # group.
    assert calls["BatchCreateJobs"] == 7
    configured = [row["name"] for row in fast.drs.jobs if row["name"].startswith("mapped-")]
    assert sorted(configured) == ["mapped-billing", "mapped-orders"]
    # MySQL migration: created, configured, pre-checked, started, caught up, stopped and deleted.
    assert (calls["BatchSetSpeed"], calls["BatchShowParams"]) == (1, 1)
    assert "shop-migration" not in {job["name"] for job in fast.drs.jobs}
    # Synchronization: a job for each database, with its policies.
    assert calls["BatchSetPolicy"] == 2
    assert {_status(fast, f"{name}-sync") for name in ("orders", "billing")} == REPLICATING
    # Cluster: tested as a whole, with an accepted alarm, and followed with its shards.
    assert calls["BatchValidateClustersConnections"] == 1
    assert {_status(fast, f"catalogue-migration-{shard}") for shard in (1, 2)} == REPLICATING
    # Dual-active: the backward job started after the forward job, without a pre-check of its own.
    assert {_status(fast, f"ledger-dr-{way}") for way in ("up", "down")} == REPLICATING
    assert [_job(fast, f"ledger-dr-{way}")["prechecks"] for way in ("up", "down")] == [1, 0]
    # Cutover: switched only after the comparison, and stopped only after that.
    job_id = _job(fast, "shop-sync")["id"]
    order = [
        entry["operation"]
        for entry in fast.drs.journal()
        if entry["operation"] == "CreateCompareTask"
        or (entry["operation"] in ("SwitchVip", "BatchDeleteJobs") and entry["job_ids"] == [job_id])
    ]
    assert order == ["CreateCompareTask", "SwitchVip", "BatchDeleteJobs"]
    assert _status(fast, "shop-sync") == "RELEASE_RESOURCE_COMPLETE"

    logs = [file.read_bytes() for file in (fast.airflow.home / "logs").rglob("*.log*")]
    assert not [text for text in [*logs, fast.airflow.dump()] if PASSWORD.encode() in text]
    assert PASSWORD not in str(fast.drs.journal())


def test_run_is_cleared_at_six_points(fast: Stack) -> None:
    """A user clears a run from its first task: nothing is done twice, and nothing is skipped."""
    life = Life(fast)
    fast.airflow.unpause(life.dag_id)
    fast.airflow.trigger(life.dag_id, life.run_id)

    # Before the pre-check, and after it.
    life.hold("BatchCheckJobs")
    life.clear()
    life.hold("BatchStartJobs")
    life.clear()
    life.hold("BatchStartJobs")
    assert (life.applied["BatchCreateJobs"], life.applied["BatchCheckJobs"]) == (1, 2)
    # Each attempt selects the same objects; on a busy machine, Airflow repeats an attempt.
    selections = life.applied["BatchSetObjects"]
    assert selections >= 3

    # Starting, and during the full copy.
    fast.drs.set_speed(0)
    fast.drs.clear_faults()
    for status, task_id, seconds in (
        ("STARTJOBING", "start", 5),
        ("FULL_TRANSFER_STARTED", "full_copy", 60),
    ):
        life.wait_for(task_id, "deferred")
        assert _status(fast, life.name) == status
        life.clear()
        life.wait_for(task_id, "deferred")
        fast.drs.advance(seconds)

    # Caught up.
    fast.drs.set_speed(SPEED)
    life.hold("BatchDeleteJobs")
    life.clear()
    life.hold("BatchDeleteJobs")
    fast.drs.clear_faults()
    assert fast.airflow.wait(life.dag_id, life.run_id) == "success", life.log()
    assert _job(fast, life.name)["starts"] == 1
    once = dict.fromkeys(("BatchCreateJobs", "BatchStartJobs", "BatchDeleteJobs"), 1)
    assert {name: life.applied[name] for name in once} == once
    # The tasks before the start ran again, but sent nothing to the started job.
    assert (life.applied["BatchCheckJobs"], life.applied["BatchSetObjects"]) == (2, selections)

    # Stopped.
    before = life.applied
    life.clear()
    assert fast.airflow.wait(life.dag_id, life.run_id) == "failed", life.log()
    assert life.name in fast.airflow.log(life.dag_id, life.run_id, "migration.create")
    assert set(life.applied - before) <= READS


class Life:
    """A run of a task group with one job."""

    dag_id, run_id, name = "drs_cleared_life", "life", "cleared-life"
    #: The tasks during which the run is cleared.
    HELD = ("migration.precheck", "migration.start", "migration.stop")

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    @property
    def applied(self) -> Counter[str]:
        """The requests that took effect, by operation."""
        return Counter(entry["operation"] for entry in self.stack.drs.journal() if entry["applied"])

    def hold(self, operation: str) -> None:
        """Refuse this operation only, and return when the run has come to it."""
        earlier = [fault["id"] for fault in self.stack.drs.faults]
        self.stack.drs.inject("too_frequent", operation=operation, times=None)
        for fault_id in earlier:
            self.stack.drs.remove_fault(fault_id)
        requests = len(self.stack.drs.journal(operation))
        self.stack.airflow.until(
            lambda: len(self.stack.drs.journal(operation)) > requests, f"{operation} was not sent"
        )

    def clear(self) -> None:
        """Clear the run from its first task, and return when only that runs again."""
        airflow, first = self.stack.airflow, "migration.create"
        tries = airflow.try_number(self.dag_id, self.run_id, first)
        airflow.clear(self.dag_id, self.run_id, first)

        def is_cleared() -> bool:
            states = airflow.task_states(self.dag_id, self.run_id)
            is_new = airflow.try_number(self.dag_id, self.run_id, first) > tries
            return is_new and not {"running", "restarting"} & {states[task_id] for task_id in self.HELD}

        airflow.until(is_cleared, "the run was not cleared")

    def wait_for(self, task_id: str, state: str) -> None:
        self.stack.airflow.wait_for_task(self.dag_id, self.run_id, f"migration.{task_id}", [state])

    def log(self) -> str:
        return _explain(self.stack, self.dag_id, self.run_id)


def test_migration_survives_lost_responses_and_killed_worker(fast: Stack) -> None:
    run_id = "hard"
    migration, cutover = "drs_mysql_migration", "drs_cutover"
    different = {"name": "shop-dr", "status": "INCRE_TRANSFER_STARTED", "differences": ["shop.orders"], **DR}
    fast.drs.seed_job(**different)
    fast.drs.seed_job(name="shop-sync", db_use_type="sync", status="INCRE_TRANSFER_STARTED")
    # The worker waits for a response until it is killed, so it cannot finish before.
    fast.drs.inject("hang", operation="BatchStartJobs", apply=True)
    fast.drs.inject("reset_after", every=3, times=None)

    _trigger(fast, run_id, migration, cutover)
    # A run of an earlier test may still start its own jobs.
    started: list[str] = []

    def is_started() -> bool:
        ids = [job["id"] for job in fast.drs.jobs if job["name"] == "shop-migration" and job["starts"]]
        started.extend(ids)
        return bool(ids)

    _kill_worker(fast, migration, run_id, "start", is_started)
    _wait(fast, run_id, migration)
    _wait(fast, run_id, cutover, "failed")

    # Lost responses may cost another attempt.
    assert fast.airflow.try_number(migration, run_id, "start") >= 2
    assert "was already started" in fast.airflow.log(migration, run_id, "start")
    applied = Counter(entry["operation"] for entry in fast.drs.journal() if entry["applied"])
    starts = [entry for entry in fast.drs.journal("BatchStartJobs") if started[0] in entry["job_ids"]]
    assert (applied["BatchCreateJobs"], [entry["applied"] for entry in starts].count(True)) == (1, 1)
    assert "shop-migration" not in {job["name"] for job in fast.drs.jobs}
    states = fast.airflow.task_states(cutover, run_id)
    assert [states[task_id] for task_id in ("consistent", "switch_over", "stop")] == [
        "failed",
        "upstream_failed",
        "upstream_failed",
    ]
    assert "shop.orders INCONSISTENT" in fast.airflow.log(cutover, run_id, "consistent")
    assert applied["SwitchVip"] == 0


def _kill_worker(stack: Stack, dag_id: str, run_id: str, task_id: str, is_time: Callable[[], bool]) -> None:
    stack.airflow.until_in_run(dag_id, run_id, is_time, f"{task_id} did not come to its time")
    os.kill(stack.airflow.task_pid(dag_id, run_id, task_id), signal.SIGKILL)
