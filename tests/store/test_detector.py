"""Who decides that a Redis is silent: one detector a process, by its own looks."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from shared.errors import StoreDown
from shared.store.store_client import StoreClient
from tests.endpoints import CONNECTIONS
from tests.fakes.delay import SlowProxy
from tests.harness import RedisServer, wait_until
from tests.store.conftest import NewEndpoint


def ask_all_the_time(client: StoreClient, for_s: float, threads: int) -> list[Exception]:
    """What goes wrong while so many threads ask, who began one after the other."""
    end = time.monotonic() + for_s

    def ask(n: int) -> list[Exception]:
        failures: list[Exception] = []
        threading.Event().wait(n * 0.017)
        while time.monotonic() < end and not failures:
            try:
                client.get(f"k{n}")
            except StoreDown as error:
                failures.append(error)
        return failures

    with ThreadPoolExecutor(threads) as askers:
        return [error for failures in askers.map(ask, range(threads)) for error in failures]


@pytest.mark.parametrize("login", ["", ":secret@"])
def test_a_slow_redis_is_not_silent_though_logging_in_takes_several_answers(
    own_server: RedisServer, slow: SlowProxy, new_endpoint: NewEndpoint, login: str
) -> None:
    """The detector's own connection is made when it is first needed; what others hear meanwhile is a sign of life."""
    with own_server.client() as own:
        own.config_set("requirepass", "secret" if login else "")
    endpoint = new_endpoint(f"redis://{login}127.0.0.1:{slow.port}/1")
    slow.delay = 0.1

    failures = ask_all_the_time(endpoint.client(StoreDown), 2.0, 32)

    assert failures == []


class LosingProxy:
    """The way to a Redis that loses whatever is under way when it breaks; new connections get through."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._way = 0
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self) -> None:
        """Nothing passes any more on the connections that stand; nobody is told."""
        self._way += 1

    def close(self) -> None:
        """End every connection."""
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                self._sockets += [client, server]
                server.connect(str(self._target))
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=(*ends, self._way), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, way: int) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if way == self._way:
                    sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def losing(own_server: RedisServer) -> Iterator[LosingProxy]:
    with closing(LosingProxy(own_server.socket)) as proxy:
        yield proxy


def test_a_redis_that_took_the_address_of_a_lost_one_is_found_by_the_next_probe(
    own_server: RedisServer, losing: LosingProxy, new_endpoint: NewEndpoint
) -> None:
    """The detector's own connection is lost as well: waiting for its answer takes as long as the backstop."""
    endpoint = new_endpoint(f"redis://127.0.0.1:{losing.port}")
    client = endpoint.client(StoreDown)
    with own_server.client() as own, ThreadPoolExecutor(1) as other:
        asking = other.submit(client.execute_command, "DEBUG", "SLEEP", 0.15)
        wait_until(lambda: len(own.client_list()) == CONNECTIONS + 2, what="the detector's connection")
        asking.result(5)

    losing.lose()
    with pytest.raises(StoreDown):
        client.get("k")
    lost_at = time.monotonic()
    wait_until(lambda: not endpoint.breaker.is_open, what="the recovery")

    assert time.monotonic() - lost_at < 1
