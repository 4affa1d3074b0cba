"""The poll schedule: each job within its interval, with as few batches as possible."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_drs.triggers.schedule import MAX_CONCURRENT_CALLS, PollSchedule

INTERVAL_S = 30.0


def _schedule(count: int, size: int = 10, now_s: float = 0.0) -> PollSchedule:
    schedule = PollSchedule(INTERVAL_S, size)
    for n in range(count):
        schedule.add(f"job{n}", now_s)
    return schedule


def _run(schedule: PollSchedule, until_s: float) -> list[tuple[float, list[str]]]:
    """Take all batches when they are due, and return each with its time."""
    polls = []
    while (now_s := schedule.next_s) < until_s:
        for batch in schedule.take_due(now_s):
            polls.append((now_s, batch))
            schedule.mark_done(batch)
    return polls


@pytest.mark.parametrize("count", [1, 9, 10, 11, 45, 95, 1000, 1010, 5000])
def test_batches_are_spread_over_the_interval(count: int) -> None:
    polls = _run(_schedule(count), 4 * INTERVAL_S)

    window = [poll for poll in polls if INTERVAL_S <= poll[0] < 3 * INTERVAL_S]
    assert len(window) <= 2 * math.ceil(count / 10) + 1
    in_one = [job_id for at_s, batch in polls if at_s < INTERVAL_S * 1.1 for job_id in batch]
    assert {f"job{n}" for n in range(count)} == set(in_one)
    total = math.ceil(count / 10)
    pause_s = INTERVAL_S * min(MAX_CONCURRENT_CALLS, total) / total
    times = sorted({at_s for at_s, _ in polls})
    assert max(after - before for before, after in itertools.pairwise(times)) <= pause_s * 1.2
    assert all(sum(at_s == time_s for time_s, _ in polls) <= MAX_CONCURRENT_CALLS for at_s in times)


@given(st.lists(st.tuples(st.sampled_from(["join", "leave", "poll"]), st.integers(0, 40)), max_size=80))
def test_every_job_is_polled_within_the_interval(steps: list[tuple[str, int]]) -> None:
    schedule, now_s, polled_s = PollSchedule(INTERVAL_S, 3), 0.0, {}
    for step, number in steps:
        if step == "join":
            schedule.add(f"job{number}", now_s)
            polled_s.setdefault(f"job{number}", now_s)
        elif step == "leave":
            schedule.remove(f"job{number}")
            polled_s.pop(f"job{number}", None)
        elif schedule.next_s < math.inf:
            now_s = max(now_s, schedule.next_s)
            for batch in schedule.take_due(now_s):
                assert len(batch) <= 3
                for job_id in batch:
                    assert now_s - polled_s[job_id] <= INTERVAL_S + 1e-6
                    polled_s[job_id] = now_s
                schedule.mark_done(batch)
    assert len(schedule) == len(polled_s)


def test_late_job_is_polled_within_its_interval() -> None:
    schedule = _schedule(100)
    _run(schedule, INTERVAL_S / 2)
    schedule.add("late", INTERVAL_S / 2)

    (at_s,) = [at_s for at_s, batch in _run(schedule, 1.5 * INTERVAL_S + 0.001) if "late" in batch]

    assert INTERVAL_S < at_s <= 1.5 * INTERVAL_S


def test_job_in_progress_is_not_due() -> None:
    schedule = _schedule(2)
    (batch,) = schedule.take_due(INTERVAL_S)

    assert len(batch) == 2
    assert schedule.next_s == math.inf
    assert schedule.take_due(10 * INTERVAL_S) == []
    schedule.mark_done(batch)
    assert schedule.next_s < math.inf


def test_new_job_is_not_due() -> None:
    assert _schedule(1).take_due(INTERVAL_S / 2) == []
    assert PollSchedule(INTERVAL_S, 10).next_s == math.inf


def test_nearly_done_jobs_cost_one_more_batch() -> None:
    schedule = _schedule(40)
    for n in range(40):
        schedule.set_nearly_done(f"job{n}", True)
    schedule.set_nearly_done("unknown", True)

    polls = [poll for poll in _run(schedule, 21 * INTERVAL_S) if poll[0] > INTERVAL_S]

    assert 20 * 4 < len(polls) <= 20 * (4 + 1)


def test_nearly_done_job_is_polled_twice_per_interval() -> None:
    schedule = _schedule(1)
    schedule.set_nearly_done("job0", True)
    assert 6 <= len(_run(schedule, 4 * INTERVAL_S)) <= 9

    schedule.set_nearly_done("job0", False)
    assert 3 <= len([poll for poll in _run(schedule, 8 * INTERVAL_S) if poll[0] >= 4 * INTERVAL_S]) <= 4


def test_late_round_does_not_delay_the_next() -> None:
    schedule, late_s = _schedule(1000), 0.5
    polls = []
    while schedule.next_s < 3 * INTERVAL_S:
        now_s = schedule.next_s + late_s
        for batch in schedule.take_due(now_s):
            polls.append(now_s)
            schedule.mark_done(batch)

    assert 98 <= len([at_s for at_s in polls if INTERVAL_S <= at_s < 2 * INTERVAL_S]) <= 105


def test_prioritized_job_is_next() -> None:
    schedule = _schedule(30)
    schedule.prioritize(["job29", "unknown"])

    ((first, *others),) = schedule.take_due(0.001)

    assert first == "job29"
    assert len(others) == 9
