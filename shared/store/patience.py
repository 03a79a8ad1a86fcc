"""How long Redis is waited for: one answer, and all the answers of a request together."""

import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

import redis

_LOOKS = 15
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

    An answer is looked for again and again: when it was not there, the time until then was Redis' own, and when it
    is, nobody can tell when it came, since this process may have been busy; then no more than one look counts.
    """

    def __init__(
        self, answer_s: float, request_s: float = math.inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`answer_s` bounds a wait. A request that has waited for `request_s`, all told, begins no other one."""
        self.answer_s = answer_s
        self._look_s = answer_s / _LOOKS
        self._request_s = request_s
        self._clock = clock
        self._waited = _Waited()

    def begin(self) -> None:
        """A request begins in this thread: it has all of its time."""
        self._waited.seconds = 0.0

    def spent(self) -> bool:
        """Whether the request in this thread has no time left for another wait."""
        seconds = self._waited.seconds
        return seconds is not None and seconds >= self._request_s

    def note(self, seconds: float) -> None:
        """The request in this thread has waited for Redis for so long."""
        before = self._waited.seconds
        if before is not None:
            self._waited.seconds = before + seconds

    def wait(self, question: Question, since: float | None = None) -> None:
        """Wait for the answer; raises redis.TimeoutError after the limit.

        `since`, by the monotonic clock, is when the wait began, if that was before now: asking may take time itself.
        """
        look_s = self._look_s
        began = now = self._clock()
        waited_s = 0.0 if since is None else began - since
        try:
            while True:
                left_s = max(self.answer_s - waited_s, _TICK_S)
                answered = question.wait(min(look_s, left_s)) or question.is_set()
                then, now = now, self._clock()
                if question.asked_at is not None:
                    took_s = now - max(question.asked_at, then)
                    if took_s > 2 * look_s and not answered:
                        answered = question.wait(_TICK_S)  # we were busy: the answer may be there and not yet read
                    waited_s += min(took_s, look_s) if answered else took_s
                if answered:
                    return
                if waited_s >= self.answer_s or now - began >= _AT_MOST * self.answer_s:
                    raise redis.TimeoutError("no answer in time")
        finally:
            self.note(waited_s)
