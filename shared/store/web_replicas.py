"""The heartbeats of the web processes."""

from collections.abc import Mapping
from typing import Any

import redis

from shared.store import keys
from shared.store.connection.store_client import WrongType
from shared.store.decoding.unreadable import Unreadable

TTL_S = 30


class Replicas:
    """Writes the heartbeat of a web process, which holds for 30 seconds."""

    def __init__(self, client: redis.Redis, unreadable: Unreadable | None = None) -> None:
        self._redis = client
        self._unreadable = unreadable or Unreadable()

    def renew(self, replica_id: str, facts: Mapping[str, str]) -> None:
        """Write the replica's facts for another 30 seconds; raises StoreDown."""
        key = keys.replica(replica_id)
        try:
            self._write(key, facts)
        except WrongType as error:
            self._unreadable.note(key, error)
            self._redis.delete(key)
            self._write(key, facts)

    def _write(self, key: str, facts: Mapping[str, str]) -> None:
        fields: Any = dict(facts)
        with self._redis.pipeline() as together:
            together.hset(key, mapping=fields)
            together.expire(key, TTL_S)
            together.execute()
