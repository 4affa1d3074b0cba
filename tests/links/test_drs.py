from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_drs.emulator import Emulator
from airflow_provider_drs.links.drs import DrsConsoleLink, DrsReportLink, find_report
from airflow_provider_drs.operators import drs as operators
from airflow_provider_drs.operators.drs import DrsPauseJobsOperator, DrsStartJobsOperator
from airflow_provider_drs.provider_info import get_provider_info
from airflow_provider_drs.sensors import drs as sensors
from airflow_provider_drs.sensors.drs import DrsPrecheckSensor

pytestmark = pytest.mark.usefixtures("connect", "no_backoff")

CONSOLE, REPORT = DrsConsoleLink().xcom_key, DrsReportLink().xcom_key
FIRST_PAGE = "https://console.otc.t-systems.com/drs/?region=eu-de"


def _all_classes() -> list[Any]:
    return [getattr(module, name) for module in (operators, sensors) for name in module.__all__]


@pytest.mark.parametrize("task", _all_classes(), ids=lambda task: task.__name__)
def test_every_operator_and_sensor_has_both_links(task: Any) -> None:
    """Also one that will be added."""
    assert [link.name for link in task.operator_extra_links] == ["DRS console", "Pre-check report"]


def test_airflow_knows_the_links() -> None:
    """Airflow 2 leaves out those that no provider has registered."""
    registered = {name.rpartition(".")[2] for name in get_provider_info()["extra-links"]}

    assert registered == {"DrsConsoleLink", "DrsReportLink"}


def test_a_sensor_is_linked_before_it_waits(emulator: Emulator, context: dict[str, Any]) -> None:
    """Airflow 3 shows what is in the XCom, while the task is deferred as well."""
    sensor = DrsPrecheckSensor(task_id="wait", job_ids=emulator.job_ids[:1], deferrable=True)

    with pytest.raises(TaskDeferred):
        sensor.execute(context)

    assert context["ti"].xcoms[CONSOLE] == FIRST_PAGE
    assert context["ti"].xcoms[REPORT] == (
        "/drs/report?dag_id=nightly&run_id=manual__2026&task_id=wait&map_index=-1"
    )


def test_an_operator_is_linked_to_the_list_of_its_jobs(emulator: Emulator, context: dict[str, Any]) -> None:
    """It has read of which kind they are, even if it does not come to anything."""
    job_id = emulator.seed_job(db_use_type="sync", status="CONFIGURATION")

    with pytest.raises(Exception, match="pre-check"):
        DrsStartJobsOperator(task_id="start", job_ids=[job_id]).execute(context)

    assert context["ti"].xcoms[CONSOLE] == f"{FIRST_PAGE}#/drs/synchronization/list"


def test_jobs_of_two_kinds_have_no_list_in_common(emulator: Emulator, context: dict[str, Any]) -> None:
    """The first page leads to both."""
    two = [
        emulator.seed_job(db_use_type=use, status="INCRE_TRANSFER_STARTED") for use in ("sync", "migration")
    ]

    DrsPauseJobsOperator(task_id="pause", job_ids=two).execute(context)

    assert context["ti"].xcoms[CONSOLE] == FIRST_PAGE


def test_links_cost_no_call(emulator: Emulator, context: dict[str, Any]) -> None:
    """What the console is called is in the connection."""
    job_id = emulator.seed_job(status="INCRE_TRANSFER_STARTED")
    emulator.clear_journal()

    DrsPauseJobsOperator(task_id="pause", job_ids=[job_id]).execute(context)

    assert [entry["operation"] for entry in emulator.journal()].count("BatchListJobDetails") == 1


def test_a_link_that_cannot_be_kept_fails_nothing(
    emulator: Emulator, context: dict[str, Any], told: Any
) -> None:
    """The task does its work, and the log says what is missing."""
    job_id = emulator.seed_job(status="INCRE_TRANSFER_STARTED")
    ti = context["ti"]
    keep = ti.xcom_push

    def push(key: str, value: Any) -> None:
        if key.startswith("_link"):
            raise OSError("no database")
        keep(key, value)

    ti.xcom_push = push

    assert DrsPauseJobsOperator(task_id="pause", job_ids=[job_id]).execute(context) == [job_id]
    assert "Pushing a link of the task failed" in told()


@pytest.mark.parametrize("link", [DrsConsoleLink(), DrsReportLink()])
def test_a_link_never_raises(link: Any) -> None:
    """Whatever it is asked about: Airflow's page would break, or its log be full of it."""
    assert link.get_link(None, ti_key=SimpleNamespace()) == ""


def test_ids_are_a_part_of_the_query_and_of_nothing_else() -> None:
    """A run id may have anything in it."""
    ti = SimpleNamespace(dag_id="d", run_id="a&b=c d+e", task_id="t", map_index=3)

    assert find_report(ti) == "/drs/report?dag_id=d&run_id=a%26b%3Dc+d%2Be&task_id=t&map_index=3"


def test_the_report_is_where_airflow_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a prefix, and under whatever host a browser found it."""
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1)
    for section in ("API", "WEBSERVER"):
        monkeypatch.setenv(f"AIRFLOW__{section}__BASE_URL", "https://airflow.example/team/")

    assert find_report(ti).startswith("/team/drs/report?")
