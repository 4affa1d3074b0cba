"""
Find the connection: an Airflow connection, if possible without importing Airflow, or the variables ``DRS_*``.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from airflow_provider_drs.cli.commands import VARIABLES
from airflow_provider_drs.protocol.connection.settings import Settings, read_extra, read_settings
from airflow_provider_drs.protocol.core.errors import DrsConfigError

_DEFAULT_CONN_ID = "drs_default"
_OWN_FIELDS = frozenset({"DRS_HOST", "DRS_LOGIN", "DRS_PASSWORD"})
#: A user waits: report a service that does not respond earlier than a task would.
_MAX_WAIT_S = 30.0


def find_settings(conn_id: str | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """
    Return the settings of the connection of a command line.

    :param conn_id: an Airflow connection; ``None`` uses the variables ``DRS_*`` if one is set, else
        ``drs_default``.
    :raises DrsConfigError: the connection does not exist, or is invalid.
    """
    if conn_id is not None and not conn_id.strip():
        raise DrsConfigError("--conn-id is empty. Specify a connection, or omit the option.")
    if conn_id is None and any(environment.get(name) for name in VARIABLES):
        _report_unknown(environment)
        settings = _read_variables(environment)
    else:
        settings = _read_connection(conn_id or _DEFAULT_CONN_ID, environment)
    return replace(settings, retry_timeout_s=min(settings.retry_timeout_s, _MAX_WAIT_S))


def _report_unknown(environment: Mapping[str, str]) -> None:
    for name in sorted(environment):
        if name.startswith("DRS_") and name not in VARIABLES:
            near = difflib.get_close_matches(name, VARIABLES, n=1)
            hint = f"Did you mean {near[0]}?" if near else "See the command-line guide for all variables."
            print(f"drs: the variable {name} is unknown and ignored. {hint}", file=sys.stderr)


def _read_variables(environment: Mapping[str, str]) -> Settings:
    extra = {
        name.removeprefix("DRS_").lower(): environment[name]
        for name in VARIABLES
        if name not in _OWN_FIELDS and environment.get(name)
    }
    try:
        return read_settings(
            "DRS_*",
            host=environment.get("DRS_HOST"),
            port=None,
            login=environment.get("DRS_LOGIN"),
            password=environment.get("DRS_PASSWORD"),
            extra=extra,
        )
    except DrsConfigError as error:
        # Name the variable to fix, because there is no connection with fields.
        text = re.sub(r"extra\.(\w+)", lambda found: f"DRS_{found[1].upper()}", str(error))
        text = re.sub(
            r"connection 'DRS_\*': (login|password|host)\b", lambda found: f"DRS_{found[1].upper()}", text
        )
        raise DrsConfigError(text) from None


def _read_connection(conn_id: str, environment: Mapping[str, str]) -> Settings:
    found = _from_variable(conn_id, environment) or _from_airflow(conn_id)
    return read_settings(
        conn_id,
        host=found.host,
        port=found.port,
        login=found.login,
        password=found.password,
        schema=found.schema,
        extra=read_extra(conn_id, found.extra),
    )


def _from_variable(conn_id: str, environment: Mapping[str, str]) -> Any:
    """
    Return the connection of a variable in JSON format; a URI is left to Airflow, which takes seconds to
    import.
    """
    text = environment.get(f"AIRFLOW_CONN_{conn_id.upper()}", "").strip()
    if not text.startswith("{"):
        return None
    fields = read_extra(conn_id, text, what=f"AIRFLOW_CONN_{conn_id.upper()}")
    names = ("host", "port", "login", "password", "schema", "extra")
    return SimpleNamespace(**{name: fields.get(name) for name in names})


def _from_airflow(conn_id: str) -> Any:
    # Airflow's log lines are not part of the output.
    with contextlib.redirect_stdout(sys.stderr):
        return _look_up(conn_id)


def _look_up(conn_id: str) -> Any:
    try:
        from airflow.models.connection import Connection

        from airflow_provider_drs.compat import AirflowNotFoundException
    except ImportError:
        raise _not_found(conn_id, "and Airflow is not installed here") from None
    try:
        return Connection.get_connection_from_secrets(conn_id)
    except AirflowNotFoundException:
        raise _not_found(conn_id, "and it is not in Airflow's secrets backends and database") from None
    except Exception as error:
        # An unavailable database, an invalid URI, or any error of a secrets backend.
        raise _not_found(conn_id, f"and Airflow cannot look it up ({type(error).__name__})") from None


def _not_found(conn_id: str, why: str) -> DrsConfigError:
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    return DrsConfigError(
        f"connection {conn_id!r} is not defined: {variable} is not set, {why}. "
        "Define it, set DRS_REGION, DRS_LOGIN, DRS_PASSWORD and DRS_DOMAIN_NAME, or specify another "
        "--conn-id."
    )
