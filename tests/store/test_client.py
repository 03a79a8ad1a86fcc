"""redis-py's client on a small and fair pool."""

import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import gevent
import pytest
import redis

from shared.errors import Away, QueueDown, StoreDown
from shared.store.client import BACKSTOP_S
from shared.store.connection.store_client import StoreClient
from tests.endpoints import CONNECTIONS, PATIENT_S, endpoint_to, serving
from tests.fakes.delay import SlowProxy
from tests.greenlets import Play, in_greenlets
from tests.harness import RedisServer, wait_until
from tests.store.conftest import NewEndpoint
from tests.store.counts import blocked, connections

Change = Callable[[StoreClient], None]

MANY = 48
FEW = 4


def crowd(url: str) -> dict[str, object]:
    """Many wait for something that is not there yet, over few connections."""
    endpoint = endpoint_to(url, connections=FEW)
    client = endpoint.client(StoreDown)
    with redis.Redis.from_url(url) as own, ThreadPoolExecutor(MANY) as askers:
        asked = [askers.submit(client.execute_command, "BLPOP", "k", 0) for _ in range(MANY)]
        wait_until(lambda: blocked(own) == FEW, what="those who are served")
        wait_until(lambda: len(endpoint.pool._queue) == MANY - FEW, what="those who wait")
        at_once = connections(own)
        own.rpush("k", *range(MANY))
        heard = sorted(int(each.result(5)[1]) for each in asked)
        later = connections(own)
    endpoint.stop()
    return {"connections": [at_once, later], "heard": heard}


def test_there_are_at_most_so_many_connections_however_many_ask(own_server: RedisServer, play: Play) -> None:
    """A plan of Redis that is small allows twenty, for all processes together."""
    seen = play(crowd, own_server.url)

    assert seen == {"connections": [FEW, FEW], "heard": list(range(MANY))}


def line(url: str) -> list[int]:
    """The order in which those are served who waited one after the other for the only connection."""
    endpoint = endpoint_to(url, connections=1)
    client = endpoint.client(StoreDown)
    held = endpoint.pool.get_connection()

    def ask_twice(n: int) -> None:
        client.rpush("served", n)
        client.rpush("served", n)

    def waiting() -> int:
        return len(endpoint.pool._queue)

    with ThreadPoolExecutor(10) as askers:
        asked = []
        for n in range(10):
            asked.append(askers.submit(ask_twice, n))
            wait_until(lambda: waiting() == len(asked), what="the next one in the line")
        endpoint.pool.release(held)
        for each in asked:
            each.result(5)
    served = [int(n) for n in client.lrange("served", 0, -1)]
    endpoint.stop()
    return served


def test_a_released_connection_goes_to_whoever_has_waited_longest(own_server: RedisServer, play: Play) -> None:
    """Else the one who releases it takes it again, and the others starve."""
    served = play(line, own_server.url)

    assert served[:10] == list(range(10))
    assert sorted(served[10:]) == list(range(10))


def test_idle_connections_that_redis_has_closed_are_replaced_without_an_error(
    own_server: RedisServer, new_endpoint: NewEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis closes those that were idle for its `timeout`, and it may be all of them."""
    endpoint = new_endpoint(own_server.url, connections=1)
    client = endpoint.client(StoreDown)

    with own_server.client() as own, caplog.at_level(logging.INFO, "plano.redis"):
        for n in range(4):
            own.client_kill_filter(_type="normal", skipme=True)
            assert client.incr("k") == n + 1

    assert not caplog.records


def write(client: StoreClient) -> None:
    client.set("k", "v")


def write_together(client: StoreClient) -> None:
    with client.pipeline() as together:
        together.set("k", "v")
        together.execute()


def write_in_a_script(client: StoreClient) -> None:
    client.register_script("return redis.call('SET', KEYS[1], 'v')")(["k"])


WRITES = [write, write_together, write_in_a_script]


@pytest.mark.parametrize("change", WRITES)
def test_a_demoted_primary_is_left_for_the_one_that_took_its_address(
    own_server: RedisServer, redis_server: RedisServer, store: redis.Redis, slow: SlowProxy, change: Change
) -> None:
    """A failover behind one address: the connections that stand lead to a replica, new ones to the new primary."""
    with own_server.client() as own, serving(f"redis://127.0.0.1:{slow.port}", silence_s=PATIENT_S) as endpoint:
        client = endpoint.client(StoreDown)
        own.replicaof("127.0.0.1", 1)
        slow.lead_to(redis_server.socket)

        with pytest.raises(StoreDown, match="refuses"):
            change(client)
        for _ in range(2 * CONNECTIONS):
            client.incr("changes")

        assert own.dbsize() == 0
    assert store.get("changes") == str(2 * CONNECTIONS).encode()


def test_a_demoted_primary_is_no_sign_of_life_of_the_one_that_took_its_address(
    own_server: RedisServer, redis_server: RedisServer, store: redis.Redis, slow: SlowProxy
) -> None:
    """The failure detector, too, asks the new primary from then on."""
    with own_server.client() as own, serving(f"redis://127.0.0.1:{slow.port}", silence_s=PATIENT_S) as endpoint:
        endpoint.detector._ping()
        own.replicaof("127.0.0.1", 1)
        slow.lead_to(redis_server.socket)
        with pytest.raises(StoreDown, match="refuses"):
            write(endpoint.client(StoreDown))
        store.config_resetstat()

        endpoint.detector._ping()

        assert "cmdstat_ping" in store.info("commandstats")


@pytest.mark.parametrize("kind", [StoreDown, QueueDown])
@pytest.mark.parametrize("change", WRITES)
def test_an_error_says_which_part_is_away_and_keeps_its_cause(
    tmp_path: Path, change: Change, kind: type[Away]
) -> None:
    client = endpoint_to(f"unix://{tmp_path / 'nobody'}").client(kind)

    with pytest.raises(Away) as caught:
        change(client)

    assert type(caught.value) is kind
    assert isinstance(caught.value.__cause__, redis.ConnectionError)


@pytest.mark.parametrize("change", WRITES)
def test_a_refusal_is_told_and_is_no_outage(
    own_server: RedisServer, new_endpoint: NewEndpoint, caplog: pytest.LogCaptureFixture, change: Change
) -> None:
    """A Redis that is full still has the pins."""
    endpoint = new_endpoint(own_server.url)
    client = endpoint.client(StoreDown)
    with own_server.client() as own, caplog.at_level(logging.INFO, "plano.redis"):
        own.set("pin", "stands")
        own.config_set("maxmemory", 1)

        for _ in range(4):
            with pytest.raises(StoreDown, match="Redis refuses") as caught:
                change(client)

        assert isinstance(caught.value.__cause__, redis.ResponseError)
        assert client.get("pin") == b"stands"
        assert [record.getMessage().partition(" (")[0] for record in caplog.records] == ["redis refuses writes: OOM"]
        assert not endpoint.breaker.is_open


def test_a_script_that_redis_forgot_is_loaded_again(client: StoreClient, store: redis.Redis) -> None:
    """It does after a restart, and SCRIPT FLUSH has it forget at once."""
    script = client.register_script("return ARGV[1]")
    script([], ["before"])

    store.script_flush()

    assert script([], ["after"]) == b"after"


def read_late(url: str) -> object:
    """What an asker hears whose answer comes after the backstop, while its process had no time to notice either."""
    endpoint = endpoint_to(url)
    begin = time.monotonic()

    def be_busy(until_s: float) -> None:
        while time.monotonic() - begin < until_s:
            pass

    asked = gevent.spawn(endpoint.client(StoreDown).blpop, ["nothing"], BACKSTOP_S + 0.45)
    gevent.spawn_later(1.2, be_busy, BACKSTOP_S + 0.1)  # when this ends, time is over, and there is no answer
    gevent.spawn_later(BACKSTOP_S + 0.05, be_busy, BACKSTOP_S + 1.5)  # it is next; when it ends, there is one
    return asked.get(timeout=5)


def test_an_answer_that_is_there_counts_although_its_time_is_over(own_server: RedisServer) -> None:
    """A process that was busy takes its own lateness for that of Redis, and serves sessions without their pins."""
    assert in_greenlets(read_late, own_server.url) is None


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
    before = set(threading.enumerate())
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        endpoint = endpoint_to(f"{scheme}://:secret@127.0.0.1:{silent.getsockname()[1]}/1", verify_tls=False)
        endpoint.detector.start()
        begin = time.monotonic()

        with pytest.raises(StoreDown):
            endpoint.client(StoreDown).get("k")

        waited_s = time.monotonic() - begin
        endpoint.stop()
        wait_until(lambda: set(threading.enumerate()) <= before, what="the end of a ping's own handshake")
    assert waited_s < BACKSTOP_S - 0.5


def without_names(url: str) -> float:
    """How long a question waits whose Redis nobody can find, because the name server is silent."""
    socket.getaddrinfo = lambda *_args, **_more: time.sleep(60)  # type: ignore[assignment]
    begin = time.monotonic()
    with serving(url) as endpoint, pytest.raises(StoreDown):
        endpoint.client(StoreDown).get("k")
    return time.monotonic() - begin


def test_a_silent_name_server_keeps_nobody_waiting_for_long() -> None:
    assert in_greenlets(without_names, "redis://redis.example:6379") < 2 * BACKSTOP_S
