"""The vendor's SDK as a client of the emulator: credentials, pages, errors, and the values of its models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from drs_emulator import Emulator
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkdrs import v3 as sdk

from airflow_provider_drs.protocol.core.errors import DrsAuthError
from tests.peers.sdk_calls import (
    Call,
    create_jobs,
    delete_job,
    list_jobs,
    modify_job,
    precheck_jobs,
    read_details,
    read_prechecks,
    read_progresses,
    read_statuses,
    start_jobs,
    validate_connection,
)

# The vendor deprecated v3 in favor of v5, which Open Telekom Cloud does not document.
pytestmark = pytest.mark.filterwarnings("ignore:Method '.*' of Drs:DeprecationWarning")

PROJECT_ID = "0123456789abcdef0123456789abcdef"
ACCESS_KEY, SECRET_KEY = "EMULATORACCESSKEY000", "emulator-secret-key-not-real"
UNKNOWN = "ffffffff-d0c5-4a11-8a11-fffffffjb999"
#: Longer than any phase that a job passes through automatically.
A_WHILE_S = 120

ConnectSdk = Callable[[BasicCredentials], Call]


class TokenCredentials(BasicCredentials):
    """Send a token in place of a signature, which the SDK itself does not support."""

    def __init__(self, token: str) -> None:
        super().__init__("unused", "unused", PROJECT_ID)
        self._token = token

    def sign_request(self, request: Any) -> Any:
        # The SDK does not sign a request that already has an Authorization header.
        request.header_params["Authorization"] = ""
        completed = super().sign_request(request)
        del completed.header_params["Authorization"]
        completed.header_params["X-Auth-Token"] = self._token
        return completed


def _get_token(emulator: Emulator) -> str:
    connection, extra = emulator.connection, emulator.connection["extra"]
    user = {
        "name": connection["login"],
        "password": connection["password"],
        "domain": {"name": extra["domain_name"]},
    }
    identity = {"methods": ["password"], "password": {"user": user}}
    body = {"auth": {"identity": identity, "scope": {"project": {"name": extra["region"]}}}}
    return requests.post(f"{emulator.url}/v3/auth/tokens", json=body, timeout=60).headers["X-Subject-Token"]


@pytest.fixture(params=["blocking", "future"])
def connect_sdk(request: pytest.FixtureRequest, emulator: Emulator) -> ConnectSdk:
    """Return a function that makes a blocking client, then an asynchronous one."""

    def connect(credentials: BasicCredentials) -> Call:
        kind = sdk.DrsClient if request.param == "blocking" else sdk.DrsAsyncClient
        keys = BasicCredentials(ACCESS_KEY, SECRET_KEY, PROJECT_ID)
        client = kind.new_builder().with_endpoint(emulator.url).with_credentials(keys).build()
        # The builder accepts the SDK's own class only.
        client.with_credentials(credentials)

        def call(operation: str, message: object) -> Any:
            if request.param == "blocking":
                return getattr(client, operation)(message)
            return getattr(client, f"{operation}_async")(message).result()

        return call

    return connect


@pytest.fixture
def signed(connect_sdk: ConnectSdk) -> Call:
    """Return a function that calls an operation, signed with the emulator's keys."""
    return connect_sdk(BasicCredentials(ACCESS_KEY, SECRET_KEY, PROJECT_ID))


@pytest.mark.parametrize("auth", ["signature", "token"])
def test_job_lifecycle(emulator: Emulator, connect_sdk: ConnectSdk, auth: str) -> None:
    keys = BasicCredentials(ACCESS_KEY, SECRET_KEY, PROJECT_ID)
    call = connect_sdk(keys if auth == "signature" else TokenCredentials(_get_token(emulator)))
    created = create_jobs(call, "life-of-a-job").results[0]
    assert (created.name, created.status) == ("life-of-a-job", "CREATING")
    emulator.advance(A_WHILE_S)
    for end in ("so", "ta"):
        assert validate_connection(call, created.id, end).results[0].success is True
    source = sdk.Endpoint(db_type="mysql", ip="192.0.2.10", db_user="root", db_password="not-real")
    modified = modify_job(call, created.id, source_endpoint=source, description="tuned").results[0]
    assert modified.status == "success"

    submitted = precheck_jobs(call, created.id).results[0]
    assert (submitted.id, submitted.precheck_id, submitted.status) == (created.id, created.id, "success")
    emulator.advance(A_WHILE_S)
    checked = read_prechecks(call, created.id).results[0]
    assert (checked.process, checked.result, len(checked.precheck_result)) == ("100%", True, 39)

    assert start_jobs(call, created.id).results[0].status == "success"
    assert read_statuses(call, created.id).results[0].status == "STARTJOBING"
    emulator.advance(18)
    progress = read_progresses(call, created.id).results[0]
    assert (progress.job_id, progress.task_mode) == (created.id, "FULL_INCR_TRANS")
    assert (progress.progress, progress.transfer_status) == ("50", "FULL_TRANSFER_STARTED")
    assert (progress.progress_map["data"].completed, progress.incre_trans_delay) == ("50%", "-1")
    emulator.advance(A_WHILE_S)
    assert read_statuses(call, created.id).results[0].status == "INCRE_TRANSFER_STARTED"

    assert delete_job(call, created.id, "terminate").results[0].status == "success"
    listed = list_jobs(call, name="life-of-a-job", engine_type="mysql").jobs
    assert [job.status for job in listed] == ["RELEASE_RESOURCE_STARTED"]
    emulator.advance(A_WHILE_S)
    assert delete_job(call, created.id, "delete").results[0].status == "success"
    assert created.id not in emulator.job_ids
    assert {entry["auth"] for entry in emulator.journal() if "auth/tokens" not in entry["path"]} == {auth}


def test_running_precheck_has_progress(emulator: Emulator, signed: Call) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "pass", duration_s=100)
    precheck_jobs(signed, job_id)
    emulator.advance(37)

    row = read_prechecks(signed, job_id).results[0]
    assert (row.precheck_id, row.process, row.result) == (job_id, "37%", False)
    assert 0 < len(row.precheck_result) < 39


def test_failed_precheck_has_items(emulator: Emulator, signed: Call) -> None:
    job_id = emulator.job_ids[0]
    item = {
        "item": "srcBinlogFormatCheck",
        "failed_reason": "NOT_ROW",
        "raw_error_msg": "binlog_format=STATEMENT",
        "failed_sub_jobs": [{"id": "sub-1", "name": "shard-1", "check_result": "FAILED"}],
    }
    emulator.set_verdict(job_id, "fail", items=[item], duration_s=0)
    precheck_jobs(signed, job_id)

    row = read_prechecks(signed, job_id).results[0]
    failed = [item for item in row.precheck_result if item.result != "PASSED"]
    assert (row.result, row.process, len(row.precheck_result)) == (False, "100%", 39)
    assert [(check.item, check.result, check.failed_reason) for check in failed] == [
        ("srcBinlogFormatCheck", "FAILED", "NOT_ROW")
    ]
    assert failed[0].raw_error_msg == "binlog_format=STATEMENT"
    assert failed[0].failed_sub_jobs[0].to_dict() == item["failed_sub_jobs"][0]


def test_job_details(emulator: Emulator, signed: Call) -> None:
    job_id = emulator.seed_job(name="detailed", engine_type="mysql", task_type="FULL_TRANS")

    row = read_details(signed, job_id).results[0]
    assert (row.id, row.name, row.status) == (job_id, "detailed", "CONFIGURATION")
    assert (row.task_type, row.job_direction, row.multi_write) == ("FULL_TRANS", "up", False)
    assert (row.source_endpoint.db_type, row.source_endpoint.db_port) == ("mysql", 3306)
    assert (row.inst_info.engine_type, row.create_time.isdigit()) == ("mysql", True)


@pytest.mark.parametrize("read", [read_details, read_statuses])
def test_default_page_has_five_jobs(emulator: Emulator, signed: Call, read: Callable[..., Any]) -> None:
    assert [row.id for row in read(signed, *emulator.job_ids).results] == list(emulator.job_ids[:5])


def test_page_can_be_requested(emulator: Emulator, signed: Call) -> None:
    rows = read_statuses(signed, *emulator.job_ids, page=sdk.PageReq(cur_page=2, per_page=4)).results

    assert [row.id for row in rows] == list(emulator.job_ids[4:8])


def test_job_list_can_be_filtered(emulator: Emulator, signed: Call) -> None:
    answer = list_jobs(signed, name="orders-migration-0", per_page=4)

    assert answer.total_record == 9
    assert [job.id for job in answer.jobs] == list(emulator.job_ids[:4])


def test_job_list_has_children_below_parent(emulator: Emulator, signed: Call) -> None:
    parent = emulator.seed_job(multi_write=True, db_use_type="cloudDataGuard")
    child = emulator.seed_job(parent_id=parent, db_use_type="cloudDataGuard", job_direction="up")

    jobs = list_jobs(signed, db_use_type="cloudDataGuard").jobs

    assert [(job.id, [child.id for child in job.children]) for job in jobs] == [(parent, [child])]


@pytest.mark.parametrize("write", [precheck_jobs, start_jobs])
def test_unknown_job_does_not_hide_other_results(
    emulator: Emulator, signed: Call, write: Callable[..., Any]
) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "pass", duration_s=0)
    precheck_jobs(signed, job_id)

    rows = {row.id: row for row in write(signed, job_id, UNKNOWN).results}
    assert (rows[job_id].status, rows[UNKNOWN].status) == ("success", "failed")
    assert (rows[UNKNOWN].error_code, rows[UNKNOWN].error_msg) == ("DRS.M00289", "job does not exist")


def test_unreachable_endpoint_fails_its_test(emulator: Emulator, signed: Call) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_job(job_id, unreachable=["so"])

    row = validate_connection(signed, job_id, "so").results[0]
    assert (row.id, row.status, row.success, row.error_code) == (job_id, "failed", False, "DRS.KE0002")


def test_job_name_is_unique(signed: Call) -> None:
    create_jobs(signed, "taken")

    row = create_jobs(signed, "taken").results[0]
    assert (row.name, row.error_code) == ("taken", "DRS.M00277")


def test_unknown_job_is_an_error_of_its_row(emulator: Emulator, signed: Call) -> None:
    job_id = emulator.job_ids[0]

    statuses = {row.id: row for row in read_statuses(signed, job_id, UNKNOWN).results}
    progresses = {row.job_id: row for row in read_progresses(signed, job_id, UNKNOWN).results}

    assert statuses[job_id].status == "CONFIGURATION"
    assert (statuses[UNKNOWN].error_code, statuses[UNKNOWN].error_message) == (
        "DRS.M00289",
        "job does not exist",
    )
    assert (progresses[UNKNOWN].error_code, progresses[UNKNOWN].error_msg) == (
        "DRS.M00289",
        "job does not exist",
    )


@pytest.mark.parametrize("read", [read_prechecks, read_statuses, read_details, read_progresses])
def test_read_of_unknown_jobs_only_is_rejected(signed: Call, read: Callable[..., Any]) -> None:
    with pytest.raises(ClientRequestException) as caught:
        read(signed, UNKNOWN)

    assert caught.value.status_code == 400


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (precheck_jobs, "DRS.M01504"),
        (start_jobs, "DRS.M00305"),
    ],
)
def test_job_error_has_a_code(emulator: Emulator, signed: Call, call: Callable[..., Any], code: str) -> None:
    job_id = emulator.job_ids[0]
    if call is precheck_jobs:
        precheck_jobs(signed, job_id)

    row = call(signed, job_id).results[0]
    assert (row.id, row.status, row.error_code) == (job_id, "failed", code)
    assert emulator.jobs[0]["starts"] == 0


@pytest.mark.parametrize(
    ("credentials", "error"),
    [
        (BasicCredentials("ANOTHERACCESSKEY0000", SECRET_KEY, PROJECT_ID), (401, "APIGW.0301")),
        (BasicCredentials(ACCESS_KEY, "another-key-not-real", PROJECT_ID), (401, "APIGW.0301")),
        (BasicCredentials(ACCESS_KEY, SECRET_KEY, "f" * 32), (403, "DRS.M00261")),
        (TokenCredentials("not-a-token"), (403, "DRS.M00100")),
    ],
    ids=["access key", "secret key", "project", "token"],
)
def test_wrong_credentials_are_rejected(
    emulator: Emulator, connect_sdk: ConnectSdk, credentials: BasicCredentials, error: tuple[int, str]
) -> None:
    with pytest.raises(ClientRequestException) as caught:
        read_statuses(connect_sdk(credentials), emulator.job_ids[0])
    assert (caught.value.status_code, caught.value.error_code) == error


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda call, job_id: precheck_jobs(call, job_id, job_id), "DRS.M00301"),
        (lambda call, _: precheck_jobs(call), "DRS.M00201"),
        (lambda call, job_id: read_statuses(call, job_id, page=sdk.PageReq(cur_page=9)), "DRS.M00211"),
    ],
    ids=["duplicate jobs", "no jobs", "page beyond the last"],
)
def test_invalid_request_is_rejected(
    emulator: Emulator, signed: Call, send: Callable[[Call, str], Any], code: str
) -> None:
    with pytest.raises(ClientRequestException) as caught:
        send(signed, emulator.job_ids[0])
    assert (caught.value.status_code, caught.value.error_code) == (400, code)


@pytest.mark.usefixtures("no_backoff")
def test_hooks_sign_requests(hook: Any, connect: Any, emulator: Emulator) -> None:
    extra = {"auth": "aksk", "project_id": PROJECT_ID}
    connect(extra, login=ACCESS_KEY, password=SECRET_KEY)
    assert len(hook.get_job_statuses(emulator.job_ids)) == 10
    assert {entry["auth"] for entry in emulator.journal()} == {"signature"}

    hook.close() if not hasattr(hook, "_runner") else hook._runner.run(hook._hook.close())
    connect(extra, login=ACCESS_KEY, password="another-key-not-real")
    with pytest.raises(DrsAuthError, match="access key"):
        hook.get_job_statuses(emulator.job_ids)
    assert "another-key-not-real" not in str(emulator.journal())
