"""All watches, and how to deserialize them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_drs.protocol.comparisons.watch import ComparisonWatch
from airflow_provider_drs.protocol.core.watch import Watch
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
    Return the watch that ``to_dict`` serialized.

    :raises KeyError: it is not a serialized watch.
    """
    watch = _WATCHES[fields["kind"]].from_dict(fields)
    # Waits that an earlier version deferred have no names.
    watch.names = dict(fields.get("names", {}))
    return watch
