"""Commands that select, list, create, change and watch jobs."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from drs_emulator import Emulator

from airflow_provider_drs.cli.commands import build_parser
from airflow_provider_drs.cli.session import complete
from tests.cli.conftest import Drs

RUNNING = {"status": "INCRE_TRANSFER_STARTED"}
DR = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql", **RUNNING}
SPEC = {"name": "billing", "db_use_type": "migration", "engine_type": "mysql", "subnet_id": "5c6bbb05"}


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        (["orders-migration-02"], [2]),
        (["orders-migration-0[13]"], [1, 3]),
        (["orders-*-1?", "orders-migration-02"], [10, 2]),
        (["orders-migration-02,orders-migration-01"], [2, 1]),
        (["orders-migration-01", "00000001-d0c5-4a11-8a11-0000001jb101"], [1]),
    ],
)
def test_jobs_are_selected_by_name_pattern_and_id(
    drs: Drs, emulator: Emulator, given: list[str], numbers: list[int]
) -> None:
    done = drs("status", *given, "--json")

    assert [job["job_id"] for job in done.document["jobs"]] == [emulator.job_ids[n - 1] for n in numbers]


def test_ids_are_not_looked_up(drs: Drs, emulator: Emulator) -> None:
    assert drs("status", *emulator.job_ids[:2]).code == 0

    assert emulator.journal("ShowJobList") == []


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            "orders-migration-1",
            "name or ID 'orders-migration-1'. Did you mean orders-migration-10?",
        ),
        ("nothing-*", "no job name matches the pattern 'nothing-*'. Run drs list"),
        ("twin", "2 jobs have the name 'twin'. Specify one of their IDs: "),
    ],
)
def test_selection_must_be_clear(drs: Drs, emulator: Emulator, given: str, text: str) -> None:
    for _ in range(2):
        emulator.seed_job(name="twin")

    done = drs("stop", given, "--yes")

    assert (done.code, text in done.err) == (2, True)
    assert emulator.journal("BatchDeleteJobs") == []


@pytest.mark.parametrize("given", ["orders-migration-01 orders-migration-02", "[o]rders-migration-0[12]"])
def test_text_of_several_jobs(drs: Drs, emulator: Emulator, given: str) -> None:
    assert [job["job_id"] for job in drs("status", given, "--json").document["jobs"]] == list(
        emulator.job_ids[:2]
    )


def test_pattern_selects_several_jobs_of_a_name(drs: Drs, emulator: Emulator) -> None:
    for _ in range(2):
        emulator.seed_job(name="twin", **RUNNING)

    assert len(drs("stop", "twi?", "--yes", "--json").document["jobs"]) == 2


# List.


def test_list_filters_and_counts(drs: Drs, emulator: Emulator) -> None:
    emulator.seed_job(name="late", db_use_type="sync", delay=[[0, 300]], **RUNNING)
    emulator.seed_job(name="broken", status="FULL_TRANSFER_FAILED")
    emulator.seed_job(name="ledger", **DR)

    def names(*arguments: str) -> list[str]:
        return [job["name"] for job in drs("list", "--json", *arguments).document["jobs"]]

    assert len(names()) == 13
    assert names("--kind", "sync") == ["late"]
    assert names("--kind", "disaster-recovery") == ["ledger"]
    assert names("--status", "failed") == ["broken"]
    assert names("--status", "incremental,FULL_TRANSFER_FAILED", "late", "b*") == ["broken", "late"]
    assert names("--engine", "cloudDataGuard-mysql") == ["ledger"]
    assert names("--lag-above", "60") == ["late"]
    lines = drs("list").out.splitlines()
    assert lines[-1] == "13 jobs: 10 configuring, 1 failed, 2 incremental"
    (late,) = (line for line in lines if line.startswith("late ("))
    assert " sync " in late
    assert "lag 300 s" in late


def test_list_takes_what_other_commands_take(
    drs: Drs, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("orders-migration-01\n"))

    assert drs("list", "orders-migration-01,orders-migration-02").out.splitlines()[-1].startswith("2 jobs")
    assert drs("list", "-").out.splitlines()[-1].startswith("1 job:")


def test_unknown_lag_is_shown(drs: Drs, emulator: Emulator) -> None:
    job_id = emulator.seed_job(name="late", delay=[[0, 300]], **RUNNING)
    emulator.inject("job_error", operation="BatchListProgresses", job_id=job_id, times=None)

    done = drs("list", "--lag-above", "60")

    assert done.code == 1
    assert f"Progress of late ({job_id}) unknown: " in done.out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--status", " ,"], "--status is empty"),
        (["orders-migration-99"], "Did you mean orders-migration-09?"),
        (["--status", "broken"], "--status: unknown status 'broken'. Use a status, or a phase: creating"),
        (["--watch", "--json"], "--watch cannot be used with --json"),
        (["--interval", "5"], "--interval applies to --watch"),
        (["--kind", "everything"], "--kind"),
    ],
)
def test_list_rejects_nonsense(drs: Drs, emulator: Emulator, arguments: list[str], text: str) -> None:
    done = drs("list", *arguments)

    assert (done.code, text in done.err) == (2, True)


def test_watched_list_shows_changes(drs: Drs, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = emulator.seed_job(name="late", **RUNNING)
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            raise KeyboardInterrupt
        emulator.set_job(job_id, delay=[[0, 77]])

    monkeypatch.setattr("time.sleep", sleep)

    done = drs("list", "l*", "--watch", "--interval", "5")

    assert done.code == 130
    assert naps == [5, 5]
    assert [line.rpartition("lag ")[2] for line in done.out.splitlines()] == ["0 s", "77 s"]


# Actions.


@pytest.mark.parametrize(
    ("command", "before", "operation", "words"),
    [
        (["pause"], "INCRE_TRANSFER_STARTED", "BatchStopJobs", ("pausing", "already paused")),
        (["resume"], "INCRE_TRANSFER_FAILED", "BatchRestoreTask", ("resuming", "already running")),
        (["stop", "--yes"], "INCRE_TRANSFER_STARTED", "BatchDeleteJobs", ("stopping", "already stopped")),
        (
            ["delete", "--yes"],
            "RELEASE_RESOURCE_COMPLETE",
            "BatchDeleteJobs",
            ("deleting", "was deleted, or its ID"),
        ),
    ],
)
def test_action_is_performed_once(
    drs: Drs, emulator: Emulator, command: list[str], before: str, operation: str, words: tuple[str, ...]
) -> None:
    job_id = emulator.seed_job(name="shop", status=before)

    rehearsed = drs(command[0], job_id, "--dry-run", "--json")
    first, second = drs(*command, job_id), drs(*command, job_id)

    assert (first.code, second.code) == (0, 0)
    shown = [done.out.splitlines()[-1] for done in (first, second)]
    assert [word in line for word, line in zip(words, shown, strict=True)] == [True, True], shown
    assert [call["body"]["jobs"][0]["job_id"] for call in rehearsed.document["calls"]] == [job_id]
    assert len([entry for entry in emulator.journal(operation) if entry["applied"]]) == 1


def test_wait_shows_what_is_complete(drs: Drs, emulator: Emulator) -> None:
    job_id = emulator.seed_job(name="shop", **RUNNING)

    done = drs("stop", job_id, "--yes", "--wait", "--interval", "5")

    assert done.code == 0
    assert f"shop ({job_id}) RELEASE_RESOURCE_STARTED (stopping)" in done.out
    assert done.out.splitlines()[-1].split() == ["shop", f"({job_id})", "stopped"]


def test_timeout_does_not_hide_refused_jobs(drs: Drs, emulator: Emulator) -> None:
    running, new = emulator.seed_job(name="shop", **RUNNING), emulator.seed_job(status="CREATING")

    done = drs("stop", running, new, "--yes", "--wait", "--timeout", "0.001")
    late = drs("stop", emulator.seed_job(name="late", **RUNNING), "--yes", "--wait", "--timeout", "0.001")

    assert (done.code, late.code) == (1, 3)
    assert "not stopped yet" in done.out
    assert "refused" in done.out
    assert "Timed out: jobs not stopped yet: late (" in late.out


def test_unreadable_state_does_not_hide_what_was_sent(drs: Drs, emulator: Emulator) -> None:
    job_id = emulator.seed_job(name="shop", **RUNNING)
    emulator.inject("no_permission", operation="BatchListJobStatus", times=None)

    done = drs("pause", job_id, "--wait", "--json")

    (row,) = done.document["jobs"]
    assert (done.code, row["adopted"], row["error"]["type"]) == (1, False, "DrsPermissionError")


def test_what_was_not_compared_is_said(drs: Drs, emulator: Emulator) -> None:
    job_id = emulator.seed_job(name="shop", **RUNNING)
    drs("pause", job_id)

    assert (
        "DRS does not return pause_mode, which was not compared" in drs("pause", job_id, "--mode", "all").out
    )


def test_refused_job_does_not_affect_others(drs: Drs, emulator: Emulator) -> None:
    running, created = emulator.seed_job(**RUNNING), emulator.job_ids[0]

    done = drs("pause", created, running)

    assert done.code == 1
    assert f"({created})  refused" in done.out
    assert [entry["job_ids"] for entry in emulator.journal("BatchStopJobs")] == [[running]]


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("no\n", 2), ("", 2)])
def test_user_confirms_what_cannot_be_undone(
    drs: Drs, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    job_id = emulator.seed_job(name="shop", **RUNNING)
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdin", terminal)

    done = drs("stop", job_id)

    assert done.code == code
    assert f"shop ({job_id})\nA stopped job cannot be started again.\nStop this job? [y/N]" in done.err
    assert len(emulator.journal("BatchDeleteJobs")) == (code == 0)


@pytest.mark.parametrize("command", ["stop", "delete", "switch-over"])
def test_script_must_confirm(
    drs: Drs, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    done = drs(command, emulator.job_ids[0])

    assert (done.code, "Add --yes to confirm." in done.err) == (2, True)


def test_dry_run_sends_nothing(drs: Drs, emulator: Emulator) -> None:
    job_id = emulator.job_ids[0]

    done = drs("precheck", job_id, "--dry-run")

    assert done.code == 0
    assert done.out.startswith("POST /v3/{project_id}/jobs/batch-precheck\n{")
    assert "would be submitted\nDry run: no job was changed.\n" in done.out
    assert emulator.journal("BatchCheckJobs") == []
    assert "Omit --wait" in drs("precheck", job_id, "--dry-run", "--wait").err


def test_start_is_rehearsed(drs: Drs, emulator: Emulator) -> None:
    job_id = emulator.job_ids[0]
    drs("precheck", job_id, "--wait")

    done = drs("start", job_id, "--dry-run", "--json")

    assert done.document["calls"][0]["body"] == {"jobs": [{"job_id": job_id}]}
    assert emulator.journal("BatchStartJobs") == []


# Compare and switch over.


def test_comparison_finds_differences(drs: Drs, emulator: Emulator) -> None:
    same, different = emulator.seed_job(**DR), emulator.seed_job(differences=["shop.orders"], **DR)

    done = drs("compare", same, "--wait")
    other = drs("compare", different, "--data", "lines", "--table", "shop.orders", "--wait")

    assert "would be compared" in drs("compare", same, "--dry-run").out
    assert "failed" in other.out
    assert (done.code, "consistent" in done.out) == (0, True)
    assert (other.code, "shop.orders" in other.out) == (1, True)


@pytest.mark.parametrize(
    "arguments", [["--data", "lines"], ["--table", "shop"], ["--data", "lines", "--table", "."]]
)
def test_comparison_of_data_needs_tables(drs: Drs, emulator: Emulator, arguments: list[str]) -> None:
    done = drs("compare", emulator.seed_job(**DR), *arguments)

    assert (done.code, "--table" in done.err) == (2, True)
    assert emulator.journal("CreateCompareTask") == []


def test_switch_over(drs: Drs, emulator: Emulator) -> None:
    job_id = emulator.seed_job(db_use_type="sync", **RUNNING)

    assert "would be switched over" in drs("switch-over", job_id, "--dry-run").out
    done = drs("switch-over", job_id, "--yes", "--wait")

    assert (done.code, "switched over" in done.out) == (0, True)
    assert len(emulator.journal("SwitchVip")) == 1


# Wait.


def test_wait_for_status(drs: Drs, emulator: Emulator) -> None:
    name, job_id = "orders-migration-01", emulator.job_ids[0]
    drs("precheck", job_id, "--wait")
    drs("start", job_id)

    done = drs("wait", name, "--for", "INCRE_TRANSFER_STARTED")

    assert done.code == 0
    assert f"{name} ({job_id})  INCRE_TRANSFER_STARTED" in done.out.splitlines()[-1]


def test_wait_for_lag(drs: Drs, emulator: Emulator) -> None:
    job_id = emulator.seed_job(delay=[[0, 300]], **RUNNING)

    late = drs("wait", job_id, "--for", "lag=60", "--timeout", "0.3")
    emulator.set_job(job_id, delay=[[0, 5]])
    close = drs("wait", job_id, "--for", "lag=60")

    assert (late.code, "jobs not within 60 s of their sources yet" in late.err) == (3, True)
    assert (close.code, "lag 5 s" in close.out.splitlines()[-1]) == (0, True)


def test_wait_fails_with_the_job(drs: Drs, emulator: Emulator) -> None:
    job_id = emulator.seed_job(name="shop", status="FULL_TRANSFER_FAILED")

    done = drs("wait", job_id, "--for", "INCRE_TRANSFER_STARTED")

    assert (done.code, "FULL_TRANSFER_FAILED" in done.out) == (1, True)


@pytest.mark.parametrize("goal", ["STARTED", ",", "lag=", "lag=-1", "lag=nan", ""])
def test_goal_must_be_valid(drs: Drs, emulator: Emulator, goal: str) -> None:
    done = drs("wait", emulator.job_ids[0], "--for", goal)

    assert (done.code, "--for" in done.err) == (2, True)


# Create and test.


def _write(tmp_path: Path, content: Any) -> str:
    file = tmp_path / "jobs.yaml"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(file)


def test_jobs_are_created_once(
    drs: Drs, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps({"conn_type": "mysql", "host": "192.0.2.1"}))
    file = _write(tmp_path, [{**SPEC, "source_conn_id": "shop"}, {**SPEC, "name": "ledger"}])

    rehearsed = drs("create", "-f", file, "--dry-run", "--json")
    first, second = drs("create", "-f", file, "--wait"), drs("create", "--file", file)

    assert [row["name"] for row in rehearsed.document["calls"][0]["body"]["jobs"]] == ["billing", "ledger"]
    assert (first.code, second.code) == (0, 0)
    assert first.out.count("  created") == 2
    assert second.out.count("already created") == 2
    assert [job["name"] for job in emulator.jobs[10:]] == ["billing", "ledger"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a: [", "--file: cannot read"),
        ("- 1", "expected a list with a mapping for each job"),
        ([{**SPEC, "name": ""}], "name is missing"),
        ([{**SPEC, "source_conn_id": "nowhere"}], "source_conn_id: The conn_id `nowhere` isn't defined"),
    ],
)
def test_file_must_be_valid(drs: Drs, emulator: Emulator, tmp_path: Path, content: Any, text: str) -> None:
    done = drs("create", "-f", _write(tmp_path, content))

    assert (done.code, text in done.err) == (2, True)


def test_connections_are_tested(drs: Drs, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    database = {"conn_type": "mysql", "host": "192.0.2.1", "login": "drs", "password": "test-pw"}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps({**database, "port": 3306}))
    job_id = emulator.job_ids[0]

    rehearsed = drs("test", job_id, "--source-conn-id", "shop", "--dry-run")
    done = drs("test", job_id, "--source-conn-id", "shop")

    assert (done.code, "reachable" in done.out) == (0, True)
    assert "would be tested" in rehearsed.out
    assert "test-pw" not in rehearsed.out + rehearsed.err
    assert "set at least one of them" in drs("test", job_id).err


# Completion.


def test_names_are_completed(drs: Drs, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = build_parser().parse_args(["status", "x"])

    assert complete("orders-migration-0", arguments) == [f"orders-migration-0{n}" for n in range(1, 10)]
    monkeypatch.delenv("AIRFLOW_CONN_DRS_DEFAULT")
    assert complete("orders", build_parser().parse_args(["status", "x", "--conn-id", "nowhere"])) == []
