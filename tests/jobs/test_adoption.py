"""Comparisons of a request with a started job."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.protocol import conversations
from airflow_provider_drs.protocol.configuration.operation import _compare_rules
from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.core.errors import DrsError
from airflow_provider_drs.protocol.core.wire import Response
from airflow_provider_drs.protocol.jobs.adoption import Comparison, adopt, compare_fields, compare_names, join
from airflow_provider_drs.protocol.jobs.messages import JobDetails
from airflow_provider_drs.protocol.jobs.outcome import JobOutcome
from airflow_provider_drs.protocol.jobs.preconditions import RULES
from airflow_provider_drs.protocol.lifecycle.operation import compare_start
from tests.scripted import ScriptedService, answer, refusal


def _job(status: str = "WAITING_FOR_START", **raw: Any) -> JobDetails:
    return JobDetails("a", "orders", status, "sync", "FULL_INCR_TRANS", "up", None, False, raw)


@pytest.mark.parametrize(
    ("requested", "actual", "differences", "not_compared"),
    [
        ({"a": 1, "b": None, "c": ""}, {"a": "1"}, 0, []),
        ({"a": True}, {"a": "true"}, 0, []),
        ({"a": False}, {"a": True}, 1, []),
        ({"a": "x"}, {}, 0, ["a"]),
        ({"a": {"b": 1, "c": 2, "d": 3}}, {"a": {"b": 1, "c": 4, "more": 5}}, 1, ["a.d"]),
        ({"a": {"b": 1}}, {"a": "text"}, 1, []),
    ],
)
def test_fields_are_compared_as_text(
    requested: dict[str, Any], actual: dict[str, Any], differences: int, not_compared: list[str]
) -> None:
    found = compare_fields(requested, actual)

    assert len(found.differences) == differences
    assert list(found.not_compared) == not_compared


def test_many_differences_are_shortened() -> None:
    names = {f"t{number}": None for number in range(9)}

    (text,) = join([compare_names("objects", names, {}), compare_names("rules", {}, None)]).differences

    assert text == "objects (only requested: t0, t1, t2, t3, t4 and 4 more)"


def test_error_has_job_status_both_values_and_fix() -> None:
    found = adopt(
        RULES["select"], _job(), lambda job: Comparison(("x is 'a' in the job, 'b' was requested",))
    )

    assert isinstance(found, DrsError)
    assert str(found) == (
        "orders (a): cannot be configured (objects) in status WAITING_FOR_START (start scheduled): x is 'a' "
        "in the job, 'b' was requested. Request the values that the job has, or create another job. "
        "(drs_03_0109)"
    )


@pytest.mark.parametrize(
    ("status", "raw", "start_time_ms", "expected"),
    [
        ("STARTJOBING", {}, None, (0, [])),
        ("WAITING_FOR_START", {"inst_info": {"start_time": "0"}}, None, (1, [])),
        ("WAITING_FOR_START", {"inst_info": {"start_time": "0"}}, 7, (0, ["start_time"])),
        ("WAITING_FOR_START", {}, 7, (0, ["start_time"])),
        ("WAITING_FOR_START", {"inst_info": {"start_time": 1_900_000_000_000}}, 1_900_000_050_000, (0, [])),
        ("WAITING_FOR_START", {"inst_info": {"start_time": 1_900_000_000_000}}, 1_800_000_000_000, (1, [])),
        ("STARTJOBING", {"actual_start_time": "1900000000000"}, 1_800_000_000_000, (0, [])),
        ("STARTJOBING", {"actual_start_time": "1900000000000"}, 2_000_000_000_000, (1, [])),
        ("STARTJOBING", {}, 2_000_000_000_000, (0, ["start_time"])),
    ],
)
def test_start_is_compared_with_the_schedule_or_the_start(
    status: str, raw: dict[str, Any], start_time_ms: int | None, expected: tuple[int, list[str]]
) -> None:
    found = compare_start(start_time_ms)(_job(status, **raw))

    assert (len(found.differences), list(found.not_compared)) == expected


def test_rules_across_tables_are_compared() -> None:
    config = {"db_table_name": "shop.orders", "values": "id > 5"}
    rule = {"object_info": [], "config_transformation": config}
    listed = {"filter_conditions": [{"config_transformation": {**config, "values": "id > 6"}}]}

    assert len(_compare_rules([rule])(_job(data_transformation=listed)).differences) == 1


def _rows(status: str) -> Response:
    return answer({"results": [{"id": "a", "status": status, "db_use_type": "sync"}]})


_RESTARTED = [_rows("INCRE_TRANSFER_STARTED"), answer({"results": [{"id": "a", "status": "success"}]}, 202)]


@pytest.mark.parametrize(
    ("later", "pauses"),
    [
        ([_rows("CHANGE_JOB_STARTED")], []),
        ([_rows("INCRE_TRANSFER_STARTED"), _rows("CHANGE_JOB_STARTED")], [1.0]),
        ([_rows("INCRE_TRANSFER_STARTED")] * 6, [1.0, 2.0, 4.0, 8.0, 5.0]),
        # The restart was accepted, even if the status cannot be read.
        ([refusal("APIGW.0302", 403)], []),
    ],
)
def test_restart_waits_until_drs_changes_the_job(later: list[Response], pauses: list[float]) -> None:
    talk = ScriptedService([*_RESTARTED, *later])

    found = talk.run(conversations.retry_jobs(Limits(10, 50, 300.0), ["a"], True))

    assert isinstance(found["a"], JobOutcome)
    assert (found["a"].adopted, talk.pauses) == (False, pauses)


def test_resumed_job_is_not_polled() -> None:
    paused = answer({"results": [{"id": "a", "status": "PAUSING", "db_use_type": "migration"}]})
    talk = ScriptedService([paused, _RESTARTED[1]])

    talk.run(conversations.retry_jobs(Limits(10, 50, 300.0), ["a"], True))

    assert len(talk.requests) == 2
