"""What the pool has done in each minute, as Redis keeps it."""

import pytest
import redis

from shared.domain.pool_stats import KEPT_S, MINUTE_S, Sums
from shared.memory.pool_stats import MemoryStats
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.metrics.pool_stats import StatsStore

SOME = Sums(requests=3, pinned=2, decided=1, first_request_s=0.25, cost_usd=0.5, kept_usd=-0.125)


@pytest.fixture
def stats(client: StoreClient, store: redis.Redis) -> StatsStore:  # noqa: ARG001 - empty
    return StatsStore(client)


@pytest.mark.parametrize("place", ["redis", "memory"])
def test_what_several_processes_add_to_a_minute_is_one_sum(request: pytest.FixtureRequest, place: str) -> None:
    stats: StatsStore | MemoryStats = MemoryStats() if place == "memory" else request.getfixturevalue("stats")
    for _ in range(2):
        stats.add(7, SOME)
    stats.add(8, Sums(errors=1))

    assert stats.read([6, 7, 8]) == {
        7: Sums(requests=6, pinned=4, decided=2, first_request_s=0.5, cost_usd=1.0, kept_usd=-0.25),
        8: Sums(errors=1),
    }


def test_a_minute_is_forgotten_after_as_long_in_redis_as_in_memory(stats: StatsStore, store: redis.Redis) -> None:
    stats.add(7, SOME)
    assert KEPT_S - 5 <= store.ttl(keys.stats(7)) <= KEPT_S

    memory = MemoryStats()
    for minute in (7, 8, 7 + KEPT_S // MINUTE_S):
        memory.add(minute, SOME)
    assert list(memory.read([7, 8])) == [8]


def test_a_minute_that_cannot_be_read_is_left_out_and_begins_anew(stats: StatsStore, store: redis.Redis) -> None:
    store.set(keys.stats(7), b"x", ex=9)
    assert stats.read([7]) == {7: Sums()}

    stats.add(7, SOME)

    assert stats.read([7]) == {7: SOME}


def test_a_figure_that_cannot_be_read_is_left_out(stats: StatsStore, store: redis.Redis) -> None:
    stats.add(7, SOME)
    store.hset(keys.stats(7), mapping={b"unknown": 1, b"cost_usd": b"nan", b"\xff": 1, b"pinned": b"1.5"})

    assert stats.read([7]) == {7: Sums(requests=3, decided=1, first_request_s=0.25, kept_usd=-0.125)}
