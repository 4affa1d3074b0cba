"""The rules of jobs: allowed operations per status, progress by pace, and returned data."""

from __future__ import annotations

from typing import Any

import pytest
from drs_emulator import Emulator

from tests.emulator.caller import NEW_JOB, UNKNOWN, Caller

MINUTE_S = 60


def _seed_pair(emulator: Emulator, **forward: Any) -> tuple[str, str, str]:
    """Return parent, forward and backward job of a dual-active pair."""
    usual = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql", "multi_write": True}
    parent = emulator.seed_job(**usual)
    up = emulator.seed_job(parent_id=parent, job_direction="up", **usual, **forward)
    down = emulator.seed_job(parent_id=parent, job_direction="down", **usual)
    return parent, up, down


def _pass(emulator: Emulator, call: Caller, *job_ids: str) -> None:
    """Let jobs pass a pre-check."""
    for job_id in job_ids:
        emulator.set_verdict(job_id, "pass", duration_s=0)
    assert call.precheck(*job_ids) == [None] * len(job_ids)


# Starting.


def test_start_requires_precheck(emulator: Emulator, call: Caller) -> None:
    assert call.start(emulator.job_ids[0]) == ["DRS.M00305"]
    assert call.status(emulator.job_ids[0]) == "CONFIGURATION"


@pytest.mark.parametrize(("outcome", "error"), [("pass", None), ("alarm", None), ("fail", "DRS.M00305")])
def test_start_requires_passed_precheck(
    emulator: Emulator, call: Caller, outcome: str, error: str | None
) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, outcome, duration_s=0)
    call.precheck(job_id)

    assert call.start(job_id) == [error]


def test_start_during_precheck_is_rejected(emulator: Emulator, call: Caller) -> None:
    call.precheck(emulator.job_ids[0])

    assert call.start(emulator.job_ids[0]) == ["DRS.M01504"]


def test_latest_precheck_counts(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    _pass(emulator, call, job_id)
    emulator.set_verdict(job_id, "fail", duration_s=0)
    call.precheck(job_id)

    assert call.start(job_id) == ["DRS.M00305"]


def test_second_start_is_rejected(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    _pass(emulator, call, job_id)

    assert [call.start(job_id), call.start(job_id)] == [[None], ["DRS.M00304"]]
    assert emulator.jobs[0]["starts"] == 1


def test_precheck_of_running_job_is_rejected(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    _pass(emulator, call, job_id)
    call.start(job_id)

    assert call.precheck(job_id) == ["DRS.M00304"]


def test_scheduled_start_waits(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    _pass(emulator, call, job_id)
    begin_s = emulator.advance(0) + MINUTE_S

    assert call.start(job_id, start_time=str(int(begin_s * 1000))) == [None]
    assert call.status(job_id) == "WAITING_FOR_START"
    emulator.advance(MINUTE_S + 1)
    assert call.status(job_id) == "STARTJOBING"


@pytest.mark.parametrize(
    ("start_time", "error"), [("0", "DRS.M00305"), ("1500000000000", "DRS.M00305"), ("9" * 400, "DRS.M00202")]
)
def test_invalid_start_time_is_rejected(
    emulator: Emulator, call: Caller, start_time: str, error: str
) -> None:
    _pass(emulator, call, emulator.job_ids[0])

    assert call.start(emulator.job_ids[0], start_time=start_time) == [error]


@pytest.mark.parametrize(
    ("task_type", "last"),
    [
        ("FULL_TRANS", "FULL_TRANSFER_COMPLETE"),
        ("INCR_TRANS", "INCRE_TRANSFER_STARTED"),
        ("FULL_INCR_TRANS", "INCRE_TRANSFER_STARTED"),
    ],
)
def test_task_type_determines_final_status(
    emulator: Emulator, call: Caller, task_type: str, last: str
) -> None:
    job_id = emulator.seed_job(task_type=task_type)
    _pass(emulator, call, job_id)
    call.start(job_id)
    emulator.advance(10 * MINUTE_S)

    assert call.status(job_id) == last
    assert call.rows("BatchListProgresses", job_id)[0]["progress"] == "100"


def test_partial_rejection(emulator: Emulator, call: Caller) -> None:
    ready, unchecked = emulator.job_ids[:2]
    _pass(emulator, call, ready)

    assert call.start(UNKNOWN, ready, unchecked) == ["DRS.M00289", None, "DRS.M00305"]


# Pre-checks.


def test_result_before_precheck_is_an_error(emulator: Emulator, call: Caller) -> None:
    response = call("BatchCheckResults", {"jobs": [emulator.job_ids[0]]})

    assert response.status_code == 400
    row = response.json()["results"][0]
    assert (row["precheck_id"], row["error_code"]) == (emulator.job_ids[0], "DRS.M00002")


def test_partial_read(emulator: Emulator, call: Caller) -> None:
    response = call("BatchListJobStatus", {"jobs": [emulator.job_ids[0], UNKNOWN]})

    assert response.status_code == 200
    assert [row.get("error_code") for row in response.json()["results"]] == [None, "DRS.M00289"]


@pytest.mark.parametrize(
    ("operation", "status", "key", "text"),
    [
        ("BatchListJobStatus", 400, "id", "error_message"),
        ("BatchListJobDetails", 400, "id", "error_message"),
        ("BatchListProgresses", 400, "job_id", "error_msg"),
        ("BatchCheckResults", 400, "precheck_id", "error_msg"),
    ],
)
def test_read_of_unknown_jobs_is_rejected(
    call: Caller, operation: str, status: int, key: str, text: str
) -> None:
    response = call(operation, {"jobs": [UNKNOWN]})

    assert response.status_code == status
    assert response.json()["results"] == [
        {key: UNKNOWN, "error_code": "DRS.M00289", text: "job does not exist"}
    ]


def test_result_ids(emulator: Emulator, call: Caller) -> None:
    one, other = emulator.job_ids[:2]
    emulator.set_verdict(other, "pass", precheck_id="run-17", duration_s=0)
    _pass(emulator, call, one)
    call.precheck(other)

    rows = call.rows("BatchCheckResults", one, other)

    assert [row["precheck_id"] for row in rows] == [one, "run-17"]
    assert not {"id", "job_id"} & set(rows[0])


@pytest.mark.parametrize("stale", [{"stale_reads": 2}, {"stale_s": 5}], ids=str)
def test_stale_verdict(emulator: Emulator, call: Caller, stale: dict[str, float]) -> None:
    job_id = emulator.job_ids[0]
    _pass(emulator, call, job_id)
    emulator.set_verdict(job_id, "fail", duration_s=10, **stale)
    call.precheck(job_id)

    seen = [call.result(job_id)["process"] for _ in range(2)]
    emulator.advance(6)
    seen.append(call.result(job_id)["process"])

    assert seen == ["100%", "100%", "60%"]


def test_precheck_by_reads(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "pass", reads=3)
    call.precheck(job_id)

    seen = [call.result(job_id) for _ in range(4)]

    assert [row["process"] for row in seen] == ["33%", "66%", "100%", "100%"]
    assert [row["result"] for row in seen] == [False, False, True, True]


def test_result_can_be_omitted(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "fail", duration_s=0, without_result=True)
    call.precheck(job_id)

    row = call.result(job_id)

    assert "result" not in row
    assert row["total_passed_rate"] == "97%"


def test_custom_items(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    row = {
        "item": "srcDbConnection",
        "failed_reason": "CANNOT_REACH",
        "raw_error_msg": "timed out",
        "data": "{}",
        "failed_sub_jobs": [{"id": UNKNOWN, "name": "shard-1", "check_result": "FAILED"}],
    }
    alarm = {"item": "brandNewCheck", "result": "ALARM", "group": "brand_new"}
    emulator.set_verdict(job_id, "fail", items=["srcBinlogFormatCheck", row, alarm], duration_s=0)
    call.precheck(job_id)

    not_passed = {
        item["item"]: item for item in call.result(job_id)["precheck_result"] if item["result"] != "PASSED"
    }

    assert not_passed["srcBinlogFormatCheck"]["failed_reason"] == "SRC_BINLOG_FORMAT_CHECK_NOT_MET"
    assert not_passed["srcDbConnection"].items() >= row.items()
    assert not_passed["brandNewCheck"].items() >= {"result": "ALARM", "group": "brand_new"}.items()
    assert len(not_passed) == 3


@pytest.mark.parametrize(
    ("status", "mode", "error"),
    [
        ("CONFIGURATION", "forRetryJob", "DRS.M00304"),
        ("INCRE_TRANSFER_FAILED", "forRetryJob", None),
        ("INCRE_TRANSFER_FAILED", "forStartJob", "DRS.M00304"),
    ],
)
def test_precheck_mode(emulator: Emulator, call: Caller, status: str, mode: str, error: str | None) -> None:
    assert call.precheck(emulator.seed_job(status=status), mode=mode) == [error]


# Configuring.


def test_unreachable_database_fails_test_and_precheck(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.seed_job(unreachable=["ta"], is_tested=[])
    emulator.set_verdict(job_id, "pass", duration_s=0)

    assert call.test_ends(job_id, "so", "ta") == [None, "DRS.KE0002"]
    call.precheck(job_id)
    failed = [item["item"] for item in call.result(job_id)["precheck_result"] if item["result"] == "FAILED"]
    assert failed == ["dstDbConnection"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"ssl_link": True}, "DRS.M00201"),
        ({"db_type": "mongodb", "db_port": 27017}, "DRS.M00202"),
        ({"db_type": "oracle"}, "DRS.M00202"),
    ],
    ids=str,
)
def test_dependent_fields_of_connection_test(call: Caller, fields: dict[str, Any], code: str) -> None:
    usual = {"net_type": "eip", "db_type": "mysql", "ip": "192.0.2.1", "db_user": "root"}
    row = {"id": UNKNOWN, "end_point_type": "so", "db_password": "not-real", **usual, **fields}

    assert call("BatchValidateConnections", {"jobs": [row]}).json()["error_code"] == code


def test_duplicate_connection_test_is_rejected(emulator: Emulator, call: Caller) -> None:
    row = {"id": emulator.job_ids[0], "net_type": "eip", "db_type": "mysql", "ip": "192.0.2.1"}
    row |= {"db_user": "root", "db_password": "not-real", "end_point_type": "so"}

    assert call("BatchValidateConnections", {"jobs": [row, row]}).json()["error_code"] == "DRS.M00301"


@pytest.mark.parametrize(
    ("status", "fields", "error"),
    [
        ("CONFIGURATION", {"name": "renamed"}, None),
        ("CONFIGURATION", {"source_endpoint": {}}, None),
        ("INCRE_TRANSFER_STARTED", {"name": "renamed"}, None),
        ("INCRE_TRANSFER_STARTED", {"source_endpoint": {}}, "DRS.M00304"),
        ("RELEASE_RESOURCE_COMPLETE", {"name": "renamed"}, "DRS.M00304"),
    ],
)
def test_modification_by_status(
    emulator: Emulator, call: Caller, status: str, fields: dict[str, Any], error: str | None
) -> None:
    job_id = emulator.seed_job(status=status)

    assert call.rows("BatchUpdateJob", job_id, **fields)[0].get("error_code") == error


def test_modification_is_shown(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    change = {"name": "renamed", "description": "for the audit", "task_type": "FULL_TRANS"}
    call.rows("BatchUpdateJob", job_id, **change)

    assert call.rows("BatchListJobDetails", job_id)[0].items() >= change.items()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"bind_eip": False}, "DRS.M00202"),
        ({"db_use_type": "cloudDataGuard"}, "DRS.M00201"),
        ({"name": "abc"}, "DRS.M00202"),
        ({"expired_days": "13"}, "DRS.M00202"),
    ],
    ids=str,
)
def test_creation_limits(call: Caller, change: dict[str, Any], code: str) -> None:
    response = call("BatchCreateJobs", {"jobs": [NEW_JOB | change]})

    assert (response.status_code, response.json()["error_code"]) == (400, code)


# Stopping and deleting.


def test_delete_requires_stop(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.seed_job(status="INCRE_TRANSFER_STARTED")

    assert call.delete(job_id, "delete") == "DRS.M00304"
    assert call.delete(job_id, "terminate") is None
    assert call.delete(job_id, "force_terminate") == "DRS.M00304"
    emulator.advance(MINUTE_S)
    assert call.delete(job_id, "delete") is None
    assert call.delete(job_id, "delete") == "DRS.M00289"


def test_stopped_job_does_not_start(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    _pass(emulator, call, job_id)
    begin_s = emulator.advance(0) + MINUTE_S
    call.start(job_id, start_time=str(int(begin_s * 1000)))
    call.delete(job_id, "terminate")
    emulator.advance(10 * MINUTE_S)

    assert call.status(job_id) == "RELEASE_RESOURCE_COMPLETE"


# Dual-active pairs.


@pytest.mark.parametrize("operation", ["precheck", "start", "test", "modify"])
def test_parent_is_rejected(emulator: Emulator, call: Caller, operation: str) -> None:
    parent, _, _ = _seed_pair(emulator)
    act = {
        "precheck": lambda: call.precheck(parent),
        "start": lambda: call.start(parent),
        "test": lambda: call.test_ends(parent, "so"),
        "modify": lambda: [call.rows("BatchUpdateJob", parent, name="renamed")[0]["error_code"]],
    }

    assert act[operation]() == ["DRS.M00307"]


@pytest.mark.parametrize(
    ("forward", "error"), [("CONFIGURATION", "DRS.M00304"), ("INCRE_TRANSFER_STARTED", None)]
)
def test_backward_job_requires_forward_job(
    emulator: Emulator, call: Caller, forward: str, error: str | None
) -> None:
    _, _, down = _seed_pair(emulator, status=forward)

    assert call.test_ends(down, "so") == [error]
    assert call.start(down) == [error]


def test_details_of_a_pair(emulator: Emulator, call: Caller) -> None:
    parent, up, down = _seed_pair(emulator)

    rows = call.rows("BatchListJobDetails", parent, up, down)

    assert [(row["multi_write"], row.get("parent_id"), row["job_direction"]) for row in rows] == [
        (True, None, "up"),
        (True, parent, "up"),
        (True, parent, "down"),
    ]


def test_parent_stops_its_children(emulator: Emulator, call: Caller) -> None:
    parent, up, down = _seed_pair(emulator, status="INCRE_TRANSFER_STARTED")

    assert call.delete(parent, "terminate") is None
    emulator.advance(MINUTE_S)
    assert [call.status(job_id) for job_id in (parent, up, down)] == ["RELEASE_RESOURCE_COMPLETE"] * 3
    assert call.delete(parent, "delete") is None
    assert not {parent, up, down} & set(emulator.job_ids)


# Returned data.


def test_progress_format(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    _pass(emulator, call, job_id)
    call.start(job_id)
    seen = []
    for seconds in (0, 18, 60):
        emulator.advance(seconds)
        row = call.rows("BatchListProgresses", job_id)[0]
        seen.append(
            (row["progress"], row["remaining_time"], row["incre_trans_delay"], row["transfer_status"])
        )
        if seconds == 18:
            assert row["progress_map"]["data"]["completed"] == "50%"

    assert seen == [
        ("0", "30", "-1", "STARTJOBING"),
        ("50", "15", "-1", "FULL_TRANSFER_STARTED"),
        ("100", "0", "0", "INCRE_TRANSFER_STARTED"),
    ]


@pytest.mark.parametrize(("status", "percent"), [("CONFIGURATION", "0"), ("INCRE_TRANSFER_STARTED", "100")])
def test_progress_of_seeded_job(emulator: Emulator, call: Caller, status: str, percent: str) -> None:
    assert call.rows("BatchListProgresses", emulator.seed_job(status=status))[0]["progress"] == percent


def test_details_with_passwords(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.seed_job(echo_secrets=True)
    plain = emulator.job_ids[0]

    rows = call.rows("BatchListJobDetails", plain, job_id)

    assert ["db_password" in row["source_endpoint"] for row in rows] == [False, True]
    assert ["ssl_cert_password" in row["target_endpoint"] for row in rows] == [False, True]


def test_details_timestamps(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    before = call.rows("BatchListJobDetails", job_id)[0]
    _pass(emulator, call, job_id)
    call.start(job_id)
    emulator.advance(MINUTE_S)

    after = call.rows("BatchListJobDetails", job_id)[0]

    assert (before["inst_info"]["start_time"], "actual_start_time" in before) == ("0", False)
    copied_ms = int(after["full_transfer_complete_time"]) - int(after["actual_start_time"])
    assert copied_ms in (32_999, 33_000, 33_001)


@pytest.mark.parametrize(
    ("engine", "source", "target", "port"),
    [
        ("mysql", "mysql", "mysql", 3306),
        ("mysql-to-taurus", "mysql", "taurus", 3306),
        ("cloudDataGuard-mysql", "mysql", "mysql", 3306),
        ("postgresql", "postgresql", "postgresql", 5432),
        ("mongodb", "mongodb", "mongodb", 0),
    ],
)
def test_details_databases(
    emulator: Emulator, call: Caller, engine: str, source: str, target: str, port: int
) -> None:
    row = call.rows("BatchListJobDetails", emulator.seed_job(engine_type=engine))[0]

    assert (row["source_endpoint"]["db_type"], row["target_endpoint"]["db_type"]) == (source, target)
    assert row["source_endpoint"]["db_port"] == port


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({}, 12),
        ({"name": "orders"}, 10),
        ({"engine_type": ""}, 12),
        ({"engine_type": "mongodb"}, 1),
        ({"status": "FULL_TRANSFER_STARTED"}, 1),
        ({"net_type": "vpn"}, 1),
        ({"db_use_type": "sync"}, 0),
    ],
    ids=str,
)
def test_list_filters(emulator: Emulator, call: Caller, filters: dict[str, str], count: int) -> None:
    emulator.seed_job(engine_type="mongodb", net_type="vpn")
    emulator.seed_job(status="FULL_TRANSFER_STARTED")
    body = {"cur_page": 1, "per_page": 100, "db_use_type": "migration", **filters}

    assert call("ShowJobList", body).json()["total_record"] == count


@pytest.mark.parametrize(("page", "size", "shown"), [(1, 4, 4), (3, 4, 2), (4, 4, 0), (0, 4, 10), (1, 0, 10)])
def test_list_pages(call: Caller, page: int, size: int, shown: int) -> None:
    answer = call("ShowJobList", {"cur_page": page, "per_page": size, "db_use_type": "migration"}).json()

    assert (len(answer["jobs"]), answer["total_record"]) == (shown, 10)


# Pace.


def test_pace_at_once(emulator: Emulator, call: Caller) -> None:
    emulator.set_pace("at-once")
    job_id = call("BatchCreateJobs", {"jobs": [NEW_JOB]}).json()["results"][0]["id"]
    seen = [call.status(job_id)]
    call.test_ends(job_id, "so", "ta")
    call.rows("BatchUpdateJob", job_id, source_endpoint={}, target_endpoint={})
    call.precheck(job_id)
    assert call.start(job_id) == [None]
    seen.append(call.status(job_id))
    call.delete(job_id, "terminate")
    seen.append(call.status(job_id))

    assert seen == ["CONFIGURATION", "INCRE_TRANSFER_STARTED", "RELEASE_RESOURCE_COMPLETE"]


def test_scheduled_start_in_every_pace(emulator: Emulator, call: Caller) -> None:
    emulator.set_pace("at-once")
    job_id = emulator.job_ids[0]
    call.precheck(job_id)
    begin_s = emulator.advance(0) + MINUTE_S
    call.start(job_id, start_time=str(int(begin_s * 1000)))

    seen = [call.status(job_id)]
    emulator.advance(MINUTE_S + 1)
    seen.append(call.status(job_id))

    assert seen == ["WAITING_FOR_START", "INCRE_TRANSFER_STARTED"]


def test_phases_by_reads(emulator: Emulator, call: Caller) -> None:
    emulator.set_pace(2)
    job_id = emulator.job_ids[0]
    call.precheck(job_id)
    assert [call.result(job_id)["process"] for _ in range(2)] == ["50%", "100%"]
    call.start(job_id)

    seen = [call.status(job_id) for _ in range(8)]

    assert seen[0] == "STARTJOBING"
    assert seen[1:3] == ["FULL_TRANSFER_STARTED"] * 2
    assert seen[3:5] == ["FULL_TRANSFER_COMPLETE"] * 2
    assert seen[5:] == ["INCRE_TRANSFER_STARTED"] * 3
