"""The snapshot that every replica ranks by."""

import pytest
import redis

from shared.domain.ranking import EMPTY, Measure, Snapshot
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.metrics.snapshot import MetricsStore
from shared.store.web_replicas import Replicas


@pytest.fixture
def metrics(client: StoreClient) -> MetricsStore:
    return MetricsStore(client)


def test_nothing_is_known_at_first(metrics: MetricsStore) -> None:
    assert metrics.snapshot() == EMPTY


def test_a_snapshot_replaces_the_last_one_and_expires(metrics: MetricsStore, store: redis.Redis) -> None:
    metrics.replace(Snapshot(cost={"a/x": Measure(1.5, 10.0)}), 60)

    metrics.replace(Snapshot(latency={"x": Measure(0.2, 20.0)}), 60)

    assert metrics.snapshot() == Snapshot(latency={"x": Measure(0.2, 20.0)})
    assert 55 <= store.ttl("plano:metrics:snapshot") <= 60


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'{"cost":{"a/x":5}}', b'{"cost":{"\xff":[1,2]}}'])
def test_an_unreadable_snapshot_is_none(metrics: MetricsStore, store: redis.Redis, value: bytes) -> None:
    """Models are then tried in their declared order; no decision fails for want of a price."""
    store.set(keys.METRICS_SNAPSHOT, value, ex=60)

    assert metrics.snapshot() == EMPTY


def test_a_replica_that_falls_silent_is_forgotten(client: StoreClient, store: redis.Redis) -> None:
    replicas = Replicas(client)

    replicas.renew("r1", {"address": "host:1", "version": "1"})

    assert store.hgetall("plano:replica:r1") == {b"address": b"host:1", b"version": b"1"}
    assert 25 <= store.ttl("plano:replica:r1") <= 30
