"""How long Redis is waited for: one answer, and all the answers of a request together."""

import fcntl
import math
import struct
import termios
import threading
import time
from collections.abc import Callable

import redis
from redis.connection import AbstractConnection

_LOOKS = 15
"""How often an answer is looked for before it counts as missing."""
_AT_MOST = 5
"""How many times its limit a wait may take when this process is so busy that it cannot tell whose fault it is."""


class _Spent(threading.local):
    """What the request in this thread has waited so far; None where there is no request."""

    seconds: float | None = None


class Patience:
    """The limits of one process, and how much of its time each of its requests has left.

    Only a proven silence counts: at the moment of looking Redis owed an answer and nothing that it had said waited to
    be read. Whatever this process has been busy with in between, an answer that has arrived is never called late.
    """

    def __init__(
        self, answer_s: float, request_s: float = math.inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`answer_s` bounds a wait. A request that has waited `request_s` or more, all told, begins no other one."""
        self.answer_s = answer_s
        self._connecting_s = answer_s * 5 / 3  # connecting takes a question or two of its own
        self._look_every_s = answer_s / _LOOKS
        self._request_s = request_s
        self._clock = clock
        self._spent = _Spent()

    def begin(self) -> None:
        """A request begins in this thread: it has all of its time."""
        self._spent.seconds = 0.0

    def spent(self) -> bool:
        """Whether the request in this thread has waited enough."""
        seconds = self._spent.seconds
        return seconds is not None and seconds >= self._request_s

    def wait(self, arrives: Callable[[float], bool], owes: Callable[[], bool], *, connecting: bool = False) -> float:
        """Wait until it arrives; return for how many seconds Redis was silent.

        `arrives` waits for so many seconds and tells whether it is there. `owes` tells whether it is Redis' turn to
        speak. Raises redis.TimeoutError after the limit, which is longer while connecting.
        """
        if arrives(self._look_every_s):  # as nearly always
            return 0.0
        limit_s = self._connecting_s if connecting else self.answer_s
        began = since = self._clock() - self._look_every_s
        silent_s = 0.0
        try:
            while True:
                now = self._clock()
                if owes():
                    silent_s = max(silent_s, now - since)
                else:
                    since = now
                if silent_s >= limit_s or now - began >= _AT_MOST * limit_s:
                    raise redis.TimeoutError("no answer in time")
                if arrives(self._look_every_s):
                    if silent_s:  # it came between two looks
                        silent_s = max(silent_s, min(self._clock() - since, silent_s + self._look_every_s))
                    return silent_s
        finally:
            if self._spent.seconds is not None:
                self._spent.seconds += silent_s


def unread(connection: AbstractConnection) -> bool:
    """Whether something that Redis has said waits to be read, by the kernel's word: an event loop may be late."""
    socket = connection._sock  # noqa: SLF001 - redis-py shows its socket nowhere else
    if socket is None:
        return False
    try:
        answer = fcntl.ioctl(socket.fileno(), termios.FIONREAD, b"\0\0\0\0")
    except (OSError, ValueError):  # closed in this very moment
        return False
    return struct.unpack("i", answer) != (0,)
