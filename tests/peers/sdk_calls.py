"""Short calls of the vendor's SDK, one function per operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from huaweicloudsdkdrs import v3 as sdk

#: Calls an operation of the SDK by name, with a blocking or an asynchronous client.
Call = Callable[[str, object], Any]


def create_jobs(call: Call, *names: str) -> Any:
    source = sdk.Endpoint(
        db_type="mysql", ip="192.0.2.10", db_port=3306, db_user="root", db_password="not-real"
    )
    target = sdk.Endpoint(db_type="mysql", region="eu-de", inst_id="e05a3679efe241d8b5dee80b17c1a863in01")
    jobs = [
        sdk.CreateJobReq(
            name=name,
            db_use_type="migration",
            engine_type="mysql",
            job_direction="up",
            customize_sutnet_id="5c6bbb05-b4b5-4c55-b0d6-8a1f0b4a3b8f",
            net_type="eip",
            bind_eip=True,
            node_type="high",
            source_endpoint=source,
            target_endpoint=target,
            task_type="FULL_INCR_TRANS",
        )
        for name in names
    ]
    return call("batch_create_jobs", sdk.BatchCreateJobsRequest(body=sdk.BatchCreateJobReq(jobs=jobs)))


def validate_connection(call: Call, job_id: str, end_point_type: str) -> Any:
    end_point = sdk.TestEndPoint(
        id=job_id,
        net_type="eip",
        db_type="mysql",
        ip="192.0.2.10",
        db_port=3306,
        db_user="root",
        db_password="not-real",
        ssl_link=False,
        end_point_type=end_point_type,
    )
    body = sdk.BatchTestConnectionReq(jobs=[end_point])
    return call("batch_validate_connections", sdk.BatchValidateConnectionsRequest(body=body))


def modify_job(call: Call, job_id: str, **changes: Any) -> Any:
    body = sdk.BatchModifyJobReq(jobs=[sdk.ModifyJobReq(job_id=job_id, **changes)])
    return call("batch_update_job", sdk.BatchUpdateJobRequest(body=body))


def precheck_jobs(call: Call, *job_ids: str) -> Any:
    jobs = [sdk.PreCheckInfo(job_id=job_id, precheck_mode="forStartJob") for job_id in job_ids]
    return call("batch_check_jobs", sdk.BatchCheckJobsRequest(body=sdk.BatchPrecheckReq(jobs=jobs)))


def read_prechecks(call: Call, *job_ids: str) -> Any:
    body = sdk.BatchQueryPrecheckResultReq(jobs=list(job_ids))
    return call("batch_check_results", sdk.BatchCheckResultsRequest(body=body))


def start_jobs(call: Call, *job_ids: str, start_time: str | None = None) -> Any:
    """Start jobs, now or at a time in epoch milliseconds."""
    jobs = [sdk.StartInfo(job_id=job_id, start_time=start_time) for job_id in job_ids]
    return call("batch_start_jobs", sdk.BatchStartJobsRequest(body=sdk.BatchStartJobReq(jobs=jobs)))


def delete_job(call: Call, job_id: str, delete_type: str) -> Any:
    body = sdk.BatchDeleteJobReq(jobs=[sdk.DeleteJobReq(job_id=job_id, delete_type=delete_type)])
    return call("batch_delete_jobs", sdk.BatchDeleteJobsRequest(body=body))


def read_statuses(call: Call, *job_ids: str, page: Any = None) -> Any:
    body = sdk.BatchQueryJobReqPage(jobs=list(job_ids), page_req=page)
    return call("batch_list_job_status", sdk.BatchListJobStatusRequest(body=body))


def read_details(call: Call, *job_ids: str, page: Any = None) -> Any:
    body = sdk.BatchQueryJobReqPage(jobs=list(job_ids), page_req=page)
    return call("batch_list_job_details", sdk.BatchListJobDetailsRequest(body=body))


def read_progresses(call: Call, *job_ids: str) -> Any:
    body = sdk.BatchQueryProgressReq(jobs=list(job_ids))
    return call("batch_list_progresses", sdk.BatchListProgressesRequest(body=body))


def list_jobs(call: Call, **filters: Any) -> Any:
    body = sdk.QueryJobsReq(**{"cur_page": 1, "per_page": 10, "db_use_type": "migration", **filters})
    return call("show_job_list", sdk.ShowJobListRequest(body=body))
