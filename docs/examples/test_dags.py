"""
Test your DAGs against the emulator: run ``airflow db migrate`` once, then pytest next to ``dags``.

Airflow 3 runs only DAGs of its DAGs folder: set ``AIRFLOW__CORE__DAGS_FOLDER=$PWD/dags``.
"""

import runpy

import pytest

BINLOG = "srcBinlogFormatCheck"


@pytest.fixture
def dag(drs_emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_DRS_DEFAULT", drs_emulator.connection_json)
    return runpy.run_path("dags/drs_batch_precheck.py")["dag"]


def test_passed_jobs_are_started_once(dag, drs_emulator):
    assert dag.test().state == "success"
    assert [job["starts"] for job in drs_emulator.jobs] == [1] * 10


def test_failed_precheck_starts_no_job(dag, drs_emulator):
    drs_emulator.set_verdict(drs_emulator.job_ids[0], "fail", items=[BINLOG])

    assert dag.test().state == "failed"
    assert not drs_emulator.journal("BatchStartJobs")
