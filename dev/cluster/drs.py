"""The emulated DRS of a run: a process that can be killed and continues from its state file."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

from drs_emulator import EmulatorClient

from dev.stacks.processes import Processes

_NAME = "emulator"


class Drs:
    """
    A running emulator, started when the object is created.

    :param home: the folder with ``world.json``, its initial jobs; the state file is stored there as well.
    """

    def __init__(self, processes: Processes, home: Path) -> None:
        self._processes = processes
        self._home = home
        self._port = 0
        #: Whether it answers no requests now, including those of its own client.
        self.is_down = True
        self.start()
        self._port = urlsplit(self.client.url).port or 0

    def start(self) -> None:
        """Start it, on the same port as before."""
        program = Path(sys.prefix) / "bin" / "drs-emulator"
        files = ("--world", self._home / "world.json", "--state", self._home / "state")
        output = self._processes.start(_NAME, [program, "--port", str(self._port), *files])
        urls: list[str] = []

        def is_up() -> bool:
            urls.extend(re.findall(r"http://\S+[0-9]", output.read_text())[:1])
            return bool(urls)

        self._processes.wait(_NAME, is_up)
        #: Controls the emulator, without the proxy.
        self.client = EmulatorClient(urls[0])
        self.is_down = False

    def kill(self) -> None:
        """Kill it at any point of its work."""
        self.is_down = True
        self._processes.kill(_NAME)

    def freeze(self) -> None:
        """Suspend it: connections are accepted and not answered."""
        self.is_down = True
        self._processes.signal(_NAME, signal.SIGSTOP)

    def thaw(self) -> None:
        self._processes.signal(_NAME, signal.SIGCONT)
        self.is_down = False
