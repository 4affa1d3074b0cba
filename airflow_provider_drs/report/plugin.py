"""
Add the page to Airflow.

Every process of Airflow loads its plugins, including tasks: the apps are created when a web server uses them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

_ADDRESS = "drs/report"
_OF_TASK = "dag_id={DAG_ID}&run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}"
_ICONS = {"icon": "drs/static/icon.svg", "icon_dark_mode": "drs/static/icon-dark.svg"}


class _Late:
    """A class attribute that is created when it is first read."""

    def __init__(self, make: Callable[[], list[Any]]) -> None:
        self._make = cache(make)

    def __get__(self, instance: object, owner: type) -> list[Any]:
        """Return the value."""
        return self._make()


def _make_apps() -> list[Any]:
    from airflow_provider_drs.report.fastapi_app import make_app

    return [{"name": "DRS pre-checks", "app": make_app(), "url_prefix": "/drs"}]


def _make_blueprints() -> list[Any]:
    from airflow_provider_drs.report.flask_app import make_blueprint

    return [make_blueprint()]


class DrsReportPlugin(AirflowPlugin):
    """The report on pre-checks: a tab of each task instance, and a page under Browse."""

    name = "drs_report"

    # In Airflow 3 a blueprint would require the FAB provider, and Airflow 2 has no FastAPI.
    if AIRFLOW_V_3_0_PLUS:
        fastapi_apps = _Late(_make_apps)
        # URLs without a leading slash are relative to Airflow's base URL. Airflow 3.0 shows none of these.
        external_views = [
            {
                "name": "DRS pre-check",
                "href": f"{_ADDRESS}?{_OF_TASK}",
                "destination": "task_instance",
                "url_route": "drs-precheck",
                **_ICONS,
            },
            {
                "name": "DRS pre-checks",
                "href": _ADDRESS,
                "destination": "nav",
                "category": "browse",
                "url_route": "drs-prechecks",
                **_ICONS,
            },
        ]
    else:
        flask_blueprints = _Late(_make_blueprints)
        appbuilder_menu_items = [
            {"name": "DRS pre-checks", "category": "Browse", "href": "drs_report.show_page"}
        ]
