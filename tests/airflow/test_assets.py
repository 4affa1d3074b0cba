"""A DAG starts the jobs that another one has pre-checked, in running Airflow of both lines."""

from __future__ import annotations

import pytest

from tests.airflow.conftest import Site

pytestmark = pytest.mark.system

CHECKS, STARTS = "drs_precheck_of_nightly_batch", "drs_migration_on_passed"


def _starts(site: Site) -> list[int]:
    return [job["starts"] for job in site.drs.jobs][:3]


def test_only_passed_batch_triggers_the_start(site: Site) -> None:
    for dag_id in (STARTS, CHECKS):
        site.airflow.unpause(dag_id)
    # First the scheduled run, and the run that it triggers.
    site.airflow.wait(CHECKS, site.airflow.first_run(CHECKS))
    _wait_for_copy(site, site.airflow.first_run(STARTS))
    before = len(site.airflow.run_ids(STARTS))
    site.drs.reset()
    two = list(site.drs.job_ids[:2])

    site.drs.set_verdict(two[0], "fail")
    run_id = site.airflow.trigger(CHECKS, "one-fails", {"job_ids": two})
    assert site.airflow.wait(CHECKS, run_id) == "failed"
    site.drs.reset()
    run_id = site.airflow.trigger(CHECKS, "all-pass", {"job_ids": two})
    assert site.airflow.wait(CHECKS, run_id) == "success", site.airflow.log(CHECKS, run_id, "*")

    site.airflow.until(lambda: len(site.airflow.run_ids(STARTS)) > before, f"{STARTS} was not triggered")
    (started,) = site.airflow.run_ids(STARTS)[before:]
    _wait_for_copy(site, started)
    assert site.airflow.xcom(STARTS, started, "passed_jobs") == two
    assert _starts(site) == [1, 1, 0]


def _wait_for_copy(site: Site, run_id: str) -> None:
    """Wait for the end of a run, with an immediate full copy."""
    site.airflow.wait_for_task(STARTS, run_id, "full_copy", ["deferred", "success"])
    site.drs.advance(3600)
    assert site.airflow.wait(STARTS, run_id) == "success", site.airflow.log(STARTS, run_id, "*")
