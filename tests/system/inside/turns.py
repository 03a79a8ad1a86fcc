"""The way to a Redis that counts how often somebody asks and waits for an answer."""

import contextlib
import multiprocessing
import socket
import threading
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any

import hiredis

_WAITING = {"BLMOVE", "PING", "SUBSCRIBE", "UNSUBSCRIBE"}
"""Dequeuing waits for a job and not for Redis; the others are signs of life, and what is heard needs no asking."""
_FROM_TIME_TO_TIME = (
    "rq:worker",  # signing on, and the sign of life
    "rq:queues",
    "rq:suspended",
    "rq:clean_registries",
    "plano:metrics:",
    "plano:cooldown:",
    "plano:failures:",
    "plano:replica:",
    "plano:written",
    "rq:workers:plano",
)
_OF_A_TRANSACTION = {"MULTI", "EXEC"}

Command = tuple[str, str]
"""Its name, and what follows: its key."""


class TurnCounter:
    """A proxy on the loopback that notes each turn: what was sent on a connection until an answer came."""

    def __init__(self, target: Path) -> None:
        """`target` is the path of a unix socket."""
        self._open = self._most = 0
        self._target = target
        self._turns: list[list[Command]] = []
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def url(self) -> str:
        """Where this Redis is reached."""
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}"

    def most(self) -> int:
        """The most connections that there were at once."""
        return self._most

    def close(self) -> None:
        """End every connection."""
        _end(self._listener)
        self._accepting.join()
        for each in self._sockets:
            _end(each)

    def mark(self) -> int:
        """Where `since` may begin."""
        with self._lock:
            return len(self._turns)

    def since(self, mark: int) -> list[list[Command]]:
        """The turns from a mark on, without those that come whether or not somebody asks for anything."""
        with self._lock:
            return [list(turn) for turn in self._turns[mark:] if not all(map(_comes_anyway, turn))]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._target))
                self._sockets += [client, server]
                connection = _Connection()
                threading.Thread(target=self._ask, args=(client, server, connection), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client, connection), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, connection: "_Connection") -> None:
        with self._lock:
            self._open += 1
            self._most = max(self._most, self._open)
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                with self._lock:
                    if connection.answered:
                        connection.answered = False
                        connection.turn = []
                        self._turns.append(connection.turn)
                    connection.turn += connection.commands(data)
                server.sendall(data)
        with self._lock:
            self._open -= 1
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket, connection: "_Connection") -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                connection.answered = True  # before whoever reads it can ask again
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


class Counters(BaseManager):
    """The process of turn counters: beside hundreds of threads one is late, and Redis seems silent."""

    def __init__(self) -> None:
        super().__init__(ctx=multiprocessing.get_context("spawn"))


Counters.register("TurnCounter", TurnCounter)


class _Connection:
    """What passes on one."""

    def __init__(self) -> None:
        self.answered = True
        self.turn: list[Command] = []
        self._reader = hiredis.Reader()  # a command is written as an array, like an answer

    def commands(self, data: bytes) -> list[Command]:
        """The commands that are complete with this."""
        self._reader.feed(data)
        found = []
        while (words := self._reader.gets()) is not False:
            found.append((_text(words[:1]).upper(), _text(words[1:2])))
        return found


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


def _text(words: list[Any]) -> str:
    return b"".join(words).decode(errors="replace")


def _comes_anyway(command: Command) -> bool:
    name, key = command
    return name in _WAITING or name in _OF_A_TRANSACTION or key.startswith(_FROM_TIME_TO_TIME)
