"""Pins that an operator holds, and models that one drains: in Redis, and in memory where that is the mode."""

import time
from typing import Any

import msgspec
import pytest
import redis

from shared.domain.availability.drains import Drain
from shared.domain.money.switching import Price
from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.memory.drains import MemoryDrains
from shared.memory.pins import MemoryPins
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.drains import DrainStore, RecentDrains
from shared.store.money.switch_budgets import BudgetStore
from shared.store.pin_admin import PinAdmin
from shared.store.pins import PinStore
from tests.endpoints import connected
from tests.fakes.ports import free_port

SESSION = Session("s", "acme")
KEY = keys.affinity(SESSION).encode()
TTL_S = 60
FREE, OTHER = Pin(model_name="a", route_name="r"), Pin(model_name="b", route_name="r")
HELD = msgspec.structs.replace(FREE, held=True)


@pytest.fixture(params=["redis", "memory"])
def pins(request: pytest.FixtureRequest) -> Any:
    """Pins of either mode."""
    return MemoryPins(100, TTL_S) if request.param == "memory" else PinStore(request.getfixturevalue("client"))


@pytest.fixture(params=["redis", "memory"])
def drains(request: pytest.FixtureRequest) -> Any:
    """Drains of either mode."""
    return MemoryDrains() if request.param == "memory" else DrainStore(request.getfixturevalue("client"))


def test_a_pin_that_came_to_be_held_does_not_move(pins: Any) -> None:
    """A request that has read it before the operator held it may still fail over."""
    pins.settle(SESSION, HELD, TTL_S)

    assert pins.move(SESSION, FREE, OTHER) == HELD
    assert pins.settle(SESSION, OTHER, TTL_S, FREE) == HELD
    assert pins.get(SESSION) == HELD


def test_who_has_seen_that_it_is_held_may_change_it(pins: Any) -> None:
    pins.settle(SESSION, HELD, TTL_S)

    assert pins.move(SESSION, HELD, FREE) == FREE
    assert pins.move(SESSION, FREE, OTHER) == OTHER


def test_what_is_held_is_not_moved_for_money_either(client: StoreClient) -> None:
    free = Price(usd=-1.0, percent=100, tokens=10)
    PinStore(client).settle(SESSION, HELD, TTL_S)

    assert BudgetStore(client, TTL_S).spend(SESSION, FREE, OTHER, free) == HELD


@pytest.mark.parametrize("place", ["redis", "memory"])
def test_an_operator_replaces_what_was_seen_and_its_ttl_stays(place: str, request: pytest.FixtureRequest) -> None:
    view: Any = MemoryPins(9, TTL_S) if place == "memory" else PinAdmin(request.getfixturevalue("client"))
    view.put(KEY, FREE, 7)

    replaced = [view.replace(KEY, FREE, HELD), view.replace(KEY, FREE, OTHER), view.replace(KEY, HELD, FREE)]
    (held,) = view.under([KEY, b"plano:affinity:none"])

    assert replaced == [True, False, True]
    assert (held.pin, 0 < held.ttl_s <= 7) == (FREE, True)
    assert not view.replace(b"plano:affinity:none", FREE, HELD)


def test_a_free_pin_is_written_as_ever(client: StoreClient, store: redis.Redis) -> None:
    """A replica of another version reads it, too."""
    PinStore(client).settle(SESSION, FREE, TTL_S)

    assert store.get(KEY) == b'{"model_name":"a","route_name":"r"}'


def test_a_model_is_drained_until_that_ends(drains: Any) -> None:
    drain = Drain(since=time.time(), now=True, who="ann", why="new prices")
    drains.begin("p/a", drain)

    assert drains.known(["p/a", "p/b"]) == {"p/a": drain}
    assert (drains.end("p/a"), drains.end("p/a")) == (True, False)
    assert drains.known(["p/a", "p/b"]) == {}
    assert drains.known([]) == {}


def test_a_drain_ends_of_itself(client: StoreClient, store: redis.Redis) -> None:
    DrainStore(client).begin("p/a", Drain(since=0))
    memory = MemoryDrains()
    memory.begin("p/a", Drain(since=0), 0)

    assert 6.9 * 86400 < store.ttl("plano:drain:p/a") <= 7 * 86400
    assert memory.known(["p/a"]) == {}


def test_what_is_no_drain_drains_nothing(client: StoreClient, store: redis.Redis) -> None:
    store.set("plano:drain:p/a", b"\xff{", ex=9)
    store.lpush("plano:drain:p/b", "x")
    store.expire("plano:drain:p/b", 9)

    assert DrainStore(client).known(["p/a", "p/b"]) == {}


def test_while_redis_is_away_the_drains_are_those_that_were_known(client: StoreClient) -> None:
    """Else each outage would send new sessions to the model that is to be empty."""
    store = DrainStore(client)
    recent = RecentDrains(store, ["p/a", "p/b"])
    store.begin("p/a", Drain(since=1))
    recent.look()
    with connected(f"redis://127.0.0.1:{free_port()}") as nowhere:
        recent._store = DrainStore(nowhere)
        recent.look()

    assert recent.known == {"p/a": Drain(since=1)}
