"""The tasks that check: where they stand, and what they wait for."""

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

#: States in which a task is at it, and in which it has come to its end.
WAITING = ("running", "deferred", "up_for_reschedule")
ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")

_OPERATORS = ("DrsBatchPrecheckOperator", "DrsPrecheckSensor")


@dataclass(frozen=True, slots=True)
class Task:
    """A task instance, as far as the page shows it."""

    address: Address
    state: str | None
    start: datetime.datetime | None
    trigger_id: int | None

    @property
    def is_waiting(self) -> bool:
        """Whether it is at it now."""
        return self.state in WAITING


_COLUMNS = (TaskInstance.state, TaskInstance.start_date, TaskInstance.trigger_id)
_PLACE = (TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id, TaskInstance.map_index)
_CHECKS_NOW = (TaskInstance.state.in_(WAITING), TaskInstance.operator.in_(_OPERATORS))


def find_task(session: Session, address: Address) -> Task | None:
    """Return a task instance; ``None`` if there is none."""
    found = session.execute(select(*_COLUMNS).where(address.is_in(TaskInstance))).first()
    return Task(address, *found) if found else None


def find_dags(session: Session) -> set[str]:
    """Return the DAGs of which a task waits for pre-checks now."""
    return set(session.execute(select(TaskInstance.dag_id).where(*_CHECKS_NOW).distinct()).scalars())


def find_waiting(session: Session, dag_ids: Collection[str], limit: int) -> list[Task]:
    """Return the tasks of some DAGs that wait for pre-checks now, the latest first."""
    rows = session.execute(
        select(*_PLACE, *_COLUMNS)
        .where(*_CHECKS_NOW, TaskInstance.dag_id.in_(dag_ids))
        .order_by(TaskInstance.start_date.desc())
        .limit(limit)
    )
    return [Task(Address(*row[:4]), *row[4:]) for row in rows]


def read_rendered_fields(session: Session, address: Address) -> dict[str, Any]:
    """Return the fields of a task after rendering; none if Airflow has not kept them."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields as Fields

    found = session.execute(select(Fields.rendered_fields).where(address.is_in(Fields))).scalar()
    return dict(found) if isinstance(found, Mapping) else {}


def read_trigger(session: Session, trigger_id: int | None) -> dict[str, Any]:
    """Return the arguments of the trigger that a task waits with; none if it is not ours."""
    from airflow.models.trigger import Trigger

    trigger = session.get(Trigger, trigger_id) if trigger_id is not None else None
    is_ours = trigger is not None and trigger.classpath.startswith("airflow_provider_drs.")
    return dict(trigger.kwargs) if trigger is not None and is_ours else {}


def find_page(address: Address) -> str:
    """Return where Airflow shows a task instance, relative to its base URL."""
    dag_id, run_id, task_id = (quote(each, safe="") for each in address[:3])
    if not AIRFLOW_V_3_0_PLUS:
        mapped = f"&map_index={address.map_index}" if address.map_index >= 0 else ""
        return f"dags/{dag_id}/grid?dag_run_id={run_id}&task_id={task_id}{mapped}"
    mapped = f"/mapped/{address.map_index}" if address.map_index >= 0 else ""
    return f"dags/{dag_id}/runs/{run_id}/tasks/{task_id}{mapped}"
