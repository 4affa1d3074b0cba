"""Waiting for the replication to catch up."""

from __future__ import annotations

from typing import Any

from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.watches import (
    DelayWatch,
    Watch,
)
from tests.scripted import ScriptedService, answer


def _limits() -> Limits:
    return Limits(10, 50, 300.0)


def _poll(watch: Watch, *answers: Any) -> list[str]:
    return ScriptedService(answers).run(watch.poll(_limits()))


def test_lag_must_be_small_for_all_jobs() -> None:
    watch = DelayWatch(["a"], 5)
    row = {"job_id": "a", "transfer_status": "INCRE_TRANSFER_STARTED", "incre_trans_delay": "1"}

    before = watch.is_close
    _poll(watch, answer({"results": [row]}))

    assert (before, watch.is_close) == (False, True)
