"""Models and processes, as an operator sees them; and models that one drains."""

import os
import socket
import time
from pathlib import Path

import pytest
import redis

from shared.domain.availability.drains import Drain
from shared.domain.money import Prices
from shared.domain.ranking import Measure, Snapshot
from shared.domain.sessions import Session
from shared.errors import UnknownModel
from shared.memory.cooldowns import MemoryCooldowns
from shared.memory.drains import MemoryDrains
from shared.memory.pins import MemoryPins
from shared.memory.pool_stats import MemoryStats
from shared.operations.build import Operations, operations
from shared.operations.models import State
from shared.operations.operator_identity import Operator
from shared.process_dependencies import NoMetrics
from shared.store.connection.store_client import StoreClient
from shared.store.cooldowns import CooldownStore
from shared.store.drains import DrainStore
from shared.store.metrics.snapshot import MetricsStore
from shared.store.web_replicas import Replicas
from tests.store.operating import load_config, operating, used

ANN = Operator("ann", "new prices")


@pytest.fixture
def pool(client: StoreClient, tmp_path: Path) -> Operations:
    return operating(client, tmp_path)


def test_each_model_says_what_it_does_serves_and_costs(client: StoreClient, pool: Operations) -> None:
    for n in range(3):
        used(client, Session(f"s{n}"), "acme/a")
    used(client, Session("other"), "house/c")
    used(client, Session("gone"), "acme/b", pinned=False)
    prices = {"a": Prices(input=1.5, output=6.0)}
    MetricsStore(client).replace(Snapshot(prices=prices, latency={"acme/a": Measure(0.4, 90.0, "observed")}), 60)
    CooldownStore(client).failed("acme/b", "503", None)

    first, second, third = pool.models.states()

    assert [each.name for each in (first, second, third)] == ["acme/a", "acme/b", "house/c"]
    assert [each.state for each in (first, second, third)] == [State.SERVING, State.COOLING, State.SERVING]
    assert [(each.sessions, each.share) for each in (first, second, third)] == [(3, 0.75), (0, 0.0), (1, 0.25)]
    assert (first.prices, first.latency, first.routes) == (prices["a"], Measure(0.4, 90.0, "observed"), ("code",))
    assert second.cooldown is not None
    assert (second.cooldown.why, second.cooldown.failures) == ("503", 1)


def test_nobody_has_a_share_of_no_session(pool: Operations) -> None:
    assert [state.share for state in pool.models.states()] == [None] * 3


def test_a_model_is_drained_by_any_of_its_names(client: StoreClient, pool: Operations) -> None:
    state = pool.models.drain("clever", ANN, now=True)

    assert (state.name, state.state) == ("acme/b", State.DRAINED)
    assert state.drain == DrainStore(client).known(["acme/b"])["acme/b"]
    assert state.drain == Drain(since=state.drain.since, now=True, who="ann", why="new prices")
    assert abs(state.drain.since - time.time()) < 60
    assert (pool.models.undrain("b", ANN), pool.models.undrain("b", ANN)) == (True, False)
    assert pool.models.state("acme/b").state is State.SERVING


@pytest.mark.parametrize("name", ["nobody/x", "house/unnamed"])
def test_a_model_that_the_config_does_not_name_cannot_be_drained(
    pool: Operations, store: redis.Redis, name: str
) -> None:
    """Of a wildcard's models only those are looked after that a route names."""
    for change in (pool.models.drain, pool.models.undrain):
        with pytest.raises(UnknownModel):
            change(name, ANN)

    assert store.keys("plano:drain:*") == []


def test_a_process_of_its_own_has_models_and_sessions_too(tmp_path: Path) -> None:
    config = load_config(tmp_path)
    drains = MemoryDrains()
    alone = operations(
        config,
        pins=MemoryPins(9, 60),
        metrics=NoMetrics(),
        cooldowns=MemoryCooldowns(),
        drains=drains,
        stats=MemoryStats(),
    )

    alone.sessions.pin(Session("s"), "acme/a", ANN)
    state = alone.models.drain("acme/a", ANN)

    assert (state.sessions, state.share, state.state) == (1, 1.0, State.DRAINED)
    assert alone.sessions.hold(Session("s"), ANN).ttl_s in range(590, 601)
    assert alone.pool.state().replicas == ()


def test_the_processes_that_live_are_shown_and_different_configs_stand_out(
    client: StoreClient, pool: Operations, store: redis.Redis
) -> None:
    replicas = Replicas(client)
    for name, digest in (("h-1", "x"), ("h-2", "y"), ("h-3", "y"), ("h-4", "y")):
        replicas.renew(name, {"address": f"{name}:80", "version": "1", "config": digest, "since": "90"})
    store.delete("plano:replica:h-4")
    store.pexpire("plano:replica:h-2", 21_000)

    state = pool.pool.state()

    assert [replica.id for replica in state.replicas] == ["h-1", "h-2", "h-3"]
    assert state.configs == ("y", "x")
    first, second, _ = state.replicas
    assert (first.address, first.version, first.since) == ("h-1:80", "1", 90.0)
    assert (0 <= first.age_s < 8, 9 <= second.age_s < 17) == (True, True)
    assert 0 < store.ttl("plano:replicas") <= 30


def test_a_replica_that_has_gone_is_forgotten(client: StoreClient, store: redis.Redis) -> None:
    store.zadd("plano:replicas", {"gone": time.time() - 31, "odd": time.time()})
    store.set("plano:replica:odd", "x", ex=9)

    Replicas(client).renew("here", {"address": "a"})

    assert store.zrange("plano:replicas", 0, -1) == [b"odd", b"here"]
    assert list(Replicas(client).known()) == ["here"]


def test_a_list_of_replicas_that_is_none_is_begun_anew(client: StoreClient, store: redis.Redis) -> None:
    store.set("plano:replicas", "x", ex=9)

    assert Replicas(client).known() == {}
    Replicas(client).renew("here", {"address": "a"})

    assert list(Replicas(client).known()) == ["here"]


def test_what_waits_and_runs_and_who_works_is_shown(pool: Operations, store: redis.Redis) -> None:
    store.rpush("rq:queue:plano", "one", "two", "three")
    store.zadd("rq:wip:plano", {"four:x": time.time() + 60})
    store.sadd("rq:workers:plano", "rq:worker:w", "rq:worker:odd", "rq:worker:gone", "other")
    worker = {"birth": "2026-01-31T12:00:00.000000Z", "hostname": socket.gethostname(), "pid": str(os.getpid())}
    for field, value in worker.items():
        store.hset("rq:worker:w", field, value)
    store.pexpire("rq:worker:w", 29_000)
    store.hset("rq:worker:odd", mapping={"birth": "x", "pid": "-1"})
    store.expire("rq:worker:odd", 30)

    state = pool.pool.state()
    odd, seen = state.workers

    assert (state.queue.waiting, state.queue.running) == (3, 1)
    assert (seen.name, seen.host, seen.pid) == ("w", socket.gethostname(), os.getpid())
    assert (seen.since, 1 <= seen.age_s < 20) == (1769860800.0, True)
    assert (odd.name, odd.pid, odd.since) == ("odd", 0, None)
