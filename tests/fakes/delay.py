"""A TCP proxy whose answers come late: a Redis, or anything else, that has become slow."""

import contextlib
import multiprocessing
import queue
import socket
import threading
import time
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any


class SlowProxy:
    """Listens on the loopback and passes everything on; what comes back is `delay` seconds late.

    However much is under way, each piece is late by the same time, as by a longer way. It has a process of its own:
    beside the clients of a test it would be later than that, and Redis seem silent.
    """

    def __init__(self, target: Path | int) -> None:
        """`target` is the path of a unix socket, or a port."""
        self._delay = 0.0
        self._process = _Process(ctx=multiprocessing.get_context("spawn"))
        self._process.start()
        self._way: Any = self._process.Way(target)  # type: ignore[attr-defined]
        self.port: int = self._way.port()

    @property
    def delay(self) -> float:
        """How late each piece is that comes back from now on, in seconds."""
        return self._delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        self._delay = seconds
        self._way.be_late(seconds)

    def lead_to(self, target: Path | int) -> None:
        """Connect those who come from now on with another; the connections that stand stay."""
        self._way.lead_to(target)

    def close(self) -> None:
        """End every connection."""
        self._process.shutdown()


class _Way:
    """The proxy, in its process."""

    def __init__(self, target: Path | int) -> None:
        self._delay = 0.0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def be_late(self, seconds: float) -> None:
        self._delay = seconds

    def lead_to(self, target: Path | int) -> None:
        self._target = target

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = self._connected()
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
            back.put((time.monotonic() + self._delay, data))

    @staticmethod
    def _return(back: "queue.SimpleQueue[tuple[float, bytes]]", sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = back.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    break
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


class _Process(BaseManager):
    """Where it runs."""


_Process.register("Way", _Way)
