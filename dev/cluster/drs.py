"""The emulated DRS of a run: a process that can be killed, and goes on where it was."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

from airflow_provider_drs.emulator import EmulatorClient
from dev.cluster.processes import Processes

_NAME = "emulator"


class Drs:
    """
    DRS, up as soon as it is made.

    :param home: the folder with ``world.json``, what it begins with; its state is kept there as well.
    """

    def __init__(self, processes: Processes, home: Path) -> None:
        self._processes = processes
        self._home = home
        self._port = 0
        #: Whether it answers nobody just now, nor whoever steers it.
        self.is_away = True
        self.start()
        self._port = urlsplit(self.client.url).port or 0

    def start(self) -> None:
        """Start it, where the one before has listened."""
        program = Path(sys.prefix) / "bin" / "drs-emulator"
        kept = ("--world", self._home / "world.json", "--state", self._home / "state")
        output = self._processes.start(_NAME, [program, "--port", str(self._port), *kept])
        found: list[str] = []

        def is_up() -> bool:
            found.extend(re.findall(r"http://\S+[0-9]", output.read_text())[:1])
            return bool(found)

        self._processes.wait(_NAME, is_up)
        #: Steers it, past the gate.
        self.client = EmulatorClient(found[0])
        self.is_away = False

    def kill(self) -> None:
        """Kill it in the middle of whatever it does."""
        self.is_away = True
        self._processes.kill(_NAME)

    def freeze(self) -> None:
        """Let it take connections, and do nothing."""
        self.is_away = True
        self._processes.signal(_NAME, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._processes.signal(_NAME, signal.SIGCONT)
        self.is_away = False
