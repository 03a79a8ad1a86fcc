"""Pins of one process: least recently used out first, each with a time to live."""

import threading

from cachetools import TTLCache

from shared.domain.pins import Pin
from shared.domain.sessions import Session


class MemoryPins:
    """The same as the pin store, for one process and as long as it lives."""

    def __init__(self, max_entries: int, ttl_s: float) -> None:
        self._pins: TTLCache[Session, Pin] = TTLCache(max_entries, ttl_s)
        self._lock = threading.Lock()

    def get(self, session: Session) -> Pin | None:
        """The session's pin, or None."""
        with self._lock:
            return self._pins.get(session)

    def settle(self, session: Session, pin: Pin, ttl_s: int) -> Pin:  # noqa: ARG002 - one ttl for all here
        """Pin the session unless it is pinned already; return the pin that stands."""
        with self._lock:
            return self._pins.setdefault(session, pin)

    def drop(self, session: Session, seen: Pin) -> bool:
        """Drop the session's pin if it still names the model that was seen; return whether it was dropped."""
        with self._lock:
            standing = self._pins.get(session)
            if standing is None or standing.model_name != seen.model_name:
                return False
            del self._pins[session]
            return True
