"""Database parameters of both ends of a MySQL job, compared (drs_03_0141)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_drs.protocol.core.errors import DrsError, DrsResponseError
from airflow_provider_drs.protocol.core.operations import build
from airflow_provider_drs.protocol.core.rows import read_flag, read_rows, read_text, row_error
from airflow_provider_drs.protocol.core.wire import Request, Response


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    One parameter.

    :param group: ``common`` or ``performance``.
    :param is_same: DRS finds nothing to change; ``None`` where it does not say.
    :param needs_restart: a change takes a restart of the destination.
    :param value_range: what the destination allows, e.g. ``4096-16777216`` or ``utf8|latin1``.
    """

    key: str
    group: str
    source_value: str | None
    target_value: str | None
    is_same: bool | None
    needs_restart: bool | None
    value_range: str = ""


@dataclass(frozen=True, slots=True)
class ParameterComparison:
    """The parameters of a job's two databases."""

    job_id: str
    parameters: tuple[Parameter, ...]

    @property
    def differences(self) -> tuple[Parameter, ...]:
        """The parameters that DRS does not find the same."""
        return tuple(each for each in self.parameters if not each.is_same)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for an XCom."""
        return {
            "job_id": self.job_id,
            "compared": len(self.parameters),
            "differences": [asdict(each) for each in self.differences],
        }


def build_parameters(job_id: str, *, refresh: bool) -> Request:
    """Return the request for the parameters of one job."""
    # The rows carry no job id; one job a call, and the only row can only be its. The page's example sends
    # the number that its table calls a string.
    return build("BatchShowParams", {"jobs": [job_id], "refresh": int(refresh)}, [job_id])


def parse_parameters(
    request: Request, document: Mapping[str, Any], response: Response
) -> dict[str, ParameterComparison | DrsError]:
    """Read the parameters of the one job."""
    (job_id,) = request.job_ids
    rows = read_rows(document, "params_list")
    if len(rows) != 1:
        raise DrsResponseError(f"there are {len(rows)} rows for one job under 'params_list'")
    error = row_error(rows[0], request, response, job_id)
    if error:
        return {job_id: error}
    parameters = tuple(_parse_parameter(row) for row in read_rows(rows[0], "params"))
    return {job_id: ParameterComparison(job_id, parameters)}


def _parse_parameter(row: Mapping[str, Any]) -> Parameter:
    return Parameter(
        key=read_text(row, "key"),
        group=read_text(row, "group"),
        source_value=_text(row.get("source_value")),
        target_value=_text(row.get("target_value")),
        is_same=read_flag(row, "compare_result"),
        needs_restart=read_flag(row, "need_restart"),
        value_range=str(row.get("value_range") or ""),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
