"""
Records how this version of the provider stores waits: the arguments of triggers, and their events.

    .venvs/airflow-3/bin/python -m tests.triggers.recording

The tests of later versions resume the recorded waits. Recordings of released versions are never changed.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drs_emulator import Emulator

from airflow_provider_drs import __version__
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.protocol.comparisons.messages import ComparisonSpec
from airflow_provider_drs.protocol.prechecks.verdict import read_alarm_policy
from airflow_provider_drs.protocol.watches import (
    ComparisonWatch,
    DelayWatch,
    PrecheckWatch,
    SwitchOverWatch,
    Watch,
    watch_action,
)
from airflow_provider_drs.triggers.drs import DrsWatchTrigger

STORED = Path(__file__).parent / "stored"
#: Until the year 2096.
_DEADLINE = 4e9
_REPLICATING = {"status": "INCRE_TRANSFER_STARTED"}
_WAIVER = {"item": "log_bin", "jobs": "*", "reason": "Approved for the test.", "expires": "2096-01-01"}


def _make_waits(drs: Emulator, hook: DrsHook) -> Iterator[tuple[str, Watch]]:
    """Yield a wait of each kind, before its first poll."""
    first, second, third = drs.job_ids[:3]
    drs.set_verdict(second, "fail", items=["srcBinlogFormatCheck"])
    hook.precheck_jobs([first, second])
    yield "precheck", PrecheckWatch([first, second], read_alarm_policy(["binlog_deletion", _WAIVER]))
    drs.set_job(third, status="FULL_TRANSFER_STARTED")
    yield "status", watch_action("pause_jobs", [third])
    yield "edit", watch_action("restart_jobs", [third])
    pair = drs.seed_job(db_use_type="cloudDataGuard", engine_type="cloudDataGuard-mysql", **_REPLICATING)
    yield "delay", DelayWatch([pair], 60, 2)
    yield "comparison", ComparisonWatch([hook.create_comparisons([pair], ComparisonSpec())[pair]])
    sync = drs.seed_job(db_use_type="sync", **_REPLICATING)
    hook.switch_over([sync])
    yield "switch_over", SwitchOverWatch([sync])


def record(drs: Emulator) -> dict[str, dict[str, Any]]:
    """Return the arguments of a trigger of each kind after its first poll, and of each status an event."""
    triggers: dict[str, Any] = {}
    with DrsHook() as hook:
        for name, watch in _make_waits(drs, hook):
            hook.poll(watch)
            triggers[name] = _arguments(watch, _DEADLINE)
        drs.advance(3600)
        done = PrecheckWatch(drs.job_ids[:2], read_alarm_policy("allow"))
        events = {"timed_out": _fire(watch, 0.0), "precheck": _fire(done, _DEADLINE)}
    drs.inject("no_permission", times=None, operation="BatchCheckResults")
    return {"triggers": triggers, "events": {**events, "failed": _fire(done, _DEADLINE)}}


def _arguments(watch: Watch, deadline: float) -> dict[str, Any]:
    trigger = DrsWatchTrigger(
        drs_conn_id="drs_default", watch=watch.to_dict(), poke_interval=0.01, deadline=deadline
    )
    arguments: dict[str, Any] = json.loads(json.dumps(trigger.serialize()[1]))
    return arguments


def _fire(watch: Watch, deadline: float) -> dict[str, Any]:
    event = asyncio.run(anext(DrsWatchTrigger(**_arguments(watch, deadline)).run()))
    payload: dict[str, Any] = json.loads(json.dumps(event.payload))
    return payload


def main() -> None:
    with Emulator(clock="manual") as drs:
        os.environ["AIRFLOW_CONN_DRS_DEFAULT"] = drs.connection_json
        text = json.dumps(record(drs), indent=1, sort_keys=True)
    (STORED / f"{__version__}.json").write_text(f"{text}\n")


if __name__ == "__main__":
    main()
