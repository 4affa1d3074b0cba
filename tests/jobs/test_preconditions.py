"""The table of preconditions: each row by the page that states it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_drs.protocol.core.errors import DrsJobStateError
from airflow_provider_drs.protocol.core.operations import OPERATIONS
from airflow_provider_drs.protocol.jobs.messages import JobDetails
from airflow_provider_drs.protocol.jobs.preconditions import RULES, Forward, Readiness, needs_forward, review
from airflow_provider_drs.protocol.jobs.states import NEXT, STATUSES
from tests.contract.openapi import load_operations

JOB = JobDetails("a", "orders", "CONFIGURATION", "migration", "FULL_INCR_TRANS", "up", None, False, {})


def _job(status: str = "CONFIGURATION", *, engine: str = "mysql", **changes: Any) -> JobDetails:
    return replace(JOB, status=status, raw={"inst_info": {"engine_type": engine}}, **changes)


def _backward(status: str = "CONFIGURATION") -> JobDetails:
    pair = {"db_use_type": "cloudDataGuard", "multi_write": True, "parent_id": "p", "job_direction": "down"}
    return _job(status, engine="cloudDataGuard-mysql", **pair)


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("test", ["CONFIGURATION"]),
        ("configure", ["CONFIGURATION"]),
        ("select", ["CONFIGURATION"]),
        ("set_definers", ["CONFIGURATION"]),
        ("compare_parameters", ["CONFIGURATION"]),
        ("precheck", ["CONFIGURATION"]),
        ("start", ["CONFIGURATION"]),
        (
            "pause",
            [
                "FULL_TRANSFER_STARTED",
                "FULL_TRANSFER_FAILED",
                "FULL_TRANSFER_COMPLETE",
                "INCRE_TRANSFER_STARTED",
                "INCRE_TRANSFER_FAILED",
            ],
        ),
        ("delete", ["CREATE_FAILED", "RELEASE_RESOURCE_COMPLETE", "RELEASE_CHILD_TRANSFER_COMPLETE"]),
        (
            "change_passwords",
            [
                "STARTJOBING",
                "START_JOB_FAILED",
                "STARTJOB_FAILED",
                "FULL_TRANSFER_STARTED",
                "FULL_TRANSFER_FAILED",
                "FULL_TRANSFER_COMPLETE",
                "INCRE_TRANSFER_STARTED",
                "INCRE_TRANSFER_FAILED",
                "PAUSING",
                "PAUSEING",
            ],
        ),
        ("modify_parameters", ["CONFIGURATION"]),
        ("test_cluster", ["CONFIGURATION"]),
    ],
)
def test_allowed_statuses_match_the_documentation(name: str, statuses: list[str]) -> None:
    allowed = [word for word in STATUSES if review(RULES[name], _job(word)) is Readiness.READY]

    assert sorted(allowed) == sorted(statuses)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_rule_matches_the_api_document(rule: Any) -> None:
    _, _, facts = load_operations()[rule.operation]

    assert rule.page == facts["x-doc"] == OPERATIONS[rule.operation].page
    documented = set(facts.get("x-required-job-status", ()))
    if rule.name == "edit":
        # Only the user guide has this purpose; the page has the selection before the start.
        assert documented < (rule.allowed or set())
    elif rule.name in ("stop", "modify", "recheck"):
        # The same operation for another purpose, which has no list of its own.
        assert rule.allowed is None
    elif documented:
        assert documented <= (rule.allowed or set())


@pytest.mark.parametrize(
    ("name", "job", "text"),
    [
        ("select", _job(db_use_type="cloudDataGuard"), "as a cloudDataGuard job"),
        ("set_policies", _job(), "Only sync jobs support this"),
        ("set_definers", _job(engine="postgresql"), "with engine postgresql"),
        ("compare_parameters", _job(job_direction="down"), "with job_direction down"),
        ("set_flow_control", _job(task_type="INCR_TRANS"), "Only jobs with a full copy support this"),
        ("test_cluster", _job(parent_id="p"), "Use its parent, p"),
        ("switch_over", _job(db_use_type="sync", parent_id="p"), "Use its parent, p"),
        (
            "switch_over",
            replace(JOB, db_use_type="sync", raw={"target_endpoint": {"inst_id": "in01"}}),
            "Only self-managed databases",
        ),
        ("pause", _job("CREATING"), "Expected FULL_TRANSFER_COMPLETE"),
        ("modify", _job("RELEASE_RESOURCE_COMPLETE"), "Leave the job out"),
        ("precheck", _job("CREATING"), "Expected CONFIGURATION"),
    ],
)
def test_rejection_has_reason_and_fix(name: str, job: JobDetails, text: str) -> None:
    found = review(RULES[name], job)

    assert isinstance(found, DrsJobStateError)
    assert text in str(found)
    assert RULES[name].page in str(found)
    assert found.job_ids == ("a",)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_parent_of_a_pair_is_rejected(rule: Any) -> None:
    parent = _job(multi_write=True, db_use_type="cloudDataGuard", engine="cloudDataGuard-mysql")
    _, _, facts = load_operations()[rule.operation]
    refused = "parent of a dual-active pair" in str(review(rule, parent))

    if "parent job not allowed" in facts.get("x-dual-active-dr", ""):
        assert refused
    if rule.name in ("stop", "delete"):
        assert not refused


def test_backward_job_requires_replicating_forward_job() -> None:
    replicating = Forward("INCRE_TRANSFER_STARTED", delay_s=59)

    assert needs_forward(RULES["start"], _backward())
    assert not needs_forward(RULES["configure"], _backward())
    assert review(RULES["precheck"], _backward(), replicating) is Readiness.NOT_NEEDED
    assert review(RULES["precheck"], _backward(), None) is Readiness.READY
    for name in ("test", "start"):
        assert review(RULES[name], _backward(), replicating) is Readiness.READY
        assert "its forward job is in status PAUSING" in str(
            review(RULES[name], _backward(), Forward("PAUSING"))
        )
        assert "not listed" in str(review(RULES[name], _backward(), None))


@pytest.mark.parametrize(("delay_s", "text"), [(60, "is 60 s"), (None, "is unknown")])
def test_backward_job_requires_small_lag(delay_s: int | None, text: str) -> None:
    found = review(RULES["start"], _backward(), Forward("INCRE_TRANSFER_STARTED", delay_s))

    assert text in str(found)


def test_status_shows_a_completed_action() -> None:
    assert review(RULES["start"], _job("INCRE_TRANSFER_STARTED")) is Readiness.DONE
    assert review(RULES["stop"], _job("RELEASE_RESOURCE_STARTED")) is Readiness.DONE
    assert isinstance(review(RULES["set_policies"], _job("INCRE_TRANSFER_STARTED")), DrsJobStateError)


def test_unknown_details_reject_nothing() -> None:
    assert review(RULES["set_definers"], replace(JOB, db_use_type=None)) is Readiness.READY


def test_transitions_use_known_statuses() -> None:
    words = {*NEXT, *(word for following in NEXT.values() for word in following)}

    assert words <= STATUSES.keys()
