"""
Processes that end with the process that started them, however that ends.

    python dev/stacks/processes.py

As a command, it reads session ids from standard input, and ends all processes of those sessions at the end of
the input. A component and its children share a session: Airflow gives some children process groups of their
own, and a child of a killed parent is reparented.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

#: Seconds that a process has to end after SIGTERM.
_GRACE_S = 15.0
_POLL_S = 0.1


def find(sessions: Collection[int]) -> Iterator[int]:
    """Yield the living processes of some sessions."""
    for pid in psutil.pids():
        # A process can end while the list is read.
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(pid) in sessions and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                yield pid


def terminate(sessions: Collection[int]) -> None:
    """End every process of some sessions, and kill those that are left after a grace period."""
    deadline_s = time.monotonic() + _GRACE_S
    signaled: set[int] = set()
    # Searched again each time, because processes that end may start others before.
    while (found := set(find(sessions))) and time.monotonic() < deadline_s:
        for pid in found - signaled:
            _send(pid, signal.SIGTERM)
        signaled |= found
        time.sleep(_POLL_S)
    kill(sessions)


def kill(sessions: Collection[int]) -> None:
    """Kill every process of some sessions, and those that they start in the meantime."""
    while send_signal(sessions, signal.SIGKILL):
        time.sleep(0.01)


def send_signal(sessions: Collection[int], number: signal.Signals) -> int:
    """Send a signal to every process of some sessions, and return how many there were."""
    found = list(find(sessions))
    for pid in found:
        _send(pid, number)
    return len(found)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def has_ended(process: subprocess.Popen[Any]) -> bool:
    """
    Return whether a child process has ended.

    Does not use ``poll``: Ctrl-C in the middle of it can leave its lock acquired, and ``wait`` then never
    returns.
    """
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


class Processes:
    """
    Named processes, each in a session of its own; use it in a ``with`` statement.

    :param home: the folder for their output, as ``NAME.out``.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._adopted: set[int] = set()
        # Ends the processes if this process is killed.
        self._reaper = subprocess.Popen(
            [sys.executable, "-P", __file__], stdin=subprocess.PIPE, start_new_session=True
        )

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        """End all processes, the last one first."""
        for name in reversed(self._running):
            self.signal(name, signal.SIGCONT)
            terminate({self._running[name].pid})
        self.kill_all()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        stdin: str = "",
        append: bool = False,
    ) -> Path:
        """
        Start a process, and return the file with its output.

        :param user: the user that it runs as; default: the current one.
        :param stdin: its standard input, which no other process can see.
        :param append: keep the output of an earlier process of that name.
        """
        output = self._home / f"{name}.out"
        with output.open("ab" if append else "wb") as stream:
            process = self._running[name] = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=subprocess.STDOUT,
                user=user,
                group=user,
                extra_groups=[] if user else None,
                cwd="/",
                # Ctrl-C does not reach it: this process ends it in order.
                start_new_session=True,
            )
        self.adopt(process.pid)
        _write(process, stdin.encode(), close=True)
        return output

    def adopt(self, session: int) -> None:
        """End the processes of another session with these."""
        self._adopted.add(session)
        _write(self._reaper, f"{session}\n".encode())

    def session(self, name: str) -> int | None:
        """Return the session of a running process."""
        return self._running[name].pid if name in self._running else None

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and its children."""
        send_signal({self._running[name].pid}, number)

    def kill(self, name: str) -> None:
        """Kill a process and its children, as a machine that fails would."""
        process = self._running.pop(name)
        kill({process.pid})
        process.wait()

    def terminate(self, name: str) -> None:
        """Ask a process to end, as an upgrade would, and wait for it."""
        process = self._running.pop(name)
        process.terminate()
        process.wait()

    def kill_all(self) -> None:
        """Kill all processes, including adopted ones."""
        kill(self._adopted)
        for process in self._running.values():
            process.wait()
        self._running.clear()
        self._reaper.communicate()

    def wait(self, name: str, is_up: Callable[[], bool], timeout_s: float = 120.0) -> None:
        """
        Return when *is_up* is true.

        :raises RuntimeError: a process has ended.
        :raises TimeoutError: it is not true in time.
        """
        deadline_s = time.monotonic() + timeout_s
        while not is_up():
            self.check()
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{name} is not up after {timeout_s:.0f} s. See the logs in {self._home}.")
            time.sleep(_POLL_S)

    def check(self) -> None:
        """
        Check that all processes are running.

        :raises RuntimeError: a process has ended.
        """
        for name, process in self._running.items():
            if has_ended(process):
                output = (self._home / f"{name}.out").read_text(errors="replace")[-3000:]
                raise RuntimeError(f"{name} ended with exit code {process.wait()}:\n{output}")


def _write(process: subprocess.Popen[bytes], data: bytes, *, close: bool = False) -> None:
    assert process.stdin is not None  # noqa: S101 - narrows the type
    process.stdin.write(data)
    process.stdin.flush()
    if close:
        process.stdin.close()


if __name__ == "__main__":
    # Ctrl-C and SIGTERM are for the processes that this one outlives.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    terminate({int(line) for line in sys.stdin})
