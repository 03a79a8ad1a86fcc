"""A TCP proxy whose answers come late: a Redis, or anything else, that has become slow."""

import contextlib
import queue
import socket
import threading
import time
from pathlib import Path


class SlowProxy:
    """Listens on the loopback and passes everything on; what comes back is `delay` seconds late.

    However much is under way, each piece is late by the same time, as by a longer way.
    """

    def __init__(self, target: Path | int) -> None:
        """`target` is the path of a unix socket, or a port."""
        self.delay = 0.0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._stopped = threading.Event()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """End every connection."""
        self._stopped.set()
        _end(self._listener)
        self._accepting.join()  # else it might still be at making one
        for each in self._sockets:
            _end(each)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = self._connected()
            self._sockets += [client, server]
            back: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
            for work, given in (
                (self._pass, (client, server)),
                (self._hold, (server, back)),
                (self._return, (back, client)),
            ):
                threading.Thread(target=work, args=given, daemon=True).start()

    def _connected(self) -> socket.socket:
        if isinstance(self._target, int):
            return socket.create_connection(("127.0.0.1", self._target))
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._target))
        return server

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def _hold(self, source: socket.socket, back: "queue.SimpleQueue[tuple[float, bytes]]") -> None:
        data = b"-"
        while data:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            back.put((time.monotonic() + self.delay, data))

    def _return(self, back: "queue.SimpleQueue[tuple[float, bytes]]", sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = back.get()
                self._stopped.wait(due - time.monotonic())
                if not data:
                    break
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
