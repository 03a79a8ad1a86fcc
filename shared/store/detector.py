"""The failure detector: the only one who decides that a Redis is silent."""

import threading
import time

import redis

from shared.periodic import Periodic
from shared.store.client import FairPool, shut

LOOK_EVERY_S = 0.025
ASK_AFTER_S = 0.05
"""Redis is asked for a sign of life once somebody has waited for it this long."""
PROBE_EVERY_S = 0.25


class FailureDetector:
    """Watches the waits of one pool, and opens its breaker when Redis gives no sign of life.

    One thread looks every 25 ms whether somebody has waited since the last look, and nobody was answered; another one
    sends PING, on a connection of its own, when that goes on. Only looks count, not what the clock says: a look that
    comes late, since this process was busy, counts as one. So a slow Redis is only slow, a busy process only busy.
    """

    def __init__(self, pool: FairPool, silence_s: float, *, blocks_s: float = 0.0) -> None:
        """After `silence_s` seconds of waiting without a sign of life Redis is silent.

        `blocks_s` is how long a blocking command on this pool waits when all is well; such waits do not count.
        """
        self._pool = pool
        self._breaker = pool.breaker
        self._silence_s = silence_s
        self._blocks_s = blocks_s
        self._connection = pool.spare_connection()
        self._looked_at = time.monotonic()
        self._answers = 0
        self._silent_s = 0.0
        self._asked = threading.Event()
        self._stopped = threading.Event()
        self._looks = Periodic(LOOK_EVERY_S, self.look, "redis-looks")

    def start(self) -> None:
        """Begin to watch."""
        self._breaker.on_open(self._connect_anew)
        self._breaker.on_demoted(self._connection.mark_for_reconnect)
        threading.Thread(target=self._ping_when_asked, name="redis-ping", daemon=True).start()
        self._looks.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._looks.stop()
        self._stopped.set()
        self._asked.set()
        self._connection.disconnect()

    def look(self) -> None:
        """Count this look if somebody has waited since the last one."""
        now, before = time.monotonic(), self._looked_at
        self._looked_at = now
        since = self._pool.waiting_since()
        heard, self._answers = self._breaker.answers != self._answers, self._breaker.answers
        if heard or self._breaker.is_open or since is None or since + self._blocks_s > before:
            self._silent_s = 0.0
            return
        self._silent_s += min(now - before, LOOK_EVERY_S)
        if self._silent_s >= self._silence_s:
            self._breaker.open(f"silent for {self._silence_s * 1000:.0f} ms")
        elif self._silent_s >= ASK_AFTER_S:
            self._asked.set()

    def _ping_when_asked(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            if self._stopped.is_set():
                return
            try:
                self._ping()
            except (redis.RedisError, OSError):
                if self._breaker.is_open:
                    self._stopped.wait(PROBE_EVERY_S)
                    self._asked.set()
            else:
                self._breaker.close()

    def _connect_anew(self) -> None:
        """Whatever made Redis silent may have come over this connection, too."""
        shut(self._connection)
        self._asked.set()

    def _ping(self) -> None:
        self._pool.make_ready(self._connection)
        self._connection.send_command("PING")
        self._connection.read_response()
