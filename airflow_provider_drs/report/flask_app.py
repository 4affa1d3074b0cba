"""
The report page in Airflow 2.

Airflow registers blueprints of plugins without authentication: each route checks who the user is, and whether
the user may read the XComs of the DAG.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from airflow.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.utils.session import create_session
from airflow.www.extensions.init_auth_manager import get_auth_manager
from flask import Blueprint, Response, request, send_file
from werkzeug.exceptions import HTTPException

from airflow_provider_drs.report import responses
from airflow_provider_drs.report.page import HEADERS, PAGE, STATIC
from airflow_provider_drs.report.reports import Unreadable
from airflow_provider_drs.report.stored import Address


def make_blueprint() -> Blueprint:
    """Return the blueprint that Airflow registers."""
    blueprint = Blueprint(
        "drs_report", __name__, url_prefix="/drs", static_folder=str(STATIC), static_url_path="/static"
    )

    @blueprint.get("/report")
    def show_page() -> Response:
        response: Response = send_file(PAGE)
        response.headers.update(HEADERS)
        return response

    @blueprint.get("/data/report")
    def read_report() -> Response:
        address = _find_address()
        with create_session() as session:
            return _as_json(responses.get_report(session, address, _find_choice()))

    @blueprint.get("/data/history")
    def read_history() -> Response:
        address = _find_address()
        with create_session() as session:
            return _as_json(responses.get_history(session, address))

    @blueprint.get("/data/export")
    def export() -> Response:
        address = _find_address()
        try:
            with create_session() as session:
                form = request.args.get("form", "markdown")
                text, media_type, name = responses.get_export(session, address, _find_choice(), form)
        except Unreadable as error:
            return _as_json({"detail": str(error)}, 404)
        disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text, mimetype=media_type, headers={**HEADERS, **disposition})

    @blueprint.get("/data/overview")
    def read_overview() -> Response:
        _check_login()
        with create_session() as session:
            return _as_json(responses.get_overview(session, _may_see, request.args.get("offset", "0")))

    return blueprint


def _find_address() -> Address:
    """Return the task instance if the user may read the XComs of its DAG."""
    _check_login()
    names = ("dag_id", "run_id", "task_id")
    dag_id, run_id, task_id = (request.args.get(name, "") for name in names)
    if not (dag_id and run_id and task_id):
        raise _refusal(422, "The URL is missing dag_id, run_id or task_id")
    if not _may_see([dag_id]):
        raise _refusal(403, "Forbidden")
    return responses.read_address(dag_id, run_id, task_id, request.args.get("map_index", "-1"))


def _find_choice() -> responses.Choice:
    arguments = request.args
    return responses.read_choice(
        arguments.get("view", "all"), arguments.get("q", ""), arguments.get("offset", "0")
    )


def _check_login() -> None:
    if not get_auth_manager().is_logged_in():
        raise _refusal(401, "Not authenticated")


def _may_see(dag_ids: Collection[str]) -> set[str]:
    manager = get_auth_manager()
    return {
        dag_id
        for dag_id in sorted(dag_ids)
        if manager.is_authorized_dag(
            method="GET", access_entity=DagAccessEntity.XCOM, details=DagDetails(id=dag_id)
        )
    }


def _refusal(status: int, why: str) -> HTTPException:
    return HTTPException(response=_as_json({"detail": why}, status))


def _as_json(answer: dict[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(answer), status, HEADERS, mimetype="application/json")
