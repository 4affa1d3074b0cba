"""The emulator responds to generated requests as the OpenAPI document specifies."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from drs_emulator import Emulator
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from tests.contract.openapi import load_document
from tests.emulator.caller import PATHS, PROJECT, Caller

schema = schemathesis.openapi.from_dict(load_document()).include(operation_id=[*PATHS])

CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


@pytest.fixture
def job_id(emulator: Emulator) -> str:
    return emulator.job_ids[0]


@pytest.fixture
def headers(emulator: Emulator) -> Any:
    caller = Caller(emulator)
    yield caller.headers
    caller._session.close()


@schema.parametrize()
@settings(
    max_examples=10,
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_emulator_responds_as_documented(
    case: Any, emulator: Emulator, job_id: str, headers: dict[str, str]
) -> None:
    case.path_parameters = {"project_id": PROJECT} | (
        {"job_id": job_id} if "job_id" in case.path_parameters else {}
    )
    case.headers = {**(case.headers or {}), **headers}

    case.call_and_validate(base_url=emulator.url, checks=CHECKS)
