"""Whether workers live, by the signs of life that they leave in Redis."""

import redis

from shared.store.jobs.workers import HEARTBEAT_TTL_S, Workers
from shared.store.queue import QUEUE

MISSED_AFTER_S = 3.0
"""As documented; not taken from the code, which might say something else."""
REGISTRY, WORKER = f"rq:workers:{QUEUE}", "rq:worker:one"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def give_sign(store: redis.Redis, *, age_s: float = 0.0) -> None:
    store.sadd(REGISTRY, WORKER)
    store.set(WORKER, "1", px=int((HEARTBEAT_TTL_S - age_s) * 1000))


def test_a_worker_without_a_sign_of_life_for_three_seconds_is_missed(client: redis.Redis, store: redis.Redis) -> None:
    clock = Clock()
    workers = Workers(client, QUEUE, clock)
    give_sign(store)
    workers.look()

    clock.now_s += MISSED_AFTER_S - 1
    assert not workers.missed()
    give_sign(store, age_s=MISSED_AFTER_S + 1)
    clock.now_s += 2
    assert workers.missed()


def test_workers_have_time_to_sign_on_again_when_redis_comes_back_empty(
    client: redis.Redis, store: redis.Redis
) -> None:
    clock = Clock()
    workers = Workers(client, QUEUE, clock)
    give_sign(store, age_s=1)
    workers.look()
    store.flushall()  # a Redis without persistence was restarted between two looks
    clock.now_s += MISSED_AFTER_S + 0.1

    assert not workers.missed()
    clock.now_s += MISSED_AFTER_S + 0.1
    assert workers.missed()
