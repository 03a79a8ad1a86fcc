"""Clients that take what they can get, and an honest one that has to be served meanwhile."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

from tests.harness import wait_until
from tests.web.gateway import Gateway

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = LIVEZ.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
SERVED_WITHIN_S = 5.0
"""However busy the machine is. Where one client has all the turns, others wait until it ends."""
_ATTACK_S = 8.0
_UNDER_WAY_BYTES = 500_000


@contextlib.contextmanager
def attacked(gateway: Gateway, first: bytes, block: bytes, *, clients: int = 2) -> Iterator[None]:
    """Meanwhile clients send `first` and then the block again and again, throw answers away, and come again."""
    end = time.monotonic() + _ATTACK_S
    stop = threading.Event()
    sent = [0] * clients

    def is_over() -> bool:
        return stop.is_set() or time.monotonic() >= end

    def attack(n: int) -> None:
        while not is_over():
            with contextlib.suppress(OSError), gateway.connected() as connection:
                for size in _push(connection, first, block, is_over):
                    sent[n] += size

    threads = [threading.Thread(target=attack, args=(n,), daemon=True) for n in range(clients)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: is_over() or sum(sent) > _UNDER_WAY_BYTES, what="the attack")
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def longest_wait_s(gateway: Gateway, *, requests: int = 20) -> float:
    """How long an honest client waits at worst, each time on a new connection."""
    longest = 0.0
    for _ in range(requests):
        began = time.monotonic()
        assert gateway.raw(LAST).startswith(b"HTTP/1.1 200 OK")
        longest = max(longest, time.monotonic() - began)
    return longest


def _push(connection: socket.socket, first: bytes, block: bytes, is_over: Callable[[], bool]) -> Iterator[int]:
    """Send until the other side closes the connection; the sizes of what it has taken."""
    connection.setblocking(False)
    pending = memoryview(first or block)
    while not is_over():
        with contextlib.suppress(BlockingIOError):
            size = connection.send(pending)
            pending = pending[size:] or memoryview(block)
            yield size
        with contextlib.suppress(BlockingIOError):
            if not connection.recv(2**20):
                return
