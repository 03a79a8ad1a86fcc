"""The heartbeats of the web processes."""

from collections.abc import Mapping
from typing import Any

import redis

from shared.store import keys

TTL_S = 30


class Replicas:
    """Writes the heartbeat of a web process, which holds for 30 seconds."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def renew(self, replica_id: str, facts: Mapping[str, str]) -> None:
        """Write the replica's facts for another 30 seconds; raises StoreDown."""
        key = keys.replica(replica_id)
        fields: Any = dict(facts)
        with self._redis.pipeline() as together:
            together.hset(key, mapping=fields)
            together.expire(key, TTL_S)
            together.execute()
