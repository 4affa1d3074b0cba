"""
Assets (datasets in Airflow 2) for batches of jobs.

An asset in a task's ``outlets`` gets an event when the task succeeds; its ``extra`` has the job IDs that the
task returned. A DAG that is scheduled on the asset reads them with :func:`read_job_ids`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult

from airflow.providers.common.compat.sdk import Asset

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["read_job_ids", "sanitize_uri"]

#: The key of the job IDs in the extra of an event.
JOBS_KEY = "job_ids"


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Normalize the URI of a batch of jobs: ``drs://<connection id>/<name>``.

    :raises ValueError: the URI has other parts, or lacks one.
    """
    name = uri.path.strip("/")
    if not uri.netloc or not name:
        raise ValueError("The asset URI is invalid: expected drs://<connection ID>/<batch name>.")
    if "@" in uri.netloc or uri.query or uri.fragment:
        raise ValueError(
            "The asset URI is invalid: expected drs://<connection ID>/<batch name> without user, query or "
            "fragment."
        )
    return uri._replace(path=f"/{name}")


def read_job_ids(context: Context) -> list[str]:
    """
    Return the job IDs of the asset events that triggered this Dag run.

    Each job once, in the order of the events. Events of other assets are ignored.

    :param context: the context of a task in a DAG that is scheduled on assets.
    """
    fields: Mapping[str, Any] = context
    triggers = fields.get("triggering_asset_events") or fields.get("triggering_dataset_events") or {}
    events = (event for asset in triggers for event in triggers[asset])
    return list(dict.fromkeys(job_id for event in events for job_id in (event.extra or {}).get(JOBS_KEY, ())))


def attach_job_ids(context: Context, outlets: Iterable[object], job_ids: Sequence[str]) -> None:
    """Add the returned job IDs to the events of a task's assets."""
    fields: Mapping[str, Any] = context
    events = fields.get("outlet_events")
    for outlet in outlets:
        if events is not None and isinstance(outlet, Asset):
            events[outlet].extra[JOBS_KEY] = list(job_ids)
