"""The vendor's SDK calls every documented operation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from drs_emulator import Emulator
from drs_emulator.http import iam
from drs_emulator.world.world import PROJECT_ID
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkdrs.v3 import DrsClient
from huaweicloudsdkdrs.v3 import model as sdk

from tests.contract.openapi import load_operations
from tests.peers import sdk_calls

# The vendor deprecated v3 in favor of v5, which Open Telekom Cloud does not document.
pytestmark = pytest.mark.filterwarnings("ignore:Method .* is deprecated:DeprecationWarning")

DR = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql"}
REPLICATING = {"status": "INCRE_TRANSFER_STARTED"}


class Peer:
    """The vendor's client, and the emulator to prepare jobs for it."""

    def __init__(self, emulator: Emulator) -> None:
        self.drs = emulator
        credentials = BasicCredentials(iam.ACCESS_KEY, iam.SECRET_KEY, PROJECT_ID)
        builder = DrsClient.new_builder().with_credentials(credentials)
        self.client = builder.with_endpoint(emulator.url).build()

    def __call__(self, method: str, request: Any) -> Any:
        return getattr(self.client, method)(request)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request that the client has no method for, signed and sent by the client."""
        return self.client.do_http_request(
            method=method,
            resource_path=f"/v3/{PROJECT_ID}/jobs/{path}",
            header_params={"Content-Type": "application/json"},
            body=body,
            # A model whose fields match those of this response.
            response_type="PauseJobResp",
        )


def _checked(peer: Peer) -> str:
    job_id = peer.drs.job_ids[0]
    peer.drs.set_verdict(job_id, "pass", duration_s=0)
    sdk_calls.precheck_jobs(peer, job_id)
    return job_id


def _test_clusters(peer: Peer) -> Any:
    job_id = peer.drs.seed_job(engine_type="mongodb", node_num=2)
    end = {
        "dbtype": "mongodb",
        "dbport": 0,
        "ssllink": False,
        "nettype": "eip",
        "endpointtype": "so",
        "ip": "192.0.2.1:8635",
        "dbName": "admin",
        "dbuser": "rwuser",
        "dbpassword": "not-real",
    }
    job = sdk.BatchJobActionReq(action="testConnection", job_id=job_id, _property=json.dumps([end]))
    body = sdk.BatchSpecialTestConnectionReq(jobs=[job])
    return peer("batch_validate_clusters_connections", sdk.BatchValidateClustersConnectionsRequest(body=body))


def _set_objects(peer: Peer) -> Any:
    database = sdk.DatabaseInfo(id="shop", object_type="database", object_name="shop", select="true")
    job = sdk.UpdateDatabaseObjectReq(job_id=peer.drs.job_ids[0], selected=True, job=[database])
    body = sdk.BatchUpdateDatabaseObjectReq(jobs=[job])
    return peer("batch_set_objects", sdk.BatchSetObjectsRequest(body=body))


def _set_definer(peer: Peer) -> Any:
    job = sdk.ReplaceDefinerInfo(job_id=peer.drs.job_ids[0], replace_definer=True)
    return peer("batch_set_definer", sdk.BatchSetDefinerRequest(body=sdk.BatchReplaceDefinerReq(jobs=[job])))


def _set_speed(peer: Peer) -> Any:
    window = sdk.SpeedLimitInfo(begin="16:00", end="15:59", speed="15")
    limit = sdk.LimitSpeedReq(job_id=peer.drs.job_ids[0], speed_limit=[window])
    return peer(
        "batch_set_speed", sdk.BatchSetSpeedRequest(body=sdk.BatchLimitSpeedReq(speed_limits=[limit]))
    )


def _show_params(peer: Peer) -> Any:
    body = sdk.BatchQueryParamReq(jobs=[peer.drs.job_ids[0]], refresh="1")
    return peer("batch_show_params", sdk.BatchShowParamsRequest(body=body))


def _update_params(peer: Peer) -> Any:
    _show_params(peer)
    change = sdk.ParamsReqBean(key="binlog_cache_size", target_value="16384")
    body = sdk.ModifyTargetParamsReq(group="performance", params=[change])
    return peer("update_params", sdk.UpdateParamsRequest(job_id=peer.drs.job_ids[0], body=body))


def _pause(peer: Peer) -> Any:
    job = sdk.PauseInfo(job_id=peer.drs.seed_job(**REPLICATING), pause_mode="target")
    return peer("batch_stop_jobs", sdk.BatchStopJobsRequest(body=sdk.BatchPauseJobReq(jobs=[job])))


def _retry(peer: Peer) -> Any:
    job = sdk.RetryInfo(job_id=peer.drs.seed_job(status="FULL_TRANSFER_FAILED"))
    return peer("batch_restore_task", sdk.BatchRestoreTaskRequest(body=sdk.BatchRetryReq(jobs=[job])))


def _reset_password(peer: Peer) -> Any:
    job_id = peer.drs.seed_job(**REPLICATING)
    ends = [
        sdk.ModifyPwdEndPoint(db_password="not-real", end_point_type=end, job_id=job_id)
        for end in ("so", "ta")
    ]
    return peer("batch_reset_password", sdk.BatchResetPasswordRequest(body=sdk.BatchModifyPwdReq(jobs=ends)))


def _compare(peer: Peer) -> Any:
    job_id = peer.drs.seed_job(**DR, **REPLICATING)
    info = sdk.CreateDataLevelCompareReq(
        conflict_policy="keep",
        compare_type="contents",
        compare_object_infos=[sdk.CompareObjectInfo(db_name="shop", table_name=["orders"])],
    )
    body = sdk.CreateCompareTaskReq(
        job_id=job_id, object_level_compare_type="objects", data_level_compare_info=info
    )
    return peer("create_compare_task", sdk.CreateCompareTaskRequest(body=body))


def _list_compare_result(peer: Peer) -> Any:
    made = _compare(peer)
    peer.drs.advance(11)
    body = sdk.QueryCompareResultReq(
        job_id=made.job_id,
        object_level_compare_id=made.object_level_compare_create_result.compare_task_id,
        content_compare_id=made.data_level_compare_create_result.compare_task_id,
        current_page=1,
        per_page=10,
    )
    found = peer("list_compare_result", sdk.ListCompareResultRequest(body=body))
    assert found.content_compare_results.content_compare_overview[0].content_compare_result == "CONSISTENT"
    return found


def _set_policy(peer: Peer) -> Any:
    job = sdk.SyncPolicyReq(job_id=peer.drs.seed_job(db_use_type="sync"), conflict_policy="ignore")
    return peer("batch_set_policy", sdk.BatchSetPolicyRequest(body=sdk.BatchSetupSyncPolicyReq(jobs=[job])))


def _change_data(peer: Peer) -> Any:
    job = sdk.CheckDataTransformationReq(
        job_id=peer.drs.seed_job(db_use_type="sync"),
        object_info=[sdk.DatabaseObjectVO(id="shop-*-*-orders", select="true")],
        transformation_info=sdk.TransformationInfo(
            transformation_type="contentConditionalFilter", value="id>5"
        ),
    )
    body = sdk.BatchDataTransformationReq(jobs=[job])
    return peer("batch_change_data", sdk.BatchChangeDataRequest(body=body))


def _switch(peer: Peer) -> Any:
    job_id = peer.drs.seed_job(db_use_type="sync", **REPLICATING)
    peer.send("POST", f"{job_id}/switch-vip", {"mode": "source"})
    return job_id


CALLS: dict[str, Callable[[Peer], Any]] = {
    "BatchCreateJobs": lambda peer: sdk_calls.create_jobs(peer, "orders"),
    "BatchValidateConnections": lambda peer: sdk_calls.validate_connection(peer, peer.drs.job_ids[0], "so"),
    "BatchValidateClustersConnections": _test_clusters,
    "BatchUpdateJob": lambda peer: sdk_calls.modify_job(peer, peer.drs.job_ids[0], description="new"),
    "BatchSetObjects": _set_objects,
    "BatchSetDefiner": _set_definer,
    "BatchSetSpeed": _set_speed,
    "BatchShowParams": _show_params,
    "UpdateParams": _update_params,
    "BatchCheckJobs": lambda peer: sdk_calls.precheck_jobs(peer, peer.drs.job_ids[0]),
    "BatchCheckResults": lambda peer: sdk_calls.read_prechecks(peer, _checked(peer)),
    "BatchStartJobs": lambda peer: sdk_calls.start_jobs(peer, _checked(peer)),
    "BatchStopJobs": _pause,
    "BatchRestoreTask": _retry,
    "BatchDeleteJobs": lambda peer: sdk_calls.delete_job(peer, peer.drs.job_ids[0], "terminate"),
    "BatchResetPassword": _reset_password,
    "BatchListJobStatus": lambda peer: sdk_calls.read_statuses(peer, *peer.drs.job_ids),
    "BatchListJobDetails": lambda peer: sdk_calls.read_details(peer, *peer.drs.job_ids),
    "BatchListProgresses": lambda peer: sdk_calls.read_progresses(peer, *peer.drs.job_ids),
    "ShowJobList": lambda peer: sdk_calls.list_jobs(peer),
    "CreateCompareTask": _compare,
    "ListCompareResult": _list_compare_result,
    "BatchSetPolicy": _set_policy,
    "BatchChangeData": _change_data,
    "SwitchVip": _switch,
    "ShowSwitchVipStatus": lambda peer: peer.send("GET", f"{_switch(peer)}/get-switch-vip-status"),
}
#: Operations without a method of the client; its HTTP stack sends and signs them.
WITHOUT_METHOD = {"SwitchVip", "ShowSwitchVipStatus"}


def test_every_documented_operation_is_tested() -> None:
    documented = {name for name in load_operations() if not name.startswith("Keystone")}

    assert set(CALLS) == documented


@pytest.mark.parametrize("operation", CALLS)
def test_sdk_calls_operation(emulator: Emulator, operation: str) -> None:
    answer = CALLS[operation](Peer(emulator))

    assert [entry["applied"] for entry in emulator.journal(operation)] == [True]
    shown = str(answer)
    assert "error_code" not in shown or "DRS.M" not in shown
