"""Database parameters."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.protocol.core.bodies import read_json
from airflow_provider_drs.protocol.core.errors import DrsResponseError
from airflow_provider_drs.protocol.parameters.messages import build_parameters, parse_parameters
from tests.scripted import answer


def _parse(*rows: dict[str, Any]) -> Any:
    response = answer({"params_list": rows})
    return parse_parameters(build_parameters("a", refresh=True), read_json(response), response)["a"]


def test_response_has_one_row_for_the_job() -> None:
    """The row can be an error; two rows cannot be assigned to a job."""
    with pytest.raises(DrsResponseError, match="2 rows for one job"):
        _parse({"params": []}, {"params": []})
    assert _parse({"error_code": "DRS.M00304"}).error_code == "DRS.M00304"
    (parameter,) = _parse({"params": [{"key": "k", "group": "common", "source_value": None}]}).differences
    assert (parameter.source_value, parameter.is_same) == (None, None)
