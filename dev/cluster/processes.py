"""Processes that end with whoever started them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from dev.stacks import reaper

#: Seconds after which something that does not come up is given up.
START_S = 120.0
_POLL_S = 0.1


class Processes:
    """
    A few servers, each in a session of its own, in a ``with`` statement.

    :param home: a folder for what they print.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        # Ends what is left if this process is killed and cannot do it.
        self._reaper = subprocess.Popen(
            [sys.executable, "-P", reaper.__file__], stdin=subprocess.PIPE, start_new_session=True
        )

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything, last things first."""
        for name in reversed(self._running):
            self.signal(name, signal.SIGCONT)
            reaper.reap({self._running[name].pid})
            self._running[name].wait()
        self._running.clear()
        self._reaper.communicate()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        config: str = "",
    ) -> Path:
        """
        Start one, and return the file that has what it prints.

        :param user: who it runs as; whoever runs this, if not given.
        :param config: what it reads from its standard input, where no other process can see it.
        """
        output = self._home / f"{name}.out"
        with output.open("wb") as stream:
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
                start_new_session=True,
            )
        assert self._reaper.stdin is not None  # noqa: S101
        self._reaper.stdin.write(f"{process.pid}\n".encode())
        self._reaper.stdin.flush()
        assert process.stdin is not None  # noqa: S101
        process.stdin.write(config.encode())
        process.stdin.close()
        return output

    def kill(self, name: str) -> None:
        """Kill one, as a machine that fails does."""
        process = self._running.pop(name)
        reaper.kill({process.pid})
        process.wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to every process of one."""
        reaper.tell({self._running[name].pid}, number)

    def wait(self, name: str, is_up: Callable[[], bool]) -> None:
        """
        Return when one is up.

        :raises RuntimeError: it has ended.
        :raises TimeoutError: it does not come up.
        """
        deadline_s = time.monotonic() + START_S
        while not is_up():
            self.check()
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{name} does not come up; see {self._home / f'{name}.out'}")
            time.sleep(_POLL_S)

    def check(self) -> None:
        """
        Look whether all of them are alive.

        :raises RuntimeError: one is not.
        """
        for name, process in self._running.items():
            if reaper.has_ended(process):
                said = (self._home / f"{name}.out").read_text(errors="replace")[-3000:]
                raise RuntimeError(f"{name} ended with {process.wait()}:\n{said}")
