"""Calls that are sent side by side: their order, their limit, and what ends them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_drs.protocol import conversations
from airflow_provider_drs.protocol.core.batches import Limits, run_together
from airflow_provider_drs.protocol.core.errors import DrsError, DrsPermissionError, DrsRequestError
from airflow_provider_drs.protocol.core.wire import Conversation, Group, Pause, Request, Response
from airflow_provider_drs.protocol.jobs.outcome import JobOutcome
from tests.scripted import Answer, ScriptedService, answer, refusal

JOB_IDS = [f"job-{number}" for number in range(12)]


def _limits(parallel: int = 4) -> Limits:
    return Limits(write_batch=2, read_batch=3, retry_timeout_s=60.0, parallel=parallel)


def _success(request: Request) -> Response:
    return answer({"results": [{"id": job_id, "status": "success"} for job_id in request.job_ids]})


def _start(script: list[Answer], limits: Limits) -> tuple[ScriptedService, dict[str, JobOutcome | DrsError]]:
    service = ScriptedService(script)
    found = service.run(conversations.start_jobs(limits, JOB_IDS, None, check_preconditions=False))
    return service, found


def test_batches_are_one_group_and_results_keep_their_order() -> None:
    service, found = _start([_success] * 6, _limits())

    (group,) = [step for step in service.steps if isinstance(step, Group)]
    assert group.workers == 4
    assert list(found) == JOB_IDS
    assert set(map(type, found.values())) == {JobOutcome}


@pytest.mark.parametrize("parallel", [1, 4])
def test_general_error_starts_no_other_batch(parallel: int) -> None:
    service, found = _start([_success, refusal("DRS.M00103", 401)], _limits(parallel))

    assert len(service.requests) == 2
    assert [type(value) for value in found.values()] == [JobOutcome] * 2 + [DrsPermissionError] * 10
    assert "was not sent, because an earlier batch failed" in str(found["job-11"])


def test_general_error_of_the_first_batch_is_raised() -> None:
    with pytest.raises(DrsPermissionError):
        _start([refusal("DRS.M00103", 401)], _limits())


def test_general_error_after_a_rejected_batch_is_not_raised() -> None:
    service, found = _start([refusal("DRS.M00300"), refusal("DRS.M00103", 401)], _limits())

    assert len(service.requests) == 2
    assert type(found["job-0"]) is DrsRequestError
    assert type(found["job-2"]) is DrsPermissionError


def test_read_raises_the_first_general_error() -> None:
    def statuses(request: Request) -> Response:
        return answer({"results": [{"id": job_id, "status": "CONFIGURATION"} for job_id in request.job_ids]})

    service = ScriptedService([statuses, refusal("DRS.M00103", 401)])

    with pytest.raises(DrsPermissionError):
        service.run(conversations.get_job_statuses(_limits(), JOB_IDS))
    assert len(service.requests) == 2


def test_throttled_call_halves_the_width_for_good() -> None:
    limits = _limits()

    _, found = _start([refusal("DRS.M01503", 429), *[_success] * 6], limits)

    assert limits.parallel == 2
    assert set(map(type, found.values())) == {JobOutcome}

    _start([*[refusal("DRS.M01503", 429)] * 3, *[_success] * 6], limits)

    assert limits.parallel == 1


def test_narrowed_group_has_work_for_its_first_workers_only() -> None:
    limits = _limits()

    def parts() -> Iterator[Conversation[int]]:
        for number in range(6):
            yield _count(number)

    def _count(number: int) -> Conversation[int]:
        yield Pause(0.0)
        return number

    conversation = run_together(limits, parts(), 6)
    group = next(conversation)
    assert isinstance(group, Group)
    assert [group.take(worker) is not None for worker in (0, 3)] == [True, True]

    limits.narrow()

    assert [group.take(worker) is not None for worker in (0, 1, 2, 3)] == [True, True, False, False]


def test_pages_of_a_list_are_read_side_by_side_until_all_jobs_are_listed() -> None:
    total = {"jobs": 5}

    def page(request: Request) -> Response:
        assert request.body is not None
        first = 2 * (request.body["cur_page"] - 1)
        jobs = [
            {"id": f"job-{number}", "status": "CONFIGURATION"}
            for number in range(first, min(first + 2, total["jobs"]))
        ]
        document = {"jobs": jobs, "total_record": total["jobs"]}
        # Another job is created after the first page was read.
        total["jobs"] = 7
        return answer(document)

    service = ScriptedService([page] * 4)

    found = service.run(conversations.list_jobs(_limits(), "migration"))

    assert sorted(job.job_id for job in found) == [f"job-{number}" for number in range(7)]
    assert [step.workers for step in service.steps if isinstance(step, Group)] == [2]


def test_list_raises_an_error_of_any_page() -> None:
    jobs = {"jobs": [{"id": "job-0", "status": "CONFIGURATION"}], "total_record": 3}

    with pytest.raises(DrsPermissionError):
        ScriptedService([answer(jobs), answer(jobs), refusal("DRS.M00103", 401)]).run(
            conversations.list_jobs(_limits(), "migration")
        )
