"""
Assets (datasets in Airflow 2): an event when jobs are where a task wanted them, and who they are.

An asset in a task's ``outlets`` has an event when the task has succeeded, and in its ``extra`` the jobs that
the task returned. A DAG that is scheduled on the asset reads them from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult

from airflow.providers.common.compat.sdk import Asset

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["read_job_ids", "sanitize_uri"]

#: Where the jobs stand in the extra of an event.
JOBS_KEY = "job_ids"


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Return the URI of a batch of jobs in the one form that it has: ``drs://<connection id>/<name>``.

    :raises ValueError: a part is missing, or there is one too many.
    """
    name = uri.path.strip("/")
    if not uri.netloc or not name:
        raise ValueError("the URI of a batch of DRS jobs is drs://<connection id>/<name of the batch>")
    if "@" in uri.netloc or uri.query or uri.fragment:
        raise ValueError("the URI of a batch of DRS jobs has a connection id and a name, and nothing else")
    return uri._replace(path=f"/{name}")


def read_job_ids(context: Context) -> list[str]:
    """
    Return the jobs that the events have named which this DAG run was triggered by.

    Each job once, in the order of the events. Events that name none, of other assets, are passed over.

    :param context: of a task in a DAG that is scheduled on assets.
    """
    fields: Mapping[str, Any] = context
    triggers = fields.get("triggering_asset_events") or fields.get("triggering_dataset_events") or {}
    events = (event for asset in triggers for event in triggers[asset])
    return list(dict.fromkeys(job_id for event in events for job_id in (event.extra or {}).get(JOBS_KEY, ())))


def name_jobs(context: Context, outlets: Iterable[object], job_ids: Sequence[str]) -> None:
    """Let the events of a task's assets name the jobs that the task returns."""
    fields: Mapping[str, Any] = context
    events = fields.get("outlet_events")
    for outlet in outlets:
        if events is not None and isinstance(outlet, Asset):
            events[outlet].extra[JOBS_KEY] = list(job_ids)
