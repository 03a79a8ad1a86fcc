"""How long Redis is waited for: one answer, and all the answers of a request together."""

import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

import redis

LOOKS = 7
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


class _Request:
    """What a request has waited so far, in seconds."""

    __slots__ = ("all_s", "silent_s")

    def __init__(self) -> None:
        self.all_s = 0.0
        self.silent_s = 0.0
        """The part of it that is proven to be Redis' own."""

    def add(self, all_s: float, silent_s: float) -> None:
        self.all_s += all_s
        self.silent_s += silent_s


class _Thread(threading.local):
    """The request that a thread serves; None where there is no request."""

    request: _Request | None = None


class Patience:
    """The limits of one process, and how much of its time each of its requests has left.

    Redis is silent while the question is out and whoever looks sees no answer: what this process has been busy with
    is not its silence. An answer that is there is never called late, since gevent has it read before it ends a wait.
    Of the time before the first look nobody can tell whose it was.
    """

    def __init__(
        self,
        answer_s: float,
        slow_s: float = math.inf,
        request_s: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`answer_s` bounds a wait, and `request_s` all the waits of a request: none begins that could end later.

        Nor does one after `slow_s` of silence: who is so slow is not asked again.
        """
        self.answer_s = answer_s
        self.look_s = answer_s / LOOKS
        """An answer that comes within this time is not late: nearly all of them do."""
        self._slow_s = slow_s
        self._last_s = request_s - answer_s
        self._clock = clock
        self._thread = _Thread()

    def begin(self) -> None:
        """A request begins in this thread: it has all of its time."""
        self._thread.request = _Request()

    def spent(self) -> bool:
        """Whether the request in this thread has no time left for another wait."""
        request = self._thread.request
        return request is not None and (request.silent_s >= self._slow_s or request.all_s > self._last_s)

    def note(self, silent_s: float) -> None:
        """Redis has kept the request in this thread waiting for so long, as somebody else has found out."""
        self._add(silent_s, silent_s)

    def wait(self, question: Question) -> float:
        """Wait for the answer; return for how many seconds Redis was silent, 0 when it was not late.

        Raises redis.TimeoutError after the limit.
        """
        began = self._clock()
        if question.wait(self.look_s):
            self._add(min(self._clock() - began, self.look_s), 0.0)
            return 0.0
        return self._outlast(question)

    def _add(self, all_s: float, silent_s: float) -> None:
        if request := self._thread.request:
            request.add(all_s, silent_s)

    def _outlast(self, question: Question) -> float:
        began = self._clock()
        since = began - self.look_s  # whoever else may have asked it before
        silent_s = 0.0
        try:
            while not question.is_set():
                now = self._clock()
                if question.asked_at is not None:
                    silent_s = now - max(question.asked_at, since)
                if silent_s >= self.answer_s or now - began >= _AT_MOST * self.answer_s:
                    raise redis.TimeoutError("no answer in time")
                left_s = max(self.answer_s - silent_s, _TICK_S)
                if question.wait(min(self.look_s, left_s)) and silent_s:  # it came between two looks
                    silent_s += min(self._clock() - now, self.look_s)
            return silent_s
        finally:
            self._add(max(silent_s, self.look_s), silent_s)
