"""Details of the API that a naive client gets wrong, over a real socket, for both hooks."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from drs_emulator import Emulator

from airflow_provider_drs.protocol.core.errors import (
    DrsConfigError,
    DrsError,
    DrsJobNotFoundError,
    DrsJobStateError,
    DrsRequestError,
    DrsResponseError,
)
from airflow_provider_drs.protocol.jobs.preconditions import Readiness, Review
from airflow_provider_drs.protocol.jobs.states import Phase

pytestmark = pytest.mark.usefixtures("no_backoff")

UNKNOWN = "ffffffff-d0c5-4a11-8a11-fffffffjb999"


def _sizes(emulator: Emulator, operation: str) -> list[int]:
    return [len(entry["job_ids"]) for entry in emulator.journal(operation)]


def test_job_id_is_not_a_uuid(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job("140b5236-88ad-43c8-811c-1268453jb101")

    assert hook.get_job_statuses(job_id)[job_id].status == "CONFIGURATION"


@pytest.mark.parametrize("method", ["get_job_statuses", "get_job_details"])
def test_page_size_covers_all_jobs(emulator: Emulator, hook: Any, method: str) -> None:
    assert list(getattr(hook, method)(emulator.job_ids)) == list(emulator.job_ids)


def test_batch_size_of_connection_is_used(emulator: Emulator, hook: Any, connect: Any) -> None:
    connect({"batch_size": 4, "poll_batch_size": 3, "parallel_requests": 1})
    job_ids = list(reversed(emulator.job_ids))

    assert list(hook.precheck_jobs(job_ids)) == job_ids
    assert list(hook.get_precheck_results(job_ids)) == job_ids
    assert _sizes(emulator, "BatchCheckJobs") == [4, 4, 2]
    assert _sizes(emulator, "BatchCheckResults") == [3, 3, 3, 1]


def test_default_batch_sizes(emulator: Emulator, hook: Any) -> None:
    job_ids = [*emulator.job_ids, *(emulator.seed_job() for _ in range(45))]

    hook.precheck_jobs(job_ids)
    hook.get_precheck_results(job_ids)

    assert sorted(_sizes(emulator, "BatchCheckJobs")) == [5] + [10] * 5
    assert sorted(_sizes(emulator, "BatchCheckResults")) == [5, 50]
    assert len(emulator.journal("KeystoneCreateUserTokenByPassword")) == 1


def test_rejected_read_batch_is_halved(emulator: Emulator, hook: Any) -> None:
    emulator.inject("refuse_batch", max_jobs=5, times=None)

    first = hook.get_job_statuses(emulator.job_ids)
    hook.get_job_statuses(emulator.job_ids)

    assert not any(isinstance(answer, DrsError) for answer in first.values())
    assert _sizes(emulator, "BatchListJobStatus") == [10, 5, 5, 5, 5]


def test_results_are_matched_by_submission_id(emulator: Emulator, hook: Any) -> None:
    one, other = emulator.job_ids[:2]
    emulator.set_verdict(one, "fail", precheck_id="run-of-one", duration_s=0)
    emulator.set_verdict(other, "pass", precheck_id="run-of-other", duration_s=0)
    hook.precheck_jobs([one, other])

    answers = hook.get_precheck_results([other, one])

    assert [answers[job_id].result for job_id in (one, other)] == [False, True]
    assert _sizes(emulator, "BatchCheckResults") == [2]


def test_results_of_unknown_runs_are_read_alone(emulator: Emulator, hook: Any) -> None:
    from airflow_provider_drs.hooks.drs import DrsHook

    one, other = emulator.job_ids[:2]
    emulator.set_verdict(one, "fail", precheck_id="run-of-one", duration_s=0)
    emulator.set_verdict(other, "pass", precheck_id="run-of-other", duration_s=0)
    with DrsHook() as submitter:
        submitter.precheck_jobs([one, other])

    answers = hook.get_precheck_results([other, one])
    hook.get_precheck_results([other, one])

    assert [answers[job_id].result for job_id in (one, other)] == [False, True]
    assert _sizes(emulator, "BatchCheckResults") == [2, 1, 1, 2]


def test_per_job_errors_do_not_hide_other_jobs(emulator: Emulator, hook: Any) -> None:
    job_ids = [emulator.job_ids[0], UNKNOWN, emulator.job_ids[1]]

    for answers in (hook.precheck_jobs(job_ids), hook.get_job_statuses(job_ids)):
        assert [isinstance(answer, DrsJobNotFoundError) for answer in answers.values()] == [
            False,
            True,
            False,
        ]
        assert answers[UNKNOWN].job_ids == (UNKNOWN,)


def test_http_400_with_results_is_parsed(emulator: Emulator, hook: Any) -> None:
    emulator.inject("batch_400", operation="BatchListJobStatus")
    job_ids = [emulator.job_ids[0], UNKNOWN]

    answers = hook.get_job_statuses(job_ids)

    assert answers[job_ids[0]].status == "CONFIGURATION"
    assert isinstance(answers[UNKNOWN], DrsJobNotFoundError)


def test_missing_jobs_of_http_400_are_read_again(emulator: Emulator, hook: Any) -> None:
    known = emulator.job_ids[0]
    emulator.inject("drop_job", operation="BatchListJobStatus", job_id=known)

    answers = hook.get_job_statuses([known, UNKNOWN])

    assert answers[known].status == "CONFIGURATION"
    assert isinstance(answers[UNKNOWN], DrsJobNotFoundError)


@pytest.mark.parametrize("operation", ["BatchListJobStatus", "BatchCheckJobs", "BatchCheckResults"])
def test_busy_without_rows_is_retried(emulator: Emulator, hook: Any, operation: str) -> None:
    body = {"error_code": "DRS.M01504", "error_msg": "The task is being processed."}
    emulator.inject("status", operation=operation, status=202, body=json.dumps(body), times=1)

    if operation == "BatchListJobStatus":
        answers = hook.get_job_statuses(emulator.job_ids)
    else:
        answers = hook.begin_prechecks(emulator.job_ids)

    assert not [answer for answer in answers.values() if isinstance(answer, DrsError)]
    assert [job["prechecks"] for job in emulator.jobs] == [int("Check" in operation)] * 10


def test_accepted_precheck_outlasts_failing_reads(emulator: Emulator, hook: Any, connect: Any) -> None:
    connect({"retry_timeout": 2})
    emulator.inject("status", status=503, operation="BatchCheckResults", after=1, times=None)

    answers = hook.begin_prechecks(emulator.job_ids)

    assert {(answer.adopted, answer.is_shown) for answer in answers.values()} == {(False, False)}


def test_permission_to_read_results_is_required(emulator: Emulator, hook: Any) -> None:
    emulator.inject("no_permission", operation="BatchCheckResults", after=1, times=None)

    with pytest.raises(DrsError, match="M00103"):
        hook.begin_prechecks(emulator.job_ids)

    assert [job["prechecks"] for job in emulator.jobs] == [1] * 10


def test_results_override_the_top_level_error(emulator: Emulator, hook: Any) -> None:
    emulator.inject("top_level_error", operation="BatchCheckJobs")

    answers = hook.precheck_jobs(emulator.job_ids)

    assert not any(isinstance(answer, DrsError) for answer in answers.values())


def test_missing_job_is_an_error_of_that_job(emulator: Emulator, hook: Any) -> None:
    missing = emulator.job_ids[4]
    emulator.inject("drop_job", operation="BatchListJobStatus", job_id=missing, times=None)

    answers = hook.get_job_statuses(emulator.job_ids)

    assert isinstance(answers.pop(missing), DrsResponseError)
    assert not any(isinstance(answer, DrsError) for answer in answers.values())


def test_previous_verdict_is_returned_unchanged(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "fail", duration_s=0)
    hook.precheck_jobs([job_id])
    emulator.set_verdict(job_id, "pass", duration_s=10, stale_reads=1)
    hook.precheck_jobs([job_id])

    first, second = (hook.get_precheck_results([job_id])[job_id] for _ in range(2))

    assert (first.is_complete, first.result) == (True, False)
    assert not second.is_complete


def test_details_mask_passwords(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_job(job_id, echo_secrets=True)

    details = hook.get_job_details([job_id])[job_id]

    assert "emulated-db-password" not in str(details.to_dict())
    assert details.to_dict()["source_endpoint"]["db_password"] == "***"


def test_delete_has_a_body(emulator: Emulator, hook: Any) -> None:
    emulator.set_job(emulator.job_ids[0], status="INCRE_TRANSFER_STARTED")

    first, second = (hook.stop_jobs(emulator.job_ids[:1])[emulator.job_ids[0]] for _ in range(2))

    assert (first.adopted, second.adopted) == (False, True)
    assert emulator.journal("BatchDeleteJobs")[0]["method"] == "DELETE"


def test_start_time_is_sent_in_milliseconds(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "pass", duration_s=0)
    hook.precheck_jobs([job_id])
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=2)

    hook.start_jobs([job_id], later.isoformat())

    assert hook.get_job_statuses([job_id])[job_id].status == "WAITING_FOR_START"


@pytest.mark.parametrize(
    "start_time", ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00", "soon", 12, True, "2099-01-01"]
)
def test_invalid_start_time_is_rejected_before_sending(
    emulator: Emulator, hook: Any, start_time: object
) -> None:
    with pytest.raises(DrsConfigError, match="start_time"):
        hook.start_jobs(emulator.job_ids, start_time)

    assert emulator.journal() == []


def test_wrong_status_is_named(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(status="RELEASE_RESOURCE_COMPLETE")

    answer = hook.start_jobs([job_id])[job_id]

    assert isinstance(answer, DrsJobStateError)
    assert "RELEASE_RESOURCE_COMPLETE (stopped" in str(answer)


def test_service_rejects_unchecked_start(emulator: Emulator, hook: Any) -> None:
    answers = hook.start_jobs(emulator.job_ids[:2])

    assert all(type(answer) is DrsRequestError for answer in answers.values())


def test_progress_has_percent_lag_and_parts(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.job_ids[0]
    emulator.set_verdict(job_id, "pass", duration_s=0)
    hook.precheck_jobs([job_id])
    hook.start_jobs([job_id])
    emulator.advance(18)

    halfway = hook.get_job_progresses([job_id])[job_id]
    emulator.advance(100)
    replicating = hook.get_job_progresses([job_id])[job_id]

    assert (halfway.percent, halfway.delay_s, halfway.phases["data"]) == (50, None, 50)
    assert (replicating.percent, replicating.delay_s) == (100, 0)


def test_dual_active_jobs_are_distinguished(emulator: Emulator, hook: Any) -> None:
    pair = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql", "multi_write": True}
    parent = emulator.seed_job(**pair)
    forward = emulator.seed_job(parent_id=parent, job_direction="up", **pair)
    backward = emulator.seed_job(parent_id=parent, job_direction="down", **pair)

    before = hook.review_jobs([parent, forward, backward])
    emulator.set_job(forward, status="INCRE_TRANSFER_STARTED")
    alone = hook.review_jobs([backward])

    assert isinstance(before[parent], DrsJobStateError)
    assert before[forward].readiness is before[backward].readiness is Readiness.READY
    assert alone == {backward: Review(Readiness.NOT_NEEDED, "CONFIGURATION")}


def test_unknown_status_is_kept(emulator: Emulator, hook: Any) -> None:
    job_id = emulator.seed_job(status="BRAND_NEW_STATUS")

    status = hook.get_job_statuses([job_id])[job_id]

    assert (status.status, status.phase) == ("BRAND_NEW_STATUS", Phase.UNKNOWN)


def test_language_header_is_sent(emulator: Emulator, hook: Any, connect: Any) -> None:
    connect({"language": "zh-cn"})

    hook.get_job_statuses(emulator.job_ids)

    assert emulator.journal("BatchListJobStatus")[0]["language"] == "zh-cn"
