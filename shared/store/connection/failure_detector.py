"""The failure detector: nothing else decides that a Redis is silent."""

import threading
import time
from collections.abc import Callable

import redis

from shared.periodic import Periodic
from shared.store.client import FairPool, shut

LOOK_EVERY_S = 0.025
ASK_AFTER_S = 0.05
"""After a wait of so long Redis is asked for a sign of life."""
PROBE_EVERY_S = 0.25


class FailureDetector:
    """Watches the waits of one pool, and opens its breaker when Redis gives no sign of life.

    One thread looks every 25 ms. A look counts when somebody has been waiting since the look before, and Redis has
    answered nobody in between. After 50 ms of such looks another thread sends PING, on a connection of its own; its
    answer, too, is a sign of life. The breaker opens at the last look within `silence_s` seconds of such looks.

    Each look counts for 25 ms at most. When this process is busy a look comes late, and its lateness does not count
    against Redis. So a slow Redis is only slow, and a busy process is only busy.
    """

    def __init__(self, pool: FairPool, silence_s: float, *, blocks_s: float = 0.0) -> None:
        """A Redis counts as silent before somebody has waited for `silence_s` seconds without a sign of life.

        `blocks_s` is how long a blocking command on this pool takes when all is well; that much of a wait is ignored.
        """
        self._pool = pool
        self._breaker = pool.breaker
        self._silence_s = silence_s
        self._blocks_s = blocks_s
        self._connection = pool.spare_connection()
        self._looked_at = time.monotonic()
        self._others: list[Callable[[], bool]] = []
        self._answers = 0
        self._silent_s = 0.0
        self._asked = threading.Event()
        self._stopped = threading.Event()
        self._looks = Periodic(LOOK_EVERY_S, self.look, "redis-looks")
        self._pings = Periodic(0.0, self._ping_when_asked, "redis-ping")

    def also_watch(self, waits: Callable[[], bool]) -> None:
        """Count as waiting, too, whenever this says that somebody waits for Redis without asking it."""
        self._others.append(waits)

    def start(self) -> None:
        """Begin to watch."""
        self._breaker.on_open(self._connect_anew)
        self._breaker.on_demoted(self._connection.mark_for_reconnect)
        self._pings.start()
        self._looks.start()

    def stop(self) -> None:
        """Stop watching."""
        self._looks.stop()
        self._pings.stop()
        self._stopped.set()
        self._asked.set()
        self._connection.disconnect()

    def look(self) -> None:
        """Count the time since the last look if somebody has been waiting without a sign of life."""
        now, before = time.monotonic(), self._looked_at
        self._looked_at = now
        heard, self._answers = self._breaker.answers != self._answers, self._breaker.answers
        began = self._waiting_since(before)
        if heard or self._breaker.is_open or began is None or began > now:
            self._silent_s = 0.0
            return
        self._silent_s += min(now - max(began, before), LOOK_EVERY_S)
        if self._silent_s + LOOK_EVERY_S > self._silence_s:  # the next look would come too late
            self._breaker.open(f"silent for {self._silence_s * 1000:.0f} ms")
        elif self._silent_s >= ASK_AFTER_S:
            self._asked.set()

    def _waiting_since(self, before: float) -> float | None:
        """When the wait began that counts; None when nobody waits."""
        if any(each() for each in self._others):
            return before
        since = self._pool.waiting_since()
        return None if since is None else since + self._blocks_s

    def _ping_when_asked(self) -> None:
        self._asked.wait()
        self._asked.clear()
        answered = False
        try:
            if not self._stopped.is_set():
                self._ping()
                answered = True
        except (redis.RedisError, OSError):
            pass
        finally:  # also after an error that nobody foresaw: whoever has opened the breaker relies on the next ping
            if not answered and self._breaker.is_open:
                self._stopped.wait(PROBE_EVERY_S)
                self._asked.set()
        if answered:
            self._breaker.close()

    def _connect_anew(self) -> None:
        """Probe on a new connection: what made Redis silent may have ended this one, too."""
        shut(self._connection)
        self._asked.set()

    def _ping(self) -> None:
        self._pool.make_ready(self._connection)
        self._connection.send_command("PING")
        self._connection.read_response()
