"""Greenlets that are ended while they use Redis: gunicorn does that, and so does a limit around a request."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import pytest
import redis

from shared.errors import StoreDown
from shared.store.connection.store_client import StoreClient
from tests.endpoints import CONNECTIONS, PATIENT_S, endpoint_to, serving
from tests.fakes.delay import SlowProxy
from tests.greenlets import in_greenlets
from tests.harness import RedisServer, wait_until
from tests.store.counts import blocked, connections

pytestmark = pytest.mark.usefixtures("store")

WHOLE = {"idle": 1, "busy": 0, "waiting": 0}
"""A pool of one connection of which nothing has leaked."""


@contextmanager
def one_connection(
    url: str, direct_url: str = ""
) -> Iterator[tuple[StoreClient, redis.Redis, Callable[[], dict[str, int]]]]:
    """A client that has a single one, another client that looks on, and what became of the pool."""
    endpoint = endpoint_to(url, connections=1)
    pool = endpoint.pool
    with redis.Redis.from_url(direct_url or url) as own:

        def left() -> dict[str, int]:
            return {"idle": len(pool._idle), "busy": len(pool._busy), "waiting": len(pool._queue)}

        yield endpoint.client(StoreDown), own, left
    endpoint.stop()


def ended_while_waiting(url: str) -> dict[str, object]:
    """The first of two that wait for the connection ends."""
    with one_connection(url) as (client, own, left):
        held = client.connection_pool.get_connection()
        first, second = (gevent.spawn(client.incr, name) for name in ("first", "second"))
        wait_until(lambda: left()["waiting"] == 2, what="both")
        first.kill()
        client.connection_pool.release(held)
        heard = second.get(timeout=5)
        return {"heard": heard, "asked": own.mget("first", "second") == [None, b"1"], "left": left()}


def test_one_that_waits_for_a_connection_is_passed_over(redis_server: RedisServer) -> None:

    seen = in_greenlets(ended_while_waiting, redis_server.url)

    assert seen == {"heard": 1, "asked": True, "left": WHOLE}


def ended_when_handed_one(url: str, killed_first: str) -> dict[str, object]:
    """One that waits is to end in the moment in which it is given the connection."""
    with one_connection(url) as (client, own, left):
        held = client.connection_pool.get_connection()
        first, second = (gevent.spawn(client.incr, name) for name in ("first", "second"))
        wait_until(lambda: left()["waiting"] == 2, what="both")
        if killed_first:
            first.kill(block=False)
        client.connection_pool.release(held)
        if not killed_first:
            first.kill(block=False)
        heard = second.get(timeout=5)
        return {"heard": heard, "asked": own.get("second") == b"1", "left": left()}


@pytest.mark.parametrize("killed_first", ["", "killed first"], ids=["handed first", "killed first"])
def test_one_that_was_just_handed_a_connection_passes_it_on(redis_server: RedisServer, killed_first: str) -> None:
    seen = in_greenlets(ended_when_handed_one, redis_server.url, killed_first)

    assert seen == {"heard": 1, "asked": True, "left": WHOLE}


def ended_while_reading(url: str) -> dict[str, object]:
    """One that has asked, and has no answer yet, ends; its answer would be the next one on the connection."""
    with one_connection(url) as (client, own, left):
        own.set("mine", "of the second")
        first = gevent.spawn(client.blpop, ["theirs"], 0)
        wait_until(lambda: blocked(own) == 1, what="the question")
        first.kill()
        second = gevent.spawn(client.get, "mine")
        own.ping()  # meanwhile the second one asks
        own.rpush("theirs", "of the first")
        return {"heard": str(second.get(timeout=5)), "left": left()}


def test_the_answer_of_one_that_ended_is_nobody_elses(redis_server: RedisServer) -> None:
    """A session would be served from another one's pin."""
    seen = in_greenlets(ended_while_reading, redis_server.url)

    assert seen == {"heard": "b'of the second'", "left": WHOLE}


def ended_while_connecting(url: str, direct_url: str) -> dict[str, object]:
    """One that has chosen its database, and has no answer yet, ends."""
    with one_connection(url, direct_url) as (client, own, left):
        first = gevent.spawn(client.incr, "first")
        wait_until(lambda: connections(own), what="its connection")
        first.kill()
        heard = client.incr("second")
        return {"heard": heard, "left": left()}


def test_one_that_is_connecting_leaves_no_connection_that_is_half_made(
    own_server: RedisServer, slow: SlowProxy
) -> None:
    """A command on it would be run on the wrong database."""
    slow.delay = 0.2

    seen = in_greenlets(ended_while_connecting, f"redis://127.0.0.1:{slow.port}/1", own_server.url)

    assert seen == {"heard": 1, "left": WHOLE}
    with own_server.client() as own:
        assert set(own.info("keyspace")) == {"db1"}


def ended_at_random(url: str) -> dict[str, object]:
    """For two seconds many ask for a value of their own, and one after the other ends at some moment."""
    dice = random.Random(1)
    wrong: list[object] = []
    ended = 0

    def ask(client: StoreClient, n: int) -> None:
        mine = str(n).encode()
        while True:
            heard: object = client.get(f"k{n}")
            if heard != mine:
                wrong.append(heard)
            with client.pipeline() as together:
                together.get(f"k{n}")
                together.get("k1")
                heard = together.execute()
            if heard != [mine, b"1"]:
                wrong.append(heard)

    with serving(url, silence_s=PATIENT_S) as endpoint, redis.Redis.from_url(url) as own:
        client, pool = endpoint.client(StoreDown), endpoint.pool
        own.mset({f"k{n}": n for n in range(64)})
        asking: list[gevent.Greenlet[..., None]] = []
        end = time.monotonic() + 2
        while time.monotonic() < end:
            asking += [gevent.spawn(ask, client, dice.randrange(64)) for _ in range(40 - len(asking))]
            for _ in range(dice.randrange(10)):
                asking.pop(dice.randrange(len(asking))).kill(block=False)
                ended += 1
            gevent.sleep(dice.choice([0, 0, 0, 0.001, 0.002]))
        failed = [str(each.exception) for each in asking if each.exception]
        gevent.killall(asking)
        return {
            "ended": ended > 100,
            "wrong": wrong,
            "failed": failed,
            "made": pool._created_connections,
            "left": [len(pool._idle), len(pool._busy), len(pool._queue)],
        }


def test_whenever_they_end_nothing_leaks_and_nobody_hears_another_ones_answer(redis_server: RedisServer) -> None:
    seen = in_greenlets(ended_at_random, redis_server.url)

    assert seen == {"ended": True, "wrong": [], "failed": [], "made": CONNECTIONS, "left": [CONNECTIONS, 0, 0]}
