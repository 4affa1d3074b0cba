"""Nothing outlives whoever started it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import reaper

REAPER = Path(__file__).parents[2] / "dev" / "reaper.py"
# A component with a child that has a process group of its own, as Airflow's have, and may outlive it.
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
    subprocess.run([sys.executable, REAPER], input=text, text=True, check=True, timeout=60)


def _is_alive(pid: int) -> bool:
    # A zombie has ended; whether anybody has looked is not our affair.
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


def test_children_with_a_group_of_their_own_end_too() -> None:
    """Once nobody holds the reaper's standard input any more, the whole session is ended."""
    component, child = _start(after="sys.stdin.read()\nchild.wait()")
    assert _is_alive(child)

    _reap(component.pid)

    component.communicate(timeout=10)
    assert not _is_alive(child)


def test_orphans_end_too() -> None:
    """A child whose parent is gone still has its session."""
    component, child = _start(after="os._exit(0)")
    component.communicate(timeout=10)
    assert _is_alive(child)

    _reap(component.pid)

    assert not _is_alive(child)


def test_others_are_left_alone() -> None:
    """Only the sessions that it was told of."""
    component, child = _start(after="child.wait()")
    try:
        _reap(2**22 + 1)

        assert _is_alive(child)
    finally:
        _reap(component.pid)
        component.communicate(timeout=10)


def test_one_that_ends_between_the_look_and_the_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is gone, which is what was wanted; the others of its session are told nevertheless."""
    component, child = _start(after="child.wait()")
    gone = subprocess.Popen(["true"])
    gone.wait()
    monkeypatch.setattr(reaper, "find", lambda sessions: [gone.pid, child])

    assert reaper.tell({component.pid}, signal.SIGKILL) == 2

    component.communicate(timeout=10)
    assert not _is_alive(child)
