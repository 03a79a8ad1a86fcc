"""A balancer for machines that have none: `python -m tests.fakes.balancer --port 12000 12001 12002 12003`.

It does with connections what deploy/haproxy.cfg has HAProxy do with requests. The replica with the fewest gets the
next one. A replica whose /readyz fails gets no more of them and keeps those it has. What a replica has not begun to
answer when it dies is asked of another one. Without a ready replica it deals to whoever accepts.
"""

import argparse
import asyncio
import contextlib
import itertools
import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass

_HOST = "127.0.0.1"
_BLOCK = 65536
_WAITING = 1024
"""How many connections may wait to be accepted."""
_CONNECT_S = _CHECK_S = 2.0
_LINGER_S = 2.0
_FALL = 2
"""After so many checks that failed a replica is not ready; one that succeeds makes it ready again."""
_TRIES = 4
_KEPT_BYTES = 1 << 20
"""A longer request is not asked of another replica."""
_CHECK = b"GET /readyz HTTP/1.1\r\nHost: replica\r\nConnection: close\r\n\r\n"
_NOBODY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(eq=False)
class Replica:
    """Where requests may go."""

    name: str
    port: int
    ready: bool = True
    connections: int = 0
    last_dealt: int = 0
    """Greater than that of every replica that was dealt to before."""


class Unanswered:
    """What a client has sent since a replica last said something to it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._is_whole = True

    def add(self, data: bytes) -> None:
        """The client has sent more."""
        self._is_whole &= len(self.data) + len(data) <= _KEPT_BYTES
        if self._is_whole:
            self.data += data

    def clear(self) -> None:
        """The replica answers."""
        self.data.clear()
        self._is_whole = True

    @property
    def is_request(self) -> bool:
        """Whether it may be asked of another replica; the rest of a body, after an early answer, may not."""
        return self._is_whole and re.match(rb"[A-Z]+ /", self.data) is not None


class Balancer:
    """Deals connections out to replicas."""

    def __init__(self, ports: Sequence[int], check_every_s: float) -> None:
        """`ports` are those of the replicas."""
        self._replicas = [Replica(f"web{n}", port) for n, port in enumerate(ports)]
        self._check_every_s = check_every_s
        self._deals = itertools.count(1)

    async def serve(self, port: int) -> None:
        """Listen until cancelled."""
        server = await asyncio.start_server(self._serve, _HOST, port, backlog=_WAITING)
        async with server, asyncio.TaskGroup() as tasks:
            for replica in self._replicas:
                tasks.create_task(self._check(replica))
            await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client's connection until one side closes it."""
        unanswered = Unanswered()
        with contextlib.suppress(OSError):
            unanswered.add(await reader.read(_BLOCK))
            if unanswered.data:
                await self._deal((reader, writer), unanswered)
                await _linger(reader, writer)
        writer.close()

    async def _deal(self, client: Streams, unanswered: Unanswered) -> None:
        """Have a connection served by a replica, and by another one when it dies without an answer."""
        tried: set[Replica] = set()
        while len(tried) < min(_TRIES, len(self._replicas)):
            replica = self._chosen(tried)
            tried.add(replica)
            replica.connections += 1
            try:
                if not await _served(replica, client, unanswered):
                    return
            finally:
                replica.connections -= 1
        client[1].write(_NOBODY)

    def _chosen(self, tried: Collection[Replica]) -> Replica:
        """The ready replica with the fewest connections, of several the one that has waited longest."""
        others = [replica for replica in self._replicas if replica not in tried]
        ready = [replica for replica in others if replica.ready]
        chosen = min(ready or others, key=lambda replica: (replica.connections, replica.last_dealt))
        chosen.last_dealt = next(self._deals)
        return chosen

    async def _check(self, replica: Replica) -> None:
        """Ask a replica again and again whether it is ready; say when that changes, in the words of HAProxy."""
        failures = 0
        while True:
            failures = 0 if await _is_ready(replica) else failures + 1
            ready = failures < _FALL if replica.ready else failures == 0
            if ready is not replica.ready:
                replica.ready = ready
                _say(f"Server ready/{replica.name} is {'UP' if ready else 'DOWN'}")
                if not any(each.ready for each in self._replicas):
                    _say("backend ready has no server available!")
            await asyncio.sleep(self._check_every_s)


async def _served(replica: Replica, client: Streams, unanswered: Unanswered) -> bool:
    """Forward both ways until one side ends; whether the client's request is to be asked of another replica."""
    try:
        async with asyncio.timeout(_CONNECT_S):
            reader, writer = await asyncio.open_connection(_HOST, replica.port)
    except OSError:
        return True
    writer.write(unanswered.data)
    asks = asyncio.create_task(_pass_on(client[0], writer, unanswered))
    answers = asyncio.create_task(_pass_back(reader, client[1], unanswered))
    try:
        await asyncio.wait((asks, answers), return_when=asyncio.FIRST_COMPLETED)
        return not asks.done() and unanswered.is_request
    finally:
        for task in (asks, answers):
            task.cancel()
        await asyncio.wait((asks, answers))
        writer.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, unanswered: Unanswered) -> None:
    """What a client sends, until it leaves."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_BLOCK):
            unanswered.add(data)
            writer.write(data)
            with contextlib.suppress(OSError):  # the replica is gone: the other direction notices
                await writer.drain()


async def _pass_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, unanswered: Unanswered) -> None:
    """What a replica answers, until it closes the connection."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_BLOCK):
            unanswered.clear()
            writer.write(data)
            await writer.drain()


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let a client that is still sending read its answer: closing at once would reset the connection."""
    writer.write_eof()
    async with asyncio.timeout(_LINGER_S):
        while await reader.read(_BLOCK):
            pass


async def _is_ready(replica: Replica) -> bool:
    try:
        async with asyncio.timeout(_CHECK_S):
            reader, writer = await asyncio.open_connection(_HOST, replica.port)
            try:
                writer.write(_CHECK)
                return b" 200 " in await reader.readline()
            finally:
                writer.transport.abort()
    except (OSError, ValueError):
        return False


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.balancer", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where to listen, on the loopback")
    parser.add_argument("--check-every", type=float, default=1, metavar="SECONDS", help="[default: %(default)s]")
    parser.add_argument("replicas", type=int, metavar="REPLICA", nargs="+", help="the port of a replica")
    asked = parser.parse_args()
    asyncio.run(Balancer(asked.replicas, asked.check_every).serve(asked.port))


if __name__ == "__main__":
    main()
