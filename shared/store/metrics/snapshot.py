"""The snapshot of prices and latencies that every replica ranks by."""

import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import redis

from shared.domain.money import Prices
from shared.domain.ranking import EMPTY, Measure, Snapshot
from shared.errors import StoreDown
from shared.store import keys, scripts
from shared.store.connection.store_client import WrongType
from shared.store.decoding.unreadable import Unreadable
from shared.store.decoding.values import Decoder

log = logging.getLogger("plano.metrics")

LOOK_EVERY_S = 1.0
"""How long a process uses the snapshot that it has read, before it asks Redis again."""

_TRIES = 5
_NO_STAMP = b""
# The first field of the stored object, the stamp, differs between any two snapshots. As long as it stays the same, a
# process reads nothing but these few bytes.
_HEAD = b'{"stamp":"%b",'
_STAMP_CHARS = 16
_HEAD_BYTES = len(_HEAD % b"") + _STAMP_CHARS


class MetricsStore:
    """Reads and replaces the snapshot. Each method but `update` is one round trip; all raise StoreDown."""

    def __init__(self, client: redis.Redis, unreadable: Unreadable | None = None) -> None:
        self._redis = client
        self._decoder = Decoder(msgspec.json.Decoder(Snapshot).decode, unreadable)
        self._replace_if_same = client.register_script(scripts.read("replace_if_same.lua"))

    def snapshot(self) -> Snapshot:
        """What was measured last; empty when nothing was."""
        return self.stamped()[1]

    def stamped(self) -> tuple[bytes, Snapshot]:
        """The snapshot and its stamp."""
        value = self._value()
        return value[:_HEAD_BYTES], self._snapshot_of(value)

    def stamp(self) -> bytes:
        """The first bytes of the stored value, which differ between any two snapshots; empty without a snapshot."""
        try:
            begin: Any = self._redis.getrange(keys.METRICS_SNAPSHOT, 0, _HEAD_BYTES - 1)
        except WrongType:
            return _NO_STAMP  # whoever reads the value notes it
        return bytes(begin)

    def replace(self, snapshot: Snapshot, ttl_s: int) -> None:
        """Put a whole new snapshot in the place of the last one."""
        self._redis.set(keys.METRICS_SNAPSHOT, _value_of(snapshot), ex=ttl_s)

    def update(self, change: Callable[[Snapshot], Snapshot], ttl_s: int) -> None:
        """Replace the snapshot by what `change` makes of it; no update by another process is lost.

        `change` is called again when another process was faster. Raises StoreDown when that happens too often.
        """
        for _ in range(_TRIES):
            seen = self._value()
            new = _value_of(change(self._snapshot_of(seen)))
            if self._replace_if_same([keys.METRICS_SNAPSHOT], [seen, new, ttl_s]):
                return
        raise StoreDown(f"the snapshot was changed by others {_TRIES} times in a row")

    def _snapshot_of(self, value: bytes) -> Snapshot:
        """The snapshot in a value; an empty one when the value is no snapshot."""
        return (self._decoder.read(keys.METRICS_SNAPSHOT, value) if value else None) or EMPTY

    def _value(self) -> bytes:
        """What stands; empty for nothing."""
        try:
            value: Any = self._redis.get(keys.METRICS_SNAPSHOT)
        except WrongType as error:
            self._decoder.unreadable.note(keys.METRICS_SNAPSHOT, error)
            return b""
        return value or b""


class RecentSnapshot:
    """The snapshot as it was at most a second ago; while Redis is away, the one that was read last."""

    def __init__(self, store: MetricsStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._look_at = clock()
        self._stamp = _NO_STAMP
        self._standing = EMPTY

    def snapshot(self) -> Snapshot:
        """What was measured last; empty when nothing was measured, or when Redis has been away from the start."""
        if self._clock() >= self._look_at:
            with self._lock:  # others wait for this look: before the first one there is nothing to rank by
                if self._clock() >= self._look_at:
                    self.look()
        return self._standing

    def look(self) -> None:
        """Read the snapshot now if it has changed."""
        try:
            if self._store.stamp() != self._stamp:
                self._stamp, self._standing = self._store.stamped()
        except StoreDown as error:
            log.debug("the last snapshot stands: %s", error)
        self._look_at = self._clock() + LOOK_EVERY_S


def _value_of(snapshot: Snapshot) -> bytes:
    body = msgspec.json.encode(_writable(snapshot))
    stamp = hashlib.blake2b(body, digest_size=_STAMP_CHARS // 2).hexdigest()
    return _HEAD % stamp.encode() + body[1:]


def _writable(snapshot: Snapshot) -> Snapshot:
    """The snapshot without infinite figures and NaN, which JSON cannot hold."""
    return Snapshot(
        cost=_finite(snapshot.cost),
        latency=_finite(snapshot.latency),
        prices={name: price for name, price in snapshot.prices.items() if _is_finite(price)},
    )


def _finite(measures: dict[str, Measure]) -> dict[str, Measure]:
    return {name: one for name, one in measures.items() if math.isfinite(one.value) and math.isfinite(one.as_of)}


def _is_finite(prices: Prices) -> bool:
    return all(math.isfinite(each or 0.0) for each in msgspec.structs.astuple(prices))
