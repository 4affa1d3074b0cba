"""All watches, and how to deserialize them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_drs.protocol.comparisons.watch import ComparisonWatch
from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.protocol.core.watch import FORMAT, Watch
from airflow_provider_drs.protocol.jobs.delay_watch import DelayWatch
from airflow_provider_drs.protocol.jobs.status_watch import EditWatch, StatusWatch, watch_action
from airflow_provider_drs.protocol.prechecks.watch import PrecheckWatch
from airflow_provider_drs.protocol.switchovers.watch import SwitchOverWatch

__all__ = [
    "ComparisonWatch",
    "DelayWatch",
    "PrecheckWatch",
    "StatusWatch",
    "SwitchOverWatch",
    "Watch",
    "watch_action",
    "watch_from_dict",
]

_WATCHES: dict[str, type[Watch]] = {
    watch.kind: watch
    for watch in (PrecheckWatch, StatusWatch, EditWatch, DelayWatch, ComparisonWatch, SwitchOverWatch)
}


def watch_from_dict(fields: Mapping[str, Any]) -> Watch:
    """
    Return the watch that ``to_dict`` serialized, in this or an earlier version of the provider.

    :raises KeyError: it is not a serialized watch.
    :raises DrsConfigError: a later version has serialized it in a form that this one cannot read.
    """
    version = fields.get("format", 0)
    if version > FORMAT:
        raise DrsConfigError(
            "A later version of the provider has deferred this task. Install the same version on all "
            "machines that run Airflow, or clear the task to poll again."
        )
    fields = _convert(fields) if version == 0 else fields
    watch = _WATCHES[fields["kind"]].from_dict(fields)
    watch.names = dict(fields["names"])
    return watch


def _convert(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a watch that version 0.1 serialized in today's form."""
    converted = {"names": {}, "logged": {}, **fields}
    if fields["kind"] == "start":
        converted = {**watch_action("start_jobs", fields["job_ids"]).to_dict(), **converted, "kind": "status"}
    if fields["kind"] == "precheck" and not isinstance(fields["alarms"], Mapping):
        converted["alarms"] = {"allowed": fields["alarms"], "waivers": []}
    return converted
