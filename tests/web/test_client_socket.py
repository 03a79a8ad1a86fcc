"""A client's connection, without the server around it: whose turn it is, and how much is read of what is refused."""

import contextlib
import time
from collections.abc import Iterator
from itertools import repeat

import gevent
import gevent.socket
import pytest

from shared.config.limits_section import Limits
from tests.turns import turns_of_others
from web.server import worker
from web.server.client_socket import Client
from web.server.held_bytes import BufferedBytes
from web.server.request_bodies import TinyChunks, in_turns

Ends = tuple[Client, gevent.socket.socket]

BLOCK = 8192
ROUNDS = 10
DRAINED = 65536
"""What is promised: so much of a refused body is read."""


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The server's end of a connection, and the client's."""
    ours, theirs = gevent.socket.socketpair()
    with contextlib.closing(Client(ours, Limits(), BufferedBytes(2**30))) as client, contextlib.closing(theirs):
        yield client, theirs


def test_others_run_between_the_blocks_of_a_body(ends: Ends) -> None:
    """All of it is there already, so that whoever reads it never has to wait."""
    client, theirs = ends
    theirs.sendall(b" " * ROUNDS * BLOCK)
    client.expect_body()

    seen = set()
    with turns_of_others() as turns:
        for _ in range(ROUNDS):
            client.recv(BLOCK)
            seen.add(turns())

    assert len(seen) >= ROUNDS - 1


def test_others_run_between_the_pieces_of_an_answer(ends: Ends) -> None:
    """A provider may send as fast as a client takes it."""
    seen = set()
    with turns_of_others() as turns:
        for _ in range(ROUNDS):
            ends[0].sendall(b"piece")
            seen.add(turns())

    assert len(seen) >= ROUNDS - 1


def test_others_run_between_the_chunks_of_a_body() -> None:
    """A block may hold thousands of them."""
    turns: list[None] = []

    for _ in in_turns(repeat(b"x", 1000), lambda: turns.append(None)):
        pass

    assert len(turns) > 10


def test_very_many_chunks_of_a_few_bytes_are_refused() -> None:
    with pytest.raises(TinyChunks):
        for _ in in_turns(repeat(b"x", 200_000), lambda: None):
            pass

    assert sum(map(len, in_turns(repeat(b"x" * 64, 200_000), lambda: None))) == 64 * 200_000


def test_of_a_refused_body_64_kb_are_read_before_its_connection_is_closed(ends: Ends) -> None:
    client, theirs = ends
    theirs.setblocking(False)
    sent = theirs.send(b" " * 2 * DRAINED)
    assert sent > DRAINED

    client.linger(until=time.monotonic() + 0.05)

    client.setblocking(False)
    left = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            left += len(client.recv(2**20, gevent.socket.MSG_DONTWAIT))
    assert left == sent - DRAINED


def test_of_a_body_that_nobody_has_read_64_kb_are_read_before_the_next_request() -> None:
    class Body:
        """Never ends."""

        failed = False
        size = 0

        def read(self, size: int) -> bytes:
            self.size += size
            return b" " * size if self.size < 10 * DRAINED else b""

    body = Body()

    assert not worker._drained(body)
    assert body.size <= DRAINED
