"""The proof of the distributed test fails when it should, and a seed always draws the same plan."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_drs.emulator import Emulator
from dev.cluster import chaos as chaos_module
from dev.cluster.chaos import Chaos, Struck
from dev.cluster.plan import Blow, make_plan, make_world
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


def _good() -> tuple[Journal, World]:
    journal = [
        _entry("BatchCheckJobs", 0, *JOBS, applied=False),
        _entry("BatchCheckJobs", 1, *JOBS),
        _entry("BatchCheckResults", 5, *JOBS),
        _entry("BatchStartJobs", 12, "a", "b"),
        _entry("BatchStartJobs", 13, "c"),
    ]
    return journal, [{"id": job_id, "prechecks": 1, "starts": 1} for job_id in JOBS]


def _broken(journal: Journal, world: World) -> set[str]:
    return {line.text for line in prove(DURATIONS_S, world, journal) if not line.is_true}


def _start_twice(journal: Journal, world: World) -> None:
    journal.append(_entry("BatchStartJobs", 14, "b"))
    world[1]["starts"] = 2


def _ask_twice(journal: Journal, world: World) -> None:
    journal.append(_entry("BatchStartJobs", 14, "b"))


def _start_early(journal: Journal, world: World) -> None:
    journal[3]["at"] = 10.5


def _start_after_another_check(journal: Journal, world: World) -> None:
    # It has passed once; what counts is the run that was begun since.
    journal.insert(3, _entry("BatchCheckJobs", 11.5, "a"))
    world[0]["prechecks"] = 2


def _start_unchecked(journal: Journal, world: World) -> None:
    journal[1]["job_ids"].remove("a")
    world[0]["prechecks"] = 0


def _lose(journal: Journal, world: World) -> None:
    del journal[4]
    world[2]["starts"] = 0


def _lose_from_the_world(journal: Journal, world: World) -> None:
    del world[2]


def _forget_in_the_journal(journal: Journal, world: World) -> None:
    del journal[4]


def _touch_a_stranger(journal: Journal, world: World) -> None:
    journal.append(_entry("BatchStartJobs", 14, "x"))


def _wait(journal: Journal, world: World) -> None:
    # While one runs, another is refused: the first goes on and is the one that counts.
    journal.insert(2, _entry("BatchCheckJobs", 2, "a"))


def _check_again(journal: Journal, world: World) -> None:
    journal.insert(2, _entry("BatchCheckJobs", -20, "a"))
    journal.sort(key=lambda entry: entry["at"])
    world[0]["prechecks"] = 2


def _be_refused(journal: Journal, world: World) -> None:
    journal.append(_entry("BatchStartJobs", 14, "b", applied=False))


@pytest.mark.parametrize("change", [lambda journal, world: None, _wait, _check_again, _be_refused])
def test_valid_run_passes(change: Callable[[Journal, World], None]) -> None:
    journal, world = _good()
    change(journal, world)
    assert _broken(journal, world) == set()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (_start_twice, "jobs that were started twice"),
        (_start_twice, "jobs that were started exactly once"),
        (_ask_twice, "jobs whose start was asked for again after it was done"),
        (_start_early, "jobs whose start was asked for before their check passed"),
        (_start_after_another_check, "jobs whose start was asked for before their check passed"),
        (_start_unchecked, "jobs that were pre-checked"),
        (_start_unchecked, "jobs whose start was asked for before their check passed"),
        (_lose, "jobs that were lost: never started"),
        (_lose, "jobs that were started exactly once"),
        (_lose_from_the_world, "jobs that were lost: never started"),
        (_forget_in_the_journal, "jobs of which journal and service tell different things"),
        (_touch_a_stranger, "jobs that nobody should have touched"),
    ],
)
def test_invalid_run_fails(change: Callable[[Journal, World], None], line: str) -> None:
    journal, world = _good()
    change(journal, world)
    assert line in _broken(journal, world)
    found = next(each for each in prove(DURATIONS_S, world, journal) if each.text == line)
    assert found.named
    assert "BROKEN" in str(found)


def test_journal_of_emulator_is_read() -> None:
    world = make_world(7, 2)
    with Emulator(clock="manual", world=world) as emulator:
        durations_s = {job["job_id"]: job["verdict"]["duration_s"] for job in world["jobs"]}
        lines = prove(durations_s, emulator.jobs, emulator.journal())
    assert [line.counted for line in lines[:3]] == ["0 of 2", "0 of 2", "2"]
    assert list(durations_s) == [job["job_id"] for job in world["jobs"]]


def test_calls_are_counted() -> None:
    journal, _ = _good()
    journal[0] |= {"status": None, "faults": ["reset_before"]}
    first = count_calls(journal)[0]
    assert (first.operation, first.count, first.applied, first.spoiled) == ("BatchCheckJobs", 2, 1, 1)
    assert first.statuses == {"cut": 1, "202": 1}


@pytest.mark.parametrize("seed", range(20))
def test_plan_is_deterministic(seed: int) -> None:
    plan = make_plan(seed, COMPONENTS, rounds=2)
    assert plan == make_plan(seed, COMPONENTS, rounds=2)
    assert plan != make_plan(seed + 1, COMPONENTS, rounds=2)
    assert sorted(blow.target for blow in plan if blow.kind == "kill") == sorted(COMPONENTS * 2)
    assert {"throttling", "server errors", "broken connections", "lost answers"} == {
        blow.target for blow in plan if blow.kind == "fault"
    }
    assert {"freeze", "restart", "shut", "ambush"} <= {blow.kind for blow in plan}
    assert [blow.at for blow in plan] == sorted(blow.at for blow in plan)
    assert all(0 < blow.at < 0.9 and blow.lasts_s > 0 for blow in plan)


class _Wound:
    def __init__(self, *hits: str) -> None:
        self.hits = set(hits)


def test_components_without_faults_are_named() -> None:
    plan = make_plan(1, COMPONENTS, rounds=2)
    chaos = Chaos(plan, site=None, tell=print)  # type: ignore[arg-type]
    for blow in plan:
        if blow.target == "throttling":
            chaos.struck.append(Struck(blow, _Wound(), 0.0, ""))  # type: ignore[arg-type]
        elif blow.target != "scheduler":
            chaos.struck.append(Struck(blow, _Wound(blow.name), 0.0, ""))  # type: ignore[arg-type]

    assert chaos.spared == ["fault throttling", "kill scheduler"]


def test_worker_killed_by_ambush_counts() -> None:
    plan = [Blow(0.1, "kill", "worker-1", 1), Blow(0.2, "ambush", "a worker", 1)]
    chaos = Chaos(plan, site=None, tell=print)  # type: ignore[arg-type]
    chaos.struck.append(Struck(plan[1], _Wound(plan[1].name, "kill worker-1"), 0.0, ""))  # type: ignore[arg-type]

    assert chaos.spared == []


def test_fault_without_victim_does_not_delay_others(monkeypatch: pytest.MonkeyPatch) -> None:
    idle, struck = {"worker-1"}, []

    class Wound(_Wound):
        def __init__(self, site: object, blow: Blow) -> None:
            super().__init__(blow.name)
            self.blow = blow

        def would_hit(self) -> bool:
            return self.blow.target not in idle

        def strike(self) -> str:
            struck.append(self.blow.target)
            return ""

        def go_on(self) -> None:
            """Nothing to do."""

        def may_mend(self) -> bool:
            return False

    monkeypatch.setattr(chaos_module, "KINDS", {"kill": Wound})
    monkeypatch.setattr(chaos_module, "_PAUSE_S", 0)
    plan = [Blow(at, "kill", each, 1) for at, each in ((0.1, "worker-1"), (0.2, "scheduler"), (0.9, "late"))]
    site = SimpleNamespace(drs=SimpleNamespace(is_away=False))
    chaos = Chaos(plan, site, tell=print)  # type: ignore[arg-type]
    chaos.go_on(0.5)
    chaos.go_on(0.5)
    idle.clear()
    chaos.go_on(0.5)
    site.drs.is_away = True
    chaos.go_on(1)

    assert struck == ["scheduler", "worker-1"]
    assert chaos.missed == ["kill late"]


@pytest.mark.parametrize("seed", range(20))
def test_emulator_accepts_every_planned_fault(seed: int) -> None:
    with Emulator(clock="manual") as emulator:
        for blow in make_plan(seed, COMPONENTS, rounds=2):
            if blow.fault:
                emulator.remove_fault(emulator.inject(**blow.fault))


def test_world_is_deterministic() -> None:
    world = make_world(3, 50)
    assert world == make_world(3, 50)
    assert len({job["job_id"] for job in world["jobs"]}) == 50
    assert all(10 <= job["verdict"]["duration_s"] <= 60 for job in world["jobs"])
