"""Everything that can be waited for, and the way back from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_drs.protocol.watches.comparisons import ComparisonWatch
from airflow_provider_drs.protocol.watches.delays import DelayWatch
from airflow_provider_drs.protocol.watches.prechecks import PrecheckWatch
from airflow_provider_drs.protocol.watches.statuses import StatusWatch, watch_action
from airflow_provider_drs.protocol.watches.switchovers import SwitchOverWatch
from airflow_provider_drs.protocol.watches.watch import Watch

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
    watch.kind: watch for watch in (PrecheckWatch, StatusWatch, DelayWatch, ComparisonWatch, SwitchOverWatch)
}


def watch_from_dict(fields: Mapping[str, Any]) -> Watch:
    """
    Return the watch that ``to_dict`` described.

    :raises KeyError: it describes none.
    """
    return _WATCHES[fields["kind"]].from_dict(fields)
