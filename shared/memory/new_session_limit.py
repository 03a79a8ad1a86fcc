"""How many sessions a client may begin in a minute, in memory mode."""

import threading
import time
from collections import Counter
from collections.abc import Callable

from shared.domain.new_session_limit import MINUTE_S, refuse


class MemoryNewSessionLimit:
    """The same as NewSessionLimit, for one process. The counts of a minute are forgotten when it ends."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.time) -> None:
        """`limit` sessions a minute and client, 0 for any number."""
        self._limit = limit
        self._clock = clock
        self._minute = 0
        self._begun: Counter[str] = Counter()
        self._lock = threading.Lock()

    def admit(self, client: str) -> None:
        """Count a session that is about to be pinned; raises TooManySessions when the client has begun enough."""
        if not self._limit:
            return
        now = self._clock()
        with self._lock:
            minute = int(now // MINUTE_S)
            if minute != self._minute:
                self._minute, self._begun = minute, Counter()
            self._begun[client] += 1
            begun = self._begun[client]
        if begun > self._limit:
            refuse(self._limit, now)

    def give_back(self, client: str) -> None:
        """Count one less: it could not be pinned, and will be counted when it comes again."""
        with self._lock:
            if self._begun.get(client):
                self._begun[client] -= 1
