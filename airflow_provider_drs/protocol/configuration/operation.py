"""Prepare created jobs for their pre-check: connections, databases, objects, policies, rules and limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
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
from airflow_provider_drs.protocol.core.errors import (
    EXISTING_RULE_CODE,
    DrsConfigError,
    check_choice,
    has_code,
)
from airflow_provider_drs.protocol.core.wire import Conversation, Document, Request, Response
from airflow_provider_drs.protocol.jobs.actions import Row, act
from airflow_provider_drs.protocol.jobs.adoption import (
    Compare,
    Comparison,
    adopt,
    compare_fields,
    compare_names,
    join,
)
from airflow_provider_drs.protocol.jobs.databases import (
    Endpoint,
    Endpoints,
    endpoint_of,
    to_cluster_property,
    to_comparable,
    to_saved_endpoint,
    to_test_row,
)
from airflow_provider_drs.protocol.jobs.messages import JobDetails
from airflow_provider_drs.protocol.jobs.operation import get_job_details
from airflow_provider_drs.protocol.jobs.outcome import JobOutcome, parse_outcomes
from airflow_provider_drs.protocol.jobs.preconditions import IF_STARTED, RULES

#: What to do with the objects of jobs that were started before.
IF_STARTED_OBJECTS = (*IF_STARTED, "edit")
#: How to change what a started job has.
_DATABASES_REMEDY = (
    "A started job keeps its databases. Use the Airflow connections of its databases, or create another "
    "job. To give it new passwords, use DrsChangePasswordsOperator."
)
_OBJECTS_REMEDY = (
    "Started jobs keep their objects, except for running synchronizations: to change theirs, set "
    'if_started="edit" or use drs_edit_objects.'
)


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
    the call returns when it has finished. Jobs that have already been started are adopted if they have these
    databases: they are not tested.

    :param job_ids: one or more job IDs.
    :param source: the source database with its credentials, for all jobs or by job ID; ``None`` does not test
        it.
    :param target: the same for the destination.
    :param if_started: ``adopt`` leaves jobs unchanged that were started before; ``fail`` refuses them.
    :raises DrsConfigError: neither database is given, or an endpoint is incomplete; nothing was sent.

    Source: :drs:`public_api_management/testing_connections_in_batches`
    """
    given = _given_ends(source, target)
    rows = [partial(_make_test_row, *end) for end in given.items()]
    return (
        yield from act(
            limits,
            "test",
            job_ids,
            *rows,
            id_key="id",
            if_started=if_started,
            compare=partial(_compare_databases, given),
            remedy=_DATABASES_REMEDY,
        )
    )


def _make_test_row(end: str, endpoints: Endpoints, job: JobDetails) -> Mapping[str, Any]:
    return to_test_row(endpoint_of(endpoints, job.job_id), end, job)


def _compare_databases(given: Mapping[str, Endpoints], job: JobDetails) -> Comparison:
    ends = {end: endpoint_of(endpoints, job.job_id) for end, endpoints in given.items()}
    return join(
        compare_fields(to_comparable(endpoint, end, job), job.endpoint(end), f"{end}_endpoint.")
        for end, endpoint in ends.items()
    )


def _given_ends(source: Endpoints | None, target: Endpoints | None) -> dict[str, Endpoints]:
    ends = {"source": source, "target": target}
    given = {end: endpoints for end, endpoints in ends.items() if endpoints is not None}
    if not given:
        raise DrsConfigError("neither source nor target is set. Set at least one of them.")
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

    def compare(job: JobDetails) -> Comparison:
        not_compared = Comparison(not_compared=("shards",) if shards else ())
        return join((_compare_databases(given, job), not_compared))

    return (
        yield from act(
            limits,
            "test_cluster",
            job_ids,
            make_row,
            if_started=if_started,
            compare=compare,
            remedy=_DATABASES_REMEDY,
        )
    )


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

    Databases can be saved in status CONFIGURATION; jobs that have already been started are adopted if they
    have these databases and values: they are not modified. Without databases, all jobs that are not stopped
    can be modified.

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
            "node_type": job.node_type or "high",
            "engine_type": job.engine_type,
            "job_direction": job.job_direction or "",
            "db_use_type": job.db_use_type or "",
            "net_type": job.net_type,
            "store_db_info": True,
        }
        if "mysql" in job.engine_type:
            known["replace_definer"] = bool(job.raw.get("replace_definer", True))
        return {key: value for key, value in known.items() if value != ""} | checked | ends

    if not given:
        return (yield from act(limits, "modify", job_ids, make_row))

    def compare(job: JobDetails) -> Comparison:
        return join((_compare_databases(given, job), compare_fields(checked, job.raw)))

    return (
        yield from act(
            limits,
            "configure",
            job_ids,
            make_row,
            if_started=if_started,
            compare=compare,
            remedy=f"{_DATABASES_REMEDY} To change other values, modify it without connections.",
        )
    )


def select_objects(
    limits: Limits,
    job_ids: Iterable[str],
    objects: object = None,
    *,
    sync_database: bool | None = None,
    if_started: str = "adopt",
) -> Conversation[Answers[JobOutcome]]:
    """
    Select the objects that jobs replicate. Jobs that have already been started are adopted if they replicate
    these objects: they are not changed.

    :param job_ids: one or more job IDs.
    :param objects: names, such as ``"shop"`` for a database and ``"shop.orders"`` for a table; or a mapping
        of such names to their names in the destination, ``None`` for the same name; or rows as in the API,
        for views, schemas and names that contain a dot. ``None`` selects all objects.
    :param sync_database: whether synchronization jobs replicate whole databases.
    :param if_started: ``adopt`` leaves jobs unchanged that were started before; ``fail`` refuses them;
        ``edit`` saves other objects for running synchronization jobs, which replicate them after a pre-check
        with mode ``forRetryJob`` and :meth:`retry_jobs` with ``is_sync_re_edit``.
    :raises DrsConfigError: objects or if_started is invalid; nothing was sent.

    Source: :drs:`public_api_management/selecting_database_objects_in_batches`
    """
    rows = [] if objects is None else read_objects(objects)
    row: dict[str, Any] = {"selected": bool(rows), "job": rows}
    if sync_database is not None:
        row["sync_database"] = sync_database
    check_choice("if_started", if_started, IF_STARTED_OBJECTS)
    if if_started == "edit":
        return (yield from act(limits, "edit", job_ids, lambda job: row))

    def compare(job: JobDetails) -> Comparison:
        selection = {"object_switch": row["selected"], "sync_database": sync_database}
        has_all = not rows and not job.raw.get("object_switch")
        names = Comparison() if has_all else compare_names("objects", _names_of(rows), _selected_names(job))
        return join((names, compare_fields(selection, job.raw)))

    return (
        yield from act(
            limits,
            "select",
            job_ids,
            lambda job: row,
            if_started=if_started,
            compare=compare,
            remedy=_OBJECTS_REMEDY,
        )
    )


def _selected_names(job: JobDetails) -> dict[str, object] | None:
    infos = job.raw.get("object_infos")
    return _names_of(infos) if isinstance(infos, Sequence) and infos else None


def _names_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Return the selected objects by ID, with their names in the destination."""
    parents = {row.get("parent_id") for row in rows}
    names: dict[str, object] = {}
    for row in rows:
        if row.get("id") and row["id"] not in parents and str(row.get("select", "true")) != "false":
            name = row.get("object_name") or row.get("name") or row["id"]
            alias = row.get("object_alias_name") or row.get("alias_name")
            names[str(row["id"]).replace("-*-*-", ".")] = alias or name
    return names


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
    return (
        yield from act(
            limits,
            "set_definers",
            job_ids,
            lambda job: row,
            if_started=if_started,
            compare=lambda job: compare_fields(row, job.raw),
        )
    )


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
    return (
        yield from act(
            limits,
            "set_policies",
            job_ids,
            lambda job: policies,
            if_started=if_started,
            compare=lambda job: compare_fields(policies, job.raw),
        )
    )


def transform_data(
    limits: Limits, job_ids: Iterable[str], rules: Sequence[Mapping[str, Any]], *, if_started: str = "adopt"
) -> Conversation[Answers[JobOutcome]]:
    """
    Add data processing rules to synchronization jobs, with one call per rule.

    A rule that already exists is adopted: it is not added again. A table can have one rule; another rule is
    an error, if DRS returns the rules of the job.

    :param job_ids: one or more job IDs.
    :param rules: mappings with ``tables`` and ``where``, an SQL condition that selects the rows to replicate;
        or with ``config``, for a condition across tables.
    :param if_started: ``adopt`` leaves jobs unchanged that were started before; ``fail`` refuses them.
    :raises DrsConfigError: rules is empty, a rule is invalid, or a table has two rules; nothing was sent.

    Source: :drs:`real-time_synchronization_management/processing_data_in_batches`
    """
    checked = read_transformations(rules)
    existing: set[str] = set()
    answers = yield from act(
        limits,
        "transform",
        job_ids,
        *map(_make_constant_row, checked),
        if_started=if_started,
        compare=_compare_rules(checked),
        parse=partial(_parse_transformations, existing),
    )
    if existing:
        details = yield from get_job_details(limits, existing)
        compare = _compare_rules(checked)
        for job_id, job in details.items():
            answer = answers[job_id]
            if isinstance(job, JobDetails) and isinstance(answer, JobOutcome):
                found = adopt(RULES["transform"], job, compare, "Remove the other rule in the DRS console.")
                # One rule existed, another one may be new.
                answers[job_id] = (
                    replace(found, adopted=answer.adopted) if isinstance(found, JobOutcome) else found
                )
    return answers


def _compare_rules(rows: Sequence[Mapping[str, Any]]) -> Compare:
    requested = {name: condition for row in rows for name, condition in _conditions_of(row)}

    def compare(job: JobDetails) -> Comparison:
        found = job.raw.get("data_transformation")
        listed = found.get("filter_conditions") if isinstance(found, Mapping) else None
        if not isinstance(listed, Sequence):
            return Comparison(not_compared=("rules",))
        actual = {name: condition for row in listed for name, condition in _conditions_of(row)}
        # Other tables can have rules that were added before.
        return compare_names("rules", requested, {name: actual[name] for name in actual if name in requested})

    return compare


def _conditions_of(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the tables of a rule, each with its condition."""
    config = row.get("config_transformation")
    if config:
        return [(str(config.get("db_table_name")), str(config.get("values")))]
    tables = row.get("object_info") or row.get("data_transformation_object_infos") or ()
    condition = str((row.get("transformation_info") or {}).get("value"))
    return [(".".join(str(table.get("id")).split("-*-*-")[:2]), condition) for table in tables]


def _make_constant_row(row: Mapping[str, Any]) -> Row:
    return lambda job: row


def _parse_transformations(
    existing: set[str], request: Request, document: Document, response: Response
) -> Answers[JobOutcome]:
    """Read the outcomes, and collect the jobs that have a rule for one of the tables."""
    answers = parse_outcomes(request, document, response)
    for job_id, answer in answers.items():
        if has_code(answer, EXISTING_RULE_CODE):
            existing.add(job_id)
            answers[job_id] = JobOutcome(job_id, adopted=True)
    return answers
