"""
Every documented operation of DRS v3: how it is called, where it is documented, and what uses it.

The only place with methods and paths. The coverage table of the documentation is built from it, and tests
compare it with the API and the code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_drs.protocol.core.wire import Request

_PUBLIC = "public_api_management"
_SYNC = "real-time_synchronization_management"


@dataclass(frozen=True, slots=True)
class Operation:
    """
    One operation.

    :param page: the original name of its page in the service's API reference.
    :param address: the page's path below the API reference.
    :param repeatable: sending it twice has the same effect as sending it once.
    :param methods: the hook methods that send it.
    :param faces: the operators and sensors that exist for it; most others also read details of jobs.
    """

    name: str
    method: str
    path: str
    page: str
    address: str
    repeatable: bool
    methods: tuple[str, ...]
    faces: tuple[str, ...] = ()

    @property
    def reads(self) -> bool:
        """Whether it only reads."""
        return self.name in _READS


_READS = frozenset(
    {
        "BatchCheckResults",
        "BatchListJobDetails",
        "BatchListJobStatus",
        "BatchListProgresses",
        "BatchShowParams",
        "ListCompareResult",
        "ShowJobList",
        "ShowSwitchVipStatus",
    }
)


def _row(
    name: str, method: str, path: str, page: str, address: str, methods: str, faces: str, *, again: bool
) -> Operation:
    full_path = "/v3/{project_id}/jobs" + path
    folder = _SYNC if page in ("drs_03_0147", "drs_03_0148", "drs_03_0149", "drs_api_0103") else _PUBLIC
    return Operation(
        name,
        method,
        full_path,
        page,
        f"{folder}/{address}",
        again,
        tuple(methods.split()),
        tuple(faces.split()),
    )


_TABLE = (
    # Found by name if the outcome is unknown.
    _row("BatchCreateJobs", "POST", "/batch-creation", "drs_03_0104", "creating_tasks_in_batches",
         "create_jobs", "DrsCreateJobsOperator", again=False),
    _row("BatchValidateConnections", "POST", "/batch-connection", "drs_03_0105",
         "testing_connections_in_batches", "validate_connections", "DrsTestConnectionsOperator", again=True),
    _row("BatchValidateClustersConnections", "POST", "/cluster/batch-connection", "drs_03_0106",
         "testing_connections_in_batches_cluster_mode", "validate_cluster_connections",
         "DrsTestConnectionsOperator", again=True),
    _row("BatchUpdateJob", "PUT", "/batch-modification", "drs_03_0107", "modifying_tasks_in_batches",
         "modify_jobs", "DrsModifyJobsOperator", again=True),
    _row("BatchSetObjects", "PUT", "/batch-select-objects", "drs_03_0109",
         "selecting_database_objects_in_batches", "select_objects", "DrsSelectObjectsOperator", again=True),
    _row("BatchSetDefiner", "POST", "/batch-replace-definer", "drs_03_0135", "setting_definers_in_batches",
         "set_definers", "DrsSetDefinersOperator", again=True),
    _row("BatchSetSpeed", "PUT", "/batch-limit-speed", "drs_03_0130", "setting_flow_control_for_tasks",
         "set_flow_control", "DrsSetFlowControlOperator", again=True),
    _row("BatchShowParams", "POST", "/batch-get-params", "drs_03_0141",
         "obtaining_database_parameters_in_batches", "compare_parameters modify_parameters",
         "DrsCompareParametersOperator DrsModifyParametersOperator", again=True),
    _row("UpdateParams", "POST", "/{job_id}/params", "drs_03_0131", "modifying_database_parameters",
         "modify_parameters", "DrsModifyParametersOperator", again=True),
    # Rejected while a pre-check of the job is running (DRS.M01504); later it runs another pre-check.
    _row("BatchCheckJobs", "POST", "/batch-precheck", "drs_03_0110", "performing_a_batch_pre-check",
         "precheck_jobs", "DrsBatchPrecheckOperator", again=True),
    _row("BatchCheckResults", "POST", "/batch-precheck-result", "drs_03_0111",
         "querying_pre-check_results_in_batches", "get_precheck_results",
         "DrsPrecheckSensor DrsBatchPrecheckOperator DrsStartJobsOperator", again=True),
    _row("BatchStartJobs", "POST", "/batch-starting", "drs_03_0112", "starting_tasks_in_batches",
         "start_jobs", "DrsStartJobsOperator", again=False),
    # Despite its name it pauses jobs.
    _row("BatchStopJobs", "POST", "/batch-pause-task", "drs_03_0133", "pausing_tasks_in_batches",
         "pause_jobs", "DrsPauseJobsOperator", again=False),
    _row("BatchRestoreTask", "POST", "/batch-retry-task", "drs_03_0132",
         "resuming_or_retrying_tasks_in_batches", "retry_jobs", "DrsRetryJobsOperator", again=False),
    # Despite its name it also stops jobs. The DELETE request has a body.
    _row("BatchDeleteJobs", "DELETE", "/batch-jobs", "drs_03_0113", "stopping_or_deleting_tasks_in_batches",
         "stop_jobs delete_jobs", "DrsStopJobsOperator DrsDeleteJobsOperator", again=False),
    _row("BatchResetPassword", "PUT", "/batch-modify-pwd", "drs_03_0134",
         "changing_the_passwords_of_the_sources_and_destinations", "change_passwords",
         "DrsChangePasswordsOperator", again=True),
    _row("BatchListJobStatus", "POST", "/batch-status", "drs_api_0150", "querying_task_statuses_in_batches",
         "get_job_statuses", "DrsJobStatusSensor", again=True),
    _row("BatchListJobDetails", "POST", "/batch-detail", "drs_api_0151", "querying_task_details_in_batches",
         "get_job_details review_jobs",
         "DrsGetJobsOperator DrsBatchPrecheckOperator DrsStartJobsOperator", again=True),
    _row("BatchListProgresses", "POST", "/batch-progress", "drs_03_0114",
         "querying_task_progress_in_batches", "get_job_progresses",
         "DrsGetJobsOperator DrsReplicationDelaySensor DrsJobStatusSensor", again=True),
    _row("ShowJobList", "POST", "", "drs_03_0138", "querying_tasks_of_a_tenant",
         "list_jobs get_forward_jobs", "DrsListJobsOperator", again=True),
    # Found in the list of comparisons if the outcome is unknown.
    _row("CreateCompareTask", "POST", "/create-compare-task", "drs_03_0136", "creating_a_comparison_task",
         "create_comparisons", "DrsCompareDataOperator", again=False),
    _row("ListCompareResult", "POST", "/query-compare-result", "drs_03_0137", "querying_comparison_results",
         "get_comparisons", "DrsCompareDataOperator DrsDataComparisonSensor", again=True),
    _row("BatchSetPolicy", "POST", "/batch-sync-policy", "drs_03_0149",
         "configuring_synchronization_policies_in_batches", "set_sync_policies",
         "DrsSetSyncPoliciesOperator", again=True),
    # An existing rule is rejected (DRS.M07000), which counts as success.
    _row("BatchChangeData", "POST", "/batch-transformation", "drs_api_0103", "processing_data_in_batches",
         "transform_data", "DrsTransformDataOperator", again=True),
    _row("SwitchVip", "POST", "/{job_id}/switch-vip", "drs_03_0147", "performing_a_switchover",
         "switch_over", "DrsSwitchOverOperator", again=False),
    _row("ShowSwitchVipStatus", "GET", "/{job_id}/get-switch-vip-status", "drs_03_0148",
         "querying_the_switchover_result", "get_switch_overs", "DrsSwitchOverOperator", again=True),
)  # fmt: skip

OPERATIONS: Mapping[str, Operation] = {operation.name: operation for operation in _TABLE}


def build(name: str, body: Mapping[str, Any] | None, job_ids: Sequence[str] = ()) -> Request:
    """
    Return the request of an operation.

    :param job_ids: the jobs that it concerns; exactly one if the path contains a job ID.
    """
    operation = OPERATIONS[name]
    path = operation.path
    if "{job_id}" in path:
        (job_id,) = job_ids
        path = path.replace("{job_id}", job_id)
    return Request(name, operation.method, path, body, operation.repeatable, tuple(job_ids))
