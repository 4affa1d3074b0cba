"""The proof of a cluster run detects violations, and a seed determines the plan."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from drs_emulator import Emulator

from dev.cluster import chaos as chaos_module
from dev.cluster.chaos import Chaos, Injected
from dev.cluster.plan import PlannedFault, make_plan, make_world
from dev.cluster.proof import count_calls, prove

JOBS = ("a", "b", "c")
DURATIONS_S = dict.fromkeys(JOBS, 10.0)
COMPONENTS = ("scheduler", "triggerer-1", "worker-1")
Journal = list[dict[str, Any]]
World = list[dict[str, Any]]


def _entry(operation: str, at_s: float, *job_ids: str, applied: bool = True) -> dict[str, Any]:
    return {
        "operation": operation,
        "at": at_s,
        "job_ids": list(job_ids),
        "applied": applied,
        "status": 202,
        "faults": [],
    }


def _valid_run() -> tuple[Journal, World]:
    journal = [
        _entry("BatchCheckJobs", 0, *JOBS, applied=False),
        _entry("BatchCheckJobs", 1, *JOBS),
        _entry("BatchCheckResults", 5, *JOBS),
        _entry("BatchStartJobs", 12, "a", "b"),
        _entry("BatchStartJobs", 13, "c"),
    ]
    return journal, [{"id": job_id, "prechecks": 1, "starts": 1} for job_id in JOBS]


def _failed_lines(journal: Journal, world: World) -> set[str]:
    return {line.text for line in prove(DURATIONS_S, world, journal) if not line.holds}


def _start_twice(journal: Journal, world: World) -> None:
    journal.append(_entry("BatchStartJobs", 14, "b"))
    world[1]["starts"] = 2


def _request_twice(journal: Journal, world: World) -> None:
    journal.append(_entry("BatchStartJobs", 14, "b"))


def _start_early(journal: Journal, world: World) -> None:
    journal[3]["at"] = 10.5


def _start_after_another_check(journal: Journal, world: World) -> None:
    # It has passed once, but the latest pre-check counts.
    journal.insert(3, _entry("BatchCheckJobs", 11.5, "a"))
    world[0]["prechecks"] = 2


def _start_unchecked(journal: Journal, world: World) -> None:
    journal[1]["job_ids"].remove("a")
    world[0]["prechecks"] = 0


def _lose_start(journal: Journal, world: World) -> None:
    del journal[4]
    world[2]["starts"] = 0


def _lose_from_world(journal: Journal, world: World) -> None:
    del world[2]


def _lose_from_journal(journal: Journal, world: World) -> None:
    del journal[4]


def _start_other_job(journal: Journal, world: World) -> None:
    journal.append(_entry("BatchStartJobs", 14, "x"))


def _reject_second_precheck(journal: Journal, world: World) -> None:
    # A pre-check that runs is not replaced.
    journal.insert(2, _entry("BatchCheckJobs", 2, "a"))


def _check_again(journal: Journal, world: World) -> None:
    journal.insert(2, _entry("BatchCheckJobs", -20, "a"))
    journal.sort(key=lambda entry: entry["at"])
    world[0]["prechecks"] = 2


def _reject_second_start(journal: Journal, world: World) -> None:
    journal.append(_entry("BatchStartJobs", 14, "b", applied=False))


@pytest.mark.parametrize(
    "change", [lambda journal, world: None, _reject_second_precheck, _check_again, _reject_second_start]
)
def test_valid_run_passes(change: Callable[[Journal, World], None]) -> None:
    journal, world = _valid_run()
    change(journal, world)
    assert _failed_lines(journal, world) == set()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (_start_twice, "jobs started twice"),
        (_start_twice, "jobs started exactly once"),
        (_request_twice, "jobs whose start was requested again"),
        (_start_early, "jobs started before their pre-check passed"),
        (_start_after_another_check, "jobs started before their pre-check passed"),
        (_start_unchecked, "jobs pre-checked"),
        (_start_unchecked, "jobs started before their pre-check passed"),
        (_lose_start, "jobs never started"),
        (_lose_start, "jobs started exactly once"),
        (_lose_from_world, "jobs never started"),
        (_lose_from_journal, "jobs whose journal and state differ"),
        (_start_other_job, "jobs changed that are not part of the run"),
    ],
)
def test_invalid_run_fails(change: Callable[[Journal, World], None], line: str) -> None:
    journal, world = _valid_run()
    change(journal, world)
    assert line in _failed_lines(journal, world)
    found = next(entry for entry in prove(DURATIONS_S, world, journal) if entry.text == line)
    assert found.job_ids
    assert "FAIL" in str(found)


def test_journal_of_emulator_is_read() -> None:
    world = make_world(7, 2)
    with Emulator(clock="manual", world=world) as emulator:
        durations_s = {job["job_id"]: job["verdict"]["duration_s"] for job in world["jobs"]}
        lines = prove(durations_s, emulator.jobs, emulator.journal())
    assert [line.count for line in lines[:3]] == ["0 of 2", "0 of 2", "2"]
    assert list(durations_s) == [job["job_id"] for job in world["jobs"]]


def test_calls_are_counted() -> None:
    journal, _ = _valid_run()
    journal[0] |= {"status": None, "faults": ["reset_before"]}
    first = count_calls(journal)[0]
    assert (first.operation, first.count, first.applied, first.faulty) == ("BatchCheckJobs", 2, 1, 1)
    assert first.statuses == {"closed": 1, "202": 1}


@pytest.mark.parametrize("seed", range(20))
def test_plan_is_deterministic(seed: int) -> None:
    plan = make_plan(seed, COMPONENTS, rounds=2)
    assert plan == make_plan(seed, COMPONENTS, rounds=2)
    assert plan != make_plan(seed + 1, COMPONENTS, rounds=2)
    assert sorted(planned.target for planned in plan if planned.kind == "kill") == sorted(COMPONENTS * 2)
    assert {"throttling", "server errors", "broken connections", "lost responses"} == {
        planned.target for planned in plan if planned.kind == "inject"
    }
    assert {"freeze", "restart", "disconnect", "kill-during-start"} <= {planned.kind for planned in plan}
    assert [planned.at for planned in plan] == sorted(planned.at for planned in plan)
    assert all(0 < planned.at < 0.9 and planned.lasts_s > 0 for planned in plan)


class _FakeFault:
    def __init__(self, *hits: str) -> None:
        self.hits = set(hits)


def test_components_without_faults_are_named() -> None:
    plan = make_plan(1, COMPONENTS, rounds=2)
    chaos = Chaos(plan, site=None, log=print)  # type: ignore[arg-type]
    for planned in plan:
        if planned.target == "throttling":
            chaos.injected.append(Injected(planned, _FakeFault(), 0.0))  # type: ignore[arg-type]
        elif planned.target != "scheduler":
            chaos.injected.append(Injected(planned, _FakeFault(planned.name), 0.0))  # type: ignore[arg-type]

    assert chaos.never_hit == ["inject throttling", "kill scheduler"]


def test_worker_killed_during_start_counts() -> None:
    plan = [PlannedFault(0.1, "kill", "worker-1", 1), PlannedFault(0.2, "kill-during-start", "a worker", 1)]
    chaos = Chaos(plan, site=None, log=print)  # type: ignore[arg-type]
    chaos.injected.append(Injected(plan[1], _FakeFault(plan[1].name, "kill worker-1"), 0.0))  # type: ignore[arg-type]

    assert chaos.never_hit == []


def test_fault_without_victim_does_not_delay_others(monkeypatch: pytest.MonkeyPatch) -> None:
    idle, injected = {"worker-1"}, []

    class FakeFault(_FakeFault):
        def __init__(self, site: object, planned: PlannedFault) -> None:
            super().__init__(planned.name)
            self.planned, self.effect = planned, ""

        def has_target(self) -> bool:
            return self.planned.target not in idle

        def inject(self) -> None:
            injected.append(self.planned.target)

        def update(self) -> None:
            pass

        def can_recover(self) -> bool:
            return False

    monkeypatch.setattr(chaos_module, "KINDS", {"kill": FakeFault})
    monkeypatch.setattr(chaos_module, "_PAUSE_S", 0)
    plan = [
        PlannedFault(at, "kill", target, 1)
        for at, target in ((0.1, "worker-1"), (0.2, "scheduler"), (0.9, "late"))
    ]
    site = SimpleNamespace(drs=SimpleNamespace(is_down=False))
    chaos = Chaos(plan, site, log=print)  # type: ignore[arg-type]
    chaos.step(0.5)
    chaos.step(0.5)
    idle.clear()
    chaos.step(0.5)
    site.drs.is_down = True
    chaos.step(1)

    assert injected == ["scheduler", "worker-1"]
    assert chaos.missed == ["kill late"]


@pytest.mark.parametrize("seed", range(20))
def test_emulator_accepts_every_planned_fault(seed: int) -> None:
    with Emulator(clock="manual") as emulator:
        for planned in make_plan(seed, COMPONENTS, rounds=2):
            if planned.api_fault:
                emulator.remove_fault(emulator.inject(**planned.api_fault))


def test_world_is_deterministic() -> None:
    world = make_world(3, 50)
    assert world == make_world(3, 50)
    assert len({job["job_id"] for job in world["jobs"]}) == 50
    assert all(20 <= job["verdict"]["duration_s"] <= 120 for job in world["jobs"])
