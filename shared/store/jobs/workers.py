"""The workers, as the signs of life show them that they leave in Redis."""

import time
from collections.abc import Callable
from typing import Any

import redis
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from shared.errors import QueueDown

HEARTBEAT_TTL_S = 30
"""How long a worker's sign of life is kept; it is renewed every second."""
MISSED_AFTER_S = 3.0
"""After so long without a sign of life of any worker nothing is queued."""
LOOK_EVERY_S = 1.0

_PREFIX = b"rq:worker:"


class Workers:
    """Knows how many workers live, and for how long there has been none.

    A worker that restarts is not missed: its jobs wait for it. Before the first look, and while Redis is away, nobody
    is missed either. When Redis comes back empty, the workers have three seconds to sign on again.
    """

    def __init__(self, client: redis.Redis, queue: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`queue` is the name of the queue that they work for."""
        self._redis = client
        self._key = WORKERS_BY_QUEUE_KEY % queue
        self._clock = clock
        self._seen_at: float | None = None
        self._any = False
        """Whether there was one at the last look."""

    def count(self) -> int:
        """How many have given a sign of life in the last 30 seconds; raises QueueDown."""
        names = self._registered()
        return int(self._redis.exists(*names)) if names else 0

    def look(self) -> None:
        """Look for the newest sign of life."""
        now = self._clock()
        if self._seen_at is None:
            self._seen_at = now
        try:
            names = self._registered()
            # The last one has just signed off, or Redis has come back empty.
            silent_s = 0.0 if self._any and not names else self._silent_s(names)
        except QueueDown:
            silent_s, names = 0.0, []  # who has been cut off cannot know
        self._any = bool(names)
        self._seen_at = max(self._seen_at, now - silent_s)

    def missed(self) -> bool:
        """Whether no worker has lived for three seconds. Only who would be told so has to wait for a look."""
        if not self._overdue():
            return False
        self.look()
        return self._overdue()

    def _overdue(self) -> bool:
        return self._seen_at is not None and self._clock() - self._seen_at > MISSED_AFTER_S

    def _silent_s(self, names: list[bytes]) -> float:
        """How old the newest sign of life is, in seconds; infinite when there is none."""
        if not names:
            return float("inf")
        with self._redis.pipeline(transaction=False) as together:
            for name in names:
                together.pttl(name)
            left_ms = together.execute()
        newest_ms = max(left_ms)
        return max(0.0, HEARTBEAT_TTL_S - newest_ms / 1000) if newest_ms > 0 else float("inf")

    def _registered(self) -> list[bytes]:
        names: Any = self._redis.smembers(self._key)
        return [name for name in names if name.startswith(_PREFIX)]
