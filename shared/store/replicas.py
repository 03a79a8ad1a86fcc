"""Which web processes live."""

from typing import Any

from shared.store import keys
from shared.store.link import Link

TTL_S = 30


class Replicas:
    """Says that a web process lives, and for how long that holds."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def renew(self, replica_id: str, facts: dict[str, str]) -> None:
        """Put the replica's facts down for another 30 seconds; raises StoreDown."""
        key = keys.replica(replica_id)
        with self._link.client.pipeline(transaction=True) as both:
            both.hset(key, mapping=dict[Any, Any](facts))
            both.expire(key, TTL_S)
            self._link.call(both.execute)
