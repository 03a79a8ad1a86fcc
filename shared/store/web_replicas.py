"""The heartbeats of the web processes."""

import time
from collections.abc import Mapping
from typing import Any

import redis

from shared.store import keys
from shared.store.connection.store_client import WrongType
from shared.store.decoding.unreadable import Unreadable

TTL_S = 30


class Replicas:
    """Writes the heartbeat of a web process, which holds for 30 seconds, and reads those of all."""

    def __init__(self, client: redis.Redis, unreadable: Unreadable | None = None) -> None:
        self._redis = client
        self._unreadable = unreadable or Unreadable()

    def renew(self, replica_id: str, facts: Mapping[str, str]) -> None:
        """Write the replica's facts for another 30 seconds; raises StoreDown."""
        key = keys.replica(replica_id)
        try:
            self._write(replica_id, facts)
        except WrongType as error:
            self._unreadable.note(key, error)
            self._redis.delete(key, keys.REPLICAS)
            self._write(replica_id, facts)

    def known(self) -> dict[str, tuple[dict[str, str], float]]:
        """The facts of each replica that lives, and how old its heartbeat is, in seconds; raises StoreDown."""
        try:
            names: Any = self._redis.zrange(keys.REPLICAS, 0, -1)
        except WrongType as error:
            self._unreadable.note(keys.REPLICAS, error)
            return {}
        ids = [name.decode("utf-8", "replace") for name in names]
        with self._redis.pipeline(transaction=False) as together:
            for each in ids:
                together.hgetall(keys.replica(each))
                together.pttl(keys.replica(each))
            answers = together.execute(raise_on_error=False)
        found = zip(ids, answers[::2], answers[1::2], strict=True)
        return {each: (_texts(facts), TTL_S - left_ms / 1000) for each, facts, left_ms in found if _is_there(facts)}

    def _write(self, replica_id: str, facts: Mapping[str, str]) -> None:
        key, fields, now = keys.replica(replica_id), dict[Any, Any](facts), time.time()
        with self._redis.pipeline() as together:
            together.hset(key, mapping=fields)
            together.expire(key, TTL_S)
            together.zadd(keys.REPLICAS, {replica_id: now})
            together.zremrangebyscore(keys.REPLICAS, "-inf", now - TTL_S)
            together.expire(keys.REPLICAS, TTL_S)
            together.execute()


def _is_there(facts: Any) -> bool:
    """Whether there is a heartbeat: it may have ended, or be no hash."""
    return isinstance(facts, dict) and bool(facts)


def _texts(facts: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in facts.items()}
