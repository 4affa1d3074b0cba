"""Comparing database parameters."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.protocol.core.bodies import read_json
from airflow_provider_drs.protocol.core.errors import DrsResponseError
from airflow_provider_drs.protocol.core.wire import Request
from airflow_provider_drs.protocol.parameters.messages import build_parameters, parse_parameters
from tests.scripted import answer


def _parse(parse: Any, request: Request, body: Any) -> Any:
    response = answer(body)
    return parse(request, read_json(response), response)


def test_parameters_of_one_job_are_one_row() -> None:
    """Two rows could be anybody's; a row can be an error."""
    request = build_parameters("a", refresh=True)

    with pytest.raises(DrsResponseError, match="2 rows for one job"):
        _parse(parse_parameters, request, {"params_list": [{"params": []}] * 2})
    error = _parse(parse_parameters, request, {"params_list": [{"error_code": "DRS.M00304"}]})["a"]
    assert error.error_code == "DRS.M00304"
    row = {"key": "k", "group": "common", "source_value": None}
    (parameter,) = _parse(parse_parameters, request, {"params_list": [{"params": [row]}]})["a"].differences
    assert (parameter.source_value, parameter.is_same) == (None, None)
