"""redis-py's client on a small and fair pool."""

import socket
import time
from contextlib import closing

import pytest

from shared.errors import StoreDown
from tests.endpoints import CONNECTIONS, endpoint_to
from tests.harness import RedisServer, wait_until
from tests.store.conftest import NewEndpoint


def test_a_start_that_got_only_some_of_its_connections_keeps_none_of_them(
    own_server: RedisServer, new_endpoint: NewEndpoint
) -> None:
    """Else they would be missing for as long as the process lives, and count as somebody who waits."""
    with own_server.client() as own:
        own.config_set("maxclients", CONNECTIONS // 2)
        endpoint = new_endpoint(f"{own_server.url}?db=1")

        own.config_set("maxclients", 100)
        wait_until(lambda: not endpoint.breaker.is_open, what="the recovery")

    assert endpoint.pool.waiting_since() is None


def test_an_address_that_is_none_is_a_redis_that_is_away() -> None:
    """Python refuses the name by an error that is neither redis-py's nor the system's."""
    endpoint = endpoint_to("redis://redis..host:6379")

    with pytest.raises(StoreDown):
        endpoint.client(StoreDown).get("k")


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_connection_in_the_making_is_given_up_when_redis_is_silent(scheme: str) -> None:
    """The handshake of TLS has a limit of its own, the backstop; nobody is to wait for that."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        endpoint = endpoint_to(f"{scheme}://:secret@127.0.0.1:{silent.getsockname()[1]}/1", verify_tls=False)
        endpoint.detector.start()
        begin = time.monotonic()

        with pytest.raises(StoreDown):
            endpoint.client(StoreDown).get("k")

        waited_s = time.monotonic() - begin
        endpoint.stop()
    assert waited_s < 1
