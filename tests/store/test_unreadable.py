"""Data in Redis is input: what cannot be read counts as absent, is noted, and is replaced at the next write."""

import logging
from collections.abc import Callable

import msgspec
import pytest
import redis

from shared.domain.latency import Sample
from shared.domain.pins import Pin
from shared.domain.ranking import EMPTY, Kind, Measure, Snapshot
from shared.domain.sessions import Session
from shared.errors import TooManySessions
from shared.job_messages import DecisionResult
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.cooldowns import CooldownStore, RecentCooldowns
from shared.store.decoding.unreadable import LOG_EVERY_S, Unreadable
from shared.store.metrics.latency import LatencyStore
from shared.store.metrics.snapshot import MetricsStore, RecentSnapshot
from shared.store.new_session_limit import NewSessionLimit
from shared.store.pins import PinStore
from shared.store.response_models import ResponseStore
from shared.store.web_replicas import Replicas
from tests.endpoints import Replica
from tests.harness import wait_until

TTL_S = 60
SESSION, MODEL = Session("s"), "openai/a"
PIN = Pin(model_name=MODEL, route_name=None)
DEEP = b"[" * 2000 + b"]" * 2000

TEXTS = [
    b"",
    b"no json",
    b"\xff\xfe",
    b"null",
    b"5",
    b"[]",
    b"{}",
    b'"text"',
    DEEP,
    b'{"a":' * 2000 + b"1" + b"}" * 2000,
]
Put = Callable[[redis.Redis, str], object]
OTHERS: dict[str, Put] = {
    "list": lambda store, key: store.rpush(key, "x"),
    "hash": lambda store, key: store.hset(key, "x", "y"),
    "set": lambda store, key: store.sadd(key, "x"),
    "zset": lambda store, key: store.zadd(key, {"x": 1}),
}


def text(value: bytes) -> Put:
    return lambda store, key: store.set(key, value)


def strange(*more: bytes) -> pytest.MarkDecorator:
    """Each value that is none, by another name."""
    values = [pytest.param(text(value), id=f"{value[:24]!r}") for value in (*TEXTS, *more)]
    return pytest.mark.parametrize("put", [*values, *(pytest.param(put, id=name) for name, put in OTHERS.items())])


class Noted(Unreadable):
    """Remembers the kinds that were counted."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        super().__init__(self.kinds.append)


@pytest.fixture
def noted() -> Noted:
    return Noted()


NO_PINS = (
    b'{"model_name":5,"route_name":null}',
    b'{"route_name":null}',
    b'{"model_name":"a","route_name":null,"models":"b"}',
    b'{"model_name":"a","route_name":null,"until":1.5}',
    b'{"model_name":"a","route_name":null,"more":' + DEEP + b"}",
    b'{"model_name":"\xed\xa0\x80","route_name":null}',
)


@strange(*NO_PINS)
@pytest.mark.parametrize("renewed_ttl_s", [None, TTL_S])
def test_a_session_whose_pin_cannot_be_read_has_none_and_gets_one(
    client: StoreClient, store: redis.Redis, noted: Noted, put: Put, renewed_ttl_s: int | None
) -> None:
    pins, key = PinStore(client, renewed_ttl_s=renewed_ttl_s, unreadable=noted), keys.affinity(SESSION)

    put(store, key)
    assert pins.get(SESSION) is None
    put(store, key)
    assert pins.move(SESSION, PIN, PIN) is None
    store.delete(key)
    put(store, key)
    assert pins.drop(SESSION, PIN) is False
    store.delete(key)
    put(store, key)
    assert pins.settle(SESSION, PIN, TTL_S) == PIN

    assert pins.get(SESSION) == PIN
    assert 0 < store.ttl(key) <= TTL_S
    assert set(noted.kinds) == {"affinity"}


NO_RECORDS = (
    b'{"since":0,"failures":-5,"cooling":true}',
    b'{"since":0,"failures":0,"cooling":true}',
    b'{"since":0,"failures":1' + b"0" * 30 + b',"cooling":true}',
    b'{"since":"now","failures":1,"cooling":true}',
    b'{"since":0,"failures":1,"cooling":true,"why":' + DEEP + b"}",
)


@strange(*NO_RECORDS)
def test_a_model_whose_record_cannot_be_read_has_not_failed_and_can_fail(
    client: StoreClient, store: redis.Redis, noted: Noted, put: Put
) -> None:
    """One bad value ended every replica's view of cooldowns for good."""
    cooldowns = CooldownStore(client, noted)
    put(store, keys.failures(MODEL))

    assert cooldowns.known([MODEL, "openai/b"]) == {}
    cooldowns.failed(MODEL, "503", None)

    known = cooldowns.known([MODEL])[MODEL]
    assert (known.failures, known.cooling, known.why) == (1, True, "503")
    assert set(noted.kinds) == {"failures"}


@pytest.mark.parametrize("put", [*map(text, (b"", b"no json", b"\xff", b"5", DEEP)), *OTHERS.values()])
def test_a_cooldown_that_cannot_be_read_is_none_and_is_replaced(
    client: StoreClient, store: redis.Redis, put: Put, noted: Noted
) -> None:
    """It would keep the model from ever sitting out again, or have it do so for ever."""
    cooldowns = CooldownStore(client, noted)
    put(store, keys.cooldown(MODEL))

    cooldowns.failed(MODEL, "503", None)

    assert cooldowns.known([MODEL])[MODEL].cooling
    assert 0 < store.ttl(keys.cooldown(MODEL)) <= TTL_S


def test_a_model_that_sits_out_does_not_fail_again(client: StoreClient) -> None:
    cooldowns = CooldownStore(client)

    for why in ("503", "timeout"):
        cooldowns.failed(MODEL, why, None)

    assert (cooldowns.known([MODEL])[MODEL].failures, cooldowns.known([MODEL])[MODEL].why) == (1, "503")


@strange(b'{"cost":{"a":5}}', b'{"stamp":"x","cost":{"a":{"value":"1","as_of":0}}}', b'{"cost":{"a":' + DEEP + b"}}")
def test_a_snapshot_that_cannot_be_read_is_empty_and_is_replaced(
    client: StoreClient, store: redis.Redis, noted: Noted, put: Put
) -> None:
    metrics = MetricsStore(client, noted)
    recent = RecentSnapshot(metrics)
    good = Snapshot(cost={MODEL: Measure(1.0, 0.0)})
    metrics.replace(good, TTL_S)
    recent.look()
    store.delete(keys.METRICS_SNAPSHOT)
    put(store, keys.METRICS_SNAPSHOT)

    recent.look()
    assert (metrics.snapshot(), recent.snapshot()) == (EMPTY, EMPTY)
    metrics.update(lambda standing: standing.renewed(Kind.COST, good.cost, {}), TTL_S)

    recent.look()
    assert metrics.snapshot() == recent.snapshot() == good


@pytest.mark.parametrize("put", [text(b"x"), *(OTHERS[name] for name in ("list", "set", "zset"))])
def test_latencies_are_measured_anew_where_something_else_stands(
    client: StoreClient, store: redis.Redis, noted: Noted, put: Put
) -> None:
    seen = LatencyStore(client, 300, TTL_S, noted)
    put(store, keys.OBSERVED)
    assert seen.averages(1) == {}
    store.delete(keys.OBSERVED)
    put(store, keys.OBSERVED)
    seen.add({MODEL: Sample(1.0, 2)})

    assert {name: average.value for name, average in seen.averages(1).items()} == {MODEL: 0.5}
    assert set(noted.kinds) == {"metrics"}


@pytest.mark.parametrize(
    "value",
    [
        *TEXTS,
        b"[inf,1,1]",
        b"[1e400,1,1]",
        b"[nan,nan,nan]",
        b"[-1,1,9e9]",
        b"[1,0,9e9]",
        b'["1",{},[]]',
        b"[" + DEEP,
    ],
    ids=lambda value: f"{value[:24]!r}",
)
def test_an_average_that_cannot_be_read_is_forgotten(
    client: StoreClient, store: redis.Redis, noted: Noted, value: bytes
) -> None:
    """Infinity would stay infinite, whatever is added to it."""
    seen = LatencyStore(client, 300, TTL_S, noted)
    store.hset(keys.OBSERVED, mapping={b"\xff": b"[1,2,9e9]", b"gone": value})
    store.expire(keys.OBSERVED, TTL_S)

    assert list(seen.averages(1)) == ["\ufffd"]
    assert store.hkeys(keys.OBSERVED) == [b"\xff"]
    store.hset(keys.OBSERVED, MODEL, value)
    seen.add({MODEL: Sample(1.0, 2)})
    seen.add({MODEL: Sample(1.0, 2)})

    assert seen.averages(1)[MODEL].value == pytest.approx(0.5)


@pytest.mark.parametrize(
    "put", [*map(text, (b"", b"12x", b"1.5", b"\xff", b"9223372036854775807", b"9" * 400)), *OTHERS.values()]
)
def test_a_count_of_sessions_that_is_none_begins_anew(
    client: StoreClient, store: redis.Redis, noted: Noted, put: Put
) -> None:
    session_limit = NewSessionLimit(client, 2, lambda: 0.0, noted)
    put(store, keys.sessions("key", 0))

    session_limit.admit("key")
    session_limit.admit("key")
    with pytest.raises(TooManySessions):
        session_limit.admit("key")

    assert 0 < store.ttl(keys.sessions("key", 0)) <= 2 * TTL_S
    assert noted.kinds == ["sessions"]


@pytest.mark.parametrize("put", [*map(text, (b"", b"\xff", b"\xed\xa0\x80")), *OTHERS.values()])
def test_a_response_whose_maker_cannot_be_read_is_nobodys_and_can_be_noted_anew(
    client: StoreClient, store: redis.Redis, put: Put
) -> None:
    responses, key = ResponseStore(client, TTL_S), keys.response("acme", "resp_1")
    put(store, key)

    assert set(responses.model_of("acme", "resp_1") or "") <= {"\ufffd"}
    responses.note("acme", "resp_1", MODEL)

    assert responses.model_of("acme", "resp_1") == MODEL


@pytest.mark.parametrize("put", [text(b"x"), OTHERS["list"], OTHERS["set"]], ids=["string", "list", "set"])
def test_a_heartbeat_is_written_where_something_else_stands(
    client: StoreClient, store: redis.Redis, noted: Noted, put: Put
) -> None:
    put(store, keys.replica("r"))

    Replicas(client, noted).renew("r", {"address": "here"})

    assert store.hgetall(keys.replica("r")) == {b"address": b"here"}
    assert 0 < store.ttl(keys.replica("r")) <= 30
    assert noted.kinds == ["replica"]


@pytest.mark.parametrize(
    "data",
    [
        *TEXTS,
        b'{"job_id":"j","result":{}}',
        b'{"job_id":"j","result":{"models":[]}}',
        b'{"job_id":"j","result":{"route":"code","pin":{"model_name":"openai/a","route_name":null}}}',
        b'{"job_id":"j","result":{"models":["a"],"more":' + DEEP + b"}}",
        b'{"job_id":"\xed\xa0\x80","result":{"models":["a"]}}',
    ],
    ids=lambda value: f"{value[:40]!r}",
)
def test_an_announcement_that_decides_nothing_is_ignored_and_the_next_one_is_heard(
    replicas: list[Replica], store: redis.Redis, data: bytes
) -> None:
    results = replicas[0].results
    with results.expect("j") as waiter, results.expect("next") as after:
        store.publish(results.channel, data)
        store.publish(results.channel, b'{"job_id":"next","result":{"models":["openai/a"]}}')

        assert after.wait(20) == DecisionResult(models=(MODEL,))
        assert waiter.wait(0) is None
        store.publish(results.channel, b'{"job_id":"j","result":{"models":["openai/a"]}}')
        assert waiter.wait(20) == DecisionResult(models=(MODEL,))
    wait_until(lambda: results.listening)


def test_each_value_is_counted_and_one_a_minute_of_a_kind_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand sessions with bad pins are a thousand counts and one line."""
    now, kinds = [0.0], list[str]()
    unreadable = Unreadable(kinds.append, lambda: now[0])

    with caplog.at_level(logging.WARNING, "plano.redis"):
        for n in range(1000):
            unreadable.note(f"plano:affinity:s-{n}", "no JSON")
        unreadable.note("plano:failures:openai/a\n\xff", "no\nJSON")
        now[0] = LOG_EVERY_S
        unreadable.note("plano:affinity:later", "no JSON")

    assert len(kinds) == 1002
    assert [record.getMessage().partition("absent: ")[2] for record in caplog.records] == [
        "plano:affinity:s-0 (no JSON)",
        r"plano:failures:openai/a\n\xff (no\nJSON)",
        "plano:affinity:later (no JSON); 999 more like it since the last line",
    ]


def test_cooldowns_that_were_read_last_do_not_hinder_the_next_look(client: StoreClient, store: redis.Redis) -> None:
    recent = RecentCooldowns(CooldownStore(client), [MODEL])
    store.set(keys.failures(MODEL), DEEP)
    recent.look()
    store.set(keys.failures(MODEL), msgspec.json.encode({"since": 0, "failures": 2, "cooling": False}), ex=TTL_S)
    recent.look()

    assert recent.known([MODEL])[MODEL].failures == 2
