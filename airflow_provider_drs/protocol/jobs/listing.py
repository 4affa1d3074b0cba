"""The list of a project's jobs, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_drs.protocol.core.errors import check_choice
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.redact import redact, redact_text
from airflow_provider_drs.protocol.core.rows import read_rows, read_text
from airflow_provider_drs.protocol.core.wire import Request, Response
from airflow_provider_drs.protocol.jobs.messages import DISASTER_RECOVERY, MAX_PAGE
from airflow_provider_drs.protocol.jobs.states import Phase, phase_of

#: The kinds of jobs. A list request returns jobs of one kind.
DB_USE_TYPES = ("migration", "sync", DISASTER_RECOVERY)


@dataclass(frozen=True, slots=True)
class ListedJob:
    """
    A job in a list.

    :param job_action: what DRS allows for the job: ``available_actions``, ``unavailable_actions`` and
        ``current_action``, in clouds that return it.
    :param created: when it was created: ``YYYY-MM-DD hh:mm:ss``.
    :param children: its subtasks: forward and backward job of a dual-active pair, or shards of a cluster.
    """

    job_id: str
    name: str
    status: str
    db_use_type: str
    engine_type: str
    task_type: str
    net_type: str
    job_direction: str
    description: str
    created: str
    error_msg: str = ""
    children: tuple[ListedJob, ...] = field(default=())
    job_action: Mapping[str, Any] = field(default_factory=dict)

    @property
    def phase(self) -> Phase:
        """The phase of the status; ``Phase.UNKNOWN`` for an unknown status."""
        return phase_of(self.status)

    def child(self, job_direction: str) -> ListedJob | None:
        """Return the subtask of a direction: ``up`` is the forward job, ``down`` the backward job."""
        return next((child for child in self.children if child.job_direction == job_direction), None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for an XCom."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "children"}
        return {**fields, "children": [child.to_dict() for child in self.children]}


def check_db_use_type(db_use_type: str) -> str:
    """
    Return the kind of jobs if it is valid.

    :raises DrsConfigError: it is not.
    """
    check_choice("db_use_type", db_use_type, DB_USE_TYPES)
    return db_use_type


def build_job_list(filters: Mapping[str, Any], page: int) -> Request:
    """Return the request for one page of the jobs (drs_03_0138)."""
    # The documentation's example sends empty strings for "no filter"; engine_type has another default.
    body = {"cur_page": page, "per_page": MAX_PAGE, "engine_type": "", **filters}
    return build("ShowJobList", body)


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of jobs, and the number of jobs on all pages."""

    jobs: tuple[ListedJob, ...]
    total: int


def parse_job_list(document: Mapping[str, Any], response: Response) -> ListPage:
    """Read one page."""
    jobs = tuple(_parse_row(row) for row in read_rows(document, "jobs"))
    total = document.get("total_record")
    return ListPage(jobs, total if isinstance(total, int) else len(jobs))


def _parse_row(row: Mapping[str, Any]) -> ListedJob:
    children = row.get("children")
    return ListedJob(
        job_id=read_text(row, "id"),
        name=str(row.get("name") or ""),
        status=read_text(row, "status"),
        db_use_type=str(row.get("db_use_type") or ""),
        engine_type=str(row.get("engine_type") or ""),
        task_type=str(row.get("task_type") or ""),
        net_type=str(row.get("net_type") or ""),
        job_direction=str(row.get("job_direction") or ""),
        description=str(row.get("description") or ""),
        created=str(row.get("create_time") or ""),
        # It can be a database driver's message with a URL and a user.
        error_msg=redact_text(str(row.get("error_msg") or "")),
        job_action=redact(row["job_action"]) if isinstance(row.get("job_action"), Mapping) else {},
        children=tuple(_parse_row(child) for child in children if isinstance(child, Mapping))
        if isinstance(children, list)
        else (),
    )
