"""The operators. Each performs one action for any number of jobs, and returns the jobs' IDs."""

from airflow_provider_drs.operators.configuration import (
    DrsCompareParametersOperator,
    DrsModifyJobsOperator,
    DrsModifyParametersOperator,
    DrsSelectObjectsOperator,
    DrsSetDefinersOperator,
    DrsSetFlowControlOperator,
    DrsSetSyncPoliciesOperator,
    DrsTestConnectionsOperator,
    DrsTransformDataOperator,
)
from airflow_provider_drs.operators.creation import (
    DrsCreateJobsOperator,
    DrsGetJobsOperator,
    DrsListJobsOperator,
)
from airflow_provider_drs.operators.cutover import DrsCompareDataOperator, DrsSwitchOverOperator
from airflow_provider_drs.operators.lifecycle import (
    DrsChangePasswordsOperator,
    DrsDeleteJobsOperator,
    DrsPauseJobsOperator,
    DrsRetryJobsOperator,
    DrsStartJobsOperator,
    DrsStopJobsOperator,
)
from airflow_provider_drs.operators.prechecks import DrsBatchPrecheckOperator

__all__ = [
    "DrsBatchPrecheckOperator",
    "DrsChangePasswordsOperator",
    "DrsCompareDataOperator",
    "DrsCompareParametersOperator",
    "DrsCreateJobsOperator",
    "DrsDeleteJobsOperator",
    "DrsGetJobsOperator",
    "DrsListJobsOperator",
    "DrsModifyJobsOperator",
    "DrsModifyParametersOperator",
    "DrsPauseJobsOperator",
    "DrsRetryJobsOperator",
    "DrsSelectObjectsOperator",
    "DrsSetDefinersOperator",
    "DrsSetFlowControlOperator",
    "DrsSetSyncPoliciesOperator",
    "DrsStartJobsOperator",
    "DrsStopJobsOperator",
    "DrsSwitchOverOperator",
    "DrsTestConnectionsOperator",
    "DrsTransformDataOperator",
]
