"""Deletes what stands in the place of RQ's lists and sets and is of another type. RQ could not work otherwise."""

import redis
from rq import Queue
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from shared.store.decoding.unreadable import Unreadable


def mend(queue: Queue, unreadable: Unreadable) -> None:
    """Delete keys of another type than RQ gives them; raises redis.RedisError."""
    types = _types(queue)
    with queue.connection.pipeline(transaction=False) as together:
        for key in types:
            together.type(key)
        found = together.execute()
    for (key, wanted), is_a in zip(types.items(), found, strict=True):
        if is_a not in {wanted, b"none"}:
            unreadable.note(key, f"it is a {is_a.decode()}, not a {wanted.decode()}")
            queue.connection.delete(key)


def mend_after(error: redis.RedisError, queue: Queue, unreadable: Unreadable) -> bool:
    """Mend if that is what the error is about; return whether it is."""
    wrong_type = isinstance(error, redis.ResponseError) and "WRONGTYPE" in str(error)
    if wrong_type:
        mend(queue, unreadable)
    return wrong_type


def _types(queue: Queue) -> dict[str, bytes]:
    return {
        queue.key: b"list",
        queue.intermediate_queue_key: b"list",
        queue.redis_queues_keys: b"set",
        REDIS_WORKER_KEYS: b"set",
        WORKERS_BY_QUEUE_KEY % queue.name: b"set",
        StartedJobRegistry(queue=queue).key: b"zset",
        FailedJobRegistry(queue=queue).key: b"zset",
    }
