"""When Redis counts as away."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import gevent
import pytest
import redis

from shared.errors import StoreDown
from shared.store.connection.endpoint import RedisEndpoint
from tests.endpoints import endpoint_to, serving
from tests.greenlets import in_greenlets
from tests.harness import RedisServer, wait_until
from tests.store.conftest import NewEndpoint
from tests.store.counts import blocked, connections

LIMIT_S = 2.0
"""Within which a Redis that is back is used again, on a busy machine; usually it takes a quarter of a second."""


@pytest.fixture
def unwatched(own_server: RedisServer) -> Iterator[RedisEndpoint]:
    """A Redis that only those who ask it learn about."""
    endpoint = endpoint_to(own_server.url)
    yield endpoint
    endpoint.stop()


def fail(endpoint: RedisEndpoint) -> None:
    """Ask a Redis that is not there."""
    with pytest.raises(StoreDown):
        endpoint.client(StoreDown).get("k")


def test_one_refused_connection_is_no_outage_and_two_in_a_row_are_one(
    own_server: RedisServer, unwatched: RedisEndpoint
) -> None:
    """Redis may just be starting again, and may be there for the next request."""
    own_server.stop()

    fail(unwatched)
    after_one = unwatched.breaker.is_open
    fail(unwatched)
    after_two = unwatched.breaker.is_open

    assert (after_one, after_two) == (False, True)


def test_an_answer_in_between_means_that_they_were_not_in_a_row(
    own_server: RedisServer, unwatched: RedisEndpoint
) -> None:
    for _ in range(3):
        own_server.stop()
        fail(unwatched)
        own_server.start()
        unwatched.client(StoreDown).get("k")

    assert not unwatched.breaker.is_open


@pytest.mark.parametrize(("closed", "is_open"), [(1, False), (2, True)])
def test_one_closed_connection_is_no_outage_and_two_in_a_row_are_one(
    own_server: RedisServer, unwatched: RedisEndpoint, closed: int, is_open: bool
) -> None:
    """An operator may kill a client, and Redis itself does with one that reads too slowly."""
    client = unwatched.client(StoreDown)
    with own_server.client() as own, ThreadPoolExecutor(closed) as askers:
        asked = [askers.submit(client.blpop, ["k"], 0) for _ in range(closed)]
        wait_until(lambda: blocked(own) == closed, what="the questions")

        own.client_kill_filter(_type="normal", skipme=True)
        errors = [each.exception(5) for each in asked]

    assert [type(error) for error in errors] == [StoreDown] * closed
    assert unwatched.breaker.is_open == is_open


def test_a_connection_that_is_closed_while_it_logs_in_is_one_failure() -> None:
    """Two in a row are an outage; a Redis that has no room for one more client right now is none."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        endpoint = endpoint_to(f"redis://127.0.0.1:{listener.getsockname()[1]}/1")

        def close_one() -> None:
            connection, _ = listener.accept()
            connection.recv(100)
            connection.close()

        closing_one = threading.Thread(target=close_one)
        closing_one.start()
        fail(endpoint)
        closing_one.join(5)

    assert not endpoint.breaker.is_open


def woken(url: str) -> dict[str, object]:
    """What those hear who wait for an answer when the breaker opens, and closes again before they notice."""

    def ask() -> str:
        try:
            return str(client.blpop(["nothing"], 1))
        except StoreDown:
            return "woken"

    with serving(url) as endpoint, redis.Redis.from_url(url) as own:
        client = endpoint.client(StoreDown)
        asked = [gevent.spawn(ask) for _ in range(4)]
        wait_until(lambda: blocked(own) == 4, what="the questions")
        opened: list[bool] = []
        endpoint.breaker.on_open(lambda: opened.append(True))
        endpoint.breaker.open("for a test")
        endpoint.breaker.close()
        return {"heard": [each.get(timeout=5) for each in asked], "opened": len(opened)}


@pytest.mark.usefixtures("store")
def test_those_whom_the_breaker_woke_are_no_failures_of_redis(redis_server: RedisServer) -> None:
    """They may notice only when Redis has answered again, and would take it for away at once."""
    assert in_greenlets(woken, redis_server.url) == {"heard": ["woken"] * 4, "opened": 1}


def test_who_asks_while_redis_is_away_is_told_at_once_and_no_connection_is_tried(
    own_server: RedisServer, unwatched: RedisEndpoint
) -> None:
    unwatched.breaker.open("for a test")

    for _ in range(3):
        fail(unwatched)

    with own_server.client() as own:
        assert connections(own) == 0


def test_each_change_is_logged_once_however_many_notice(
    own_server: RedisServer, new_endpoint: NewEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = new_endpoint(own_server.url)
    client = endpoint.client(StoreDown)

    def ask(_: int) -> bool:
        try:
            client.get("k")
        except StoreDown:
            return False
        return True

    with ThreadPoolExecutor(16) as askers, caplog.at_level(logging.INFO, "plano.redis"):
        for _ in range(2):
            own_server.stop()
            away = list(askers.map(ask, range(64)))
            own_server.start()
            back_at = time.monotonic()
            wait_until(lambda: not endpoint.breaker.is_open, what="the recovery")
            back_s = time.monotonic() - back_at
            back = list(askers.map(ask, range(64)))

            assert (set(away), set(back)) == ({False}, {True})
            assert back_s < LIMIT_S

    words = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert words == ["redis is away", "redis is back"] * 2
