"""An emulator with a state file continues after a restart or a crash."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests
from drs_emulator import Emulator, EmulatorClient, state
from drs_emulator.__main__ import main
from drs_emulator.http.server import Server
from drs_emulator.world.clock import Clock

from tests.emulator.caller import Caller


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a state file that does not exist yet."""
    return tmp_path / "state"


@contextmanager
def _run(file: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], EmulatorClient]]:
    command = [sys.executable, "-m", "drs_emulator", "--port", "0", "--state", str(file)]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+[0-9]", process.stdout.readline())
        assert found is not None
        client = EmulatorClient(found[0])
        yield process, client
        client.close()
        process.kill()


def test_killed_process_loses_tokens_only(file: Path) -> None:
    with _run(file, "--clock", "manual") as (process, emulator):
        call = Caller(emulator)
        job_id, other_id = emulator.job_ids[:2]
        call.precheck(job_id, other_id)
        emulator.advance(60)
        assert call.start(job_id) == [None]
        emulator.set_verdict(other_id, "fail")
        fault_id = emulator.inject("too_frequent", operation="BatchStopJobs")
        journal, jobs, now_s = emulator.journal(), emulator.jobs, emulator.now
        process.send_signal(signal.SIGKILL)

    with _run(file) as (_, emulator):
        assert (emulator.jobs, emulator.now) == (jobs, now_s)
        assert emulator.journal() == journal
        assert [fault["id"] for fault in emulator.faults] == [fault_id]
        second = Caller(emulator)
        second.precheck(other_id)
        emulator.advance(60)
        assert second.result(other_id)["result"] is False
        assert emulator.journal()[-1]["sequence"] > journal[-1]["sequence"]
        assert second.send("BatchListJobStatus", {"jobs": [job_id]}, headers=call.headers).status_code == 403
        for caller in (call, second):
            caller.close()


def test_completed_work_is_stored_before_the_response(file: Path) -> None:
    with _run(file, "--precheck-seconds", "0") as (process, emulator):
        call = Caller(emulator)
        job_id = emulator.job_ids[0]
        call.precheck(job_id)
        emulator.inject("hang", operation="BatchStartJobs", apply=True)
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(call.start, job_id)
            while not emulator.jobs[0]["starts"]:
                pass
            process.send_signal(signal.SIGKILL)
            assert isinstance(answer.exception(), requests.ConnectionError)
        call.close()

    with _run(file) as (_, emulator):
        assert emulator.jobs[0]["starts"] == 1
        entry = emulator.journal("BatchStartJobs")[0]
        assert (entry["applied"], entry["status"]) == (True, None)


def test_state_of_in_process_emulator(file: Path) -> None:
    with Emulator(pace=2, state=file) as emulator:
        call = Caller(emulator)
        job_id = emulator.job_ids[0]
        call.precheck(job_id)
        assert call.result(job_id)["process"] == "50%"
        call.close()
    with Emulator(state=file) as emulator:
        call = Caller(emulator)
        assert call.result(job_id)["process"] == "100%"
        emulator.reset()
        call.close()
    with Emulator(state=file) as emulator:
        assert [job["prechecks"] for job in emulator.jobs] == [0] * 10
        assert emulator.journal() == []


@pytest.mark.parametrize(("clock", "passed_s"), [(Clock(speed=10), 600), (Clock(manual=True), 0)])
def test_clock_continues_while_stopped(clock: Clock, passed_s: int) -> None:
    saved = clock.__getstate__()
    later = Clock()
    later.__setstate__(saved | {"at_s": saved["at_s"] - 60})

    assert later.now() - saved["now_s"] == pytest.approx(passed_s, abs=60 if passed_s else 0)


def _sort_sets(document: dict[str, Any]) -> dict[str, Any]:
    sets = {"is_tested", "unreachable", "fails_in", "rules"}
    return {key: sorted(value) if key in sets else value for key, value in document.items()}


def test_state_of_every_kind_of_job(file: Path) -> None:
    unusual = {"description": "\ud800", "fails_in": ["full"], "delay": [[0, 90], [20, 5]]}
    with Emulator(clock="manual", state=file, seeds=[unusual]) as emulator:
        call = Caller(emulator)
        (odd,) = emulator.job_ids
        running = emulator.seed_job(verdict={"duration_s": 0, "items": ["srcDbVersion"], "outcome": "alarm"})
        dr = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql"}
        compared = emulator.seed_job(status="INCRE_TRANSFER_STARTED", **dr)
        cluster = emulator.seed_job(engine_type="mongodb", node_num=2, status="INCRE_TRANSFER_STARTED")
        emulator.plan_job("stock-*", fails_in=["create"])
        call.precheck(odd, running)
        assert call.start(running) == [None]
        call("CreateCompareTask", {"job_id": compared, "object_level_compare_type": "objects"})
        emulator.advance(10)
        call.rows("BatchStopJobs", running, pause_mode="target")
        saved = state.read_state(file)
        assert saved is not None
        copy = file.with_name("copy")
        state.write_state(saved, copy)
        first, second = (json.loads(path.read_bytes(), object_hook=_sort_sets) for path in (file, copy))

        assert first | {"clock": None} == second | {"clock": None}
        assert saved.world.jobs[running].status(emulator.now) == "PAUSING"
        call.close()
    with Emulator(state=file) as emulator:
        emulator.set_job(cluster, status="PAUSING")
        subtasks = [job["status"] for job in emulator.jobs if job["parent_id"] == cluster]
        assert subtasks == ["PAUSING"] * 2


def test_state_file_permissions(file: Path) -> None:
    with Emulator(state=file):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a state file of the emulator"),
        (b"{}", "not a state file of the emulator"),
        (b"[1]", "not a state file of the emulator"),
        (pickle.dumps(print), "not a state file of the emulator"),
        (
            json.dumps({"version": state.__version__, "clock": {}}).encode(),
            "not a state file of the emulator",
        ),
        (b'{"version": "0.0.0"}', "written by another emulator version"),
    ],
)
def test_invalid_state_file_is_rejected(
    content: bytes, words: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main(["--state", str(file)])

    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert str(file) in error
    assert file.read_bytes() == content


class _Exploit:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self._marker}",)


def _damage(content: bytes, random: Random, marker: Path) -> bytes:
    """Return a damaged or hostile state file."""
    kind = random.randrange(6)
    position = random.randrange(len(content))
    if kind == 0:
        return content[:position]
    if kind == 1:
        return content[:position] + random.randbytes(random.randint(1, 8)) + content[position + 1 :]
    if kind == 2:
        return pickle.dumps(_Exploit(marker), protocol=random.randrange(6))
    if kind == 3:
        return content[:position] + b"[" * random.randint(1, 200_000)
    document = json.loads(content)
    places: list[tuple[Any, Any]] = []
    pending: list[Any] = [document]
    while pending:
        value = pending.pop()
        keys = list(value) if isinstance(value, dict) else range(len(value))
        places += [(value, key) for key in keys]
        pending += [value[key] for key in keys if isinstance(value[key], dict | list)]
    value, key = random.choice(places)
    if kind == 4:
        del value[key]
    else:
        value[key] = random.choice([None, [], {}, "os.system", -1, 10**400, 1e308, True, {"__class__": "os"}])
    return json.dumps(document).encode()


def test_damaged_state_files_are_rejected_or_read(file: Path, tmp_path: Path) -> None:
    with Emulator(state=file) as emulator:
        emulator.seed_job(engine_type="mongodb", node_num=2)
        emulator.inject("busy", operation="BatchStartJobs", job_id=emulator.job_ids[0])
        emulator.set_verdict(emulator.job_ids[1], "fail", items=["srcBinlogFormatCheck"])
        caller = Caller(emulator)
        caller.precheck(*emulator.job_ids[:2])
        caller.close()
    content = file.read_bytes()
    random, marker, rejected = Random(7), tmp_path / "executed", 0  # noqa: S311 - not a secret

    for _ in range(1000):
        file.write_bytes(_damage(content, random, marker))
        try:
            found = state.read_state(file)
        except ValueError as error:
            assert str(file) in str(error)
            rejected += 1
        else:
            assert isinstance(found, state.State)

    assert not marker.exists()
    assert 500 < rejected < 1000


def test_state_of_other_version_is_rejected(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Server(state=file)
    monkeypatch.setattr(state, "__version__", "0.0.0")

    with pytest.raises(ValueError, match="written by another emulator version. Delete the file"):
        Server(state=file)


def test_unwritable_state_file_is_rejected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--state", str(tmp_path / "missing" / "state")])

    assert f"--state: the folder {tmp_path / 'missing'} does not exist" in capsys.readouterr().err


def test_state_file_belongs_to_one_emulator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "state"
    with Emulator(state=file):
        with pytest.raises(ValueError, match="in use by another emulator"):
            Emulator(state=file).start()
        with pytest.raises(SystemExit):
            main(["--port", "0", "--state", str(file)])

    assert f"error: --state: {file}: in use by another emulator" in capsys.readouterr().err
    with Emulator(state=file) as emulator:
        assert emulator.job_ids


def test_symbolic_link_to_a_state_file_is_kept(tmp_path: Path) -> None:
    file, link = tmp_path / "state", tmp_path / "link"
    link.symlink_to(file)
    with Emulator(state=link) as emulator:
        emulator.seed_job("kept-1")

    assert link.is_symlink()
    with Emulator(state=file) as emulator:
        assert "kept-1" in emulator.job_ids
