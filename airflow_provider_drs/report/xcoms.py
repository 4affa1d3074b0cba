"""Read XComs on both Airflow lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from airflow.models import xcom
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from sqlalchemy import Text, cast

from airflow_provider_drs.compat import conf
from airflow_provider_drs.report.reports import Unreadable

XCom: Any = xcom.XComModel if AIRFLOW_V_3_0_PLUS else xcom.BaseXCom

#: The stored value. In Airflow 3 it is JSON, which the driver or SQLAlchemy would decode: slowly, for a
#: report of megabytes.
VALUE: Any = cast(XCom.value, Text) if AIRFLOW_V_3_0_PLUS else XCom.value


def read_json(text: str | bytes | None, key: str, place: Mapping[str, Any]) -> str | bytes:
    """
    Return the JSON of an XCom.

    A custom XCom backend may store it elsewhere and is then used. Pickles are never loaded.

    :param text: the stored value.
    :param place: ``dag_id``, ``run_id``, ``task_id`` and ``map_index``, for the backend.
    :raises Unreadable: there is no value, or the backend cannot read it in this process.
    """
    if text is None:
        raise Unreadable("there is no value")
    backend = _find_backend()
    if backend is None:
        # Airflow 3 stores JSON within JSON if its server has set the value.
        return json.loads(text) if text[:1] in ('"', b'"') else text
    row = SimpleNamespace(key=key, value=json.loads(text) if AIRFLOW_V_3_0_PLUS else text, **place)
    try:
        return json.dumps(backend.deserialize_value(row))
    except Exception as error:
        # A custom backend can raise any exception.
        raise Unreadable(f"{backend.__name__} cannot read it here: {type(error).__name__}") from error


def _find_backend() -> Any:
    """Return the custom XCom backend; ``None`` for Airflow's own."""
    if not conf.get("core", "xcom_backend", fallback=""):
        return None
    if AIRFLOW_V_3_0_PLUS:
        from airflow.sdk.bases import xcom as bases
        from airflow.sdk.execution_time import xcom as resolved

        own, backend = bases.BaseXCom, resolved.XCom
    else:
        own, backend = xcom.BaseXCom, xcom.XCom
    return None if backend.deserialize_value is own.deserialize_value else backend
