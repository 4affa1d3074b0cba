"""A person approves alarms in a running Airflow 3, through the API that its UI uses."""

from __future__ import annotations

import pytest
from airflow_control import RestControl

from airflow_provider_drs.hooks.drs import DrsHook
from tests.airflow.conftest import Site

DAG_ID = "drs_approved_alarms"
ITEM = "srcTriggerAndEventCheck"


@pytest.fixture
def asking(site: Site) -> Site:
    """Return the site with an alarm for a person to look at."""
    if site.airflow.major < 3:
        pytest.skip("Airflow 2 cannot ask a person")
    site.drs.set_verdict(site.drs.job_ids[1], "alarm", items=[ITEM])
    return site


def _starts(site: Site) -> list[int]:
    return [job["starts"] for job in site.drs.jobs][:3]


def _ask(site: Site, run_id: str) -> RestControl:
    control = site.airflow.control
    assert isinstance(control, RestControl)
    site.airflow.unpause(DAG_ID)
    site.airflow.trigger(DAG_ID, run_id)
    site.airflow.wait_for_task(DAG_ID, run_id, "approve", ["awaiting_input", "deferred"])
    return control


def test_what_a_person_approves_starts(asking: Site) -> None:
    """The person sees job, item, reason, meaning and hint; until the answer nothing starts."""
    control = _ask(asking, "approved")

    table = control.question(DAG_ID, "approved", "approve")["body"]
    for part in (asking.drs.job_ids[1], ITEM, "what to do"):
        assert part in table
    assert _starts(asking) == [0, 0, 0]

    control.answer(DAG_ID, "approved", "approve", "Approve")
    assert asking.airflow.wait(DAG_ID, "approved") == "success", asking.airflow.log(DAG_ID, "approved", "*")
    assert _starts(asking) == [1, 1, 1]


def test_what_a_person_rejects_does_not_start(asking: Site) -> None:
    """And the run fails, so that somebody sees it."""
    control = _ask(asking, "rejected")

    control.answer(DAG_ID, "rejected", "approve", "Reject")

    assert asking.airflow.wait(DAG_ID, "rejected") == "failed"
    assert asking.airflow.task_states(DAG_ID, "rejected")["start"] == "upstream_failed"
    assert _starts(asking) == [0, 0, 0]


def test_what_nobody_answers_does_not_start(asking: Site) -> None:
    """The time for an answer is up."""
    asking.airflow.unpause("drs_unanswered")
    run_id = asking.airflow.trigger("drs_unanswered", "unanswered")

    assert asking.airflow.wait("drs_unanswered", run_id) == "failed"

    assert asking.airflow.task_states("drs_unanswered", run_id)["start"] == "upstream_failed"
    assert _starts(asking) == [0, 0, 0]


def test_an_alarm_that_nobody_has_seen_starts_nothing(asking: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pre-check was run again while the person thought about it."""
    control = _ask(asking, "changed")
    asking.drs.set_verdict(asking.drs.job_ids[0], "alarm", duration_s=0)
    monkeypatch.setenv("AIRFLOW_CONN_DRS_DEFAULT", asking.drs.connection_json)
    with DrsHook() as hook:
        hook.precheck_jobs(asking.drs.job_ids[:1])

    control.answer(DAG_ID, "changed", "approve", "Approve")

    assert asking.airflow.wait(DAG_ID, "changed") == "failed"
    assert _starts(asking) == [0, 0, 0]


def test_without_alarms_nobody_is_asked(asking: Site) -> None:
    """The jobs start by themselves."""
    asking.drs.reset()
    asking.airflow.unpause(DAG_ID)
    run_id = asking.airflow.trigger(DAG_ID, "spotless")

    assert asking.airflow.wait(DAG_ID, run_id) == "success", asking.airflow.log(DAG_ID, run_id, "*")

    assert asking.airflow.task_states(DAG_ID, run_id)["approve"] == "skipped"
    assert _starts(asking) == [1, 1, 1]
