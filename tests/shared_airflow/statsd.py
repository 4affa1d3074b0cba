"""A StatsD server that records what it receives."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterable


class Statsd:
    """Receives the datagrams of Airflow's metrics, and records each line."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._has_come = threading.Condition()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def read(self) -> list[str]:
        """Return all lines that were sent so far."""
        # Datagrams on loopback arrive in order.
        mark = f"mark.{uuid.uuid4()}"
        self._send(mark)
        with self._has_come:
            assert self._has_come.wait_for(lambda: mark in self._lines, timeout=60)
            return [line for line in self._lines if not line.startswith("mark.")]

    def close(self) -> None:
        """Stop: an empty datagram ends the loop."""
        self._send("")
        self._thread.join()
        self._socket.close()

    def _send(self, text: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(text.encode(), ("127.0.0.1", self.port))

    def _take(self) -> None:
        while datagram := self._socket.recv(65536):
            with self._has_come:
                self._lines += datagram.decode().splitlines()
                self._has_come.notify_all()


def pick_ours(lines: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """Return the tags and values of this provider's metrics, by name."""
    found: dict[str, list[dict[str, str]]] = {}
    for line in lines:
        key, _, value = line.partition(":")
        name, *tags = key.split(",")
        if name.startswith("airflow.drs."):
            values = dict(tag.split("=") for tag in tags) | {"": value}
            found.setdefault(name.removeprefix("airflow."), []).append(values)
    return found
