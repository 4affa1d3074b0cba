"""
Ends the processes of a stack when whoever started it is gone, however that came about.

    python dev/reaper.py

Each line of standard input is the id of a session; when there are no more lines, all their processes are
ended. A session is what a component and its children keep: Airflow gives some of them process groups of their
own, and one whose parent was killed belongs to nobody.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from typing import Any

import psutil

#: Seconds that a process has to end by itself.
_PATIENCE_S = 15.0


def reap(sessions: Collection[int], patience_s: float = _PATIENCE_S) -> None:
    """
    End every process of some sessions.

    :param patience_s: seconds after which those that are left are killed.
    """
    deadline_s = time.monotonic() + patience_s
    told: set[int] = set()
    while time.monotonic() < deadline_s:
        # Looked for again each time: the ones that end may have started others before.
        found = list(find(sessions))
        if not found:
            return
        for pid in set(found) - told:
            _send(pid, signal.SIGTERM)
            told.add(pid)
        time.sleep(0.1)
    kill(sessions)


def kill(sessions: Collection[int]) -> None:
    """Kill every process of some sessions, and those that they start meanwhile, as a machine that fails."""
    while tell(sessions, signal.SIGKILL):
        time.sleep(0.01)


def tell(sessions: Collection[int], number: signal.Signals) -> int:
    """
    Send a signal to every process of some sessions.

    :return: how many there were.
    """
    found = list(find(sessions))
    for pid in found:
        _send(pid, number)
    return len(found)


def has_ended(process: subprocess.Popen[Any]) -> bool:
    """
    Tell whether a process that this one has started has ended.

    Not with its ``poll``: a Ctrl-C in the middle of that can leave it locked, and who waits for it then waits
    for ever.
    """
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def find(sessions: Collection[int]) -> Iterator[int]:
    """Yield the living processes of some sessions."""
    for pid in psutil.pids():
        try:
            if os.getsid(pid) in sessions and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                yield pid
        except (OSError, psutil.Error):
            # Gone meanwhile.
            continue


def _send(pid: int, number: signal.Signals) -> None:
    # One that was found may have ended by itself since.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


if __name__ == "__main__":
    # Ctrl-C and a polite kill are for the others; this one has to outlast them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    reap({int(line) for line in sys.stdin})
