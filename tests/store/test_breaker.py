"""When Redis counts as away."""

import socket
import threading
from contextlib import closing

import pytest
import redis

from shared.errors import StoreDown
from tests.endpoints import endpoint_to
from tests.harness import RedisServer
from tests.store.greenlets import in_greenlets


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
        with pytest.raises(StoreDown):
            endpoint.client(StoreDown).get("k")
        closing_one.join(5)

    assert not endpoint.breaker.is_open


def test_those_whom_the_breaker_woke_are_no_failures_of_redis(
    redis_server: RedisServer,
    store: redis.Redis,  # noqa: ARG001 - empty
) -> None:
    """They may notice only when Redis has answered again, and would take it for away at once."""
    heard = in_greenlets(
        """
from shared.errors import StoreDown
from tests.endpoints import serving

def ask():
    try:
        return client.blpop(["nothing"], 1)
    except StoreDown:
        return "woken"

with serving(sys.argv[1]) as endpoint:
    client = endpoint.client(StoreDown)
    asked = [gevent.spawn(ask) for _ in range(4)]
    gevent.sleep(0.1)
    opened = []
    endpoint.breaker.on_open(lambda: opened.append(True))
    endpoint.breaker.open("for a test")
    endpoint.breaker.close()
    words = {each.get() for each in asked}
    print(*words, len(opened))
""",
        redis_server.url,
    )

    assert heard == "woken 1"
