"""Which web processes live."""

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
        fields = [part for fact in facts.items() for part in fact]
        self._link.transact(("HSET", key, *fields), ("EXPIRE", key, TTL_S))
