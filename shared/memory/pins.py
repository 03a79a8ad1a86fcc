"""Pins in memory mode, each with a time to live. When there are too many, the least recently used one goes."""

import threading
import time
from collections.abc import Sequence

import msgspec
from cachetools import TLRUCache

from shared.domain.pins import Held, Pin, used
from shared.domain.sessions import Session
from shared.store import keys


class _Entry(msgspec.Struct, frozen=True):
    pin: Pin
    ends_at: float


class MemoryPins:
    """The same as PinStore, for one process. The pins end with the process."""

    def __init__(self, max_entries: int, ttl_s: float, *, sliding: bool = False) -> None:
        self._ttl_s = ttl_s
        self._sliding = sliding
        self._entries: TLRUCache[Session, _Entry] = TLRUCache(
            max_entries, lambda _session, entry, _now: entry.ends_at
        )
        self._lock = threading.Lock()

    def get(self, session: Session) -> Pin | None:
        """The session's pin, or None."""
        with self._lock:
            entry = self._entries.get(session)
            if entry and (self._sliding or entry.pin.ttl_s):
                self._entries[session] = self._entry(used(entry.pin, time.time()))
            elif entry and entry.pin.used_at is not None:
                self._entries[session] = _Entry(used(entry.pin, time.time()), entry.ends_at)
            return entry.pin if entry else None

    def settle(self, session: Session, pin: Pin, ttl_s: int, seen: Pin | None = None) -> Pin:
        """Pin the session unless it is pinned already, to another model than the `seen` one; return what stands."""
        with self._lock:
            standing = self._entries.get(session)
            if standing and seen and _gives_way(standing.pin, seen):
                del self._entries[session]
            return self._entries.setdefault(session, self._entry(pin, ttl_s)).pin

    def move(self, session: Session, seen: Pin, to: Pin) -> Pin | None:
        """Move the session if its pin still names the model that was seen; return what stands afterwards."""
        with self._lock:
            entry = self._entries.get(session)
            if entry is None or not _gives_way(entry.pin, seen):
                return entry.pin if entry else None
            self._entries[session] = self._entry(to) if to.ttl_s else _Entry(to, entry.ends_at)
            return to

    def drop(self, session: Session, seen: Pin) -> bool:
        """Drop the session's pin if it still names the model that was seen; return whether it was dropped."""
        with self._lock:
            entry = self._entries.get(session)
            if entry is None or entry.pin.model_name != seen.model_name:
                return False
            del self._entries[session]
            return True

    def peek(self, key: bytes) -> Held | None:
        """What stands under the key that a pin would have in Redis, or None; changes nothing."""
        session = keys.session_of(key.decode("latin-1"))
        with self._lock:
            entry = self._entries.get(session) if session else None
        return _held(key, entry) if entry else None

    def under(self, names: Sequence[bytes]) -> list[Held]:
        """What stands under those of the keys that are there; changes nothing."""
        return [held for name in names if (held := self.peek(name))]

    def page(self, cursor: int, count: int, match: str = "*") -> tuple[int, list[Held]]:  # noqa: ARG002 - few are kept
        """The next `count` pins, whatever would match; and the next cursor, 0 at the end."""
        with self._lock:
            every = list(self._entries.items())
        some = every[cursor : cursor + count]
        after = cursor + count if cursor + count < len(every) else 0
        return after, [_held(keys.affinity(session).encode(), entry) for session, entry in some]

    def put(self, key: bytes, pin: Pin, ttl_s: int) -> None:
        """Put a pin there, in place of any that stands there."""
        session = keys.session_of(key.decode("latin-1"))
        if session:
            with self._lock:
                self._entries[session] = self._entry(pin, ttl_s)

    def replace(self, key: bytes, seen: Pin, to: Pin) -> bool:
        """Put a pin in the place of the seen one, if its model still stands there; its ttl stays."""
        session = keys.session_of(key.decode("latin-1"))
        return bool(session and self.move(session, seen, to) is to)

    def remove(self, key: bytes) -> bool:
        """Remove the pin that stands there; return whether there was one."""
        session = keys.session_of(key.decode("latin-1"))
        with self._lock:
            return bool(session and self._entries.pop(session, None))

    def _entry(self, pin: Pin, ttl_s: float | None = None) -> _Entry:
        lives_s = pin.ttl_s or ttl_s or self._ttl_s
        left_s = lives_s if pin.until is None else min(lives_s, pin.until - time.time())
        return _Entry(pin, time.monotonic() + left_s)


def _held(key: bytes, entry: _Entry) -> Held:
    return Held(key=key, pin=entry.pin, ttl_s=int(entry.ends_at - time.monotonic()))


def _gives_way(pin: Pin, seen: Pin) -> bool:
    """Whether a pin that stands may be moved by who saw another one there, or the same."""
    return pin.model_name == seen.model_name and (seen.held or not pin.held)
