"""
The hook methods as conversations. The methods have the docstrings of these functions.

Each processes any number of jobs, and returns one value or error per job, in the order given.
"""

from airflow_provider_drs.protocol.comparisons.operation import create_comparisons, get_comparisons
from airflow_provider_drs.protocol.configuration.operation import (
    modify_jobs,
    select_objects,
    set_definers,
    set_flow_control,
    set_sync_policies,
    transform_data,
    validate_cluster_connections,
    validate_connections,
)
from airflow_provider_drs.protocol.creation.operation import create_jobs
from airflow_provider_drs.protocol.jobs.operation import (
    get_forward_jobs,
    get_job_details,
    get_job_progresses,
    get_job_statuses,
    list_jobs,
)
from airflow_provider_drs.protocol.jobs.review import review_jobs
from airflow_provider_drs.protocol.lifecycle.operation import (
    change_passwords,
    delete_jobs,
    pause_jobs,
    retry_jobs,
    start_jobs,
    stop_jobs,
)
from airflow_provider_drs.protocol.lifecycle.preconditions import admit_starts
from airflow_provider_drs.protocol.parameters.operation import compare_parameters, modify_parameters
from airflow_provider_drs.protocol.prechecks.operation import (
    begin_prechecks,
    get_precheck_results,
    precheck_jobs,
)
from airflow_provider_drs.protocol.switchovers.operation import get_switch_overs, switch_over

__all__ = [
    "admit_starts",
    "begin_prechecks",
    "change_passwords",
    "compare_parameters",
    "create_comparisons",
    "create_jobs",
    "delete_jobs",
    "get_comparisons",
    "get_forward_jobs",
    "get_job_details",
    "get_job_progresses",
    "get_job_statuses",
    "get_precheck_results",
    "get_switch_overs",
    "list_jobs",
    "modify_jobs",
    "modify_parameters",
    "pause_jobs",
    "precheck_jobs",
    "retry_jobs",
    "review_jobs",
    "select_objects",
    "set_definers",
    "set_flow_control",
    "set_sync_policies",
    "start_jobs",
    "stop_jobs",
    "switch_over",
    "transform_data",
    "validate_cluster_connections",
    "validate_connections",
]
