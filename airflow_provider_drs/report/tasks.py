"""The tasks with pre-checks: their states, and what they wait for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.models.taskinstance import TaskInstance
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from sqlalchemy import select

from airflow_provider_drs.report.stored import Address

if TYPE_CHECKING:
    import datetime

    from sqlalchemy.orm import Session

#: The states of a task that is waiting, and of one that has ended.
WAITING = ("running", "deferred", "up_for_reschedule")
ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")

_OPERATORS = ("DrsBatchPrecheckOperator", "DrsPrecheckSensor")


@dataclass(frozen=True, slots=True)
class Task:
    """A task instance, as the page shows it."""

    address: Address
    state: str | None
    start: datetime.datetime | None
    trigger_id: int | None

    @property
    def is_waiting(self) -> bool:
        """Whether it is waiting."""
        return self.state in WAITING


_COLUMNS = (TaskInstance.state, TaskInstance.start_date, TaskInstance.trigger_id)
_PLACE = (TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id, TaskInstance.map_index)
_CHECKS_NOW = (TaskInstance.state.in_(WAITING), TaskInstance.operator.in_(_OPERATORS))


def find_task(session: Session, address: Address) -> Task | None:
    """Return a task instance; ``None`` if there is none."""
    found = session.execute(select(*_COLUMNS).where(address.is_in(TaskInstance))).first()
    return Task(address, *found) if found else None


def find_dags(session: Session) -> set[str]:
    """Return the Dags with a task that is waiting for pre-checks."""
    return set(session.execute(select(TaskInstance.dag_id).where(*_CHECKS_NOW).distinct()).scalars())


def find_waiting(session: Session, dag_ids: Collection[str], limit: int) -> list[Task]:
    """Return the tasks of some Dags that are waiting for pre-checks, the latest first."""
    rows = session.execute(
        select(*_PLACE, *_COLUMNS)
        .where(*_CHECKS_NOW, TaskInstance.dag_id.in_(dag_ids))
        .order_by(TaskInstance.start_date.desc())
        .limit(limit)
    )
    return [Task(Address(*row[:4]), *row[4:]) for row in rows]


def read_rendered_fields(session: Session, address: Address) -> dict[str, Any]:
    """Return the rendered fields of a task; empty if Airflow has not stored them."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields as Fields

    found = session.execute(select(Fields.rendered_fields).where(address.is_in(Fields))).scalar()
    return dict(found) if isinstance(found, Mapping) else {}


def read_trigger(session: Session, trigger_id: int | None) -> dict[str, Any]:
    """Return the arguments of a task's trigger; empty if it is not a trigger of this provider."""
    from airflow.models.trigger import Trigger

    trigger = session.get(Trigger, trigger_id) if trigger_id is not None else None
    is_ours = trigger is not None and trigger.classpath.startswith("airflow_provider_drs.")
    return dict(trigger.kwargs) if trigger is not None and is_ours else {}


def find_page(address: Address) -> str:
    """Return the page of a task instance in Airflow's UI, relative to the base URL."""
    dag_id, run_id, task_id = (quote(part, safe="") for part in address[:3])
    if not AIRFLOW_V_3_0_PLUS:
        mapped = f"&map_index={address.map_index}" if address.map_index >= 0 else ""
        return f"dags/{dag_id}/grid?dag_run_id={run_id}&task_id={task_id}{mapped}"
    mapped = f"/mapped/{address.map_index}" if address.map_index >= 0 else ""
    return f"dags/{dag_id}/runs/{run_id}/tasks/{task_id}{mapped}"
