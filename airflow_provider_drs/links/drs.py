"""
The links of every task: to the DRS console, and to the report on its pre-checks.

Airflow 2 computes a link when a user opens it. Airflow 3 shows the URL in an XCom, which it computes when the
task ends; the URLs are therefore pushed when the task starts.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_drs.compat import conf

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

    from airflow_provider_drs.hooks.drs import DrsHook

__all__ = ["DrsConsoleLink", "DrsReportLink"]

_log = logging.getLogger(__name__)


class DrsConsoleLink(BaseOperatorLink):
    """
    Links to DRS in the console of the cloud: to the list with the task's jobs, once their kind is known.

    The connection determines cloud and region; ``extra.console_url`` overrides them.
    """

    name = "DRS console"

    @property
    def xcom_key(self) -> str:
        """The XCom with the URL."""
        return "_link_DrsConsoleLink"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL that the task has pushed; empty before the task has started."""
        from airflow.providers.common.compat.sdk import XCom

        try:
            return str(XCom.get_value(ti_key=ti_key, key=self.xcom_key) or "")
        except Exception:
            _log.debug("No console link found", exc_info=True)
            return ""


class DrsReportLink(BaseOperatorLink):
    """Links to the report on the pre-checks of a task, in Airflow's UI."""

    name = "Pre-check report"

    @property
    def xcom_key(self) -> str:
        """The XCom with the URL in Airflow 3."""
        return "_link_DrsReportLink"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL, which is derived from the task instance."""
        try:
            return find_report(ti_key)
        except Exception:
            _log.debug("No report link found", exc_info=True)
            return ""


def find_report(ti: Any) -> str:
    """
    Return the URL path of the report on a task instance's pre-checks.

    A path, because Airflow's configured base URL is often not the one that a browser uses.

    :param ti: the task instance, or its key.
    """
    base = conf.get("api" if AIRFLOW_V_3_0_PLUS else "webserver", "base_url", fallback=None) or ""
    query = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": ti.map_index}
    return f"{urlsplit(base).path.rstrip('/')}/drs/report?{urlencode(query)}"


def publish_links(context: Context, hook: DrsHook) -> None:
    """Push the URLs of a task's links. Never fails the task."""
    with _ignoring_errors():
        context["ti"].xcom_push(key=DrsReportLink().xcom_key, value=find_report(context["ti"]))
    publish_console_link(context, hook)


def publish_console_link(context: Context, hook: DrsHook) -> None:
    """
    Push the URL of the console page with the jobs whose details the hook has read. Never fails the task.
    """
    with _ignoring_errors():
        context["ti"].xcom_push(key=DrsConsoleLink().xcom_key, value=hook.find_console_page())


@contextlib.contextmanager
def _ignoring_errors() -> Iterator[None]:
    from airflow_provider_drs.protocol.core.errors import DrsError

    try:
        yield
    except DrsError as error:
        # An invalid connection: the task reports it.
        _log.debug("No console link: %s", error)
    except Exception:
        _log.warning("Pushing a link of the task failed", exc_info=True)
