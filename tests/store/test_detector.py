"""Who decides that a Redis is silent: one detector a process, by its own looks."""

import logging
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import gevent
import pytest
import redis

from shared import bootstrap
from shared.env_settings import Settings
from shared.errors import QueueDown, StoreDown
from shared.store.client import BACKSTOP_S
from shared.store.connection.endpoint import RedisEndpoint
from shared.store.connection.store_client import StoreClient
from shared.store.jobs.results import Results
from tests.endpoints import CONNECTIONS, replica_on, serving
from tests.fakes.delay import SlowProxy
from tests.greenlets import in_greenlets
from tests.harness import RedisServer, wait_until
from tests.store.conftest import NewEndpoint
from tests.store.counts import calls
from tests.uncounted import Uncounted
from workers import in_place


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


def freeze(url: str) -> dict[str, object]:
    """What those hear who wait when Redis freezes, and how long the last of them waited."""

    def hear() -> object:
        with replica.results.expect("a job") as waiter:
            return waiter.wait(10)

    with replica_on(url, connections=2) as replica, redis.Redis.from_url(url) as own:
        client = replica.endpoint.client(StoreDown)
        hearing = gevent.spawn(hear)
        wait_until(lambda: replica.results._waiters, what="who waits for a worker")
        os.kill(own.info("server")["process_id"], signal.SIGSTOP)
        begin = time.monotonic()
        asking = [gevent.spawn(client.get, "k") for _ in range(8)]
        gevent.joinall(asking, timeout=10)
        hearing.join(timeout=10)
        waited_s = time.monotonic() - begin
    errors = [hearing.exception, *(each.exception for each in asking)]
    return {"heard": [type(error).__name__ for error in errors], "waited_s": waited_s}


def test_a_frozen_redis_wakes_whoever_waits_for_it(own_server: RedisServer) -> None:
    """For an answer, for a connection or for what a worker finds out: the backstop would keep each for 2 s."""
    seen = in_greenlets(freeze, own_server.url)

    assert seen["heard"] == ["QueueDown"] + ["StoreDown"] * 8
    assert 0.2 < seen["waited_s"] < BACKSTOP_S - 0.2


def test_a_frozen_redis_is_found_while_somebody_waits_who_asks_it_nothing(
    own_server: RedisServer, new_endpoint: NewEndpoint
) -> None:
    """Who waits for what a worker finds out only listens; nobody else may come for long."""
    endpoint = new_endpoint(own_server.url)
    somebody = threading.Event()
    endpoint.detector.also_watch(somebody.is_set)
    own_server.send(signal.SIGSTOP)

    with pytest.raises(AssertionError):
        wait_until(lambda: endpoint.breaker.is_open, within_s=0.5, what="a reason to look")
    somebody.set()

    wait_until(lambda: endpoint.breaker.is_open, what="the end of the wait")


def test_in_a_web_process_whoever_waits_for_a_result_is_such_a_one(own_server: RedisServer, tmp_path: Path) -> None:
    """Without what reads cooldowns, and all else that asks from time to time."""
    config = tmp_path / "config.yaml"
    config.write_text("""
version: v0.4.0
model_providers: [{model: acme/*, base_url: "http://127.0.0.1:1/v1", provider_interface: openai}]
""")
    web = bootstrap.web(Settings(config=config, redis_url=own_server.url), {}, Uncounted(), lambda: in_place.build)
    endpoint = next(each for each in web.background if isinstance(each, RedisEndpoint))
    results = next(each for each in web.background if isinstance(each, Results))
    with ExitStack() as started:
        for each in (endpoint, results):
            each.start()
            started.callback(each.stop)
        own_server.send(signal.SIGSTOP)
        with pytest.raises(QueueDown), results.expect("a job") as waiter:
            waiter.wait(10)


def test_how_long_redis_may_be_silent_is_the_operators_choice(
    own_server: RedisServer, new_endpoint: NewEndpoint
) -> None:
    client = new_endpoint(own_server.url, silence_s=0.7).client(StoreDown)
    own_server.send(signal.SIGSTOP)
    begin = time.monotonic()

    with pytest.raises(StoreDown):
        client.get("k")

    assert 0.6 < time.monotonic() - begin < BACKSTOP_S - 0.2


def test_a_thawed_redis_is_used_again(
    own_server: RedisServer, new_endpoint: NewEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """Within a quarter of a second or so, and by itself: nobody who is served may have to try."""
    endpoint = new_endpoint(own_server.url)
    client = endpoint.client(StoreDown)
    with caplog.at_level(logging.INFO, "plano.redis"):
        own_server.send(signal.SIGSTOP)
        with pytest.raises(StoreDown):
            client.get("k")

        own_server.send(signal.SIGCONT)
        begin = time.monotonic()
        wait_until(lambda: not endpoint.breaker.is_open, what="the recovery")
        took_s = time.monotonic() - begin
        failures = ask_all_the_time(client, 0.3, 8)

    assert took_s < 2
    assert failures == []
    assert [record.getMessage() for record in caplog.records] == ["redis is away: silent for 250 ms", "redis is back"]


def test_nobody_notices_that_redis_was_frozen_for_150_ms(
    own_server: RedisServer, new_endpoint: NewEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """It writes a snapshot, or its machine is moved."""
    client = new_endpoint(own_server.url).client(StoreDown)
    with own_server.client() as own, ThreadPoolExecutor(1) as others, caplog.at_level(logging.INFO, "plano.redis"):
        asking = others.submit(ask_all_the_time, client, 1.0, 16)
        for _ in range(4):
            own.execute_command("DEBUG", "SLEEP", "0.15")
            own.ping()  # and whoever has asked meanwhile is answered before it sleeps again
        failures = asking.result(10)

    assert failures == []
    assert not caplog.records


@pytest.mark.parametrize(("delay_s", "login"), [(0.005, ""), (0.02, ""), (0.05, ""), (0.1, ""), (0.1, ":secret@")])
def test_a_slow_redis_is_not_silent(
    own_server: RedisServer, slow: SlowProxy, new_endpoint: NewEndpoint, delay_s: float, login: str
) -> None:
    """Nor when the detector has to log in first, which takes several answers: what others hear is a sign of life."""
    with own_server.client() as own:
        own.config_set("requirepass", "secret" if login else "")
    endpoint = new_endpoint(f"redis://{login}127.0.0.1:{slow.port}/1")
    slow.delay = delay_s

    failures = ask_all_the_time(endpoint.client(StoreDown), 1.5, 32)

    assert failures == []


def busy(url: str) -> dict[str, object]:
    """What 32 hear in a process that has no time for them, in pieces of 100 to 300 ms, for three seconds."""
    dice = random.Random(1)
    failures: list[str] = []
    pieces = 0
    end = time.monotonic() + 3

    def ask(client: StoreClient, n: int) -> None:
        while time.monotonic() < end:
            try:
                client.get(f"k{n}")
            except StoreDown as error:
                failures.append(str(error))
                return
            gevent.sleep(dice.uniform(0, 0.02))

    with serving(url) as endpoint:
        asking = [gevent.spawn(ask, endpoint.client(StoreDown), n) for n in range(32)]
        while time.monotonic() < end:
            until = time.monotonic() + dice.uniform(0.1, 0.3)
            while time.monotonic() < until:
                pass
            gevent.sleep(dice.choice([0, 0, 0.001, 0.02, 0.06]))
            pieces += 1
        gevent.joinall(asking, timeout=5, raise_error=True)
        return {"failures": failures, "open": endpoint.breaker.is_open, "pieces": pieces > 5}


def test_a_busy_process_does_not_take_its_own_lateness_for_silence(redis_server: RedisServer) -> None:
    """It split up to 59 of 200 sessions: those whose pins it did not wait for were routed anew."""
    seen = in_greenlets(busy, redis_server.url)

    assert seen == {"failures": [], "open": False, "pieces": True}


@pytest.mark.parametrize(("blocks_s", "asks"), [(0.0, True), (5.0, False)])
def test_whoever_waits_because_the_command_does_gives_no_reason_to_ask(
    own_server: RedisServer, new_endpoint: NewEndpoint, blocks_s: float, asks: bool
) -> None:
    """A worker that has nothing to do waits for its next job all the time."""
    client = new_endpoint(own_server.url, blocks_s=blocks_s).client(QueueDown)
    with own_server.client() as own:
        own.config_resetstat()
        client.blpop(["nothing"], 1.2)

        assert bool(calls(own, "ping")) == asks


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
    endpoint.detector._ping()
    with own_server.client() as own:
        assert len(own.client_list()) == CONNECTIONS + 2, "the detector's connection, and this question's"

    losing.lose()
    with pytest.raises(StoreDown):
        client.get("k")
    lost_at = time.monotonic()
    wait_until(lambda: not endpoint.breaker.is_open, what="the recovery")

    assert time.monotonic() - lost_at < BACKSTOP_S - 0.2
