"""A network between a hook and the emulator that fails at first: no listener, or broken handshakes."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from urllib.parse import urlsplit

_CHUNK = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Forwarder:
    """
    Forwards connections to the server at *url*, in a thread; refuses them until :meth:`open`.

    :param url: where it forwards to; its own ``url`` has the same scheme.
    :param cuts: how many connections are cut off once their first bytes have arrived, before any answer.
    :param reset: cut them off with a reset, not with an orderly end.
    """

    def __init__(self, url: str, *, cuts: int = 0, reset: bool = False) -> None:
        target = urlsplit(url)
        self._target = (target.hostname, target.port)
        self._cuts = cuts
        self._reset = reset
        # Bound but not listening: the port refuses connections, and no other process can bind it.
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._peers: dict[socket.socket, socket.socket] = {}
        self._thread: threading.Thread | None = None
        self.url = f"{target.scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        #: The first bytes of each connection that was cut off.
        self.cut: list[bytes] = []

    @property
    def is_open(self) -> bool:
        return self._thread is not None

    def open(self) -> None:
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, name="forwarder", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close all connections, and return when the thread has ended."""
        if self._thread is not None:
            # Wakes the thread, which a mere close would not.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            try:
                while True:
                    for key, _ in selector.select():
                        if key.fileobj is self._listener:
                            self._accept(selector)
                        elif key.fileobj in self._peers:
                            self._forward(selector, key.fileobj)
            except _Closed:
                for each in self._peers:
                    each.close()

    def _accept(self, selector: selectors.BaseSelector) -> None:
        try:
            caller, _ = self._listener.accept()
        except OSError as error:
            raise _Closed from error
        if len(self.cut) < self._cuts:
            with caller:
                self.cut.append(caller.recv(_CHUNK))
                if self._reset:
                    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            return
        server = socket.create_connection(self._target)
        self._peers |= {caller: server, server: caller}
        for each in (caller, server):
            selector.register(each, selectors.EVENT_READ)

    def _forward(self, selector: selectors.BaseSelector, sender: socket.socket) -> None:
        receiver = self._peers[sender]
        with contextlib.suppress(OSError):
            if data := sender.recv(_CHUNK):
                receiver.sendall(data)
                return
        for each in (sender, receiver):
            del self._peers[each]
            selector.unregister(each)
            each.close()


class _Closed(Exception):
    """The listener was closed."""
