from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from drs_emulator import Emulator

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
    assert [link.name for link in task.operator_extra_links] == ["DRS console", "Pre-check report"]


def test_links_are_registered() -> None:
    registered = {name.rpartition(".")[2] for name in get_provider_info()["extra-links"]}

    assert registered == {"DrsConsoleLink", "DrsReportLink"}


def test_sensor_pushes_links_before_it_waits(emulator: Emulator, context: dict[str, Any]) -> None:
    sensor = DrsPrecheckSensor(task_id="wait", job_ids=emulator.job_ids[:1], deferrable=True)

    with pytest.raises(TaskDeferred):
        sensor.execute(context)

    assert context["ti"].xcoms[CONSOLE] == FIRST_PAGE
    assert context["ti"].xcoms[REPORT] == (
        "/drs/report?dag_id=nightly&run_id=manual__2026&task_id=wait&map_index=-1"
    )


def test_operator_links_to_the_list_of_its_jobs(emulator: Emulator, context: dict[str, Any]) -> None:
    job_id = emulator.seed_job(db_use_type="sync", status="CONFIGURATION")

    with pytest.raises(Exception, match="pre-check"):
        DrsStartJobsOperator(task_id="start", job_ids=[job_id]).execute(context)

    assert context["ti"].xcoms[CONSOLE] == f"{FIRST_PAGE}#/drs/synchronization/list"


def test_jobs_of_two_kinds_link_to_the_start_page(emulator: Emulator, context: dict[str, Any]) -> None:
    two = [
        emulator.seed_job(db_use_type=use, status="INCRE_TRANSFER_STARTED") for use in ("sync", "migration")
    ]

    DrsPauseJobsOperator(task_id="pause", job_ids=two).execute(context)

    assert context["ti"].xcoms[CONSOLE] == FIRST_PAGE


def test_links_need_no_request(emulator: Emulator, context: dict[str, Any]) -> None:
    job_id = emulator.seed_job(status="INCRE_TRANSFER_STARTED")
    emulator.clear_journal()

    DrsPauseJobsOperator(task_id="pause", job_ids=[job_id]).execute(context)

    assert [entry["operation"] for entry in emulator.journal()].count("BatchListJobDetails") == 1


def test_failed_link_does_not_fail_the_task(
    emulator: Emulator, context: dict[str, Any], log_lines: Any
) -> None:
    job_id = emulator.seed_job(status="INCRE_TRANSFER_STARTED")
    ti = context["ti"]
    keep = ti.xcom_push

    def push(key: str, value: Any) -> None:
        if key.startswith("_link"):
            raise OSError("no database")
        keep(key, value)

    ti.xcom_push = push

    assert DrsPauseJobsOperator(task_id="pause", job_ids=[job_id]).execute(context) == [job_id]
    assert "Pushing a link of the task failed" in log_lines()


@pytest.mark.parametrize("link", [DrsConsoleLink(), DrsReportLink()])
def test_get_link_never_raises(link: Any) -> None:
    assert link.get_link(None, ti_key=SimpleNamespace()) == ""


def test_ids_are_quoted() -> None:
    ti = SimpleNamespace(dag_id="d", run_id="a&b=c d+e", task_id="t", map_index=3)

    assert find_report(ti) == "/drs/report?dag_id=d&run_id=a%26b%3Dc+d%2Be&task_id=t&map_index=3"


def test_report_link_is_relative_to_the_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1)
    for section in ("API", "WEBSERVER"):
        monkeypatch.setenv(f"AIRFLOW__{section}__BASE_URL", "https://airflow.example/team/")

    assert find_report(ti).startswith("/team/drs/report?")
