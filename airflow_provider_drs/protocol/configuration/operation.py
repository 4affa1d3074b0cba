"""Prepare created jobs for their pre-check: connections, databases, objects, policies, rules and limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from airflow_provider_drs.protocol.configuration.messages import (
    read_changes,
    read_objects,
    read_policies,
    read_transformations,
    read_windows,
)
from airflow_provider_drs.protocol.core.batches import Answers, Limits
from airflow_provider_drs.protocol.core.errors import EXISTING_RULE_CODE, DrsConfigError, has_code
from airflow_provider_drs.protocol.core.wire import Conversation, Document, Request, Response
from airflow_provider_drs.protocol.jobs.actions import Row, act
from airflow_provider_drs.protocol.jobs.databases import (
    Endpoint,
    Endpoints,
    endpoint_of,
    to_cluster_property,
    to_saved_endpoint,
    to_test_row,
)
from airflow_provider_drs.protocol.jobs.messages import JobDetails
from airflow_provider_drs.protocol.jobs.outcome import JobOutcome, parse_outcomes


def validate_connections(
    limits: Limits,
    job_ids: Iterable[str],
    *,
    source: Endpoints | None = None,
    target: Endpoints | None = None,
    if_started: str = "adopt",
) -> Conversation[Answers[JobOutcome]]:
    """
    Test the connections from DRS to the databases of jobs, the sources first.

    The destination of a job is tested only if its source passed. A test can take up to 1 minute per job, and
    the call returns when it has finished. Jobs that have already been started are adopted: they are not
    tested.

    :param job_ids: one or more job IDs.
    :param source: the source database with its credentials, for all jobs or by job ID; ``None`` does not test
        it.
    :param target: the same for the destination.
    :param if_started: ``adopt`` leaves jobs unchanged that were started before; ``fail`` refuses them.
    :raises DrsConfigError: neither database is given, or an endpoint is incomplete; nothing was sent.

    Source: :drs:`public_api_management/testing_connections_in_batches`
    """
    rows = [partial(_make_test_row, *given) for given in _given_ends(source, target).items()]
    return (yield from act(limits, "test", job_ids, *rows, id_key="id", if_started=if_started))


def _make_test_row(end: str, endpoints: Endpoints, job: JobDetails) -> Mapping[str, Any]:
    return to_test_row(endpoint_of(endpoints, job.job_id), end, job)


def _given_ends(source: Endpoints | None, target: Endpoints | None) -> dict[str, Endpoints]:
    ends = {"source": source, "target": target}
    given = {end: endpoints for end, endpoints in ends.items() if endpoints is not None}
    if not given:
        raise DrsConfigError("source, target: set at least one of them.")
    return given


def validate_cluster_connections(
    limits: Limits,
    job_ids: Iterable[str],
    *,
    source: Endpoints | None = None,
    target: Endpoints | None = None,
    shards: Sequence[Endpoint] = (),
    if_started: str = "adopt",
) -> Conversation[Answers[JobOutcome]]:
    """
    Test the connections from DRS to the databases of cluster jobs, all databases of a job in one test.

    :param job_ids: the IDs of one or more parent jobs.
    :param source: the source database with its credentials, for all jobs or by job ID; ``None`` does not test
        it.
    :param target: the same for the destination.
    :param shards: the shard nodes of a cluster source.
    :param if_started: ``adopt`` leaves jobs unchanged that were started before; ``fail`` refuses them.
    :raises DrsConfigError: neither database is given, or an endpoint is incomplete; nothing was sent.

    Source: :drs:`public_api_management/testing_connections_in_batches_cluster_mode`
    """
    given = _given_ends(source, target)

    def make_row(job: JobDetails) -> Mapping[str, Any]:
        ends = [(end, endpoint_of(endpoints, job.job_id)) for end, endpoints in given.items()]
        ends += [("shard", shard) for shard in shards]
        return {"action": "testConnection", "property": to_cluster_property(ends, job)}

    return (yield from act(limits, "test_cluster", job_ids, make_row, if_started=if_started))


def modify_jobs(
    limits: Limits,
    job_ids: Iterable[str],
    changes: Mapping[str, Any] | None = None,
    *,
    source: Endpoints | None = None,
    target: Endpoints | None = None,
    if_started: str = "adopt",
) -> Conversation[Answers[JobOutcome]]:
    """
    Modify jobs, or save their databases, which a pre-check requires.

    Databases can be saved in status CONFIGURATION; jobs that have already been started are adopted: they are
    not modified. Without databases, all jobs that are not stopped can be modified.

    :param job_ids: one or more job IDs.
    :param changes: the fields to change, named as in the API: ``name``, ``description``, ``alarm_notify``,
        ``task_type``, ``replace_definer``, ``is_target_readonly``, ``store_db_info``, ``tags`` and so on.
    :param source: the source database with its credentials, for all jobs or by job ID.
    :param target: the same for the destination.
    :param if_started: ``adopt`` leaves jobs unchanged that were started before; ``fail`` refuses them.
    :raises DrsConfigError: there is nothing to change, or a field is unknown; nothing was sent.

    Source: :drs:`public_api_management/modifying_tasks_in_batches`
    """
    checked = read_changes(changes or {})
    given = {} if source is None and target is None else _given_ends(source, target)
    if not checked and not given:
        raise DrsConfigError("changes, source, target: set at least one of them.")

    def make_row(job: JobDetails) -> Mapping[str, Any]:
        if not given:
            return checked
        ends = {
            f"{end}_endpoint": to_saved_endpoint(endpoint_of(endpoints, job.job_id), end, job)
            for end, endpoints in given.items()
        }
        # Required after a connection test; the values are those of the job.
        known = {
            "name": job.name,
            "node_type": "high",
            "engine_type": job.engine_type,
            "net_type": job.net_type,
            "store_db_info": True,
        }
        if "mysql" in job.engine_type:
            known["replace_definer"] = bool(job.raw.get("replace_definer", True))
        return {key: value for key, value in known.items() if value != ""} | checked | ends

    if not given:
        return (yield from act(limits, "modify", job_ids, make_row))
    return (yield from act(limits, "configure", job_ids, make_row, if_started=if_started))


def select_objects(
    limits: Limits,
    job_ids: Iterable[str],
    objects: object = None,
    *,
    sync_database: bool | None = None,
    if_started: str = "adopt",
) -> Conversation[Answers[JobOutcome]]:
    """
    Select the objects that jobs replicate. Jobs that have already been started are adopted: they are not
    changed.

    :param job_ids: one or more job IDs.
    :param objects: names, such as ``"shop"`` for a database and ``"shop.orders"`` for a table; or a mapping
        of such names to their names in the destination, ``None`` for the same name; or rows as in the API,
        for views, schemas and names that contain a dot. ``None`` selects all objects.
    :param sync_database: whether synchronization jobs replicate whole databases.
    :param if_started: ``adopt`` leaves jobs unchanged that were started before; ``fail`` refuses them.
    :raises DrsConfigError: objects is invalid; nothing was sent.

    Source: :drs:`public_api_management/selecting_database_objects_in_batches`
    """
    rows = [] if objects is None else read_objects(objects)
    row: dict[str, Any] = {"selected": bool(rows), "job": rows}
    if sync_database is not None:
        row["sync_database"] = sync_database
    return (yield from act(limits, "select", job_ids, lambda job: row, if_started=if_started))


def set_definers(
    limits: Limits, job_ids: Iterable[str], replace_definer: bool = True, *, if_started: str = "adopt"
) -> Conversation[Answers[JobOutcome]]:
    """
    Choose whether the user of the destination becomes the definer of the MySQL objects.

    :param job_ids: one or more job IDs.
    :param replace_definer: ``False`` does not change the definers; they must exist as users in the
        destination.
    :param if_started: ``adopt`` leaves jobs unchanged that were started before; ``fail`` refuses them.

    Source: :drs:`public_api_management/setting_definers_in_batches`
    """
    row = {"replace_definer": bool(replace_definer)}
    return (yield from act(limits, "set_definers", job_ids, lambda job: row, if_started=if_started))


def set_flow_control(
    limits: Limits, job_ids: Iterable[str], windows: Sequence[Mapping[str, Any]] = ()
) -> Conversation[Answers[JobOutcome]]:
    """
    Limit the speed of jobs in up to three daily time windows.

    :param job_ids: one or more job IDs.
    :param windows: mappings with ``begin`` (``"08:00"``), ``end`` (``"17:59"``, always with minutes 59) and
        ``speed`` in MB/s; times are in UTC. An empty list removes the limit.
    :raises DrsConfigError: a window is invalid, or two windows overlap; nothing was sent.

    Source: :drs:`public_api_management/setting_flow_control_for_tasks`
    """
    row = {"speed_limit": read_windows(windows)}
    return (yield from act(limits, "set_flow_control", job_ids, lambda job: row, list_key="speed_limits"))


def set_sync_policies(
    limits: Limits,
    job_ids: Iterable[str],
    *,
    conflict_policy: str | None = None,
    filter_ddl_policy: str | None = None,
    ddl_trans: bool | None = None,
    index_trans: bool | None = None,
    slot_name: str | None = None,
    if_started: str = "adopt",
) -> Conversation[Answers[JobOutcome]]:
    """
    Set how synchronization jobs handle conflicts, DDL and indexes. ``None`` does not set a policy.

    :param job_ids: one or more job IDs.
    :param conflict_policy: ``ignore``, ``overwrite`` or ``stop`` if a row already exists.
    :param filter_ddl_policy: ``drop_database`` does not replicate statements that drop databases.
    :param ddl_trans: whether to replicate DDL.
    :param index_trans: whether to replicate indexes.
    :param slot_name: the replication slot of a PostgreSQL source.
    :param if_started: ``adopt`` leaves jobs unchanged that were started before; ``fail`` refuses them.
    :raises DrsConfigError: no policy is set, or a value is invalid; nothing was sent.

    Source: :drs:`real-time_synchronization_management/configuring_synchronization_policies_in_batches`
    """
    policies = read_policies(
        {
            "conflict_policy": conflict_policy,
            "filter_ddl_policy": filter_ddl_policy,
            "ddl_trans": ddl_trans,
            "index_trans": index_trans,
            "slot_name": slot_name,
        }
    )
    return (yield from act(limits, "set_policies", job_ids, lambda job: policies, if_started=if_started))


def transform_data(
    limits: Limits, job_ids: Iterable[str], rules: Sequence[Mapping[str, Any]], *, if_started: str = "adopt"
) -> Conversation[Answers[JobOutcome]]:
    """
    Add data processing rules to synchronization jobs, with one call per rule.

    A rule that already exists is adopted: it is not added again. A table can have one rule.

    :param job_ids: one or more job IDs.
    :param rules: mappings with ``tables`` and ``where``, an SQL condition that selects the rows to replicate;
        or with ``config``, for a condition across tables.
    :param if_started: ``adopt`` leaves jobs unchanged that were started before; ``fail`` refuses them.
    :raises DrsConfigError: rules is empty, a rule is invalid, or a table has two rules; nothing was sent.

    Source: :drs:`real-time_synchronization_management/processing_data_in_batches`
    """
    rows = [_make_constant_row(row) for row in read_transformations(rules)]
    return (
        yield from act(
            limits, "transform", job_ids, *rows, if_started=if_started, parse=_parse_transformations
        )
    )


def _make_constant_row(row: Mapping[str, Any]) -> Row:
    return lambda job: row


def _parse_transformations(request: Request, document: Document, response: Response) -> Answers[JobOutcome]:
    answers = parse_outcomes(request, document, response)
    for job_id, answer in answers.items():
        if has_code(answer, EXISTING_RULE_CODE):
            answers[job_id] = JobOutcome(job_id, adopted=True)
    return answers
