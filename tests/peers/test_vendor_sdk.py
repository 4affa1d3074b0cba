"""The vendor's own client drives every operation that the emulator has, signed and with a token."""

from __future__ import annotations

from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkdrs.v3 import DrsAsyncClient, DrsClient
from huaweicloudsdkdrs.v3 import model as sdk

from airflow_provider_drs.emulator import Emulator
from airflow_provider_drs.emulator.http import iam
from airflow_provider_drs.emulator.world.world import PROJECT_ID

# The vendor marks v3 as old in favour of v5, which Open Telekom Cloud does not document.
pytestmark = pytest.mark.filterwarnings("ignore:Method .* is deprecated:DeprecationWarning")


@pytest.fixture(params=["sync", "async"])
def client(request: pytest.FixtureRequest, emulator: Emulator) -> Any:
    """Return the SDK's client, signing with the emulator's keys."""
    return _make(emulator, request.param)


def _make(emulator: Emulator, kind: str = "sync", secret_key: str = iam.SECRET_KEY) -> Any:
    config = HttpConfig.get_default_config()
    config.retry_times = 0
    credentials = BasicCredentials(iam.ACCESS_KEY, secret_key, PROJECT_ID)
    made = (DrsClient if kind == "sync" else DrsAsyncClient).new_builder()
    client = made.with_credentials(credentials).with_http_config(config).with_endpoint(emulator.url).build()
    return client if kind == "sync" else _Awaiting(client)


class _Awaiting:
    """The async client with the face of the sync one."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        def call(request: Any) -> Any:
            return getattr(self._client, f"{name}_async")(request).result()

        return call


def _statuses(client: Any, job_ids: list[str]) -> list[str]:
    body = sdk.BatchQueryJobReqPage(jobs=job_ids, page_req=sdk.PageReq(cur_page=1, per_page=10))
    answer = client.batch_list_job_status(sdk.BatchListJobStatusRequest(body=body))
    return [row.status for row in answer.results]


def test_job_lifecycle_with_the_sdk(emulator: Emulator, client: Any) -> None:
    wanted = sdk.CreateJobReq(
        name="DRS-9228",
        node_type="high",
        engine_type="mysql",
        net_type="eip",
        job_direction="up",
        db_use_type="migration",
        task_type="FULL_INCR_TRANS",
        customize_sutnet_id="352ad828-3467-4f03-987a-c55a5a9dd417",
        source_endpoint=sdk.Endpoint(db_type="mysql"),
        target_endpoint=sdk.Endpoint(db_type="mysql", region="eu-de"),
        bind_eip=True,
    )
    made = client.batch_create_jobs(sdk.BatchCreateJobsRequest(body=sdk.BatchCreateJobReq(jobs=[wanted])))
    job_id = made.results[0].id
    assert _statuses(client, [job_id]) == ["CREATING"]
    emulator.advance(31)

    ends = [
        sdk.TestEndPoint(
            id=job_id,
            net_type="eip",
            db_type="mysql",
            ip="192.0.2.1",
            db_user="root",
            db_password="not-real",
            end_point_type=end,
        )
        for end in ("so", "ta")
    ]
    tests = client.batch_validate_connections(
        sdk.BatchValidateConnectionsRequest(body=sdk.BatchTestConnectionReq(jobs=ends))
    )
    assert [row.success for row in tests.results] == [True, True]
    change = sdk.ModifyJobReq(job_id=job_id, source_endpoint=sdk.Endpoint(), target_endpoint=sdk.Endpoint())
    changed = client.batch_update_job(sdk.BatchUpdateJobRequest(body=sdk.BatchModifyJobReq(jobs=[change])))
    assert changed.results[0].status == "success"

    check = sdk.PreCheckInfo(job_id=job_id, precheck_mode="forStartJob")
    submitted = client.batch_check_jobs(sdk.BatchCheckJobsRequest(body=sdk.BatchPrecheckReq(jobs=[check])))
    assert (submitted.results[0].status, submitted.results[0].precheck_id) == ("success", job_id)
    emulator.advance(11)
    result = client.batch_check_results(
        sdk.BatchCheckResultsRequest(body=sdk.BatchQueryPrecheckResultReq(jobs=[job_id]))
    ).results[0]
    assert (result.process, result.result, len(result.precheck_result)) == ("100%", True, 39)

    start = sdk.StartInfo(job_id=job_id)
    started = client.batch_start_jobs(sdk.BatchStartJobsRequest(body=sdk.BatchStartJobReq(jobs=[start])))
    assert started.results[0].status == "success"
    emulator.advance(18)
    progress = client.batch_list_progresses(
        sdk.BatchListProgressesRequest(body=sdk.BatchQueryProgressReq(jobs=[job_id]))
    ).results[0]
    assert (progress.progress, progress.transfer_status) == ("50", "FULL_TRANSFER_STARTED")
    details = client.batch_list_job_details(
        sdk.BatchListJobDetailsRequest(body=sdk.BatchQueryJobReqPage(jobs=[job_id]))
    ).results[0]
    assert (details.name, details.inst_info.engine_type) == ("DRS-9228", "mysql")

    stop = sdk.DeleteJobReq(job_id=job_id, delete_type="terminate")
    stopped = client.batch_delete_jobs(sdk.BatchDeleteJobsRequest(body=sdk.BatchDeleteJobReq(jobs=[stop])))
    assert stopped.results[0].status == "success"
    listed = client.show_job_list(
        sdk.ShowJobListRequest(
            body=sdk.QueryJobsReq(
                cur_page=1, per_page=5, db_use_type="migration", name="DRS-9228", engine_type="mysql"
            )
        )
    )
    assert listed.jobs[0].status == "RELEASE_RESOURCE_STARTED"


def test_sdk_reads_errors_of_single_jobs(emulator: Emulator, client: Any) -> None:
    unknown = "ffffffff-d0c5-4a11-8a11-fffffffjb999"
    checks = [
        sdk.PreCheckInfo(job_id=each, precheck_mode="forStartJob") for each in (emulator.job_ids[0], unknown)
    ]

    rows = client.batch_check_jobs(sdk.BatchCheckJobsRequest(body=sdk.BatchPrecheckReq(jobs=checks))).results

    assert [row.error_code for row in rows] == [None, "DRS.M00289"]


def test_default_page_has_five_jobs(emulator: Emulator, client: Any) -> None:
    body = sdk.BatchQueryJobReqPage(jobs=list(emulator.job_ids))

    assert len(client.batch_list_job_status(sdk.BatchListJobStatusRequest(body=body)).results) == 5


def test_wrong_key_is_rejected(emulator: Emulator) -> None:
    client = _make(emulator, secret_key="another-key-not-real")

    with pytest.raises(ClientRequestException) as caught:
        _statuses(client, [emulator.job_ids[0]])

    assert (caught.value.status_code, caught.value.error_code) == (401, "APIGW.0301")


@pytest.mark.usefixtures("no_backoff")
def test_hooks_sign_requests(hook: Any, connect: Any, emulator: Emulator) -> None:
    from airflow_provider_drs.protocol.core.errors import DrsAuthError

    extra = {"auth": "aksk", "project_id": PROJECT_ID}
    connect(extra, login=iam.ACCESS_KEY, password=iam.SECRET_KEY)
    assert len(hook.get_job_statuses(emulator.job_ids)) == 10
    assert {entry["auth"] for entry in emulator.journal()} == {"signature"}

    hook.close() if not hasattr(hook, "_runner") else hook._runner.run(hook._hook.close())
    connect(extra, login=iam.ACCESS_KEY, password="another-key-not-real")
    with pytest.raises(DrsAuthError, match="access key"):
        hook.get_job_statuses(emulator.job_ids)
    assert "another-key-not-real" not in str(emulator.journal())
