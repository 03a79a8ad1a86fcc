"""Pins, wherever they live: in Redis, in a Redis that fakeredis plays, or in the memory of one process."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import fakeredis
import pytest
import redis

from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.errors import StoreDown
from shared.memory.pins import MemoryPins
from shared.routing.ports import Pins
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.pins import PinStore
from tests.endpoints import endpoint_to
from tests.harness import RedisServer

SESSION = Session("s-1", "team")
KEY = keys.affinity(SESSION)
TTL_S = 600

NO_PINS = [
    b"none",
    b"",
    b"\xff\xfe",
    b"[]",
    b'{"model_name":"a/1"}',
    b'{"model_name":"a/1","route_name":5}',
    b'{"model_name":"","route_name":null,"models":"a/1"}',
    b'{"model_name":"a/\xff","route_name":null}',
]
ODD_PINS = [
    b'{ "model_name" : "openai/a",\n  "route_name" : null }',
    b'{"route_name":null,"model_name":"openai\\/a","since":5}',
]


def pin(name: str = "openai/a") -> Pin:
    return Pin(model_name=name, route_name="code")


class Redis:
    """A Redis, and the store on it."""

    def __init__(self, client: redis.Redis, pins: PinStore) -> None:
        self.client = client
        self.pins = pins


@pytest.fixture(params=["redis", "fakeredis"])
def backend(request: pytest.FixtureRequest) -> Iterator[Redis]:
    """The real one and the played one: both must agree."""
    if request.param == "redis":
        yield Redis(request.getfixturevalue("store"), PinStore(request.getfixturevalue("client")))
        return
    with fakeredis.FakeRedis(version=(6, 2), protocol=2) as played:
        yield Redis(played, PinStore(played))


@pytest.fixture(params=["redis", "fakeredis", "memory"])
def pins(request: pytest.FixtureRequest) -> Iterator[Pins]:
    """Every place where pins may live."""
    if request.param == "memory":
        yield MemoryPins(100, TTL_S)
        return
    if request.param == "redis":
        yield PinStore(request.getfixturevalue("client"))
        return
    with fakeredis.FakeRedis(version=(6, 2), protocol=2) as played:
        yield PinStore(played)


def test_a_session_has_no_pin_at_first(pins: Pins) -> None:
    assert pins.get(SESSION) is None


def test_what_was_settled_is_found(pins: Pins) -> None:
    proposed = Pin(model_name="openai/a", route_name=None, models=("openai/a", "openai/b"))

    standing = pins.settle(SESSION, proposed, TTL_S)

    assert standing == proposed
    assert pins.get(SESSION) == proposed


def test_settling_again_returns_what_stands(pins: Pins) -> None:
    pins.settle(SESSION, pin("openai/a"), TTL_S)

    standing = pins.settle(SESSION, pin("openai/b"), TTL_S)

    assert standing == pin("openai/a")
    assert pins.get(SESSION) == pin("openai/a")


def test_the_first_writer_wins(pins: Pins) -> None:
    """Whatever many replicas propose at once, every one of them hears the same pin."""
    together = threading.Barrier(16)

    def settle(n: int) -> Pin:
        together.wait(10)
        return pins.settle(SESSION, pin(f"openai/m{n}"), TTL_S)

    with ThreadPoolExecutor(16) as pool:
        heard = set(pool.map(settle, range(16)))

    assert heard == {pins.get(SESSION)}


def test_sessions_of_two_tenants_have_two_pins(pins: Pins) -> None:
    sessions = [Session("s", "t"), Session("s"), Session("t:s"), Session("s", "u")]

    for n, session in enumerate(sessions):
        pins.settle(session, pin(f"openai/m{n}"), TTL_S)

    assert [pins.get(session) for session in sessions] == [pin(f"openai/m{n}") for n in range(4)]


def test_a_pin_that_still_names_the_seen_model_is_dropped(pins: Pins) -> None:
    pins.settle(SESSION, pin("openai/a"), TTL_S)

    assert pins.drop(SESSION, Pin(model_name="openai/a", route_name=None)) is True
    assert pins.get(SESSION) is None


def test_a_pin_that_somebody_replaced_is_not_dropped(pins: Pins) -> None:
    """Whoever saw the old pin must not undo what others have agreed on since."""
    pins.settle(SESSION, pin("openai/b"), TTL_S)

    assert pins.drop(SESSION, pin("openai/a")) is False
    assert pins.get(SESSION) == pin("openai/b")


def test_nothing_is_dropped_where_nothing_stands(pins: Pins) -> None:
    assert pins.drop(SESSION, pin()) is False


def test_a_session_is_pinned_anew_after_its_pin_was_dropped(pins: Pins) -> None:
    pins.settle(SESSION, pin("openai/a"), TTL_S)
    pins.drop(SESSION, pin("openai/a"))

    assert pins.settle(SESSION, pin("openai/b"), TTL_S) == pin("openai/b")


def test_a_pin_stands_as_documented(backend: Redis) -> None:
    """Other implementations, and `redis-cli`, read the same key and value."""
    backend.pins.settle(SESSION, pin(), TTL_S)

    assert backend.client.get("plano:affinity:team:s-1") == b'{"model_name":"openai/a","route_name":"code"}'


def test_a_pin_lives_from_when_it_was_first_settled(backend: Redis) -> None:
    """Neither reading nor settling again makes it live longer."""
    backend.pins.settle(SESSION, pin(), 100)

    first = backend.client.ttl(KEY)
    backend.pins.get(SESSION)
    backend.pins.settle(SESSION, pin("openai/b"), TTL_S)

    assert 95 <= first <= 100
    assert 95 <= backend.client.ttl(KEY) <= 100


@pytest.mark.parametrize("value", NO_PINS)
def test_a_value_that_is_no_pin_is_dropped_and_counts_as_none(backend: Redis, value: bytes) -> None:
    """It would deny the session a pin for as long as it stands."""
    backend.client.set(KEY, value, ex=TTL_S)

    assert backend.pins.get(SESSION) is None
    assert backend.client.exists(KEY) == 0


@pytest.mark.parametrize("value", NO_PINS)
def test_a_value_that_is_no_pin_does_not_hinder_settling(backend: Redis, value: bytes) -> None:
    backend.client.set(KEY, value)

    assert backend.pins.settle(SESSION, pin(), TTL_S) == pin()
    assert backend.pins.get(SESSION) == pin()
    assert backend.client.ttl(KEY) > 0


def test_a_value_that_is_no_pin_is_not_dropped_once_a_pin_stands(backend: Redis) -> None:
    """Between reading a value and dropping it, another replica may have pinned the session."""
    backend.pins.settle(SESSION, pin(), TTL_S)

    dropped = backend.pins._drop_if_same([KEY], [b"none"])

    assert dropped == 0
    assert backend.pins.get(SESSION) == pin()


@pytest.mark.parametrize("value", ODD_PINS)
def test_a_pin_in_other_white_space_is_read_and_can_be_dropped(backend: Redis, value: bytes) -> None:
    """Other implementations may write the same JSON in other bytes."""
    backend.client.set(KEY, value, ex=TTL_S)

    seen = backend.pins.get(SESSION)

    assert seen == Pin(model_name="openai/a", route_name=None)
    assert backend.pins.drop(SESSION, seen) is True
    assert backend.client.exists(KEY) == 0


@pytest.mark.parametrize("value", NO_PINS)
def test_a_value_that_is_no_pin_survives_a_drop_of_another_model(backend: Redis, value: bytes) -> None:
    backend.client.set(KEY, value, ex=TTL_S)

    assert backend.pins.drop(SESSION, pin("openai/z")) is False
    assert backend.client.get(KEY) == value


@pytest.fixture
def counted(redis_server: RedisServer, store: redis.Redis) -> Iterator[PinStore]:
    """A store on the real Redis whose connection stands and whose scripts are loaded; no detector asks meanwhile."""
    endpoint = endpoint_to(redis_server.url)
    pins = PinStore(endpoint.client(StoreDown))
    pins.settle(SESSION, pin(), TTL_S)
    pins.drop(SESSION, pin())
    store.config_resetstat()
    yield pins
    endpoint.stop()


def reads(store: redis.Redis) -> int:
    """How often Redis has read from any connection, but for this question: a round trip is one."""
    return int(store.info("stats")["total_reads_processed"]) - 1


@pytest.mark.usefixtures("store")
class TestEachMethodIsOneRoundTrip:
    """A pinned request must not cost more: the second round trip is what to avoid first."""

    def test_get_is_one_get(self, counted: PinStore, store: redis.Redis) -> None:
        counted.get(SESSION)

        assert reads(store) == 1
        assert commands(store) == {"get": 1}

    def test_settle(self, counted: PinStore, store: redis.Redis) -> None:
        counted.settle(SESSION, pin(), TTL_S)

        assert reads(store) == 1
        assert commands(store) == {"multi": 1, "set": 1, "get": 1, "exec": 1}

    def test_drop(self, counted: PinStore, store: redis.Redis) -> None:
        counted.drop(SESSION, pin())

        assert reads(store) == 1


def commands(store: redis.Redis) -> dict[str, int]:
    """How often each command ran, but for those of the count itself."""
    stats = store.info("commandstats")
    counts = {name.removeprefix("cmdstat_"): entry["calls"] for name, entry in stats.items()}
    return {name: calls for name, calls in counts.items() if not name.startswith(("info", "config"))}


def test_what_redis_refuses_within_a_transaction_is_an_outage(client: StoreClient, store: redis.Redis) -> None:
    """Not a pin, and not a fault of ours: the session is served without."""
    store.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreDown):
            PinStore(client).settle(SESSION, pin(), TTL_S)
    finally:
        store.config_set("maxmemory", 0)

    assert store.exists(KEY) == 0


def test_scripts_that_redis_has_forgotten_are_told_anew(backend: Redis) -> None:
    """A restart loses them."""
    backend.pins.settle(SESSION, pin("openai/a"), TTL_S)
    backend.pins.move(SESSION, pin("openai/a"), pin("openai/b"))
    backend.client.script_flush()

    standing = backend.pins.move(SESSION, pin("openai/b"), pin("openai/c"))

    assert standing == pin("openai/c")
