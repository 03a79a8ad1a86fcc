"""Pins that move and live on, and models that sit out: in Redis, and in memory where that is the mode."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from shared.domain.pins import Held, Pin, encode
from shared.domain.sessions import IMPLICIT, Session
from shared.memory.cooldowns import MemoryCooldowns
from shared.memory.pins import MemoryPins
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.cooldowns import CooldownStore
from shared.store.pin_admin import PinAdmin
from shared.store.pins import PinStore

SESSION = Session("s", "acme")
KEY = "plano:affinity:acme:s"
TTL_S = 60


def pin(name: str, until: int | None = None) -> Pin:
    return Pin(model_name=name, route_name="r", until=until)


@pytest.fixture(params=["redis", "memory"])
def pins(request: pytest.FixtureRequest) -> Any:
    """Pins of either mode."""
    return MemoryPins(100, TTL_S) if request.param == "memory" else PinStore(request.getfixturevalue("client"))


@pytest.fixture(params=["redis", "memory"])
def cooldowns(request: pytest.FixtureRequest) -> Any:
    """Cooldowns of either mode."""
    return MemoryCooldowns() if request.param == "memory" else CooldownStore(request.getfixturevalue("client"))


def test_a_pin_that_is_as_it_was_seen_moves(pins: Any) -> None:
    pins.settle(SESSION, pin("a"), TTL_S)

    assert pins.move(SESSION, pin("a"), pin("b")) == pin("b")
    assert pins.get(SESSION) == pin("b")


def test_a_pin_that_somebody_else_has_moved_stays_where_it_is(pins: Any) -> None:
    pins.settle(SESSION, pin("a"), TTL_S)
    pins.move(SESSION, pin("a"), pin("c"))

    assert pins.move(SESSION, pin("a"), pin("b")) == pin("c")
    assert pins.get(SESSION) == pin("c")


def test_a_pin_that_has_ended_is_not_brought_back(pins: Any) -> None:
    assert pins.move(SESSION, pin("a"), pin("b")) is None
    assert pins.get(SESSION) is None


def test_of_many_that_move_at_once_all_hear_the_same(pins: Any) -> None:
    pins.settle(SESSION, pin("a"), TTL_S)

    with ThreadPoolExecutor(8) as movers:
        heard = set(movers.map(lambda n: pins.move(SESSION, pin("a"), pin(f"m{n}")), range(8)))

    assert heard == {pins.get(SESSION)}


def test_a_pin_that_moves_keeps_its_ttl(client: StoreClient, store: redis.Redis) -> None:
    pins = PinStore(client)
    pins.settle(SESSION, pin("a"), TTL_S)
    store.expire(KEY, 7)

    pins.move(SESSION, pin("a"), pin("b"))

    assert 1 <= store.ttl(KEY) <= 7


@pytest.mark.parametrize(("left_s", "ttl_s"), [(1000, TTL_S), (20, 20)])
def test_a_sliding_pin_is_renewed_by_reading_it_but_not_past_its_end(
    client: StoreClient, store: redis.Redis, left_s: int, ttl_s: int
) -> None:
    pins = PinStore(client, renewed_ttl_s=TTL_S)
    pins.settle(SESSION, pin("a", until=int(time.time()) + left_s), TTL_S)
    store.expire(KEY, 5)

    found = pins.get(SESSION)

    assert found is not None
    assert found.model_name == "a"
    assert ttl_s - 2 <= store.ttl(KEY) <= ttl_s


def test_a_pin_is_not_made_to_last_beyond_its_end(client: StoreClient, store: redis.Redis) -> None:
    PinStore(client).settle(SESSION, pin("a", until=int(time.time()) + 20), TTL_S)

    assert 18 <= store.ttl(KEY) <= 20


def test_a_pin_whose_end_has_come_is_none(client: StoreClient, store: redis.Redis) -> None:
    """However long its key would live."""
    store.set(KEY, encode(pin("a", until=int(time.time()) - 1)), ex=TTL_S)

    assert PinStore(client, renewed_ttl_s=TTL_S).get(SESSION) is None
    assert not store.exists(KEY)


def test_a_model_that_fails_sits_out_twice_as_long_each_time(client: StoreClient, store: redis.Redis) -> None:
    cooldowns = CooldownStore(client)
    ttls = []

    for _ in range(7):
        cooldowns.failed("a/b", "503", None)
        ttls.append(store.ttl("plano:cooldown:a/b"))
        store.delete("plano:cooldown:a/b")

    assert ttls == pytest.approx([10, 20, 40, 80, 160, 300, 300], abs=3)  # time passes before they are looked at


def test_what_fails_at_once_is_one_failure(cooldowns: Any) -> None:
    with ThreadPoolExecutor(8) as requests:
        list(requests.map(lambda _: cooldowns.failed("a/b", "503", None), range(32)))

    assert cooldowns.known(["a/b", "a/c"])["a/b"].failures == 1
    assert list(cooldowns.known(["a/b", "a/c"])) == ["a/b"]


def test_a_model_that_has_recovered_is_as_if_it_had_never_failed(cooldowns: Any) -> None:
    cooldowns.failed("a/b", "503", None)
    cooldowns.claim_probe("a/b")

    cooldowns.recovered("a/b")

    assert cooldowns.known(["a/b"]) == {}
    assert cooldowns.claim_probe("a/b")


def test_a_model_that_fails_may_be_probed_again(cooldowns: Any) -> None:
    """Whoever probed it before has found out."""
    cooldowns.claim_probe("a/b")

    cooldowns.failed("a/b", "503", None)

    assert cooldowns.claim_probe("a/b")


def test_a_failure_is_remembered_for_longer_than_the_model_sits_out(client: StoreClient, store: redis.Redis) -> None:
    """Else each failure would be its first."""
    CooldownStore(client).failed("a/b", "503", None)

    assert store.ttl("plano:failures:a/b") > store.ttl("plano:cooldown:a/b") + 500


def test_its_own_retry_after_counts(client: StoreClient, store: redis.Redis) -> None:
    CooldownStore(client).failed("a/b", "429", 33)

    assert 28 <= store.ttl("plano:cooldown:a/b") <= 33


def test_one_alone_may_probe(cooldowns: Any) -> None:
    with ThreadPoolExecutor(8) as requests:
        claims = list(requests.map(lambda _: cooldowns.claim_probe("a/b"), range(16)))

    assert claims.count(True) == 1


@pytest.mark.parametrize("place", ["redis", "memory"])
def test_an_operator_sees_every_pin_page_by_page(place: str, request: pytest.FixtureRequest) -> None:
    pins: Any = MemoryPins(100, TTL_S) if place == "memory" else PinAdmin(request.getfixturevalue("client"))
    names = {f"plano:affinity:s{n}".encode(): f"m{n}" for n in range(25)}
    for name, model in names.items():
        pins.put(name, pin(model), TTL_S)

    cursor, seen = 0, list[Held]()
    while True:
        cursor, page = pins.page(cursor, 10)
        seen += page
        if cursor == 0:
            break

    assert {held.key: held.pin.model_name for held in seen if held.pin} == names
    assert all(0 < held.ttl_s <= TTL_S for held in seen)
    assert [pins.remove(name) for name in names] == [True] * 25
    assert [pins.peek(name) for name in names] == [None] * 25
    assert not pins.remove(b"plano:affinity:s1")


def test_a_model_is_suspected_when_it_has_failed_another_request(cooldowns: Any) -> None:
    assert not cooldowns.suspected("a/b", "one")
    assert not cooldowns.suspected("a/b", "one")
    assert not cooldowns.suspected("a/c", "two")

    assert cooldowns.suspected("a/b", "two")


def test_a_suspicion_does_not_last(client: StoreClient, store: redis.Redis) -> None:
    CooldownStore(client).suspected("a/b", "one")

    assert 1 <= store.ttl("plano:suspected:a/b") <= 10


def test_nor_does_it_in_memory() -> None:
    times = [1000.0]
    cooldowns = MemoryCooldowns(lambda: times[-1])
    cooldowns.suspected("a/b", "one")

    times.append(1011)

    assert not cooldowns.suspected("a/b", "two")


def test_a_model_that_has_recovered_is_not_suspected(cooldowns: Any) -> None:
    cooldowns.suspected("a/b", "one")

    cooldowns.recovered("a/b")

    assert not cooldowns.suspected("a/b", "two")


def test_a_pin_that_says_how_long_it_lives_is_renewed_by_its_own_figure(
    client: StoreClient, store: redis.Redis
) -> None:
    pins, implicit = PinStore(client), Session(IMPLICIT + "a", "team", ("openai/a",))
    pins.settle(implicit, Pin(model_name="openai/a", route_name=None, ttl_s=300), 300)
    store.expire(keys.affinity(implicit), 5)

    pins.get(implicit)

    assert store.ttl(keys.affinity(implicit)) > 200


def test_a_pin_that_replaces_the_seen_one_lives_from_now_on(client: StoreClient, store: redis.Redis) -> None:
    pins = PinStore(client)
    seen = pins.settle(SESSION, Pin(model_name="openai/a", route_name=None), 5)

    first = pins.settle(SESSION, Pin(model_name="openai/b", route_name=None), TTL_S, seen)
    late = pins.settle(SESSION, Pin(model_name="openai/c", route_name=None), TTL_S, seen)

    assert (first.model_name, late.model_name) == ("openai/b", "openai/b")
    assert store.ttl(keys.affinity(SESSION)) > TTL_S / 2


def test_reading_a_pin_notes_its_use_and_leaves_the_rest_as_it_was(client: StoreClient, store: redis.Redis) -> None:
    pins, odd = PinStore(client, notes_use=True), 'a"used_at":5'
    pins.settle(SESSION, Pin(model_name=odd, route_name=None, used_at=7), TTL_S)

    before, after = pins.get(SESSION), pins.get(SESSION)

    assert before == Pin(model_name=odd, route_name=None, used_at=7)
    assert after
    assert after.model_name == odd
    assert abs((after.used_at or 0) - time.time()) < TTL_S
    assert 0 < store.ttl(keys.affinity(SESSION)) <= TTL_S
