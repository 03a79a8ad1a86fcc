"""Which web processes live."""

from collections.abc import Mapping
from typing import Any

import redis

from shared.store import keys

TTL_S = 30


class Replicas:
    """Says that a web process lives, and for how long that holds."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def renew(self, replica_id: str, facts: Mapping[str, str]) -> None:
        """Put the replica's facts down for another 30 seconds; raises StoreDown."""
        key = keys.replica(replica_id)
        fields: Any = dict(facts)
        with self._redis.pipeline() as together:
            together.hset(key, mapping=fields)
            together.expire(key, TTL_S)
            together.execute()
