"""
The report page in Airflow 3.

Airflow mounts apps of plugins without authentication: each route checks who the user is, and whether the user
may read the XComs of the Dag.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, Any

import msgspec
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from fastapi import Depends, FastAPI, HTTPException, Query, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from airflow_provider_drs.report import responses
from airflow_provider_drs.report.page import HEADERS, PAGE, STATIC
from airflow_provider_drs.report.reports import Unreadable
from airflow_provider_drs.report.stored import Address

_MAY_READ = [Depends(requires_access_dag(method="GET", access_entity=DagAccessEntity.XCOM))]

Text = Annotated[str, Query(max_length=1000)]


def _find_address(dag_id: Text, run_id: Text, task_id: Text, map_index: Text = "-1") -> Address:
    return responses.read_address(dag_id, run_id, task_id, map_index)


def _find_choice(view: Text = "all", q: Text = "", offset: Text = "0") -> responses.Choice:
    return responses.read_choice(view, q, offset)


WhichTask = Annotated[Address, Depends(_find_address)]
WhichJobs = Annotated[responses.Choice, Depends(_find_choice)]


def make_app() -> FastAPI:
    """Return the app that Airflow mounts."""
    # No API documentation pages, which would load scripts from other hosts.
    app = FastAPI(title="DRS pre-checks", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=STATIC))

    @app.get("/report")
    def show_page() -> FileResponse:
        return FileResponse(PAGE, headers=HEADERS)

    @app.get("/data/report", dependencies=_MAY_READ)
    def read_report(address: WhichTask, choice: WhichJobs) -> Response:
        with create_session() as session:
            return _as_json(responses.get_report(session, address, choice))

    @app.get("/data/history", dependencies=_MAY_READ)
    def read_history(address: WhichTask) -> Response:
        with create_session() as session:
            return _as_json(responses.get_history(session, address))

    @app.get("/data/export", dependencies=_MAY_READ)
    def export(address: WhichTask, choice: WhichJobs, form: Text = "markdown") -> Response:
        try:
            with create_session() as session:
                text, media_type, name = responses.get_export(session, address, choice, form)
        except Unreadable as error:
            raise HTTPException(404, str(error)) from None
        disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text, media_type=media_type, headers={**HEADERS, **disposition})

    @app.get("/data/overview")
    def read_overview(user: GetUserDep, offset: Text = "0") -> Response:
        with create_session() as session:
            return _as_json(responses.get_overview(session, _filter_for(user), offset))

    return app


def _as_json(answer: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json", headers=HEADERS)


def _filter_for(user: Any) -> Callable[[Collection[str]], set[str]]:
    """Return a function that filters Dags by whether the user may read their XComs."""

    def may_see(dag_ids: Collection[str]) -> set[str]:
        manager = get_auth_manager()
        details = _describe(sorted(dag_ids))
        return {
            dag_id
            for dag_id, each in details.items()
            if manager.is_authorized_dag(
                method="GET", access_entity=DagAccessEntity.XCOM, details=each, user=user
            )
        }

    return may_see


def _describe(dag_ids: list[str]) -> dict[str, DagDetails]:
    # Teams exist since Airflow 3.1.
    find_teams = getattr(DagModel, "get_dag_id_to_team_name_mapping", None)
    if find_teams is None:
        return {dag_id: DagDetails(id=dag_id) for dag_id in dag_ids}
    teams = find_teams(dag_ids)
    return {dag_id: DagDetails(id=dag_id, team_name=teams.get(dag_id)) for dag_id in dag_ids}
