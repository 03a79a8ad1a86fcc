"""Idle connections to providers: kept for the next request, and no longer than that makes sense."""

import contextlib
import errno
import itertools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import gevent
import gevent.socket
import pytest
from gevent.event import Event
from gevent.server import StreamServer

from shared.errors import NotSent, UpstreamRefused, UpstreamTimeout
from shared.outgoing import Outgoing
from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.scripted import Script, Scripted, scripted
from tests.fakes.tls import Authority
from tests.harness import wait_until
from web.dialects.fields.body import Pieces
from web.proxy.providers.answer import Answer
from web.proxy.providers.upstream import ROUNDS_KEPT, Upstream, not_connected

MOST = 1000
BODY = b'{"model":"gpt-5.2","messages":[{"role":"user","content":"quick facts"}]}'
LONG = BODY + b" " * 20_000_000
"""More than the buffers of a connection hold."""


Ask = Callable[[Pieces], Answer]
Serving = Callable[[Script], contextlib.AbstractContextManager[tuple[Scripted, Ask]]]


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
def serving(request: pytest.FixtureRequest, tmp_path: Path) -> Serving:
    """Runs a server by a script, plain or over TLS, and asks it over connections that are kept."""
    authority = Authority(tmp_path)
    context = authority.server_context("localhost")

    @contextlib.contextmanager
    def served(script: Script) -> Iterator[tuple[Scripted, Ask]]:
        def over_tls(plain: socket.socket) -> None:
            with context.wrap_socket(plain, server_side=True) as sock:
                script(sock)

        with (
            scripted(over_tls if request.param else script) as server,
            contextlib.closing(Upstream(5, ca_files=[str(authority.file)])) as upstream,
        ):
            url = f"{'https' if request.param else 'http'}://localhost:{server.port}/v1"
            yield (
                server,
                lambda content: upstream.post(
                    url, [], content, provider="openai", within_s=10, ca_file=str(authority.file)
                ),
            )

    return served


@pytest.fixture
def provider() -> Iterator[Provider]:
    """One of its own, which may be closed."""
    with Provider() as server:
        yield server


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """What sends requests to providers."""
    made = Upstream(5)
    yield made
    made.close()


@pytest.fixture
def ask(upstream: Upstream, provider: Provider) -> Callable[[int], None]:
    """Asks so many times at once."""

    def at_once(many: int) -> None:
        provider.behave("hang")
        asked = [gevent.spawn(_ask, upstream, provider.url) for _ in range(many)]
        with gevent.Timeout(10):
            while provider.hanging < many:
                gevent.sleep(0.01)
        provider.behave(None)
        gevent.joinall(asked, raise_error=True)

    return at_once


def _ask(upstream: Upstream, url: str) -> None:
    answer = upstream.post(f"{url}/chat/completions", [], [BODY], provider="openai", within_s=5)
    answer.whole(MOST)
    answer.close()


def a_minute(upstream: Upstream) -> None:
    """All rounds of looking after idle connections that a minute has."""
    for _ in range(ROUNDS_KEPT):
        upstream.tend()


def test_connections_that_nobody_needs_any_more_are_closed(
    upstream: Upstream, provider: Provider, ask: Callable[[int], None]
) -> None:
    ask(9)
    a_minute(upstream)  # until here all nine were in use
    for _ in range(3):
        ask(1)
    assert provider.connected == 9

    a_minute(upstream)

    wait_until(lambda: provider.connected == 1, what="the end of the spare ones")
    ask(1)
    assert provider.connections == 9


def test_connections_that_the_provider_has_closed_are_let_go(
    upstream: Upstream, provider: Provider, ask: Callable[[int], None]
) -> None:
    """Otherwise each would keep its file descriptor until the process ends."""
    ask(5)
    provider.close()

    upstream.tend()

    assert [pool._socket_queue.qsize() for pool in upstream._pools.values()] == [0]


def test_an_interim_answer_does_not_give_the_connection_away(upstream: Upstream) -> None:
    """What follows it belongs to whoever asked; the next request would get it for its own."""

    def early(sock: gevent.socket.socket, name: bytes) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        gevent.sleep(0.2)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name))

    with _server(early) as url:
        with pytest.raises(UpstreamTimeout):
            upstream.post(url, [], [BODY], provider="openai", within_s=0.1)
        answer = upstream.post(url, [], [BODY], provider="openai", within_s=5)

        assert answer.status == 200
        assert answer.whole(MOST) == b"2"


def test_a_connection_closed_while_idle_is_replaced_even_while_others_connect(upstream: Upstream) -> None:
    """Else a provider that closes idle connections would look like one that fails."""
    second = Event()

    def closing(sock: gevent.socket.socket, name: bytes) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name)
        if name == b"1":
            sock.recv(65536)
            second.wait(5)
            sock.close()
        else:
            second.set()

    with _server(closing) as url:
        upstream.post(url, [], [BODY], provider="openai", within_s=5).whole(MOST)
        on_idle = gevent.spawn(lambda: upstream.post(url, [], [BODY], provider="openai", within_s=5).whole(MOST))
        gevent.sleep(0.05)
        upstream.post(url, [], [BODY], provider="openai", within_s=5).whole(MOST)

        assert on_idle.get(timeout=5) in {b"3", b"2"}


def test_so_is_one_that_is_closed_while_a_long_body_is_on_its_way(serving: Serving) -> None:
    """Nobody has read such a request to its end, and so nobody has served it."""
    numbers = itertools.count(1)

    def script(sock: socket.socket) -> None:
        number = next(numbers)
        with sock.makefile("rb") as received:
            _skip_head(received)
            received.read(len(LONG))
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
            received.read(1)  # of the next request

    with serving(script) as (_, ask):
        assert [ask([LONG]).whole(MOST) for _ in range(3)] == [b"1", b"2", b"3"]


@pytest.mark.parametrize("has_served", [False, True], ids=["new", "idle before"])
def test_an_answer_that_comes_before_a_long_body_is_sent_is_the_answer(serving: Serving, *, has_served: bool) -> None:
    """A provider that finds a body too large says so and closes; another model is not asked."""

    def script(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else its answer is lost when it closes
        with sock.makefile("rb") as received:
            if has_served:
                _skip_head(received)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            _skip_head(received)
            sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge")

    with serving(script) as (server, ask):
        if has_served:
            assert ask([]).whole(MOST) == b""
        answer = ask([LONG])
        assert (answer.status, answer.whole(MOST)) == (413, b"large")
        assert server.connections == 1


@pytest.mark.parametrize(
    "code", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL", "EACCES", "ENETDOWN", "ENETUNREACH"]
)
def test_what_this_machine_lacks_is_no_trouble_of_the_providers(code: str) -> None:
    """A replica without memory or a way out would have every model sit out, for all replicas."""
    error = not_connected(OSError(getattr(errno, code), "for a test"), "openai", through_proxy=False)

    assert isinstance(error, NotSent)


@pytest.mark.parametrize("code", ["ECONNRESET", "EHOSTUNREACH", "ETIMEDOUT", "ECONNREFUSED"])
def test_what_the_way_to_a_provider_lacks_is_its_trouble(code: str) -> None:
    error = not_connected(OSError(getattr(errno, code), "for a test"), "openai", through_proxy=False)

    assert not isinstance(error, NotSent)
    assert isinstance(error, UpstreamRefused) == (code == "ECONNREFUSED")


def test_a_second_connection_confirms_a_refusal_or_does_not(upstream: Upstream, provider: Provider) -> None:
    assert not upstream.refuses(f"{provider.url}/chat/completions")
    assert upstream.refuses(f"http://127.0.0.1:{free_port()}/v1/chat/completions")


def test_a_proxy_that_nobody_reaches_is_no_trouble_of_the_providers() -> None:
    """Each provider behind it would sit out, for replicas that have another proxy, too."""
    upstream = Upstream(5, outgoing=Outgoing(https_proxy=f"http://127.0.0.1:{free_port()}"))

    with pytest.raises(NotSent):
        _ask(upstream, "https://models.example.test/v1")


@contextlib.contextmanager
def _server(serve: Callable[[gevent.socket.socket, bytes], None]) -> Iterator[str]:
    """A provider that answers as `serve` does, which is told the number of the connection."""
    numbers = itertools.count(1)

    def handle(sock: gevent.socket.socket, _: object) -> None:
        serve(sock, b"%d" % next(numbers))
        gevent.sleep(1)

    server = StreamServer(("127.0.0.1", 0), handle)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.stop()


def _skip_head(received: BinaryIO) -> None:
    """Read a request up to its body."""
    while received.readline().strip():
        pass
