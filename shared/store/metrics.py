"""The snapshot of prices and latencies that every replica ranks by."""

import msgspec

from shared.domain.ranking import EMPTY, Snapshot
from shared.store import keys
from shared.store.link import Link

_decode = msgspec.json.Decoder(Snapshot).decode


class MetricsStore:
    """Reads and replaces the snapshot. Each method is one round trip and raises StoreDown."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def snapshot(self) -> Snapshot:
        """What was measured last; empty when nothing was."""
        value = self._link.call(self._link.client.get, keys.METRICS_SNAPSHOT)
        return _decode(value) if value else EMPTY

    def replace(self, snapshot: Snapshot, ttl_s: int) -> None:
        """Put a whole new snapshot in the place of the last one."""
        self._link.call(self._link.client.set, keys.METRICS_SNAPSHOT, msgspec.json.encode(snapshot), ex=ttl_s)
