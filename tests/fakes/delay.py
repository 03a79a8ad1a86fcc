"""A TCP proxy whose answers come late: a Redis, or anything else, that has become slow."""

import asyncio
import contextlib
import multiprocessing
import socket
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

ANSWERS_WITHIN_S = 60.0
_BLOCK = 65536


@dataclass
class _Way:
    """Where a proxy leads, and by how much what comes back is late, in seconds."""

    target: Path | int
    delay: float = 0.0


class SlowProxy:
    """Listens on the loopback and passes everything on; what comes back is `delay` seconds late.

    However much is under way, each piece is late by the same time, as by a longer way. It has a process of its own:
    beside the clients of a test it would be later than that, and Redis seem silent.
    """

    def __init__(self, target: Path | int) -> None:
        """`target` is the path of a unix socket, or a port."""
        self._way = _Way(target)
        context = multiprocessing.get_context("spawn")
        self._changes, theirs = context.Pipe()
        with socket.create_server(("127.0.0.1", 0)) as listener, theirs:
            self.port: int = listener.getsockname()[1]
            self._process = context.Process(target=_run, args=(listener, theirs), daemon=True)
            self._process.start()
        self._change()

    @property
    def delay(self) -> float:
        """How late each piece is that comes back from now on, in seconds."""
        return self._way.delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        self._way.delay = seconds
        self._change()

    def lead_to(self, target: Path | int) -> None:
        """Connect those who come from now on with another; the connections that stand stay."""
        self._way.target = target
        self._change()

    def close(self) -> None:
        """End every connection."""
        self._process.terminate()
        self._process.join()
        self._changes.close()

    def _change(self) -> None:
        self._changes.send(self._way)
        assert self._changes.poll(ANSWERS_WITHIN_S), "the proxy does not answer"
        self._changes.recv()


def _run(listener: socket.socket, changes: Connection) -> None:
    asyncio.run(_serve(listener, changes))


async def _serve(listener: socket.socket, changes: Connection) -> None:
    way = _Way(0)

    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            await _join(reader, writer, way)

    def change() -> None:
        try:
            new: _Way = changes.recv()
        except EOFError:
            raise SystemExit from None  # the test is no more
        way.target, way.delay = new.target, new.delay
        changes.send(None)

    async with await asyncio.start_server(connected, sock=listener) as server:
        asyncio.get_running_loop().add_reader(changes.fileno(), change)
        await server.serve_forever()


async def _join(reader: StreamReader, writer: StreamWriter, way: _Way) -> None:
    if isinstance(way.target, int):
        answers, server = await asyncio.open_connection("127.0.0.1", way.target)
    else:
        answers, server = await asyncio.open_unix_connection(way.target)
    held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    await asyncio.gather(
        _pass(reader, server), _hold(answers, held, way), _return(held, writer), return_exceptions=True
    )


async def _pass(reader: StreamReader, server: StreamWriter) -> None:
    """Ends the server's side when the client has ended."""
    with contextlib.closing(server):
        while data := await reader.read(_BLOCK):
            server.write(data)
            await server.drain()


async def _hold(answers: StreamReader, held: "asyncio.Queue[tuple[float, bytes]]", way: _Way) -> None:
    data = b"-"
    while data:
        try:
            data = await answers.read(_BLOCK)
        except OSError:
            data = b""
        held.put_nowait((asyncio.get_running_loop().time() + way.delay, data))


async def _return(held: "asyncio.Queue[tuple[float, bytes]]", writer: StreamWriter) -> None:
    """Ends the client's side when the server has ended, as late as any answer."""
    with contextlib.closing(writer):
        while True:
            due, data = await held.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            if not data:
                return
            writer.write(data)
            await writer.drain()
