"""Switchovers, and waits for them."""

from __future__ import annotations

from typing import Any

from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.core.bodies import read_json
from airflow_provider_drs.protocol.switchovers.messages import (
    build_switch_over_status,
    parse_switch_over_status,
)
from airflow_provider_drs.protocol.watches import SwitchOverWatch, watch_from_dict
from tests.scripted import ScriptedService, answer, refusal


def test_error_in_a_successful_response_is_returned() -> None:
    response = answer({"error_code": "DRS.M00304"})

    error: Any = parse_switch_over_status(build_switch_over_status("a"), read_json(response), response)["a"]

    assert error.error_code == "DRS.M00304"


def test_empty_result_is_polled_again_and_a_permanent_error_is_not() -> None:
    watch = SwitchOverWatch(["a"])
    assert watch.results == [{"job_id": "a"}]

    ScriptedService([refusal("DRS.M00002", 422)]).run(watch.poll(Limits(10, 50, 300.0)))
    assert (watch.pending, watch.failures) == (("a",), {})
    ScriptedService([refusal("DRS.M00308")]).run(watch.poll(Limits(10, 50, 300.0)))
    assert list(watch.failures) == ["a"]
    assert watch_from_dict(watch.to_dict()).pending == ()
