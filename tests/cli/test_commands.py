"""What the commands print, and how they end."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from drs_emulator import Emulator

from airflow_provider_drs.cli.commands import COMMANDS
from tests.cli.conftest import Drs

BINLOG = "srcBinlogFormatCheck"
TRIGGERS = "srcTriggerAndEventCheck"
UNKNOWN = "00000000-0000-0000-0000-000000000000"


def _pass(drs: Drs, *job_ids: str) -> None:
    assert drs("precheck", *job_ids, "--wait").code == 0


def test_precheck_passes(drs: Drs, emulator: Emulator) -> None:
    first, second = emulator.job_ids[:2]

    done = drs("precheck", first, second, "--wait")

    lines = done.out.splitlines()
    assert done.code == 0
    assert f"orders-migration-01 ({first}) pre-check passed, 100% of the items passed" in lines
    assert lines[-1] == "2 jobs: 2 passed"
    assert len(lines) == len(set(lines))
    assert done.err == ""


def test_precheck_fails(drs: Drs, emulator: Emulator) -> None:
    emulator.set_verdict(emulator.job_ids[0], "fail", items=[BINLOG])

    done = drs("precheck", *emulator.job_ids[:2], "--wait")

    assert done.code == 1
    label = f"orders-migration-01 ({emulator.job_ids[0]})"
    assert f"{label}  FAILED  Source binary log format ({BINLOG})  " in done.out
    assert "fix: Set `binlog_format = ROW`" in done.out
    assert done.out.endswith("2 jobs: 1 passed, 1 failed\n")


def test_rejected_job_is_reported_with_the_others(drs: Drs, emulator: Emulator) -> None:
    done = drs("precheck", emulator.job_ids[0], UNKNOWN, "--wait", "--json")

    assert done.code == 1
    assert [(job["job_id"], job["verdict"]) for job in done.document["jobs"]] == [
        (emulator.job_ids[0], "passed"),
        (UNKNOWN, "failed"),
    ]
    assert done.document["jobs"][1]["error"]["error_code"] == "DRS.M00289"


def test_precheck_without_wait_lists_accepted_jobs(drs: Drs, emulator: Emulator) -> None:
    assert drs("precheck", emulator.job_ids[0]).code == 0

    done = drs("precheck", *emulator.job_ids[:2], "--json")

    assert [job["status"] for job in done.document["jobs"]] == ["adopted", "submitted"]
    assert len(emulator.journal("BatchCheckJobs")) == 2


def test_precheck_times_out(drs: Drs, emulator: Emulator) -> None:
    done = drs("precheck", emulator.job_ids[0], "--wait", "--timeout", "0.001", "--interval", "0.001")

    assert done.code == 3
    assert "Timed out: 1 pre-check has not finished." in done.out


@pytest.mark.parametrize(("alarms", "code"), [("allow", 0), ("fail", 1), ([TRIGGERS], 0), (["other"], 1)])
def test_alarms_option(drs: Drs, emulator: Emulator, tmp_path: Path, alarms: Any, code: int) -> None:
    emulator.set_verdict(emulator.job_ids[0], "alarm", items=[TRIGGERS])
    if isinstance(alarms, list):
        (tmp_path / "waivers.yaml").write_text("\n".join(f"- {name}" for name in alarms))
        alarms = str(tmp_path / "waivers.yaml")

    done = drs("precheck", emulator.job_ids[0], "--wait", "--alarms", alarms)

    assert done.code == code
    assert ("unknown check item other" in done.out) is (alarms.endswith("yaml") and code == 1)


def test_results_start_no_precheck(drs: Drs, emulator: Emulator) -> None:
    drs("precheck", emulator.job_ids[0])
    emulator.advance(1)

    running = drs("results", emulator.job_ids[0], "--json")
    emulator.advance(3600)
    passed = drs("results", emulator.job_ids[0])
    passed_json = drs("results", emulator.job_ids[0], "--json")

    assert (running.code, running.document["jobs"][0]["verdict"]) == (1, "pending")
    assert (passed.code, passed.out) == (0, "1 job: 1 passed\n")
    assert passed_json.document["jobs"][0]["name"] == "orders-migration-01"
    assert len(emulator.journal("BatchCheckJobs")) == 1


def test_status_and_progress(drs: Drs, emulator: Emulator) -> None:
    _pass(drs, emulator.job_ids[0])
    assert drs("start", emulator.job_ids[0], "--wait").code == 0

    status = drs("status", emulator.job_ids[0], UNKNOWN)
    progress = drs("progress", emulator.job_ids[0], "--json")
    plain = drs("progress", emulator.job_ids[0])

    assert status.code == 1
    assert "FULL_TRANSFER_STARTED  full copy running" in status.out
    assert f"orders-migration-01 ({emulator.job_ids[0]})" in status.out
    assert f"orders-migration-01 ({emulator.job_ids[0]})" in plain.out
    assert f"{UNKNOWN}" in status.out
    assert "does not exist (DRS.M00289)" in status.out
    assert progress.document["jobs"][0]["percent"] >= 0


def test_start_refuses_unchecked_jobs(drs: Drs, emulator: Emulator) -> None:
    first, second = emulator.job_ids[:2]
    _pass(drs, first)

    refused = drs("start", first, second)
    started = drs("start", first, "--json")
    again = drs("start", first)

    assert refused.code == 1
    assert f"orders-migration-02 ({second}): the pre-check has not passed: it has no result" in refused.out
    assert refused.out.endswith(f"another job was refused: orders-migration-01 ({first})\n")
    assert (started.code, started.document["jobs"][0]["adopted"]) == (0, False)
    assert (again.code, "already started" in again.out) == (0, True)
    assert [job["starts"] for job in emulator.jobs[:2]] == [1, 0]


def test_start_again_at_a_time(drs: Drs, emulator: Emulator) -> None:
    """The same command is repeated, or a job that is running cannot start then."""
    first, second = emulator.job_ids[:2]
    _pass(drs, first, second)

    scheduled, repeated = (drs("start", first, "--at", "2999-06-01T00:00:00Z") for _ in range(2))
    running = drs("start", second)
    too_late = drs("start", second, "--at", "2999-06-01T00:00:00Z")

    assert (scheduled.code, repeated.code, running.code, too_late.code) == (0, 0, 0, 1)
    assert "already scheduled" in repeated.out
    assert "2999-06-01" in too_late.out
    assert [job["starts"] for job in emulator.jobs[:2]] == [1, 1]


def test_start_that_times_out_names_the_jobs(drs: Drs, emulator: Emulator) -> None:
    _pass(drs, emulator.job_ids[0])

    done = drs("start", emulator.job_ids[0], "--wait", "--timeout", "0.001", "--interval", "0.001")

    assert f"not running yet: orders-migration-01 ({emulator.job_ids[0]})" in done.out
    assert done.code == 3


@pytest.mark.parametrize("options", [["--timeout", "5"], ["--interval", "5"]])
@pytest.mark.parametrize("command", ["precheck", "start"])
def test_wait_options_require_wait(drs: Drs, emulator: Emulator, command: str, options: list[str]) -> None:
    done = drs(command, emulator.job_ids[0], *options)

    assert (done.code, emulator.journal()) == (2, [])
    assert "--interval and --timeout apply to a wait. Add --wait" in done.err


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        ("2030-01-01T00:00:00", "--at: start_time"),
        ("2020-01-01T00:00:00Z", "--at: start_time"),
        ("soon", "--at: 'soon' is not a time. Use ISO 8601 with a time zone"),
    ],
)
def test_invalid_start_time_is_rejected(drs: Drs, emulator: Emulator, instant: str, text: str) -> None:
    _pass(drs, emulator.job_ids[0])

    done = drs("start", emulator.job_ids[0], "--at", instant)

    assert done.code == 2
    assert done.err.startswith(f"drs: {text}")
    assert emulator.journal("BatchStartJobs") == []


def test_scheduled_start(drs: Drs, emulator: Emulator) -> None:
    _pass(drs, emulator.job_ids[0])

    assert drs("start", emulator.job_ids[0], "--at", "2099-01-01T00:00:00+01:00").code == 0
    assert "WAITING_FOR_START" in drs("status", emulator.job_ids[0]).out


def test_past_start_time_adopts_running_jobs(drs: Drs, emulator: Emulator) -> None:
    _pass(drs, emulator.job_ids[0])
    drs("start", emulator.job_ids[0])

    again = drs("start", emulator.job_ids[0], "--at", "2020-01-01T00:00:00Z")
    senseless = drs("start", emulator.job_ids[0], "--at", "2020-01-01T00:00:00")

    assert (again.code, "already started" in again.out) == (0, True)
    assert senseless.code == 2


def test_timeout_counts_from_start_time(drs: Drs, emulator: Emulator) -> None:
    _pass(drs, emulator.job_ids[0])
    at = datetime.fromtimestamp(emulator.now + 60, UTC).isoformat()

    done = drs("start", emulator.job_ids[0], "--at", at, "--wait", "--timeout", "0.001")

    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("form", ["lines", "json"])
def test_jobs_from_standard_input(
    drs: Drs, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    listed = list(emulator.job_ids[:3])
    text = "\n".join(listed) if form == "lines" else json.dumps(listed, indent=2)
    monkeypatch.setattr("sys.stdin", io.StringIO(text))

    done = drs("status", "-", "--json")

    assert [job["job_id"] for job in done.document["jobs"]] == list(emulator.job_ids[:3])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "COMMAND"),
        (["precheck"], "JOB"),
        (["status", "not/a/job"], "is 'not/a/job': expected a DRS job ID"),
        (["status", "None"], "is 'None': expected a DRS job ID. Check the variable"),
        (["precheck", "x", "--mode", "forFun"], "--mode"),
        (["precheck", "x", "--interval", "0"], "expected a number of seconds greater than 0"),
        (["precheck", "x", "--alarms", "no-such-file"], "cannot read 'no-such-file'"),
        (["status", "x", "--conn-id", "unknown"], "connection 'unknown' is not defined"),
        (["dance"], "dance"),
    ],
)
def test_invalid_arguments(drs: Drs, emulator: Emulator, arguments: list[str], text: str) -> None:
    done = drs(*arguments)

    assert done.code == 2
    assert text in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "reset_before"}, 3),
        ({"kind": "status", "status": 503}, 3),
        ({"kind": "html", "status": 200}, 3),
        ({"kind": "no_permission"}, 2),
    ],
)
def test_unavailable_service(
    drs: Drs, emulator: Emulator, connect: Any, fault: dict[str, Any], code: int
) -> None:
    connect({"retry_timeout": 0.2})
    emulator.inject(operation="BatchListJobStatus", times=10_000, **fault)

    done = drs("status", emulator.job_ids[0], "--json")

    assert (done.code, done.document["exit_code"]) == (code, code)
    assert done.document["error"]["text"] in done.err
    assert "Traceback" not in done.err


def test_wrong_credentials(drs: Drs, emulator: Emulator, connect: Any) -> None:
    connect(password="canary-not-real-31")

    done = drs("status", emulator.job_ids[0], "--json")

    assert done.code == 2
    assert "canary-not-real-31" not in done.out + done.err


def test_transient_error_does_not_end_the_wait(drs: Drs, emulator: Emulator) -> None:
    drs("precheck", emulator.job_ids[0])
    emulator.advance(1)
    # After the read of what there was. Nothing waits that long for one call.
    throttled = {"status": 429, "headers": {"Retry-After": "1000"}}
    emulator.inject("status", operation="BatchCheckResults", after=1, times=1, **throttled)

    done = drs("precheck", emulator.job_ids[0], "--wait")

    assert done.code == 0
    assert "Polling DRS failed (transient, will retry)" in done.out


def test_ctrl_c_ends_the_wait(drs: Drs, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    drs("precheck", emulator.job_ids[0])
    monkeypatch.setattr("time.sleep", interrupt)

    done = drs("precheck", emulator.job_ids[0], "--wait")

    assert done.code == 130
    assert "Jobs and pre-checks continue in DRS" in done.err


def test_control_characters_are_escaped(drs: Drs, emulator: Emulator) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J[bold]\u202efdp.exe"
    emulator.inject(
        "job_error",
        operation="BatchListJobStatus",
        job_id=emulator.job_ids[0],
        code="DRS.M00001",
        message=evil,
    )

    done = drs("status", emulator.job_ids[0])

    assert done.code == 1
    assert not {"\x1b", "\x07", "\u202e"} & set(done.out + done.err)
    assert r"\x1b]0;owned\x07\x1b[2J[bold]\u202efdp.exe" in done.out


def test_doctor_on_valid_connection(drs: Drs) -> None:
    done = drs("doctor")

    assert done.code == 0
    assert "OK    IAM DNS: host name resolves (127.0.0.1)." in done.out
    assert done.out.endswith("Connection 'drs_default' works.\n")


def test_doctor_lists_permissions(drs: Drs) -> None:
    done = drs("doctor", "--permissions", "--json")

    permissions = json.loads(done.out)["permissions"]
    assert "drs:migrationJob:create" in permissions["DrsCreateJobsOperator"]
    assert "DrsStartJobsOperator" in drs("doctor", "--permissions").out


def test_doctor_names_the_first_thing_to_fix(drs: Drs, connect: Any) -> None:
    connect(password="wrong-not-real")
    refused = drs("doctor", "--json")
    connect(host="http://127.0.0.1:1")
    unreachable = drs("doctor")

    assert refused.code == 2
    assert refused.document["findings"][-1]["state"] == "FAIL"
    assert unreachable.code == 3
    assert "Fix this first: DRS connection: cannot connect to 127.0.0.1:1" in unreachable.out


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_argument_has_help(drs: Drs, command: str) -> None:
    done = drs(command, "--help")

    assert done.code == 0
    assert "--conn-id" in done.out


def test_job_ids_are_separated_as_in_operators(drs: Drs, emulator: Emulator) -> None:
    both = drs("status", ",".join(emulator.job_ids[:2]), "--json")
    wrong = drs("status", "@file")

    assert [job["job_id"] for job in both.document["jobs"]] == list(emulator.job_ids[:2])
    assert "Separate IDs by spaces or commas." in wrong.err
    assert "XCom" not in wrong.err


def test_texts_are_for_a_terminal(drs: Drs, emulator: Emulator) -> None:
    results = drs("results", emulator.job_ids[0])
    status = drs("status", UNKNOWN)

    assert "Run drs precheck to start a pre-check." in results.out
    assert f"{UNKNOWN}  unknown" in status.out
    assert "the task again" not in status.out + results.out


@pytest.mark.parametrize("arguments", [["--json"], ["--plain"]])
@pytest.mark.parametrize(("output", "code"), [("pipe", 141), ("/dev/full", 74)])
def test_output_that_cannot_be_written(
    emulator: Emulator, arguments: list[str], output: str, code: int
) -> None:
    reader, writer = os.pipe() if output == "pipe" else (None, os.open(output, os.O_WRONLY))
    if reader is not None:
        os.close(reader)
    environment = {**os.environ, "AIRFLOW_CONN_DRS_DEFAULT": emulator.connection_json}

    done = subprocess.run(
        [sys.executable, "-m", "airflow_provider_drs.cli", "status", emulator.job_ids[0], *arguments],
        env=environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)

    assert done.returncode == code
    full = "drs: cannot write the output: No space left on device\n"
    assert done.stderr == ("" if output == "pipe" else full)
