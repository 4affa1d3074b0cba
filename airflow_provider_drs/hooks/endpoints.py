"""Read source and destination databases from Airflow connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_drs.compat import AirflowNotFoundException
from airflow_provider_drs.protocol.connection.settings import read_extra
from airflow_provider_drs.protocol.core.errors import DrsConfigError, quote
from airflow_provider_drs.protocol.core.literals import read_structure
from airflow_provider_drs.protocol.jobs.databases import Endpoint

_LARGEST_CERTIFICATE = 1_000_000

#: Fields that the extra of a database connection may have for DRS; other fields are ignored.
EXTRA_FIELDS = (
    "db_name",
    "db_type",
    "region",
    "inst_id",
    "project_id",
    "vpc_id",
    "subnet_id",
    "security_group_id",
    "inst_name",
    "az_code",
    "mongo_ha_mode",
    "cluster_mode",
    "ssl_link",
    "ssl_cert",
    "ssl_cert_name",
    "ssl_cert_password",
)


def read_endpoint(conn_id: str) -> Endpoint:
    """
    Return the database that an Airflow connection of any type describes.

    Host, port, login, password and schema have their usual meaning; ``extra`` adds :data:`EXTRA_FIELDS`:
    ``inst_id`` and ``region`` of a cloud instance, ``vpc_id`` and ``subnet_id`` of the network of a
    self-managed database, ``ssl_cert`` with a CA certificate, ... The certificate is PEM text, base64 of a
    binary file such as ``.p12``, or the path of a file on the worker, which starts with ``/``.

    :raises DrsConfigError: extra is not a JSON object, one of these fields has the wrong type, or the
        certificate cannot be read.
    """
    connection = BaseHook.get_connection(conn_id)
    name = f"connection {conn_id!r}"
    extra = read_extra(conn_id, connection.extra)
    known = {field: extra[field] for field in EXTRA_FIELDS if extra.get(field) not in (None, "")}
    return Endpoint(
        ip=connection.host or "",
        db_port=connection.port,
        db_user=connection.login or "",
        db_password=connection.password or "",
        name=name,
        **{"db_name": connection.schema or "", **_check(name, known)},
    )


def _check(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    checked = dict(fields)
    for field, value in fields.items():
        if field == "ssl_link" and str(value).lower() in ("true", "false"):
            checked[field] = str(value).lower() == "true"
        elif field == "ssl_link" or not isinstance(value, str):
            expected = "true or false" if field == "ssl_link" else "a string"
            raise DrsConfigError(f"{name}: extra.{field} must be {expected}.")
    if str(checked.get("ssl_cert", "")).startswith("/"):
        checked["ssl_cert"] = _read_file(name, Path(checked["ssl_cert"]))
        checked.setdefault("ssl_cert_name", Path(fields["ssl_cert"]).name)
    return checked


def _read_file(name: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_CERTIFICATE + 1)
    except OSError as error:
        raise DrsConfigError(
            f"{name}: cannot read extra.ssl_cert {str(path)!r} ({error.strerror}). The file must exist on "
            "every worker."
        ) from None
    if not 0 < len(content) <= _LARGEST_CERTIFICATE:
        raise DrsConfigError(
            f"{name}: extra.ssl_cert {str(path)!r} is empty or larger than {_LARGEST_CERTIFICATE} bytes."
        )
    return content


def check_conn_ids(argument: str, conn_ids: object) -> str | list[str]:
    """
    Return one connection ID, or the list of them; templating turns a list into text.

    :param argument: the operator's argument, for error messages.
    :raises DrsConfigError: it is something else, or a template has rendered nothing.
    """
    listed = read_structure(conn_ids, argument)
    if isinstance(listed, str) and listed.strip():
        return listed
    if isinstance(listed, list | tuple) and listed and all(isinstance(n, str) and n for n in listed):
        return list(listed)
    raise DrsConfigError(
        f"{argument} is {quote(conn_ids)}: expected the ID of an Airflow connection, or a list with one per "
        "job. If it is a template, check what it has rendered."
    )


def check_count(argument: str, conn_ids: Sequence[str], jobs: Sequence[object]) -> None:
    """
    Check that there is one connection per job.

    :raises DrsConfigError: there is another number.
    """
    if len(conn_ids) != len(jobs):
        raise DrsConfigError(
            f"{argument}: {len(conn_ids)} connections for {len(jobs)} jobs. Specify one connection for all "
            "jobs, or one per job in the same order."
        )


def read_endpoints(
    argument: str, conn_ids: str | Sequence[str] | None, keys: Sequence[str]
) -> Endpoint | dict[str, Endpoint] | None:
    """
    Return one endpoint for all jobs, or one per job.

    :param argument: the operator's argument, for error messages.
    :param conn_ids: one connection ID for all jobs, or one per job in their order.
    :param keys: the IDs or names of the jobs.
    :raises DrsConfigError: the number of connections does not match, or a connection is invalid.
    """
    if conn_ids is None:
        return None
    conn_ids = check_conn_ids(argument, conn_ids)
    if isinstance(conn_ids, str):
        return _read_named(argument, conn_ids)
    check_count(argument, conn_ids, keys)
    return {key: _read_named(argument, conn_id) for key, conn_id in zip(keys, conn_ids, strict=True)}


def _read_named(argument: str, conn_id: str) -> Endpoint:
    try:
        return read_endpoint(conn_id)
    except AirflowNotFoundException as error:
        raise AirflowNotFoundException(f"{argument}: {error}") from None


def read_passwords(
    argument: str, conn_ids: str | Sequence[str] | None, keys: Sequence[str]
) -> str | dict[str, str] | None:
    """
    Return one password for all jobs, or one per job; the arguments are those of :func:`read_endpoints`.

    :raises DrsConfigError: a connection has no password, or the number of connections does not match.
    """
    endpoints = read_endpoints(argument, conn_ids, keys)
    found = endpoints if isinstance(endpoints, dict) else {"": endpoints} if endpoints else {}
    without = next((end for end in found.values() if not end.db_password), None)
    if without is not None:
        raise DrsConfigError(f"{argument}: {without.name} has no password. Set its password to the new one.")
    if isinstance(endpoints, dict):
        return {key: end.db_password for key, end in endpoints.items()}
    return endpoints.db_password if endpoints else None
