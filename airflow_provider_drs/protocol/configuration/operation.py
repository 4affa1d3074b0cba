"""What makes a created job ready for its pre-check: connections, databases, objects, rules, limits."""

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
from airflow_provider_drs.protocol.core.errors import EXISTING_RULE_CODE, DrsConfigError, DrsError
from airflow_provider_drs.protocol.core.wire import Conversation, Request, Response
from airflow_provider_drs.protocol.jobs.actions import Row, act
from airflow_provider_drs.protocol.jobs.databases import (
    Endpoint,
    Endpoints,
    endpoint_of,
    to_cluster_property,
    to_saved_endpoint,
    to_test_row,
)
from airflow_provider_drs.protocol.jobs.outcome import JobOutcome, parse_outcomes


def validate_connections(
    limits: Limits,
    job_ids: Iterable[str],
    *,
    source: Endpoints | None = None,
    target: Endpoints | None = None,
) -> Conversation[Answers[JobOutcome]]:
    """
    Let DRS connect to the databases of jobs, the sources first; jobs that have been started are adopted.

    A destination is tested only if its job's source has passed. The service connects while we wait, which can
    take up to a minute a job.

    :param job_ids: any number of job ids; none at all is an error.
    :param source: the source database, with credentials; or one for each job by its id. ``None`` leaves it.
    :param target: the same for the destination.
    :raises DrsConfigError: neither is given, or one is not complete; nothing was sent.

    Source: :drs:`public_api_management/testing_connections_in_batches`
    """
    given = _given_ends(source, target)
    rows = [partial(_test_row, end, endpoints) for end, endpoints in given.items()]
    return (yield from act(limits, "test", job_ids, *rows, id_key="id"))


def _test_row(end: str, endpoints: Endpoints, job: Any) -> Mapping[str, Any]:
    return to_test_row(endpoint_of(endpoints, job.job_id), end, job)


def _given_ends(source: Endpoints | None, target: Endpoints | None) -> dict[str, Endpoints]:
    given = {end: each for end, each in (("source", source), ("target", target)) if each is not None}
    if not given:
        raise DrsConfigError("source, target: give the endpoint of at least one of them.")
    return given


def validate_cluster_connections(
    limits: Limits,
    job_ids: Iterable[str],
    *,
    source: Endpoints | None = None,
    target: Endpoints | None = None,
    shards: Sequence[Endpoint] = (),
) -> Conversation[Answers[JobOutcome]]:
    """
    Let DRS connect to the databases of cluster jobs, all ends of a job in one test.

    :param job_ids: the ids of parent jobs; none at all is an error.
    :param source: the source database, with credentials; or one for each job by its id. ``None`` leaves it.
    :param target: the same for the destination.
    :param shards: the shard nodes of a cluster source.
    :raises DrsConfigError: neither is given, or one is not complete; nothing was sent.

    Source: :drs:`public_api_management/testing_connections_in_batches_cluster_mode`
    """
    given = _given_ends(source, target)

    def row(job: Any) -> Mapping[str, Any]:
        ends = [(end, endpoint_of(endpoints, job.job_id)) for end, endpoints in given.items()]
        ends += [("shard", shard) for shard in shards]
        return {"action": "testConnection", "property": to_cluster_property(ends, job)}

    return (yield from act(limits, "test_cluster", job_ids, row))


def modify_jobs(
    limits: Limits,
    job_ids: Iterable[str],
    changes: Mapping[str, Any] | None = None,
    *,
    source: Endpoints | None = None,
    target: Endpoints | None = None,
) -> Conversation[Answers[JobOutcome]]:
    """
    Change jobs; with endpoints, save the databases that were tested, which a pre-check needs.

    With endpoints a job must be in status CONFIGURATION, and one that has been started is adopted as it is;
    without, any job that is not stopped can be changed.

    :param job_ids: any number of job ids; none at all is an error.
    :param changes: ``name``, ``description``, ``alarm_notify``, ``task_type``, ``replace_definer``,
        ``is_target_readonly``, ``store_db_info``, ``tags``, ... as the service has them.
    :param source: the source database, with credentials; or one for each job by its id.
    :param target: the same for the destination.
    :raises DrsConfigError: there is nothing to change, or something unknown; nothing was sent.

    Source: :drs:`public_api_management/modifying_tasks_in_batches`
    """
    checked = read_changes(changes or {})
    given = {} if source is None and target is None else _given_ends(source, target)
    if not checked and not given:
        raise DrsConfigError("changes, source, target: give at least one of them.")

    def row(job: Any) -> Mapping[str, Any]:
        if not given:
            return checked
        ends = {
            f"{end}_endpoint": to_saved_endpoint(endpoint_of(endpoints, job.job_id), end, job)
            for end, endpoints in given.items()
        }
        # What the page demands after a connection test; the job itself knows it.
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

    return (yield from act(limits, "configure" if given else "modify", job_ids, row))


def select_objects(
    limits: Limits, job_ids: Iterable[str], objects: object = None, *, sync_database: bool | None = None
) -> Conversation[Answers[JobOutcome]]:
    """
    Choose what jobs replicate; a job that has been started is adopted as it is.

    :param job_ids: any number of job ids; none at all is an error.
    :param objects: names, as ``"shop"`` for a database and ``"shop.orders"`` for a table; or a mapping from
        names to names on the destination; or rows as the service has them. ``None`` chooses everything.
    :param sync_database: replicate whole databases, for synchronization.
    :raises DrsConfigError: objects is none of these; nothing was sent.

    Source: :drs:`public_api_management/selecting_database_objects_in_batches`
    """
    rows = [] if objects is None else read_objects(objects)
    choice: dict[str, Any] = {"selected": bool(rows), "job": rows}
    if sync_database is not None:
        choice["sync_database"] = sync_database
    return (yield from act(limits, "select", job_ids, lambda job: choice))


def set_definers(
    limits: Limits, job_ids: Iterable[str], replace_definer: bool = True
) -> Conversation[Answers[JobOutcome]]:
    """
    Choose whether the definers of MySQL objects become the user of the destination.

    :param job_ids: any number of job ids; none at all is an error.
    :param replace_definer: ``False`` keeps them, which needs users of the same names on the destination.

    Source: :drs:`public_api_management/setting_definers_in_batches`
    """
    choice = {"replace_definer": bool(replace_definer)}
    return (yield from act(limits, "set_definers", job_ids, lambda job: choice))


def set_flow_control(
    limits: Limits, job_ids: Iterable[str], windows: Sequence[Mapping[str, Any]] = ()
) -> Conversation[Answers[JobOutcome]]:
    """
    Limit the speed of jobs in up to three windows of a day.

    :param job_ids: any number of job ids; none at all is an error.
    :param windows: each with ``begin`` (``"08:00"``), ``end`` (always ``:59``, as in ``"17:59"``) and
        ``speed`` in MB/s, in UTC. None of them lifts the limit.
    :raises DrsConfigError: a window makes no sense, or two overlap; nothing was sent.

    Source: :drs:`public_api_management/setting_flow_control_for_tasks`
    """
    rows = read_windows(windows)
    return (
        yield from act(
            limits, "set_flow_control", job_ids, lambda job: {"speed_limit": rows}, list_key="speed_limits"
        )
    )


def set_sync_policies(
    limits: Limits,
    job_ids: Iterable[str],
    *,
    conflict_policy: str | None = None,
    filter_ddl_policy: str | None = None,
    ddl_trans: bool | None = None,
    index_trans: bool | None = None,
    slot_name: str | None = None,
) -> Conversation[Answers[JobOutcome]]:
    """
    Set how synchronization jobs go about conflicts, DDL and indexes.

    :param job_ids: any number of job ids; none at all is an error.
    :param conflict_policy: ``ignore``, ``overwrite`` or ``stop`` when a row exists already.
    :param filter_ddl_policy: ``drop_database`` keeps such statements from the destination.
    :param ddl_trans: replicate DDL.
    :param index_trans: replicate indexes.
    :param slot_name: the replication slot of a PostgreSQL source.
    :raises DrsConfigError: none of them is given, or one has an unknown value; nothing was sent.

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
    return (yield from act(limits, "set_policies", job_ids, lambda job: policies))


def transform_data(
    limits: Limits, job_ids: Iterable[str], rules: Sequence[Mapping[str, Any]]
) -> Conversation[Answers[JobOutcome]]:
    """
    Add rules of data processing to synchronization jobs; a rule that exists already is adopted.

    A table can have one rule. The service takes one rule a call, so several rules are several calls.

    :param job_ids: any number of job ids; none at all is an error.
    :param rules: each with ``tables`` and ``where``, an SQL condition for the rows to replicate; or with
        ``config``, for a condition across tables.
    :raises DrsConfigError: there is no rule, one makes no sense, or a table has two; nothing was sent.

    Source: :drs:`real-time_synchronization_management/processing_data_in_batches`
    """
    rows = [_constant(row) for row in read_transformations(rules)]
    return (yield from act(limits, "transform", job_ids, *rows, parse=_parse_transformations))


def _constant(row: Mapping[str, Any]) -> Row:
    return lambda job: row


def _parse_transformations(
    request: Request, document: Mapping[str, Any], response: Response
) -> Answers[JobOutcome]:
    answers = parse_outcomes(request, document, response)
    return {
        job_id: JobOutcome(job_id, adopted=True)
        if isinstance(answer, DrsError) and answer.error_code == EXISTING_RULE_CODE
        else answer
        for job_id, answer in answers.items()
    }
