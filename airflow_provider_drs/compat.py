"""Names of Airflow that older versions of its common-compat provider lack, imported when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import (
        AirflowNotFoundException as AirflowNotFoundException,
    )
    from airflow.providers.common.compat.sdk import (
        AirflowSensorTimeout as AirflowSensorTimeout,
    )
    from airflow.providers.common.compat.sdk import ResumableJobMixin as ResumableJobMixin
    from airflow.providers.common.compat.sdk import Stats as Stats
    from airflow.providers.common.compat.sdk import conf as conf

#: Where each name is without the newest common-compat, in Airflow 3.x and 2.11.
_FALLBACKS = {
    "AirflowNotFoundException": ("airflow.sdk.exceptions", "airflow.exceptions"),
    "AirflowSensorTimeout": ("airflow.sdk.exceptions", "airflow.exceptions"),
    "ResumableJobMixin": ("airflow.sdk",),
    "Stats": ("airflow.sdk.observability.stats", "airflow.observability.stats", "airflow.stats"),
    "conf": ("airflow.sdk.configuration", "airflow.configuration"),
}


class _NotResumable:
    """The interface of ``ResumableJobMixin`` before Airflow 3.3: every try submits a new job."""

    def execute_resumable(self, context: Any) -> Any:
        """Submit the job, wait, and return its result."""
        external_id = self.submit_job(context)  # type: ignore[attr-defined]
        self.poll_until_complete(external_id, context)  # type: ignore[attr-defined]
        return self.get_job_result(external_id, context)  # type: ignore[attr-defined]


def __getattr__(name: str) -> Any:
    if name not in _FALLBACKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for module in ("airflow.providers.common.compat.sdk", *_FALLBACKS[name]):
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError):
            continue
    if name == "ResumableJobMixin":
        return _NotResumable
    raise ImportError(f"neither Airflow nor its common-compat provider has {name}")


def find_first_reschedule(task: Any, ti: Any) -> Any:
    """Return when a rescheduled task of Airflow 2.11 was first polled; ``None`` in its first poll."""
    find = import_module("airflow.sensors.base")._orig_start_date
    return find(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, ti.max_tries - task.retries + 1)
