"""One connection that many requests share."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from unittest.mock import Mock

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.store.patience import Patience
from shared.store.pipe import Pipe
from tests.fakes.delay import SlowProxy
from tests.harness import RedisServer, wait_until
from tests.links import link_to
from tests.store.conftest import NewLink
from tests.store.greenlets import in_greenlets


@pytest.fixture
def pipe(redis_server: RedisServer, store: redis.Redis) -> Iterator[Pipe]:
    """A pipe to the run's Redis."""
    store.mset({f"k{n}": n for n in range(64)})
    store.delete("plano:none")
    made, client = _pipe_to(redis_server)
    yield made
    store.client_kill_filter(_type="normal", skipme=True)
    client.close()


def _pipe_to(server: RedisServer, answer_s: float = 2.0) -> tuple[Pipe, redis.Redis]:
    client = redis.Redis(
        unix_socket_path=str(server.socket), socket_timeout=answer_s, retry=Retry(NoBackoff(), 0), protocol=2
    )
    return Pipe(client.connection_pool, Patience(answer_s)), client


def test_everybody_hears_their_own_answer_over_one_connection(pipe: Pipe, store: redis.Redis) -> None:
    before = len(store.client_list())

    with ThreadPoolExecutor(32) as askers:
        heard = list(askers.map(lambda n: pipe.ask("GET", f"k{n % 64}"), range(512)))

    assert heard == [str(n % 64).encode() for n in range(512)]
    assert len(store.client_list()) == before + 1


def test_a_refusal_is_told_to_the_one_who_asked(pipe: Pipe, store: redis.Redis) -> None:
    store.lpush("list", "x")
    store.expire("list", 60)

    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        pipe.ask("GET", "list")

    assert pipe.ask("GET", "k1") == b"1"


def test_a_dropped_connection_is_made_anew(pipe: Pipe, store: redis.Redis) -> None:
    pipe.ask("GET", "k1")

    store.client_kill_filter(_type="normal", skipme=True)
    heard = wait_until(lambda: _quietly(pipe), what="an answer")

    assert heard == b"1"


def test_a_frozen_redis_keeps_nobody_longer_than_the_limit(own_server: RedisServer) -> None:
    """And when it thaws, late answers reach nobody: they belong to a connection that was given up."""
    own_server.start()
    pipe, client = _pipe_to(own_server, answer_s=0.15)
    client.set("k", "v", ex=60)
    assert pipe.ask("GET", "k") == b"v"

    own_server.send(signal.SIGSTOP)
    with ThreadPoolExecutor(16) as askers:
        outcomes = list(askers.map(lambda _: _outcome(pipe), range(16)))
    own_server.send(signal.SIGCONT)
    heard = wait_until(lambda: _quietly(pipe, "k"), what="an answer")

    client.close()
    own_server.stop()
    assert set(outcomes) <= {"TimeoutError", "ConnectionError"}
    assert heard == b"v"


def test_reading_ends_with_the_connection(pipe: Pipe, store: redis.Redis) -> None:
    before = set(threading.enumerate())
    pipe.ask("GET", "k1")
    readers = set(threading.enumerate()) - before

    store.client_kill_filter(_type="normal", skipme=True)

    wait_until(lambda: not any(thread.is_alive() for thread in readers), what="the reader's end")


def test_what_cannot_be_sent_moves_nobody_elses_answer(pipe: Pipe) -> None:
    with pytest.raises(redis.DataError):
        pipe.ask("GET", None)  # type: ignore[arg-type]  # that is the point

    assert [pipe.ask("GET", f"k{n}") for n in range(3)] == [b"0", b"1", b"2"]


def test_a_redis_that_takes_no_more_keeps_nobody_longer_than_the_limit(own_server: RedisServer) -> None:
    """A write waits for room, and whoever waits for an answer must not wait for the write."""
    own_server.start()
    pipe, client = _pipe_to(own_server, answer_s=0.15)
    assert pipe.ask("PING") == b"PONG"

    own_server.send(signal.SIGSTOP)
    began = time.monotonic()
    with ThreadPoolExecutor(5) as askers:
        large = askers.submit(pipe.ask, "SET", "large", b"x" * 50_000_000, "EX", 60)
        others = [askers.submit(pipe.ask, "GET", "k") for _ in range(4)]
        outcomes = {type(each.exception(10)) for each in (large, *others)}
    took_s = time.monotonic() - began
    own_server.send(signal.SIGCONT)

    client.close()
    own_server.stop()
    assert outcomes <= {redis.TimeoutError, redis.ConnectionError}
    assert took_s < 2


def test_who_asks_while_another_one_is_sending_waits_no_longer_than_the_limit(own_server: RedisServer) -> None:
    """The socket's own limit may be longer, and a question that finds no room is met by silence as well."""
    own_server.start()
    pipe, client = _pipe_to(own_server, answer_s=5)
    assert pipe.ask("PING") == b"PONG"
    pipe.patience = Patience(0.1)

    own_server.send(signal.SIGSTOP)
    with ThreadPoolExecutor(2) as askers:
        askers.submit(pipe.ask, "SET", "large", b"x" * 50_000_000, "EX", 60)
        wait_until(lambda: pipe._line and pipe._line.sending, what="the large one to be sent")
        began = time.monotonic()
        outcome = askers.submit(_outcome, pipe).result()
        took_s = time.monotonic() - began
    own_server.send(signal.SIGCONT)

    client.close()
    own_server.stop()
    assert outcome == "TimeoutError"
    assert took_s < 0.4


def test_who_sends_does_not_go_on_with_what_others_ask(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it could send for ever, and never look at its own answer."""
    pipe.ask("PING")
    assert pipe._line
    connection, answered, in_time = pipe._line.connection, threading.Event(), []
    send: Callable[..., None] = connection.send_packed_command

    with ThreadPoolExecutor(1) as askers:
        others: list[Future[bytes]] = []

        def slow_send(data: list[bytes], **options: bool) -> None:
            if not others:
                others.append(askers.submit(pipe.ask, "GET", "k2"))
                wait_until(lambda: pipe._line and pipe._line.outgoing, what="another question")
            else:
                in_time.append(answered.wait(1))
            send(data, **options)

        monkeypatch.setattr(connection, "send_packed_command", slow_send)
        first = pipe.ask("GET", "k1")
        answered.set()
        second = others[0].result(5)

    assert (first, second, in_time) == (b"1", b"2", [True])


def test_a_thread_that_cannot_be_started_makes_nobody_deaf(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
        with pytest.raises(RuntimeError):
            pipe.ask("PING")

    assert pipe.ask("GET", "k1") == b"1"


def test_a_connection_that_takes_its_time_keeps_nobody_longer_than_twice_the_limit() -> None:
    """The limits for connecting are for each step of it, and a name's look-up has none."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = redis.Redis(port=silent.getsockname()[1], socket_timeout=5, retry=Retry(NoBackoff(), 0), protocol=2)
        pipe = Pipe(client.connection_pool, Patience(0.15))
        began = time.monotonic()
        with ThreadPoolExecutor(4) as askers:
            outcomes = list(askers.map(lambda _: _outcome(pipe), range(4)))
        took_s = time.monotonic() - began

    assert set(outcomes) <= {"TimeoutError", "ConnectionError"}
    assert took_s < 2


def test_a_connection_that_takes_too_long_is_made_all_the_same(slow: SlowProxy) -> None:
    """Else a Redis whose every answer comes in time would never be reached; what was asked meanwhile is not sent."""
    slow.delay = 0.13
    with closing(link_to(f"redis://127.0.0.1:{slow.port}", answer_s=0.15).pipe) as pipe:
        with pytest.raises(redis.TimeoutError):
            pipe.ask("SET", "late", "1", "EX", 60)

        heard = wait_until(lambda: _outcome(pipe, "PING") == "b'PONG'", what="an answer")

        assert heard
        slow.delay = 0
        assert pipe.ask("GET", "late") is None


@pytest.mark.parametrize("delay_s", [0.06, 0.1, 0.13])
def test_a_slow_redis_is_reached_sooner_or_later(slow: SlowProxy, delay_s: float) -> None:
    """A connection takes several answers; what is asked meanwhile may time out when it has just been made."""
    slow.delay = delay_s
    with closing(link_to(f"redis://127.0.0.1:{slow.port}/1", answer_s=0.15).pipe) as pipe:
        wait_until(lambda: _outcome(pipe, "PING") == "b'PONG'", within_s=3, what="an answer")


def test_an_address_that_is_none_is_an_error_each_time(new_link: NewLink) -> None:
    """Not a wait for a thread that has ended by an exception which nobody foresaw."""
    link = new_link("redis://redis..host:6379")

    for _ in range(2):
        with pytest.raises(redis.ConnectionError, match="UnicodeError"):
            link.pipe.ask("PING")


def _quietly(pipe: Pipe, key: str = "k1") -> bytes | None:
    try:
        return bytes(pipe.ask("GET", key))
    except redis.RedisError:
        return None


def _outcome(pipe: Pipe, *command: str) -> str:
    try:
        return str(pipe.ask(*(command or ("GET", "k"))))
    except redis.RedisError as error:
        return type(error).__name__


AMONG_GREENLETS = """
from shared.store.patience import Patience
from shared.store.pipe import Pipe

client = redis.Redis(unix_socket_path=sys.argv[1], protocol=2)
pipe = Pipe(client.connection_pool, Patience(2))
pipe.ask("GET", "k0")
reads = lambda: client.info("stats")["total_reads_processed"]
"""


def test_those_who_ask_at_the_same_moment_share_a_write(redis_server: RedisServer, store: redis.Redis) -> None:
    """A write is the dearest part of a question, and Redis reads many as fast as one."""
    store.mset({f"k{n}": n for n in range(64)})

    writes = in_greenlets(
        AMONG_GREENLETS
        + """
before = reads()
asked = [gevent.spawn(pipe.ask, "GET", f"k{n}") for n in range(64)]
assert [int(each.get()) for each in asked] == list(range(64))
print(reads() - before)
""",
        str(redis_server.socket),
    )

    assert int(writes) <= 5
    store.flushall()


@pytest.mark.parametrize("at_once", [True, False])
def test_what_somebody_is_to_begin_with_waits_for_nobody(
    redis_server: RedisServer,
    store: redis.Redis,  # noqa: ARG001 - empty
    at_once: bool,
) -> None:
    """A worker that has a job already need not wait until all who come with another one have asked."""
    waiting = in_greenlets(
        AMONG_GREENLETS
        + """
asking = gevent.spawn(pipe.ask, "GET", "k1", at_once=sys.argv[2] == "True")
unsent = gevent.spawn(lambda: len(pipe._line.outgoing))  # runs next
asking.get(timeout=1)
print(unsent.get(timeout=1))
""",
        str(redis_server.socket),
        str(at_once),
    )

    assert waiting == ("0" if at_once else "1")


def test_who_leaves_in_the_moment_of_asking_takes_nobody_along(redis_server: RedisServer, store: redis.Redis) -> None:
    """The first of those who ask together writes for all; its client may be gone by then."""
    store.set("k1", "1")

    heard = in_greenlets(
        AMONG_GREENLETS
        + """
leaving, staying = gevent.spawn(pipe.ask, "GET", "k0"), gevent.spawn(pipe.ask, "GET", "k1")
gevent.get_hub().loop.run_callback(leaving.throw)  # once both have asked, and before the first one writes
print(staying.get(timeout=1).decode(), type(leaving.get(timeout=1)).__name__)
""",
        str(redis_server.socket),
    )

    assert heard == "1 GreenletExit"
    store.flushall()


@pytest.mark.parametrize(("busy_from_s", "request_s"), [(0, 0.02), (0.04, 0.1)])
def test_an_answer_that_came_while_the_process_was_busy_counts(
    redis_server: RedisServer, store: redis.Redis, busy_from_s: float, request_s: float
) -> None:
    """Else a long pause of ours would look like an outage of Redis, or use up what a request may wait for it."""
    store.set("k1", "1")

    heard = in_greenlets(
        AMONG_GREENLETS
        + """
patience = Patience(0.15, float(sys.argv[3]))
pipe = Pipe(client.connection_pool, patience)

def ask():
    patience.begin()
    return pipe.ask("GET", "k1"), patience.spent()

pipe.ask("GET", "k0")
if busy_from_s := float(sys.argv[2]):
    gevent.spawn(client.execute_command, "DEBUG", "SLEEP", busy_from_s + 0.02)
    gevent.sleep(0.01)
asked = [gevent.spawn(ask) for _ in range(5)]
gevent.sleep(busy_from_s)
end = time.monotonic() + 0.3
while time.monotonic() < end:
    pass
print([each.get(timeout=1) for each in asked] == [(b"1", False)] * 5)
""",
        str(redis_server.socket),
        str(busy_from_s),
        str(request_s),
    )

    assert heard == "True"
    store.flushall()
