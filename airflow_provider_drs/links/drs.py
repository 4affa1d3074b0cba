"""
The links that every task has: to the console of the cloud, and to the report on its pre-checks.

Airflow 2 asks a link for its address whenever somebody looks. Airflow 3 shows what stands in an XCom, and
asks only when the task's process ends; so the addresses are put there as soon as the task begins.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink, conf
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

    from airflow_provider_drs.hooks.drs import DrsHook

__all__ = ["DrsConsoleLink", "DrsReportLink"]

_log = logging.getLogger(__name__)


class DrsConsoleLink(BaseOperatorLink):
    """
    Leads to DRS in the console of the cloud: to the list that has the task's jobs, once their kind is known.

    The connection decides about cloud and region; its ``extra.console_url`` about a console elsewhere.
    """

    name = "DRS console"

    @property
    def xcom_key(self) -> str:
        """Where the address is kept."""
        return "_link_DrsConsoleLink"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return what the task has said; empty before it has begun."""
        from airflow.providers.common.compat.sdk import XCom

        try:
            return str(XCom.get_value(ti_key=ti_key, key=self.xcom_key) or "")
        except Exception:
            _log.debug("The link to the console was not found", exc_info=True)
            return ""


class DrsReportLink(BaseOperatorLink):
    """Leads to the report on the pre-checks of a task, in Airflow's own UI."""

    name = "Pre-check report"

    @property
    def xcom_key(self) -> str:
        """Where Airflow 3 keeps the address."""
        return "_link_DrsReportLink"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, which follows from the task instance alone."""
        try:
            return find_report(ti_key)
        except Exception:
            _log.debug("The link to the report was not found", exc_info=True)
            return ""


def find_report(ti: Any) -> str:
    """
    Return the path of the report on a task instance's pre-checks.

    A path, since the address under which a browser finds Airflow is often not what Airflow is told.

    :param ti: the task instance, or its key.
    """
    base = conf.get("api" if AIRFLOW_V_3_0_PLUS else "webserver", "base_url", fallback=None) or ""
    which = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": ti.map_index}
    return f"{urlsplit(base).path.rstrip('/')}/drs/report?{urlencode(which)}"


def publish_links(context: Context, hook: DrsHook) -> None:
    """Let the links of a task be found from now on. Never fails: a task does not depend on its links."""
    with _at_best():
        context["ti"].xcom_push(key=DrsReportLink().xcom_key, value=find_report(context["ti"]))
    publish_console_link(context, hook)


def publish_console_link(context: Context, hook: DrsHook) -> None:
    """Let the link to the console lead to the jobs whose details the hook has read. Never fails."""
    with _at_best():
        context["ti"].xcom_push(key=DrsConsoleLink().xcom_key, value=hook.find_console_page())


@contextlib.contextmanager
def _at_best() -> Iterator[None]:
    from airflow_provider_drs.protocol.core.errors import DrsError

    try:
        yield
    except DrsError as error:
        # The connection is no good, which the task's own work will tell as well.
        _log.debug("There is no link: %s", error)
    except Exception:
        _log.warning("A link of the task could not be kept", exc_info=True)
