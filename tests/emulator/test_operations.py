"""The effects and errors of each operation, and how failures and pauses affect a job."""

from __future__ import annotations

import json
from typing import Any

import pytest
from drs_emulator import Emulator

from tests.emulator.caller import NEW_JOB, UNKNOWN, Caller

RUNNING = {"status": "INCRE_TRANSFER_STARTED"}
DR = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql"}
SYNC = {"db_use_type": "sync"}
CLOUD = {"target_endpoint": {"db_type": "mysql", "region": "eu-de", "inst_id": "0" * 36}}
SECRET = "hush-not-real"
CLUSTER = {
    "dbtype": "mongodb",
    "dbport": 0,
    "ssllink": False,
    "nettype": "eip",
    "endpointtype": "so",
    "ip": "192.0.2.1:8635",
    "dbName": "admin",
    "dbuser": "rwuser",
    "dbpassword": SECRET,
}
WINDOW = {"begin": "08:00", "end": "11:59", "speed": "15"}
RULE = {
    "object_info": [{"id": "shop-*-*-orders", "select": "true"}],
    "transformation_info": {"transformation_type": "contentConditionalFilter", "value": "id>5"},
}
DATABASE = {"id": "shop", "object_type": "database", "object_name": "shop", "select": "partial"}
TABLE = {"id": "shop-*-*-orders", "parent_id": "shop", "object_type": "table", "select": "true"}
#: The fields of each operation in addition to the job ID.
FIELDS: dict[str, dict[str, Any]] = {
    "BatchSetObjects": {"selected": True, "job": [DATABASE, TABLE]},
    "BatchSetDefiner": {"replace_definer": True},
    "BatchSetSpeed": {"speed_limit": [WINDOW]},
    "BatchStopJobs": {"pause_mode": "target"},
    "BatchRestoreTask": {},
    "BatchResetPassword": {"db_password": SECRET, "end_point_type": "so"},
    "BatchSetPolicy": {"conflict_policy": "ignore", "index_trans": True},
    "BatchChangeData": RULE,
    "BatchValidateClustersConnections": {"action": "testConnection", "property": json.dumps([CLUSTER])},
}


def _do(call: Caller, operation: str, job_id: str, **changes: Any) -> Any:
    """Call an operation for a job, and return the error of its row."""
    row = {"job_id": job_id, **FIELDS[operation], **changes}
    key = "speed_limits" if operation == "BatchSetSpeed" else "jobs"
    (found,) = call(operation, {key: [row]}).json()["results"]
    return found.get("error_code")


def _code(call: Caller, operation: str, body: Any, **options: Any) -> Any:
    """Call an operation, and return the error of the whole request."""
    return call(operation, body, **options).json().get("error_code")


def _run(emulator: Emulator, call: Caller, **details: Any) -> str:
    """Start a job, and return its ID in the first second of its full copy."""
    job_id = emulator.seed_job(verdict={"duration_s": 0}, **details)
    call.precheck(job_id)
    assert call.start(job_id) == [None]
    emulator.advance(3)
    return job_id


@pytest.mark.parametrize(
    ("operation", "details"),
    [
        ("BatchSetObjects", {}),
        ("BatchSetDefiner", {}),
        ("BatchSetSpeed", {}),
        ("BatchStopJobs", RUNNING),
        ("BatchStopJobs", {"status": "FULL_TRANSFER_FAILED"}),
        ("BatchRestoreTask", {"status": "PAUSING"}),
        ("BatchRestoreTask", {"status": "START_JOB_FAILED"}),
        ("BatchResetPassword", RUNNING),
        ("BatchResetPassword", {"status": "STARTJOB_FAILED"}),
        ("BatchSetPolicy", SYNC),
        ("BatchChangeData", SYNC),
        ("BatchValidateClustersConnections", {"engine_type": "mongodb", "node_num": 2}),
    ],
    ids=str,
)
def test_operation_succeeds(
    emulator: Emulator, call: Caller, operation: str, details: dict[str, Any]
) -> None:
    assert _do(call, operation, emulator.seed_job(**details)) is None


@pytest.mark.parametrize(
    ("operation", "details", "code"),
    [
        ("BatchSetObjects", RUNNING, "DRS.M00304"),
        ("BatchSetObjects", DR, "DRS.M00300"),
        ("BatchSetObjects", {"is_tested": ["so"]}, "DRS.M00305"),
        ("BatchSetObjects", {"has_endpoints": False}, "DRS.M00305"),
        ("BatchSetDefiner", RUNNING, "DRS.M00304"),
        ("BatchSetSpeed", {"task_type": "INCR_TRANS"}, "DRS.M00403"),
        ("BatchSetSpeed", {**DR, "multi_write": True}, "DRS.M00307"),
        ("BatchStopJobs", {}, "DRS.M00304"),
        ("BatchStopJobs", {**DR, **RUNNING}, "DRS.M00300"),
        ("BatchRestoreTask", RUNNING, "DRS.M00304"),
        ("BatchRestoreTask", {"status": "CREATE_FAILED"}, "DRS.M00304"),
        ("BatchRestoreTask", {**DR, "multi_write": True}, "DRS.M00307"),
        ("BatchResetPassword", {}, "DRS.M00304"),
        ("BatchResetPassword", {**DR, "multi_write": True, **RUNNING}, "DRS.M00307"),
        ("BatchResetPassword", {**RUNNING, "passwords": {"so": "another"}}, "DRS.KE0002"),
        ("BatchSetPolicy", {}, "DRS.M00300"),
        ("BatchChangeData", {}, "DRS.M00300"),
        ("BatchValidateClustersConnections", {}, "DRS.M00308"),
        (
            "BatchValidateClustersConnections",
            {"engine_type": "mongodb", "node_num": 2, **RUNNING},
            "DRS.M00304",
        ),
    ],
    ids=str,
)
def test_precondition_is_enforced(
    emulator: Emulator, call: Caller, operation: str, details: dict[str, Any], code: str
) -> None:
    assert _do(call, operation, emulator.seed_job(**details)) == code


@pytest.mark.parametrize("operation", FIELDS)
def test_unknown_job_is_an_error_of_its_row(call: Caller, operation: str) -> None:
    assert _do(call, operation, UNKNOWN) == "DRS.M00289"


@pytest.mark.parametrize(
    ("windows", "code"),
    [
        ([], None),
        ([{"begin": "16:00", "end": "15:59", "speed": "15"}], None),
        ([{"begin": "08:59", "end": "08:59", "speed": "15"}], "DRS.M00306"),
        ([WINDOW, {"begin": "11:00", "end": "12:59", "speed": "1"}], "DRS.M00305"),
        ([WINDOW, {"begin": "12:00", "end": "12:59", "speed": "1"}], None),
    ],
    ids=str,
)
def test_flow_control_windows(emulator: Emulator, call: Caller, windows: list[Any], code: str | None) -> None:
    job_id = emulator.job_ids[0]

    assert _do(call, "BatchSetSpeed", job_id, speed_limit=windows) == code
    assert call.rows("BatchListJobDetails", job_id)[0]["speed_limit"] == (windows if code is None else [])


def test_one_rule_per_table(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.seed_job(**SYNC)

    assert [_do(call, "BatchChangeData", job_id) for _ in range(2)] == [None, "DRS.M07000"]


def test_names_are_unique(emulator: Emulator, call: Caller) -> None:
    taken = emulator.jobs[1]["name"]

    assert call.rows("BatchUpdateJob", emulator.job_ids[0], name=taken)[0]["error_code"] == "DRS.M00277"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"master_az": "az1"}, "DRS.M00201"),
        ({**DR, **CLOUD, "multi_write": False, "net_type": "vpc"}, "DRS.M00202"),
        ({**DR, **CLOUD, "multi_write": False, "task_type": "FULL_TRANS"}, "DRS.M00202"),
        ({**DR, "multi_write": True}, "DRS.M00201"),
        ({"source_endpoint": {"inst_id": "x"}}, "DRS.M00201"),
    ],
    ids=str,
)
def test_dependent_fields_of_creation(call: Caller, change: dict[str, Any], code: str) -> None:
    assert _code(call, "BatchCreateJobs", {"jobs": [NEW_JOB | change]}) == code


@pytest.mark.parametrize("engine", ["postgresql", "mysql-to-taurus", "cloudDataGuard-mysql"])
def test_engines_by_kind(call: Caller, engine: str) -> None:
    made = call("BatchCreateJobs", {"jobs": [NEW_JOB | {"engine_type": engine}]})

    assert made.json()["results"][0]["error_code"] == "DRS.M00302"


# Parameters.


def _update(call: Caller, job_id: str, key: str, value: str) -> dict[str, Any]:
    body = {"group": "performance", "params": [{"key": key, "target_value": value}]}
    return dict(call("UpdateParams", body, job_id=job_id).json())


def test_parameters_are_changed(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    seen = [_code(call, "BatchShowParams", {"jobs": [job_id], "refresh": "0"})]
    seen.append(_update(call, job_id, "binlog_cache_size", "8192")["error_code"])
    call("BatchShowParams", {"jobs": [job_id], "refresh": 1})

    assert seen == ["DRS.M00303"] * 2
    assert _update(call, job_id, "binlog_cache_size", "8192")["success"] is True
    (row,) = call("BatchShowParams", {"jobs": [job_id], "refresh": 0}).json()["params_list"]
    values = {parameter["key"]: parameter["target_value"] for parameter in row["params"]}
    assert values["binlog_cache_size"] == "8192"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("no_such_thing", "1"),
        ("binlog_cache_size", "1"),
        ("binlog_cache_size", "²"),
        ("binlog_cache_size", "9" * 5000),
    ],
)
def test_parameter_range(emulator: Emulator, call: Caller, key: str, value: str) -> None:
    call("BatchShowParams", {"jobs": [emulator.job_ids[0]], "refresh": 1})

    assert _update(call, emulator.job_ids[0], key, value)["success"] is False


# Failures and pauses.


@pytest.mark.parametrize(
    ("phase", "after_s", "failed", "then"),
    [
        ("start", 0, "START_JOB_FAILED", "INCRE_TRANSFER_STARTED"),
        ("full", 15, "FULL_TRANSFER_FAILED", "INCRE_TRANSFER_STARTED"),
        ("incremental", 60, "INCRE_TRANSFER_FAILED", "INCRE_TRANSFER_STARTED"),
    ],
)
def test_failed_job_is_retried(
    emulator: Emulator, call: Caller, phase: str, after_s: int, failed: str, then: str
) -> None:
    job_id = _run(emulator, call, fails_in=[phase])
    emulator.advance(after_s)

    assert call.status(job_id) == failed
    assert _do(call, "BatchRestoreTask", job_id) is None
    emulator.advance(120)
    assert call.status(job_id) == then


def test_planned_creation_failure(emulator: Emulator, call: Caller) -> None:
    emulator.plan_job("DRS-*", fails_in=["create"])
    job_id = call("BatchCreateJobs", {"jobs": [NEW_JOB]}).json()["results"][0]["id"]
    emulator.advance(31)

    assert call.status(job_id) == "CREATE_FAILED"
    assert call.delete(job_id, "delete") is None


@pytest.mark.parametrize(("kind", "last"), [("terminate", "FAILED"), ("force_terminate", "COMPLETE")])
def test_forced_stop(emulator: Emulator, call: Caller, kind: str, last: str) -> None:
    job_id = emulator.seed_job(fails_in=["stop"], **RUNNING)
    call.delete(job_id, kind)
    emulator.advance(11)
    assert call.status(job_id) == f"RELEASE_RESOURCE_{last}"

    emulator.set_job(job_id, fails_in=[])
    call.delete(job_id, "terminate")
    emulator.advance(11)
    assert call.status(job_id) == "RELEASE_RESOURCE_COMPLETE"


def test_planned_failure_of_running_job(emulator: Emulator, call: Caller) -> None:
    job_id = _run(emulator, call)
    emulator.set_job(job_id, fails_in=["full"])
    emulator.advance(16)

    assert call.status(job_id) == "FULL_TRANSFER_FAILED"


def test_pause_does_not_count(emulator: Emulator, call: Caller) -> None:
    job_id = _run(emulator, call)
    emulator.advance(15)
    _do(call, "BatchStopJobs", job_id)
    emulator.advance(1000)
    paused = call.rows("BatchListProgresses", job_id)[0]
    _do(call, "BatchRestoreTask", job_id)
    emulator.advance(6)

    assert (paused["transfer_status"], paused["progress"]) == ("PAUSING", "50")
    assert call.rows("BatchListProgresses", job_id)[0]["progress"] == "70"
    emulator.advance(20)
    assert call.status(job_id) == "INCRE_TRANSFER_STARTED"


def test_planned_failure_survives_pause(emulator: Emulator, call: Caller) -> None:
    job_id = _run(emulator, call, fails_in=["full"])
    _do(call, "BatchStopJobs", job_id)
    _do(call, "BatchRestoreTask", job_id)
    emulator.advance(60)

    assert call.status(job_id) == "FULL_TRANSFER_FAILED"


def test_failed_time_does_not_count(emulator: Emulator, call: Caller) -> None:
    job_id = _run(emulator, call, fails_in=["full"])
    emulator.advance(1000)
    _do(call, "BatchRestoreTask", job_id)
    emulator.advance(3)

    assert call.rows("BatchListProgresses", job_id)[0]["progress"] == "60"


# Lag, clusters, comparisons and switchovers.


def test_lag_decreases(emulator: Emulator, call: Caller) -> None:
    usual, own = _run(emulator, call), _run(emulator, call, delay=[[0, 90], [20, 5]])
    emulator.advance(33)

    def read(job_id: str) -> int:
        return int(call.rows("BatchListProgresses", job_id)[0]["incre_trans_delay"])

    first = read(own)
    emulator.advance(25)
    assert (first, read(own), read(usual)) == (90, 5, 0)


def test_backward_start_requires_small_lag(emulator: Emulator, call: Caller) -> None:
    pair = {**DR, "multi_write": True}
    parent = emulator.seed_job(**pair)
    emulator.seed_job(parent_id=parent, delay=[[0, 60], [10, 59]], **pair, **RUNNING)
    down = emulator.seed_job(parent_id=parent, job_direction="down", **pair)

    first = call.start(down)
    emulator.advance(10)
    assert (first, call.start(down)) == (["DRS.M00305"], [None])


def test_cluster_subtasks_follow_the_parent(emulator: Emulator, call: Caller) -> None:
    parent = emulator.seed_job(name="docs", engine_type="mongodb", node_num=2, **RUNNING)
    subtasks = [job for job in emulator.jobs if job["parent_id"] == parent]

    assert [(job["name"], job["status"]) for job in subtasks] == [
        ("docs-1", RUNNING["status"]),
        ("docs-2", RUNNING["status"]),
    ]
    assert _do(call, "BatchStopJobs", subtasks[0]["id"]) == "DRS.M00308"
    assert _do(call, "BatchStopJobs", parent) is None
    assert call.status(subtasks[0]["id"]) == "PAUSING"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[7]",
        json.dumps([{**CLUSTER, "dbport": 1}]),
        json.dumps([{**CLUSTER, "ssllink": True}]),
    ],
)
def test_cluster_property_is_validated(emulator: Emulator, call: Caller, text: str) -> None:
    job_id = emulator.seed_job(engine_type="mongodb", node_num=2)

    assert _do(call, "BatchValidateClustersConnections", job_id, property=text) in (
        "DRS.M00201",
        "DRS.M00202",
    )


def _compare(call: Caller, job_id: str, policy: str = "keep") -> Any:
    info = {
        "conflict_policy": policy,
        "compare_type": "lines",
        "compare_object_infos": [{"db_name": "shop", "table_name": ["orders"]}],
    }
    answer = call("CreateCompareTask", {"job_id": job_id, "data_level_compare_info": info}).json()
    return answer.get("data_level_compare_create_result", answer)


def _compared(call: Caller, job_id: str, **ids: str) -> Any:
    return call("ListCompareResult", {"job_id": job_id, "current_page": 1, "per_page": 5, **ids}).json()


@pytest.mark.parametrize(("differences", "result"), [([], "CONSISTENT"), (["shop.orders"], "INCONSISTENT")])
def test_comparison(emulator: Emulator, call: Caller, differences: list[str], result: str) -> None:
    job_id = emulator.seed_job(differences=differences, **DR, **RUNNING)
    task_id = _compare(call, job_id)["compare_task_id"]
    seen = []
    for seconds in (0, 3, 7):
        emulator.advance(seconds)
        found = _compared(call, job_id, line_compare_id=task_id)
        seen.append(found["compare_task_list_results"]["compare_task_list"][0]["compare_task_status"])

    assert seen == ["WAITING_FOR_RUNNING", "RUNNING", "SUCCESSFUL"]
    (detail,) = found["line_compare_results"]["line_compare_details"][0]["line_compare_detail"]
    assert (detail["source_table_name"], detail["line_compare_result"]) == ("orders", result)


@pytest.mark.parametrize(("policy", "statuses"), [("keep", 1), ("cancel", 2)])
def test_one_data_comparison_at_a_time(emulator: Emulator, call: Caller, policy: str, statuses: int) -> None:
    job_id = emulator.seed_job(**DR, **RUNNING)
    _compare(call, job_id)
    second = _compare(call, job_id, policy)

    assert ("error_code" in second) == (policy == "keep")
    listed = _compared(call, job_id)["compare_task_list_results"]["compare_task_list"]
    assert len(listed) == statuses
    assert listed[-1]["compare_task_status"] == ("CANCELLED" if policy == "cancel" else "WAITING_FOR_RUNNING")


@pytest.mark.parametrize(
    ("details", "code"),
    [(RUNNING, "DRS.M00300"), (DR, "DRS.M00304"), ({**DR, **RUNNING, "multi_write": True}, "DRS.M00307")],
    ids=str,
)
def test_comparison_requires_running_disaster_recovery(
    emulator: Emulator, call: Caller, details: dict[str, Any], code: str
) -> None:
    assert _compare(call, emulator.seed_job(**details))["error_code"] == code


@pytest.mark.parametrize(("fails", "last"), [(False, "SWITCH_VIP_COMPLETE"), (True, "SWITCH_VIP_FAILED")])
def test_switchover(emulator: Emulator, call: Caller, fails: bool, last: str) -> None:
    job_id = emulator.seed_job(switch_fails=fails, **SYNC, **RUNNING)
    show = "ShowSwitchVipStatus"
    before = _code(call, show, b"", job_id=job_id)
    codes = [_code(call, "SwitchVip", {"mode": "source"}, job_id=job_id) for _ in range(2)]
    seen = [call(show, b"", job_id=job_id).json()["status"]]
    emulator.advance(5)
    seen.append(call(show, b"", job_id=job_id).json()["status"])

    assert (before, codes, seen) == ("DRS.M00002", [None, "DRS.M01504"], ["SWITCH_VIP_START", last])


def test_pace_by_reads(emulator: Emulator, call: Caller) -> None:
    emulator.set_pace(2)
    job_id, sync = emulator.seed_job(**DR, **RUNNING), emulator.seed_job(**SYNC, **RUNNING)
    slow = emulator.seed_job(delay=[[0, 90], [20, 5]], **RUNNING)
    _compare(call, job_id)
    call("SwitchVip", {"mode": "source"}, job_id=sync)

    for _ in range(4):
        tasks = _compared(call, job_id)["compare_task_list_results"]["compare_task_list"]
        switch = call("ShowSwitchVipStatus", b"", job_id=sync).json()["status"]
        delay = call.rows("BatchListProgresses", slow)[0]["incre_trans_delay"]

    assert (tasks[0]["compare_task_status"], switch, delay) == ("SUCCESSFUL", "SWITCH_VIP_COMPLETE", "5")


def test_busy_job_rejects_single_job_request(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.seed_job(**SYNC, **RUNNING)
    emulator.inject("busy", operation="SwitchVip", job_id=job_id)

    assert call("SwitchVip", {"mode": "source"}, job_id=job_id).status_code == 400


# Stored and returned data.


@pytest.mark.parametrize("operation", ["BatchResetPassword", "BatchValidateClustersConnections"])
def test_secrets_are_not_stored(emulator: Emulator, call: Caller, operation: str) -> None:
    details = {"engine_type": "mongodb", "node_num": 2} if operation.endswith("Connections") else RUNNING
    job_id = emulator.seed_job(**details)
    assert _do(call, operation, job_id) is None

    assert emulator.journal(operation)[0]["job_ids"] == [job_id]
    assert SECRET not in json.dumps(
        [emulator.journal(), emulator.jobs, call.rows("BatchListJobDetails", job_id)]
    )


def test_saved_endpoints_are_filtered(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    end = {
        "db_type": "mysql",
        "ip": "192.0.2.77",
        "db_port": "3307",
        "db_password": SECRET,
        "passwort": SECRET,
    }
    alarm = {"delay_time": 5, "unknown": SECRET, "subscriptions": [{"protocol": "sms", "x": SECRET}]}
    assert "error_code" not in call.rows("BatchUpdateJob", job_id, source_endpoint=end, alarm_notify=alarm)[0]

    shown = call.rows("BatchListJobDetails", job_id)[0]
    assert (shown["source_endpoint"]["ip"], shown["source_endpoint"]["db_port"]) == ("192.0.2.77", 3307)
    assert shown["alarm_notify"] == {"delay_time": 5, "subscriptions": [{"protocol": "sms"}]}
    assert SECRET not in json.dumps([shown, emulator.journal()])
    rejected = call.rows("BatchUpdateJob", job_id, source_endpoint={"db_port": "99999"})[0]
    assert rejected["error_code"] == "DRS.M00202"


@pytest.mark.parametrize("job_id", ["short", "x" * 37])
def test_job_id_in_path_is_validated(call: Caller, job_id: str) -> None:
    assert _code(call, "SwitchVip", {"mode": "source"}, job_id=job_id) == "DRS.M00202"
