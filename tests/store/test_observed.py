"""What replicas see of their models: one average in Redis, or in the memory of one process."""

import time
from collections.abc import Iterator, Mapping
from typing import Protocol

import fakeredis
import pytest
import redis

from shared.domain.latency import Average, Sample
from shared.memory.latency import MemoryLatencies
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.metrics.latency import LatencyStore

HALF_LIFE_S = 300
KEPT_S = 2700


class Observed(Protocol):
    def add(self, seen: Mapping[str, Sample]) -> None: ...

    def averages(self, since: float) -> dict[str, Average]: ...


@pytest.fixture
def server_store(client: StoreClient) -> LatencyStore:
    return LatencyStore(client, HALF_LIFE_S, KEPT_S)


@pytest.fixture(params=["redis", "fakeredis", "memory"])
def observed(request: pytest.FixtureRequest) -> Iterator[Observed]:
    """All of them must agree."""
    if request.param == "redis":
        yield request.getfixturevalue("server_store")
    elif request.param == "fakeredis":
        with fakeredis.FakeRedis(protocol=2) as played:
            yield LatencyStore(played, HALF_LIFE_S, KEPT_S)
    else:
        yield MemoryLatencies(HALF_LIFE_S)


def test_nothing_is_known_at_first(observed: Observed) -> None:
    assert observed.averages(0) == {}


def test_what_processes_see_is_one_average(observed: Observed) -> None:
    before = time.time()
    observed.add({"a/x": Sample(0.2, 1), "b/y": Sample(3.0, 2)})
    observed.add({"a/x": Sample(0.7, 2)})

    averages = observed.averages(0)

    assert averages["a/x"].value == pytest.approx(0.3, rel=1e-2)  # the first one has aged a little
    assert averages["b/y"].value == pytest.approx(1.5)
    assert before - 0.1 <= averages["a/x"].as_of <= time.time() + 0.1


def test_a_model_that_has_not_answered_since_is_left_out(observed: Observed) -> None:
    observed.add({"a/x": Sample(0.2, 1)})

    assert observed.averages(time.time() + 60) == {}


def test_the_script_decays_as_the_rule_says(server_store: LatencyStore, store: redis.Redis) -> None:
    """The formula stands in Lua too: both must say the same."""
    standing = Average(9.0, 10.0, time.time() - HALF_LIFE_S)
    store.hset(keys.OBSERVED, "a/x", f"[{standing.total},{standing.weight},{standing.as_of:.3f}]")

    server_store.add({"a/x": Sample(1.5, 5)})

    expected = standing.plus(Sample(1.5, 5), standing.as_of + HALF_LIFE_S, HALF_LIFE_S)
    average = server_store.averages(0)["a/x"]
    assert (average.total, average.weight) == pytest.approx((expected.total, expected.weight), rel=1e-2)
    assert average.value == pytest.approx(0.6, rel=1e-2)


@pytest.mark.parametrize("value", [b"", b"{", b"7", b"null", b"[]", b'["a","b","c"]', b"[1,0,5]", b"\xff"])
def test_a_value_that_is_no_average_counts_as_none(
    server_store: LatencyStore, store: redis.Redis, value: bytes
) -> None:
    store.hset(keys.OBSERVED, mapping={"a/x": value, "b/y": value})

    server_store.add({"a/x": Sample(0.4, 1)})

    assert {name: one.value for name, one in server_store.averages(2).items()} == {"a/x": pytest.approx(0.4)}
    assert store.hkeys(keys.OBSERVED) == [b"a/x"]


def test_what_nobody_adds_to_expires(server_store: LatencyStore, store: redis.Redis) -> None:
    server_store.add({"a/x": Sample(0.4, 1)})

    assert KEPT_S - 5 <= store.ttl(keys.OBSERVED) <= KEPT_S


def test_a_model_that_fell_silent_is_forgotten(server_store: LatencyStore, store: redis.Redis) -> None:
    """Clients name the models of a wildcard: they must not pile up."""
    store.hset(keys.OBSERVED, "a/x", f"[1,1,{time.time() - 100:.3f}]")
    server_store.add({"b/y": Sample(0.4, 1)})

    assert set(server_store.averages(time.time() - 50)) == {"b/y"}
    assert store.hkeys(keys.OBSERVED) == [b"b/y"]


def test_any_number_of_models_is_one_call(server_store: LatencyStore, store: redis.Redis) -> None:
    server_store.add({"a/x": Sample(0.4, 1)})
    store.config_resetstat()

    server_store.add({f"a/{n}": Sample(0.4, 1) for n in range(300)})

    assert store.info("commandstats")["cmdstat_evalsha"]["calls"] == 1
    assert len(server_store.averages(0)) == 301
