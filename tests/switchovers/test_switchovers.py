"""Switchovers, and waiting for them."""

from __future__ import annotations

from typing import Any

from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.core.bodies import read_json
from airflow_provider_drs.protocol.core.wire import Request
from airflow_provider_drs.protocol.switchovers.messages import (
    build_switch_over_status,
    parse_switch_over_status,
)
from airflow_provider_drs.protocol.watches import (
    SwitchOverWatch,
    Watch,
    watch_from_dict,
)
from tests.scripted import Talk, answer, refusal


def _limits() -> Limits:
    return Limits(10, 50, 300.0)


def _poll(watch: Watch, *answers: Any) -> list[str]:
    return Talk(answers).run(watch.poll(_limits()))


def _parse(parse: Any, request: Request, body: Any) -> Any:
    response = answer(body)
    return parse(request, read_json(response), response)


def test_a_switch_over_can_be_an_error_inside_a_success() -> None:
    """As the other answers."""
    request = build_switch_over_status("a")

    assert _parse(parse_switch_over_status, request, {"error_code": "DRS.M00304"})["a"].error_code


def test_a_switch_over_is_waited_for_until_there_is_a_result() -> None:
    """An empty one says that the service has not come to it; a refusal is final."""
    watch = SwitchOverWatch(["a"])
    assert watch.results == [{"job_id": "a"}]

    _poll(watch, refusal("DRS.M00002", 422))
    assert (watch.pending, watch.failures) == (("a",), {})
    _poll(watch, refusal("DRS.M00308"))
    assert list(watch.failures) == ["a"]
    assert watch_from_dict(watch.to_dict()).pending == ()
