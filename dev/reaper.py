"""
Ends the processes of a stack when whoever started it is gone, however that came about.

    python dev/reaper.py AIRFLOW_HOME

Waits until its standard input is closed. Airflow puts some of its children into process groups of their own, and
a child whose parent was killed belongs to nobody; what they all keep is the AIRFLOW_HOME that they were given.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

#: Seconds that a process has to end by itself.
_PATIENCE_S = 15.0


def reap(home: Path, patience_s: float = _PATIENCE_S) -> None:
    """
    End every process that has *home* for its AIRFLOW_HOME, except this one.

    :param patience_s: seconds after which those that are left are killed.
    """
    deadline_s = time.monotonic() + patience_s
    told: set[int] = set()
    while time.monotonic() < deadline_s:
        # Looked for again each time: the ones that end may have started others before.
        found = list(find(home))
        if not found:
            return
        for process in found:
            if process.pid not in told:
                _send(process, signal.SIGTERM)
                told.add(process.pid)
        time.sleep(0.1)
    for process in find(home):
        _send(process, signal.SIGKILL)


def find(home: Path) -> Iterator[psutil.Process]:
    """Yield the processes that have *home* for their AIRFLOW_HOME, except this one and the reaper."""
    for process in psutil.process_iter():
        try:
            is_ours = process.pid != os.getpid() and process.environ().get("AIRFLOW_HOME") == str(home)
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            # Somebody else's, or gone meanwhile.
            continue


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        pass


if __name__ == "__main__":
    # Ctrl-C reaches the whole terminal; this one has to outlast the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdin.read()
    reap(Path(sys.argv[1]))
