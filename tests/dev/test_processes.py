"""Processes end with the process that started them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from dev.stacks import processes

# A component with a child in a process group of its own, as Airflow's have, that can outlive it.
COMPONENT = """
import os, subprocess, sys
child = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, process_group=0)
print(child.pid, flush=True)
{after}
"""


def _start(after: str) -> tuple[subprocess.Popen[str], int]:
    code = COMPONENT.format(after=after)
    component = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert component.stdout is not None
    return component, int(component.stdout.readline())


def _reap(*sessions: int) -> None:
    text = "".join(f"{session}\n" for session in sessions)
    subprocess.run([sys.executable, processes.__file__], input=text, text=True, check=True, timeout=60)


def _is_alive(pid: int) -> bool:
    # A zombie has ended, even if its parent has not waited for it.
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


def test_children_with_own_process_group_are_ended() -> None:
    component, child = _start(after="sys.stdin.read()\nchild.wait()")
    assert _is_alive(child)

    _reap(component.pid)

    component.communicate(timeout=60)
    assert not _is_alive(child)


def test_orphans_are_ended() -> None:
    component, child = _start(after="os._exit(0)")
    component.communicate(timeout=60)
    assert _is_alive(child)

    _reap(component.pid)

    assert not _is_alive(child)


def test_other_sessions_are_not_ended() -> None:
    component, child = _start(after="child.wait()")
    try:
        _reap(2**22 + 1)

        assert _is_alive(child)
    finally:
        _reap(component.pid)
        component.communicate(timeout=60)


def test_process_that_ends_before_the_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    component, child = _start(after="child.wait()")
    gone = subprocess.Popen(["true"])
    gone.wait()
    monkeypatch.setattr(processes, "find", lambda sessions: [gone.pid, child])

    assert processes.send_signal({component.pid}, signal.SIGKILL) == 2

    component.communicate(timeout=60)
    assert not _is_alive(child)


def _interrupt(poll: Callable[[], object], at: int) -> bool:
    """Interrupt a poll before the line number *at*, and return whether it has that many lines."""
    seen = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal seen
        if event == "line":
            seen += 1
            if seen == at:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        poll()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_interrupted_poll_does_not_block_wait() -> None:
    found = []
    with subprocess.Popen(["sleep", "600"]) as process:
        lock = process._waitpid_lock  # type: ignore[attr-defined]
        while _interrupt(lambda: processes.has_ended(process), len(found) + 1):
            found.append(lock.locked())
            if found[-1]:
                lock.release()
        process.kill()
    assert found
    assert not any(found)
    assert processes.has_ended(process)


def test_ended_process_is_detected_without_wait() -> None:
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as process:
        while not processes.has_ended(process):
            pass
        assert process.returncode is None
        assert process.wait() == 3
