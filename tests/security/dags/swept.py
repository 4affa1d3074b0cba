"""A replication that succeeds, and tasks that fail in every way that involves credentials."""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_drs.operators.drs import (
    DrsBatchPrecheckOperator,
    DrsChangePasswordsOperator,
    DrsCreateJobsOperator,
    DrsDeleteJobsOperator,
    DrsListJobsOperator,
    DrsModifyJobsOperator,
    DrsPauseJobsOperator,
    DrsSelectObjectsOperator,
    DrsStartJobsOperator,
    DrsStopJobsOperator,
    DrsTestConnectionsOperator,
)
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

BEGIN = pendulum.datetime(2026, 1, 1, tz="UTC")
# Airflow fails a task whose trigger fires before the scheduler has recorded the deferral, so tasks may be
# retried; they are idempotent.
WAITS: dict[str, Any] = {"deferrable": True, "poke_interval": 5}
RETRIES = {"retries": 3, "retry_delay": pendulum.duration(seconds=1)}
SWEPT = {"drs_conn_id": "swept"}
# A task that a busy machine lost before its fault runs into the fault in its retry.
ONE_RETRY = {"retries": 1, "retry_delay": pendulum.duration(seconds=1)}
DATABASES: dict[str, Any] = {"source_conn_id": "there", "target_conn_id": "here"}
JOB = {"name": "swept", "db_use_type": "migration", "engine_type": "mysql", "subnet_id": "5c6bbb05"}
IDS = [f"{n:08x}-d0c5-4a11-8a11-{n:07x}jb{100 + n}" for n in range(1, 11)]

with DAG("swept_success", schedule=None, start_date=BEGIN, default_args={**SWEPT, **RETRIES}):
    create = DrsCreateJobsOperator(task_id="create", jobs=[JOB], target_conn_id="here", **WAITS)
    reach = DrsTestConnectionsOperator(task_id="reach", job_ids=create.output, **DATABASES)
    configure = DrsModifyJobsOperator(task_id="configure", job_ids=reach.output, **DATABASES)
    select = DrsSelectObjectsOperator(task_id="select", job_ids=configure.output, objects=["shop"])
    precheck = DrsBatchPrecheckOperator(task_id="precheck", job_ids=select.output)
    passed = DrsPrecheckSensor(task_id="passed", job_ids=precheck.output, **WAITS)
    start = DrsStartJobsOperator(task_id="start", job_ids=passed.output, wait_for_start=True, **WAITS)
    listed = DrsListJobsOperator(task_id="listed", db_use_type="migration")
    stop = DrsStopJobsOperator(task_id="stop", job_ids=start.output, force=True)
    start >> listed >> stop

with DAG("swept_failures", schedule=None, start_date=BEGIN, default_args={**SWEPT, **ONE_RETRY}):
    # Credentials are rejected by IAM and by DRS; the proxy is unreachable.
    for name in ("wrong_password", "wrong_token", "wrong_keys", "no_proxy"):
        DrsListJobsOperator(task_id=name, db_use_type="migration", drs_conn_id=name)
    # A token that is always rejected, first in a worker and then in the triggerer.
    DrsPauseJobsOperator(task_id="refused", job_ids=IDS[:1])
    DrsPrecheckSensor(task_id="refused_later", job_ids=IDS[1:2], **WAITS)
    # The service echoes what it was sent in free text, for one job and for a whole request.
    DrsTestConnectionsOperator(task_id="logged", job_ids=IDS[2:3], **DATABASES)
    DrsChangePasswordsOperator(task_id="passwords", job_ids=IDS[3:4], **DATABASES)
    # A redirect to another host.
    DrsDeleteJobsOperator(task_id="moved", job_ids=IDS[4:5])
