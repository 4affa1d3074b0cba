"""Arguments in DAGs: job IDs in every form, durations, empty lists, and misspelled words."""

from __future__ import annotations

import asyncio
import copy
import datetime
import decimal
import inspect
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseOperator,
    TaskDeferred,
)
from drs_emulator import Emulator

from airflow_provider_drs.compat import AirflowSensorTimeout
from airflow_provider_drs.hooks.drs import DrsHook
from airflow_provider_drs.operators import drs as operators
from airflow_provider_drs.operators.jobs import read_duration
from airflow_provider_drs.operators.waiting import find_execution_deadline
from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.protocol.watches import DelayWatch
from airflow_provider_drs.sensors import drs as sensors

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")

CLASSES = {name: getattr(module, name) for module in (operators, sensors) for name in module.__all__}
#: Required arguments in addition to job_ids.
REQUIRED: Mapping[str, dict[str, Any]] = {
    "DrsTestConnectionsOperator": {"source_conn_id": "there"},
    "DrsModifyJobsOperator": {"changes": {"description": "nightly"}},
    "DrsChangePasswordsOperator": {"source_conn_id": "there"},
    "DrsSetSyncPoliciesOperator": {"ddl_trans": True},
    "DrsSelectObjectsOperator": {"objects": ["shop"]},
    "DrsTransformDataOperator": {"rules": []},
    "DrsSetFlowControlOperator": {"windows": []},
    "DrsModifyParametersOperator": {"values": {"max_connections": 1000}},
    "DrsJobStatusSensor": {"target_statuses": "PAUSING"},
    "DrsReplicationDelaySensor": {"max_delay_s": 5},
    "DrsCreateJobsOperator": {"jobs": []},
    "DrsDataComparisonSensor": {"comparisons": []},
}
WITH_JOB_IDS = [
    name
    for name, cls in CLASSES.items()
    if "job_ids" in inspect.signature(inspect.unwrap(cls.__init__)).parameters
]


def _make(name: str, /, **arguments: Any) -> Any:
    return CLASSES[name](task_id="task", **REQUIRED.get(name, {}) | arguments)


@pytest.mark.parametrize("name", WITH_JOB_IDS)
def test_empty_job_ids_fail_or_skip(name: str, emulator: Emulator, context: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="job_ids is empty"):
        _make(name, job_ids=[]).execute(context)
    with pytest.raises(AirflowSkipException, match="nothing to do"):
        _make(name, job_ids=[], on_empty="skip").execute(context)

    assert emulator.journal() == []


@pytest.mark.parametrize("name", WITH_JOB_IDS)
def test_unknown_on_empty_is_rejected(name: str) -> None:
    with pytest.raises(Exception, match="on_empty 'ignore' is invalid"):
        _make(name, job_ids=["a"], on_empty="ignore")


def test_output_of_mapped_task_is_flattened(emulator: Emulator, context: dict[str, Any]) -> None:
    first, second, third = emulator.job_ids[:3]

    passed = _make("DrsBatchPrecheckOperator", job_ids=[[first, second], [third], []]).execute(context)

    assert passed == [first, second, third]


@pytest.mark.parametrize("text", ["{0},{1}", " {0} ,\n {1}\n", "{0}\r\n{1}", '[["{0}"], [" {1} "]]'])
def test_typed_job_ids_are_split(text: str, emulator: Emulator, context: dict[str, Any]) -> None:
    first, second = emulator.job_ids[:2]
    value = text.replace("{0}", first).replace("{1}", second)

    assert _make("DrsBatchPrecheckOperator", job_ids=value).execute(context) == [first, second]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (["a", 7], r"job_ids\[1\] is 7"),
        ([["a"], ["b", ["c"]]], r"job_ids\[1\]\[1\] is \['c'\]"),
        (["a", "x" * 50_000], r"job_ids\[1\] is 'xxx"),
        ("a, b/c", r"job_ids\[1\] is 'b/c'"),
        ("[" + "1" * 50_000, "job_ids: '"),
    ],
)
def test_invalid_job_id_is_named(value: Any, place: str, context: dict[str, Any]) -> None:
    with pytest.raises(DrsConfigError, match=place):
        _make("DrsBatchPrecheckOperator", job_ids=value)
    task = _make("DrsBatchPrecheckOperator", job_ids="{{ params.job_ids }}")
    task.job_ids = value
    with pytest.raises(AirflowFailException, match=place) as caught:
        task.execute(context)

    assert len(str(caught.value)) < 300


def test_durations_are_seconds_or_timedelta(emulator: Emulator) -> None:
    minute = datetime.timedelta(minutes=1)
    options = {"poke_interval": minute, "timeout": minute * 5}

    precheck = _make("DrsBatchPrecheckOperator", job_ids="a", settle_time=minute, **options)
    sensor = _make("DrsPrecheckSensor", job_ids="a", **options)

    assert (precheck.poke_interval, precheck.timeout, precheck.settle_time) == (60, 300, 60)
    assert (sensor.poke_interval, sensor.timeout) == (60, 300)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        float("nan"),
        float("inf"),
        10**40,
        datetime.timedelta.max,
        "5",
        True,
        None,
        datetime.timedelta(),
    ],
)
def test_invalid_duration_is_rejected(value: Any) -> None:
    with pytest.raises(
        ValueError,
        match="timeout is .*: expected more than 0 seconds, at most a hundred years, or a timedelta",
    ):
        read_duration("timeout", value)


WAITS: list[tuple[str, dict[str, Any]]] = [
    ("DrsBatchPrecheckOperator", {"wait_for_completion": True}),
    ("DrsPrecheckSensor", {}),
    ("DrsJobStatusSensor", {"target_statuses": "FULL_TRANSFER_COMPLETE"}),
]


@pytest.mark.parametrize(("name", "arguments"), WAITS)
@pytest.mark.parametrize("timeout_s", [60, 0.3])
def test_execution_timeout_ends_a_deferred_wait(
    emulator: Emulator, context: dict[str, Any], name: str, arguments: dict[str, Any], timeout_s: float
) -> None:
    emulator.set_verdict(None, "pass", duration_s=600)
    _make("DrsBatchPrecheckOperator", job_ids=emulator.job_ids).execute(context)
    limit = datetime.timedelta(seconds=0.3 if timeout_s > 1 else 60)
    options = {"deferrable": True, "poke_interval": 0.05, "timeout": timeout_s, "execution_timeout": limit}
    task = _make(name, job_ids=emulator.job_ids, **arguments, **options)

    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    event = asyncio.run(anext(deferred.value.trigger.run())).payload
    expected = AirflowTaskTimeout if timeout_s > 1 else AirflowSensorTimeout
    with pytest.raises(expected, match="Timed out after .* 10 of 10 jobs have not finished"):
        task.resume_execution(
            deferred.value.method_name, {**(deferred.value.kwargs or {}), "event": event}, context
        )

    assert event["status"] == "timed_out"


@pytest.mark.parametrize(("limit_s", "reserve_s"), [(3600, 15), (60, 6)])
def test_deferred_wait_ends_before_airflow_2_fails_the_resumed_task(
    monkeypatch: pytest.MonkeyPatch, limit_s: int, reserve_s: int
) -> None:
    limit = datetime.timedelta(seconds=limit_s)
    task = _make("DrsPrecheckSensor", job_ids="a", execution_timeout=limit)
    left_s = []
    for is_3 in (True, False):
        monkeypatch.setattr("airflow.providers.common.compat.version_compat.AIRFLOW_V_3_0_PLUS", is_3)
        monkeypatch.setattr("time.time", lambda: 1e9)
        left_s.append(find_execution_deadline(task) - 1e9)
        monkeypatch.undo()

    assert left_s == [limit_s, limit_s - reserve_s]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("DrsJobStatusSensor", {"target_statuses": ["INCREMENTAL"]}),
        ("DrsJobStatusSensor", {"failed_statuses": "INCREMENTAL"}),
        ("DrsJobStatusSensor", {"target_statuses": None}),
        ("DrsListJobsOperator", {"name": "null"}),
        ("DrsGetJobsOperator", {"drs_conn_id": "None"}),
        ("DrsCreateJobsOperator", {"jobs": {"description": datetime.date(2026, 12, 1)}}),
        ("DrsPrecheckSensor", {"alarms": "everything"}),
        ("DrsPrecheckSensor", {"alarms": [{"item": "binLog"}]}),
        ("DrsPrecheckSensor", {"on_failure": "ignore"}),
        ("DrsBatchPrecheckOperator", {"precheck_mode": "forFun"}),
        ("DrsBatchPrecheckOperator", {"alarms": 3}),
        ("DrsStartJobsOperator", {"alarms": "none"}),
        ("DrsStartJobsOperator", {"start_time": "2099-01-01T00:00:00"}),
        ("DrsStartJobsOperator", {"start_time": "soon"}),
        ("DrsPauseJobsOperator", {"pause_mode": "source"}),
        ("DrsSetSyncPoliciesOperator", {"conflict_policy": "merge"}),
        ("DrsSetSyncPoliciesOperator", {"filter_ddl_policy": "drop_table"}),
        ("DrsCompareDataOperator", {"data": "rows"}),
        ("DrsCompareDataOperator", {"conflict_policy": "drop"}),
        ("DrsSwitchOverOperator", {"mode": "both"}),
        ("DrsListJobsOperator", {"db_use_type": "backup"}),
        ("DrsListJobsOperator", {"status": "INCREMENTAL"}),
        ("DrsCompareParametersOperator", {"on_difference": "warn"}),
        ("DrsCompareParametersOperator", {"refresh": "no"}),
        ("DrsBatchPrecheckOperator", {"recheck": None}),
        ("DrsBatchPrecheckOperator", {"job_ids": None}),
        ("DrsPrecheckSensor", {"job_ids": 5}),
        ("DrsStartJobsOperator", {"job_ids": ["a b"]}),
        ("DrsPauseJobsOperator", {"job_ids": "so bad!"}),
        ("DrsReplicationDelaySensor", {"max_delay_s": -5}),
        ("DrsReplicationDelaySensor", {"max_delay_s": float("nan")}),
        ("DrsReplicationDelaySensor", {"consecutive": 0, "max_delay_s": 5}),
        ("DrsReplicationDelaySensor", {"consecutive": "3", "max_delay_s": 5}),
        ("DrsSetSyncPoliciesOperator", {"ddl_trans": "yes"}),
        ("DrsJobStatusSensor", {"failed_statuses": ["DELETED"], "target_statuses": "PAUSING, DELETED"}),
        ("DrsPrecheckSensor", {"poke_interval": float("inf")}),
        ("DrsSetSyncPoliciesOperator", {"index_trans": "on"}),
        ("DrsSetDefinersOperator", {"replace_definer": "no"}),
        ("DrsSelectObjectsOperator", {"objects": ["shop."]}),
        ("DrsSelectObjectsOperator", {"sync_database": "no"}),
        ("DrsModifyJobsOperator", {"changes": {"descr": "x"}}),
        ("DrsTransformDataOperator", {"rules": [{"table": ["shop.orders"], "where": "id > 5"}]}),
        ("DrsSetFlowControlOperator", {"windows": [{"begin": "08:00", "end": "17:00", "speed": 5}]}),
        ("DrsStopJobsOperator", {"force": "yes"}),
        ("DrsCompareDataOperator", {"compare_mode": "quick"}),
        ("DrsCompareDataOperator", {"compare_mode": "{{ params.mode }}"}),
        ("DrsRetryJobsOperator", {"is_sync_re_edit": "yes"}),
        ("DrsCreateJobsOperator", {"jobs": {"name": "orders", "engin_type": "mysql"}}),
        ("DrsCreateJobsOperator", {"jobs": "orders"}),
    ],
)
def test_misspelled_literal_fails_when_the_dag_is_parsed(name: str, arguments: dict[str, Any]) -> None:
    jobs = {"job_ids": "a"} if name in WITH_JOB_IDS and "job_ids" not in arguments else {}
    with pytest.raises(Exception, match=next(iter(arguments))):
        _make(name, **jobs, **arguments)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("DrsJobStatusSensor", {"target_statuses": "{{ params.status }}"}),
        ("DrsPrecheckSensor", {"alarms": "accepted.yaml"}),
        ("DrsPrecheckSensor", {"alarms": ["binLog", "{{ params.item }}"]}),
        ("DrsStartJobsOperator", {"start_time": "{{ data_interval_end }}"}),
        ("DrsStartJobsOperator", {"start_time": "2020-01-01T00:00:00Z"}),
        ("DrsReplicationDelaySensor", {"max_delay_s": "{{ params.lag }}"}),
        ("DrsReplicationDelaySensor", {"max_delay_s": datetime.timedelta(seconds=10)}),
        ("DrsSelectObjectsOperator", {"objects": "{{ params.objects }}"}),
        ("DrsTransformDataOperator", {"rules": [{"tables": ["{{ params.table }}"], "where": "id > 5"}]}),
    ],
)
def test_templates_are_checked_when_the_task_runs(name: str, arguments: dict[str, Any]) -> None:
    assert _make(name, job_ids="a", **arguments).task_id == "task"


def test_usual_arguments_import_nothing_when_the_dag_is_parsed() -> None:
    script = (
        "import sys\n"
        "from airflow_provider_drs.operators import drs\n"
        "drs.DrsTestConnectionsOperator(\n"
        "    task_id='test', job_ids='{{ params.jobs }}', source_conn_id='there', target_conn_id='here')\n"
        "drs.DrsCompareParametersOperator(task_id='compare', job_ids='{{ params.jobs }}')\n"
        "ours = [name for name in sys.modules if name.startswith('airflow_provider_drs')]\n"
        "print([name for name in ours if name.endswith(('.hooks.endpoints', '.operators.arguments'))])\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip().splitlines()[-1] == "[]"


#: Values that no argument accepts.
NONSENSE = [object(), b"x", [None], float("nan"), decimal.Decimal(3)]


@pytest.mark.parametrize("name", CLASSES)
def test_nonsense_is_rejected_when_the_dag_is_parsed(name: str) -> None:
    jobs = {"job_ids": "a"} if name in WITH_JOB_IDS else {}
    own = [
        argument for argument in inspect.signature(CLASSES[name].__init__).parameters if argument != "self"
    ]
    for argument in own[:-1]:
        for value in NONSENSE:
            with pytest.raises(Exception, match=argument) as caught:
                CLASSES[name](task_id="task", **REQUIRED.get(name, {}) | jobs | {argument: value})
            assert isinstance(caught.value, ValueError | DrsConfigError), (argument, value)


JOB = "00000001-d0c5-4a11-8a11-0000001jb101"
SPEC = {"name": "orders", "db_use_type": "migration", "engine_type": "mysql", "subnet_id": "5c6bbb05"}


@pytest.mark.parametrize(
    ("name", "rendered", "text"),
    [
        ("DrsSelectObjectsOperator", {"objects": "None"}, "objects is 'None': the template has rendered"),
        ("DrsSelectObjectsOperator", {"objects": ["None"]}, "objects: 'None' is invalid"),
        ("DrsSelectObjectsOperator", {"objects": "[shop"}, "objects: .* is not a valid list or mapping"),
        ("DrsSelectObjectsOperator", {"objects": ["['shop']"]}, "objects: .* is invalid"),
        ("DrsSelectObjectsOperator", {"objects": "a..b"}, "objects: 'a..b' is invalid"),
        ("DrsSetSyncPoliciesOperator", {"slot_name": "None"}, "slot_name is 'None'"),
        ("DrsListJobsOperator", {"name": "None"}, "name is 'None'"),
        ("DrsListJobsOperator", {"tags": "abc"}, "tags: expected a mapping or a list"),
        (
            "DrsListJobsOperator",
            {"tags": {"name": "a"}},
            r"tags\[0\] is .*: expected the fields key and value",
        ),
        ("DrsListJobsOperator", {"drs_conn_id": "None"}, "drs_conn_id is 'None'"),
        ("DrsJobStatusSensor", {"target_statuses": "None"}, "target_statuses is 'None'"),
        ("DrsTransformDataOperator", {"rules": [{"tables": ["a.b"], "where": "None"}]}, "where is 'None'"),
        ("DrsTransformDataOperator", {"rules": [{"tables": ["a.b"], "where": 5}]}, "where is 5"),
        ("DrsTestConnectionsOperator", {"source_conn_id": ""}, "source_conn_id is ''"),
        (
            "DrsTestConnectionsOperator",
            {"source_conn_id": None, "target_conn_id": {"a": "b"}},
            "target_conn_id is {'a': 'b'}",
        ),
        ("DrsModifyJobsOperator", {"changes": {"name": ""}}, "changes: name must be 4 to 50 letters"),
        ("DrsModifyJobsOperator", {"source_conn_id": []}, r"source_conn_id is \[\]"),
        ("DrsChangePasswordsOperator", {"source_conn_id": ""}, "source_conn_id is ''"),
        ("DrsCreateJobsOperator", {"jobs": [SPEC, "x"]}, r"jobs\[1\] is 'x': expected a mapping"),
        ("DrsCreateJobsOperator", {"jobs": [SPEC, None]}, r"jobs\[1\] is None"),
        ("DrsCreateJobsOperator", {"jobs": {**SPEC, "tags": 5}}, "tags must be a list"),
        ("DrsCreateJobsOperator", {"jobs": {**SPEC, "node_num": "²"}}, "node_num must be"),
        (
            "DrsCreateJobsOperator",
            {"jobs": {**SPEC, "engine_type": ["mysql"]}},
            "engine_type must be a string",
        ),
        ("DrsModifyParametersOperator", {"values": {5: 1}}, "values is {5: 1}"),
        ("DrsModifyParametersOperator", {"values": "5"}, "values is '5'"),
        ("DrsCompareParametersOperator", {"ignore": 5}, "ignore is 5: expected a list of names"),
        ("DrsCompareDataOperator", {"tables": {"shop": "orders"}, "data": "lines"}, "tables is {'shop'"),
        ("DrsCompareDataOperator", {"tables": "shop.orders", "data": "lines"}, "tables is 'shop.orders'"),
        ("DrsStartJobsOperator", {"start_time": "None"}, "start_time is 'None'"),
    ],
)
def test_rendered_nonsense_is_refused(
    name: str, rendered: dict[str, Any], text: str, emulator: Emulator, context: dict[str, Any]
) -> None:
    task = _make(name, **({"job_ids": emulator.job_ids[0]} if name in WITH_JOB_IDS else {}))
    for argument, value in rendered.items():
        setattr(task, argument, value)

    with pytest.raises(AirflowFailException, match=text):
        task.execute(context)

    sent = {entry["operation"] for entry in emulator.journal()}
    assert sent <= {"KeystoneCreateUserTokenByPassword", "BatchListJobDetails"}


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("DrsTestConnectionsOperator", {"source_conn_id": None}, "source_conn_id, target_conn_id: set at"),
        ("DrsChangePasswordsOperator", {"source_conn_id": None}, "source_conn_id, target_conn_id: set at"),
        ("DrsModifyJobsOperator", {"changes": None}, "changes, source_conn_id, target_conn_id: set at least"),
        ("DrsSetSyncPoliciesOperator", {"ddl_trans": None}, "index_trans, slot_name: set at least one"),
        (
            "DrsModifyJobsOperator",
            {"source_conn_id": ["x", "y"], "job_ids": ["a"]},
            "2 connections for 1 job",
        ),
        ("DrsCreateJobsOperator", {"source_conn_id": ["x", "y"], "jobs": [SPEC]}, "2 connections for 1 job"),
        ("DrsCreateJobsOperator", {"jobs": [SPEC, SPEC]}, "two jobs have the name 'orders'"),
        (
            "DrsCreateJobsOperator",
            {"jobs": {**SPEC, "db_use_type": "cloudDataGuard"}},
            "engine_type 'mysql' is for migration and sync, not for cloudDataGuard",
        ),
    ],
)
def test_arguments_that_contradict_each_other_are_rejected_when_the_dag_is_parsed(
    name: str, arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(DrsConfigError, match=text):
        _make(name, **({"job_ids": "a"} if name in WITH_JOB_IDS else {}) | arguments)


def test_missing_connection_names_the_argument(emulator: Emulator, context: dict[str, Any]) -> None:
    task = _make("DrsTestConnectionsOperator", job_ids=emulator.job_ids[0], source_conn_id="nowhere")

    with pytest.raises(Exception, match="source_conn_id: .*nowhere"):
        task.execute(context)


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("DrsStartJobsOperator", "start_time"),
        ("DrsSelectObjectsOperator", "objects"),
        ("DrsTestConnectionsOperator", "source_conn_id"),
        ("DrsPrecheckSensor", "alarms"),
    ],
)
def test_output_that_is_none_is_refused(
    name: str, argument: str, emulator: Emulator, context: dict[str, Any]
) -> None:
    """Without the argument, the job would start now, or replicate everything."""
    with DAG("d", schedule=None):
        decide = BaseOperator(task_id="decide")
        made = _make(name, job_ids=emulator.job_ids[0], **{argument: decide.output})
    rendered = copy.copy(made)
    setattr(rendered, argument, None)

    with pytest.raises(AirflowFailException, match=f"{argument} is None, although it is set"):
        rendered.execute(context)

    assert emulator.journal() == []


@pytest.mark.parametrize(
    ("name", "written", "rendered", "place"),
    [
        ("DrsStartJobsOperator", {"start_time": "{{ x }}"}, {"start_time": None}, "start_time"),
        ("DrsListJobsOperator", {"name": "{{ x }}"}, {"name": None}, "name"),
        ("DrsListJobsOperator", {"status": "{{ x }}"}, {"status": None}, "status"),
        ("DrsJobStatusSensor", {"failed_statuses": "{{ x }}"}, {"failed_statuses": None}, "failed_statuses"),
        ("DrsSelectObjectsOperator", {"objects": {"shop": "{{ x }}"}}, {"objects": {"shop": None}}, "shop"),
        ("DrsSelectObjectsOperator", {"objects": {"shop": "{{ x }}"}}, {"objects": {"shop": "None"}}, "shop"),
        (
            "DrsCreateJobsOperator",
            {"jobs": [{**SPEC, "name": "{{ x }}"}]},
            {"jobs": [{**SPEC, "name": "None"}]},
            r"jobs\[0\]\['name'\]",
        ),
        (
            "DrsModifyJobsOperator",
            {"changes": {"description": "{{ x }}"}},
            {"changes": {"description": "None"}},
            r"changes\['description'\]",
        ),
    ],
)
def test_nothing_rendered_by_a_template_is_refused(
    name: str,
    written: dict[str, Any],
    rendered: dict[str, Any],
    place: str,
    emulator: Emulator,
    context: dict[str, Any],
) -> None:
    with DAG("d", schedule=None):
        made = _make(name, **({"job_ids": emulator.job_ids[0]} if name in WITH_JOB_IDS else {}), **written)
    task = copy.copy(made)
    for argument, value in rendered.items():
        setattr(task, argument, value)

    with pytest.raises(AirflowFailException, match=f"{place}.* is '?None'?"):
        task.execute(context)

    assert emulator.journal() == []


@pytest.mark.parametrize(
    ("expand", "output"),
    [
        (lambda partial, decided: partial(task_id="task").expand(job_ids=["a"], start_time=decided), None),
        (
            lambda partial, decided: partial(task_id="task").expand_kwargs(decided),
            [{"job_ids": "a", "start_time": None}],
        ),
        (
            lambda partial, decided: partial(task_id="task").expand_kwargs([decided]),
            {"job_ids": "a", "start_time": None},
        ),
        (lambda partial, decided: partial(task_id="task").expand_kwargs([{"start_time": "{{ x }}"}]), None),
        (lambda partial, decided: partial(task_id="task").expand(start_time=["{{ x }}"]), None),
        (lambda partial, decided: partial(task_id="task", start_time=decided).expand(job_ids=["a"]), None),
    ],
)
def test_nothing_mapped_is_refused(
    expand: Callable[[Any, Any], Any],
    output: Any,
    emulator: Emulator,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with DAG("d", schedule=None):
        decided = BaseOperator(task_id="decide").output
        monkeypatch.setattr(type(decided), "resolve", lambda *_, **__: output)
        expand(operators.DrsStartJobsOperator.partial, decided)
        task = operators.DrsStartJobsOperator(task_id="other", job_ids="a")
    task.task_id, context["ti"].map_index = "task", 0

    with pytest.raises(AirflowFailException, match="start_time is None, although it is set"):
        task.execute(context)

    assert emulator.journal() == []


def test_nothing_within_a_mapped_argument_is_refused(emulator: Emulator, context: dict[str, Any]) -> None:
    with DAG("d", schedule=None):
        operators.DrsSelectObjectsOperator.partial(task_id="task").expand(
            job_ids=["a", "b"], objects=[["shop"], {"shop": "{{ x }}"}]
        )
        task = operators.DrsSelectObjectsOperator(task_id="other", job_ids="a", objects={"shop": "None"})
    task.task_id, context["ti"].map_index = "task", 3

    with pytest.raises(AirflowFailException, match=r"objects\['shop'\] is 'None'"):
        task.execute(context)


def test_default_of_a_mapped_argument_is_used(emulator: Emulator, context: dict[str, Any]) -> None:
    with DAG("d", schedule=None):
        operators.DrsListJobsOperator.partial(task_id="task").expand_kwargs(
            [{"name": None}, {"name": "orders"}]
        )
        task = operators.DrsSelectObjectsOperator(task_id="other", job_ids=emulator.job_ids[0])
    task.task_id, context["ti"].map_index = "task", 0

    assert task.execute(context) == [emulator.job_ids[0]]


@pytest.mark.parametrize(
    "rendered",
    ['["shop.orders", "shop.items"]', "['shop.orders', 'shop.items']", "shop.orders, shop.items\n"],
)
def test_objects_that_a_template_has_rendered_are_selected(
    rendered: str, emulator: Emulator, context: dict[str, Any]
) -> None:
    task = _make("DrsSelectObjectsOperator", job_ids=emulator.job_ids[0], objects="{{ params.objects }}")
    task.objects = rendered

    task.execute(context)

    with DrsHook() as hook:
        rows = hook.get_job_details([emulator.job_ids[0]])[emulator.job_ids[0]].raw["object_infos"]
    assert [row["name"] for row in rows] == ["shop", "orders", "items"]


@pytest.mark.parametrize("name", ["if_started", "recheck", "on_empty"])
def test_template_in_a_field_that_is_not_rendered_is_rejected(name: str) -> None:
    with pytest.raises(DrsConfigError, match=f"{name} '.*' is invalid"):
        operators.DrsBatchPrecheckOperator(task_id="task", job_ids="a", **{name: "{{ params.choice }}"})


@pytest.mark.parametrize("deferrable", [False, True])
def test_sensor_without_interval_is_rejected(deferrable: bool) -> None:
    """It would send as many requests as the service can answer."""
    with pytest.raises(ValueError, match="poke_interval is 0: expected more than 0 seconds"):
        sensors.DrsPrecheckSensor(task_id="task", job_ids="a", poke_interval=0, deferrable=deferrable)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_lag_that_a_template_has_rendered_is_a_number(value: float) -> None:
    with pytest.raises(DrsConfigError, match="max_delay_s must be 0 or more"):
        DelayWatch(["a"], value)
