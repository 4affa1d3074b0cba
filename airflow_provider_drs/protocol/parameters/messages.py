"""The database parameters of source and destination of a MySQL job, compared by DRS (drs_03_0141)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_drs.protocol.core.batches import Answers
from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsResponseError, quote
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.rows import read_flag, read_rows, read_text, row_error
from airflow_provider_drs.protocol.core.values import Value
from airflow_provider_drs.protocol.core.wire import Document, Request, Response


def check_values(values: object) -> None:
    """
    Check the new values of parameters.

    :raises DrsConfigError: it is not a mapping from the names of parameters to values, or it is empty.
    """
    named = values.items() if isinstance(values, Mapping) and values else [(None, None)]
    if not all(isinstance(n, str) and isinstance(value, str | int | float | None) for n, value in named):
        raise DrsConfigError(
            f"values is {quote(values)}: expected the new values of one or more parameters by their names."
        )


class Parameter(Value, frozen=True):
    """
    A database parameter.

    :param group: ``common`` or ``performance``.
    :param is_same: whether both values are equivalent; ``None`` if DRS did not return it.
    :param needs_restart: whether a change requires a restart of the destination.
    :param value_range: the values that the destination allows, such as ``4096-16777216`` or ``utf8|latin1``.
    """

    key: str
    group: str
    source_value: str | None
    target_value: str | None
    is_same: bool | None
    needs_restart: bool | None
    value_range: str = ""


class ParameterComparison(Value, frozen=True):
    """The parameters of a job's two databases."""

    job_id: str
    parameters: tuple[Parameter, ...]

    @property
    def differences(self) -> tuple[Parameter, ...]:
        """The parameters that DRS did not report as the same."""
        return tuple(parameter for parameter in self.parameters if not parameter.is_same)

    def to_dict(self) -> dict[str, Any]:
        """Return the number of parameters and the differences as plain JSON values, for an XCom."""
        differences = [parameter.to_dict() for parameter in self.differences]
        return {"job_id": self.job_id, "compared": len(self.parameters), "differences": differences}


def build_parameters(job_id: str, *, refresh: bool) -> Request:
    """Return the request for the parameters of one job."""
    # Rows have no job ID, so a call requests one job. The page documents refresh as a string; its example is
    # a number.
    return build("BatchShowParams", {"jobs": [job_id], "refresh": int(refresh)}, [job_id])


def parse_parameters(
    request: Request, document: Document, response: Response
) -> Answers[ParameterComparison]:
    """Return the parameters of the requested job."""
    (job_id,) = request.job_ids
    rows = read_rows(document, "params_list")
    if len(rows) != 1:
        raise DrsResponseError(f"'params_list' has {len(rows)} rows for one job")
    error = row_error(rows[0], request, response, job_id)
    if error:
        return {job_id: error}
    parameters = tuple(_parse_parameter(row) for row in read_rows(rows[0], "params"))
    return {job_id: ParameterComparison(job_id, parameters)}


def _parse_parameter(row: Mapping[str, Any]) -> Parameter:
    source_value, target_value = row.get("source_value"), row.get("target_value")
    return Parameter(
        read_text(row, "key"),
        read_text(row, "group"),
        None if source_value is None else str(source_value),
        None if target_value is None else str(target_value),
        read_flag(row, "compare_result"),
        read_flag(row, "need_restart"),
        value_range=str(row.get("value_range") or ""),
    )
