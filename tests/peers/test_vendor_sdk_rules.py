"""The emulator's rules as the vendor's own client meets them: tokens, pages, refusals, its models' values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkdrs import v3 as sdk

from airflow_provider_drs.emulator import Emulator
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

# The vendor wants its users on v5; the Open Telekom Cloud has v3 only.
pytestmark = pytest.mark.filterwarnings("ignore:Method '.*' of Drs:DeprecationWarning")

PROJECT_ID = "0123456789abcdef0123456789abcdef"
ACCESS_KEY, SECRET_KEY = "EMULATORACCESSKEY000", "emulator-secret-key-not-real"
UNKNOWN = "ffffffff-d0c5-4a11-8a11-fffffffjb999"
#: Longer than any phase that a job goes through by itself.
A_WHILE_S = 120

ConnectSdk = Callable[[BasicCredentials], Call]


class TokenCredentials(BasicCredentials):
    """A token in place of a signature, which the SDK itself does not offer."""

    def __init__(self, token: str) -> None:
        super().__init__("unused", "unused", PROJECT_ID)
        self._token = token

    def sign_request(self, request: Any) -> Any:
        """Add the token instead of a signature."""
        # With an Authorization header of the caller's the SDK completes the request, and signs nothing.
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
    return requests.post(f"{emulator.url}/v3/auth/tokens", json=body, timeout=10).headers["X-Subject-Token"]


@pytest.fixture(params=["blocking", "future"])
def connect_sdk(request: pytest.FixtureRequest, emulator: Emulator) -> ConnectSdk:
    """Return a function that makes a client, of each of the SDK's two kinds."""

    def connect(credentials: BasicCredentials) -> Call:
        kind = sdk.DrsClient if request.param == "blocking" else sdk.DrsAsyncClient
        keys = BasicCredentials(ACCESS_KEY, SECRET_KEY, PROJECT_ID)
        client = kind.new_builder().with_endpoint(emulator.url).with_credentials(keys).build()
        # The builder insists on the SDK's own class.
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


@pytest.fixture
def with_token(emulator: Emulator, connect_sdk: ConnectSdk) -> Call:
    """Return a function that calls an operation with a token of the emulator's IAM."""
    return connect_sdk(TokenCredentials(_get_token(emulator)))


def _error(caught: pytest.ExceptionInfo[ClientRequestException]) -> tuple[int, str]:
    return caught.value.status_code, caught.value.error_code


def test_job_lifecycle_with_a_token(emulator: Emulator, with_token: Call) -> None:
    created = create_jobs(with_token, "life-of-a-job").results[0]
    assert (created.name, created.status) == ("life-of-a-job", "CREATING")
    emulator.advance(A_WHILE_S)
    for end in ("so", "ta"):
        assert validate_connection(with_token, created.id, end).results[0].success is True
    source = sdk.Endpoint(db_type="mysql", ip="192.0.2.10", db_user="root", db_password="not-real")
    assert (
        modify_job(with_token, created.id, source_endpoint=source, description="tuned").results[0].status
        == "success"
    )

    submitted = precheck_jobs(with_token, created.id).results[0]
    assert (submitted.id, submitted.precheck_id, submitted.status) == (created.id, created.id, "success")
    emulator.advance(A_WHILE_S)
    assert read_prechecks(with_token, created.id).results[0].result is True

    assert start_jobs(with_token, created.id).results[0].status == "success"
    assert read_statuses(with_token, created.id).results[0].status == "STARTJOBING"
    emulator.advance(A_WHILE_S)
    assert read_statuses(with_token, created.id).results[0].status == "INCRE_TRANSFER_STARTED"

    assert delete_job(with_token, created.id, "terminate").results[0].status == "success"
    emulator.advance(A_WHILE_S)
    assert delete_job(with_token, created.id, "delete").results[0].status == "success"
    assert created.id not in emulator.job_ids
    assert {entry["auth"] for entry in emulator.journal() if "auth/tokens" not in entry["path"]} == {"token"}


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
    bad = [each for each in row.precheck_result if each.result != "PASSED"]
    assert (row.result, row.process, len(row.precheck_result)) == (False, "100%", 39)
    assert [(each.item, each.result, each.failed_reason) for each in bad] == [
        ("srcBinlogFormatCheck", "FAILED", "NOT_ROW")
    ]
    assert bad[0].raw_error_msg == "binlog_format=STATEMENT"
    assert bad[0].failed_sub_jobs[0].to_dict() == item["failed_sub_jobs"][0]


def test_job_details(emulator: Emulator, signed: Call) -> None:
    job_id = emulator.seed_job(name="detailed", engine_type="mysql", task_type="FULL_TRANS")

    row = read_details(signed, job_id).results[0]
    assert (row.id, row.name, row.status) == (job_id, "detailed", "CONFIGURATION")
    assert (row.task_type, row.job_direction, row.multi_write) == ("FULL_TRANS", "up", False)
    assert (row.source_endpoint.db_type, row.source_endpoint.db_port) == ("mysql", 3306)
    assert (row.inst_info.engine_type, row.create_time.isdigit()) == ("mysql", True)


def test_details_distinguish_parent_and_child(emulator: Emulator, signed: Call) -> None:
    parent = emulator.seed_job(multi_write=True, db_use_type="cloudDataGuard")
    child = emulator.seed_job(multi_write=True, parent_id=parent, job_direction="down")

    rows = {row.id: row for row in read_details(signed, parent, child).results}
    assert (rows[parent].parent_id, rows[parent].multi_write) == (None, True)
    assert (rows[child].parent_id, rows[child].job_direction) == (parent, "down")


def test_progress_of_full_copy(emulator: Emulator, signed: Call) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "pass", duration_s=0)
    precheck_jobs(signed, job_id)
    start_jobs(signed, job_id)
    emulator.advance(18)

    row = read_progresses(signed, job_id).results[0]
    assert (row.job_id, row.task_mode) == (job_id, "FULL_INCR_TRANS")
    assert row.transfer_status == "FULL_TRANSFER_STARTED"
    assert row.progress == "50"
    assert row.progress_map["data"].completed == "50%"
    assert row.incre_trans_delay == "-1"


def test_scheduled_start_waits(emulator: Emulator, signed: Call) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "pass", duration_s=0)
    precheck_jobs(signed, job_id)

    start_jobs(signed, job_id, start_time=str(int((emulator.advance(0) + 3600) * 1000)))

    assert read_statuses(signed, job_id).results[0].status == "WAITING_FOR_START"


def test_default_page_of_details_has_five_jobs(emulator: Emulator, signed: Call) -> None:
    rows = read_details(signed, *emulator.job_ids).results

    assert [row.id for row in rows] == list(emulator.job_ids[:5])


def test_page_can_be_requested(emulator: Emulator, signed: Call) -> None:
    rows = read_statuses(signed, *emulator.job_ids, page=sdk.PageReq(cur_page=2, per_page=4)).results

    assert [row.id for row in rows] == list(emulator.job_ids[4:8])


def test_page_beyond_the_last_is_an_error(emulator: Emulator, signed: Call) -> None:
    with pytest.raises(ClientRequestException) as caught:
        read_statuses(signed, *emulator.job_ids, page=sdk.PageReq(cur_page=9, per_page=5))

    assert _error(caught) == (400, "DRS.M00211")


def test_job_list_can_be_filtered(emulator: Emulator, signed: Call) -> None:
    answer = list_jobs(signed, name="orders-migration-0", per_page=4)

    assert answer.total_record == 9
    assert [job.id for job in answer.jobs] == list(emulator.job_ids[:4])


def test_job_list_has_children_below_parent(emulator: Emulator, signed: Call) -> None:
    parent = emulator.seed_job(multi_write=True, db_use_type="cloudDataGuard")
    child = emulator.seed_job(parent_id=parent, db_use_type="cloudDataGuard", job_direction="up")

    jobs = list_jobs(signed, db_use_type="cloudDataGuard").jobs

    assert [(job.id, [each.id for each in job.children]) for job in jobs] == [(parent, [child])]


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


def test_running_precheck_rejects_another(emulator: Emulator, signed: Call) -> None:
    job_id = emulator.job_ids[0]
    precheck_jobs(signed, job_id)

    row = precheck_jobs(signed, job_id).results[0]
    assert (row.id, row.status, row.error_code) == (job_id, "failed", "DRS.M01504")


def test_job_without_passed_precheck_does_not_start(emulator: Emulator, signed: Call) -> None:
    row = start_jobs(signed, emulator.job_ids[0]).results[0]

    assert (row.status, row.error_code) == ("failed", "DRS.M00305")
    assert emulator.jobs[0]["starts"] == 0


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


def test_unknown_access_key_is_rejected(emulator: Emulator, connect_sdk: ConnectSdk) -> None:
    wrong = connect_sdk(BasicCredentials("ANOTHERACCESSKEY0000", SECRET_KEY, PROJECT_ID))

    with pytest.raises(ClientRequestException) as caught:
        read_statuses(wrong, emulator.job_ids[0])
    assert _error(caught) == (401, "APIGW.0301")


def test_wrong_token_is_rejected(emulator: Emulator, connect_sdk: ConnectSdk) -> None:
    with pytest.raises(ClientRequestException) as caught:
        read_statuses(connect_sdk(TokenCredentials("not-a-token")), emulator.job_ids[0])
    assert _error(caught) == (403, "DRS.M00100")


def test_other_project_is_rejected(emulator: Emulator, connect_sdk: ConnectSdk) -> None:
    other = connect_sdk(BasicCredentials(ACCESS_KEY, SECRET_KEY, "f" * 32))

    with pytest.raises(ClientRequestException) as caught:
        read_statuses(other, emulator.job_ids[0])
    assert _error(caught) == (403, "DRS.M00261")


def test_duplicate_jobs_are_rejected(emulator: Emulator, signed: Call) -> None:
    with pytest.raises(ClientRequestException) as caught:
        precheck_jobs(signed, emulator.job_ids[0], emulator.job_ids[0])
    assert _error(caught) == (400, "DRS.M00301")


def test_empty_job_list_is_rejected(signed: Call) -> None:
    with pytest.raises(ClientRequestException) as caught:
        precheck_jobs(signed)
    assert _error(caught) == (400, "DRS.M00201")
