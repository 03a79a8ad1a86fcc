"""Ports of the loopback."""

import contextlib
import os
import random
import socket
from collections import deque

_NOBODY_ELSES = range(10_000, 20_000)
"""`plano up` gives what it starts ports above these; the kernel gives higher ones still."""
_MOST_HELD = 100
"""A process may often have no more than 1024 files; a test needs its ports no longer than a hundred others."""

_held: deque[int] = deque()


def free_port() -> int:
    """A port where nothing listens, nor will anybody by accident: the address of a provider that is down.

    It stays bound for a while: who looks for a free port, here or in another process, gets another one. A server that
    may reuse addresses, as all do that tests start, can listen there nevertheless.
    """
    return free_ports(1)[0]


def free_ports(count: int) -> range:
    """So many of them, one after the other."""
    while True:
        first = random.choice(_NOBODY_ELSES)
        ports = range(first, first + count)
        with contextlib.ExitStack() as made:
            try:
                holders = [made.enter_context(_bound(port)) for port in ports]
            except OSError:
                continue
            made.pop_all()
        for holder in holders:
            if len(_held) == _MOST_HELD:
                os.close(_held.popleft())
            _held.append(holder.detach())
        return ports


def _bound(port: int) -> socket.socket:
    holder = socket.socket()
    try:
        holder.bind(("127.0.0.1", port))
    except OSError:
        holder.close()
        raise
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not sooner: two might then bind the same
    return holder
