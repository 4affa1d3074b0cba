"""Whole replications in running Airflow, on both lines: the example DAGs of each story, as they are."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from example_databases import PASSWORD

from tests.airflow.conftest import Site

#: How fast the emulator's time runs here, so that no phase takes longer than a poll.
SPEED = 20.0
DR = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql"}


@pytest.fixture
def fast(site: Site) -> Site:
    """Return the site with a DRS whose time flies."""
    site.drs.set_speed(SPEED)
    return site


def _calls(site: Site) -> Counter[str]:
    return Counter(entry["operation"] for entry in site.drs.journal())


def _run(site: Site, dag_id: str, run_id: str, between: Callable[[], None] = lambda: None) -> None:
    """Let a DAG run through, with something happening in the middle of it."""
    site.airflow.unpause(dag_id)
    site.airflow.trigger(dag_id, run_id)
    between()
    state = site.airflow.wait(dag_id, run_id, timeout_s=420)
    assert state == "success", _explain(site, dag_id, run_id)


def _explain(site: Site, dag_id: str, run_id: str) -> str:
    return f"{site.airflow.task_states(dag_id, run_id)}\n{site.airflow.log(dag_id, run_id, '*')[-6000:]}"


def _job(site: Site, name: str) -> dict[str, Any]:
    return next(job for job in site.drs.jobs if job["name"] == name)


def test_a_mysql_migration_from_creation_to_deletion(fast: Site) -> None:
    """One job from its creation to its deletion, each step done once; no secret is kept anywhere."""
    dag_id = "drs_mysql_migration"
    _run(fast, dag_id, "whole")

    calls = _calls(fast)
    once = ("BatchCreateJobs", "BatchUpdateJob", "BatchSetObjects", "BatchCheckJobs", "BatchStartJobs")
    assert {name: calls[name] for name in once} == dict.fromkeys(once, 1)
    assert calls["BatchDeleteJobs"] == 2
    assert "shop-migration" not in {job["name"] for job in fast.drs.jobs}
    logs = [file.read_bytes() for file in (fast.airflow.home / "logs").rglob("*.log*")]
    secret = PASSWORD.encode()
    assert not [text for text in [*logs, fast.airflow.dump()] if secret in text]
    assert PASSWORD not in str(fast.drs.journal())


def test_a_mysql_migration_with_every_third_answer_lost_and_a_killed_worker(fast: Site) -> None:
    """What was done is found done: nothing is created, started or checked twice."""
    dag_id = "drs_mysql_migration"
    fast.drs.inject("reset_after", every=3, times=None)
    killed = False

    def kill_the_start() -> None:
        nonlocal killed
        deadline_s = time.monotonic() + 240
        while not _calls(fast)["BatchStartJobs"]:
            fast.airflow.check()
            assert time.monotonic() < deadline_s, _explain(fast, dag_id, "hard")
            time.sleep(0.05)
        try:
            os.kill(fast.airflow.task_pid(dag_id, "hard", "start"), signal.SIGKILL)
            killed = True
        except (ProcessLookupError, TypeError):
            # It was quicker than we are; the lost answers are hard enough.
            killed = False

    _run(fast, dag_id, "hard", kill_the_start)

    applied = Counter(entry["operation"] for entry in fast.drs.journal() if entry["applied"])
    assert applied["BatchCreateJobs"] == 1
    assert applied["BatchStartJobs"] == 1
    assert "shop-migration" not in {job["name"] for job in fast.drs.jobs}


def test_postgresql_databases_are_synchronized_by_groups(fast: Site) -> None:
    """Each database has its own job, with its policies, and both replicate in the end."""
    _run(fast, "drs_postgresql_sync", "sync")

    assert {_job(fast, f"{name}-sync")["status"] for name in ("orders", "billing")} == {
        "INCRE_TRANSFER_STARTED"
    }
    assert _calls(fast)["BatchSetPolicy"] == 2


def test_a_mongodb_cluster_is_migrated_in_cluster_mode(fast: Site) -> None:
    """Its connections are tested as a cluster's, and an alarm about TTL indexes holds nothing back."""
    fast.drs.plan_job("catalogue-migration", verdict={"outcome": "alarm", "items": ["srcCollHasTtlIndex"]})

    _run(fast, "drs_mongodb_cluster_migration", "cluster")

    calls = _calls(fast)
    assert (calls["BatchValidateClustersConnections"], calls["BatchValidateConnections"]) == (1, 0)
    assert calls["BatchShowParams"] == 0
    children = [job for job in fast.drs.jobs if job["parent_id"] == _job(fast, "catalogue-migration")["id"]]
    assert [job["status"] for job in children] == ["INCRE_TRANSFER_STARTED"] * 2


def test_dual_active_disaster_recovery_starts_forward_then_backward(fast: Site) -> None:
    """The backward job starts once the forward one is close behind, without a pre-check of its own."""
    _run(fast, "drs_dual_active_dr", "dual")

    assert {_job(fast, f"ledger-dr-{way}")["status"] for way in ("up", "down")} == {"INCRE_TRANSFER_STARTED"}
    assert [_job(fast, f"ledger-dr-{way}")["prechecks"] for way in ("up", "down")] == [1, 0]


def test_a_cutover_switches_only_what_is_consistent(fast: Site) -> None:
    """Delay, comparison, switch-over, stop: in this order, for jobs that are found by name."""
    fast.drs.seed_job(name="shop-dr", status="INCRE_TRANSFER_STARTED", **DR)
    sync = fast.drs.seed_job(name="shop-sync", db_use_type="sync", status="INCRE_TRANSFER_STARTED")

    _run(fast, "drs_cutover", "cutover")

    assert next(job for job in fast.drs.jobs if job["id"] == sync)["status"] == "RELEASE_RESOURCE_COMPLETE"
    order = [entry["operation"] for entry in fast.drs.journal() if entry["operation"] in
             ("CreateCompareTask", "SwitchVip", "BatchDeleteJobs")]  # fmt: skip
    assert order == ["CreateCompareTask", "SwitchVip", "BatchDeleteJobs"]
    assert _calls(fast)["SwitchVip"] == 1


def test_a_difference_stops_a_cutover(fast: Site) -> None:
    """Nothing is switched and nothing is stopped, and the log names the table."""
    fast.drs.seed_job(name="shop-dr", status="INCRE_TRANSFER_STARTED", differences=["shop.orders"], **DR)
    fast.drs.seed_job(name="shop-sync", db_use_type="sync", status="INCRE_TRANSFER_STARTED")
    dag_id = "drs_cutover"
    fast.airflow.unpause(dag_id)
    fast.airflow.trigger(dag_id, "different")

    assert fast.airflow.wait(dag_id, "different", timeout_s=240) == "failed"

    states = fast.airflow.task_states(dag_id, "different")
    assert (states["consistent"], states["switch_over"], states["stop"]) == (
        "failed",
        "upstream_failed",
        "upstream_failed",
    )
    assert "shop.orders INCONSISTENT" in fast.airflow.log(dag_id, "different", "consistent")
    assert _calls(fast)["SwitchVip"] == _calls(fast)["BatchDeleteJobs"] == 0
