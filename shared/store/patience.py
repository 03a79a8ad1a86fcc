"""How long Redis is waited for: one answer, and all the answers of a request together."""

import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

import redis

_LOOKS = 7
"""How often an answer is looked for before it counts as missing."""
_AT_MOST = 5
"""How many times its limit a wait may take when this process is so busy that it cannot tell whose fault it is."""
_TICK_S = 0.001


class Question(Protocol):
    """What Redis was asked, as those see it who wait for the answer."""

    @property
    def asked_at(self) -> float | None:
        """When it went out, by the monotonic clock; None before."""

    def is_set(self) -> bool:
        """Whether it is answered."""

    def wait(self, timeout: float) -> bool:
        """Wait for so many seconds; whether it is answered."""


class Asked(threading.Event):
    """A question that goes out now."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_at: float | None = time.monotonic()


class _Waited(threading.local):
    """What the request in this thread has waited so far; None where there is no request."""

    seconds: float | None = None


class Patience:
    """The limits of one process, and how much of its time each of its requests has left.

    Only a proven silence counts: the question was out, and whoever looked saw no answer. What this process has been
    busy with does not. An answer that is there is never called late, since gevent has it read before it ends a wait.
    """

    def __init__(
        self, answer_s: float, request_s: float = math.inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`answer_s` bounds a wait. A request that has waited `request_s` or more, all told, begins no other one."""
        self.answer_s = answer_s
        self._connecting_s = answer_s * 1.5  # connecting takes a question or two of its own
        self.look_s = answer_s / _LOOKS
        """For so long an answer is looked for before `outlast` is asked; nearly always it is there by then."""
        self._request_s = request_s
        self._clock = clock
        self._waited = _Waited()

    def begin(self) -> None:
        """A request begins in this thread: it has all of its time."""
        self._waited.seconds = 0.0

    def spent(self) -> bool:
        """Whether the request in this thread has waited enough."""
        seconds = self._waited.seconds
        return seconds is not None and seconds >= self._request_s

    def outlast(self, question: Question, *, connecting: bool = False) -> float:
        """Wait for what a look has not seen arrive; return for how many seconds Redis was silent in all.

        Raises redis.TimeoutError after the limit, which is longer while connecting.
        """
        limit_s = self._connecting_s if connecting else self.answer_s
        began = self._clock()
        since = began - self.look_s  # whoever else may have asked it before
        silent_s = 0.0
        try:
            while not question.is_set():
                now = self._clock()
                if question.asked_at is not None:
                    silent_s = now - max(question.asked_at, since)
                if silent_s >= limit_s or now - began >= _AT_MOST * limit_s:
                    raise redis.TimeoutError("no answer in time")
                left_s = max(limit_s - silent_s, _TICK_S)
                if question.wait(min(self.look_s, left_s)) and silent_s:  # it came between two looks
                    silent_s += min(self._clock() - now, self.look_s)
            return silent_s
        finally:
            if self._waited.seconds is not None:
                self._waited.seconds += silent_s
