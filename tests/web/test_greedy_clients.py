"""A client that takes what it can get: turns, connections, memory or time. Others are served all the same."""

import contextlib
import errno
import json
import re
import select
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import STARTS_WITHIN_S, Pool, Process, RedisServer, running, wait_until
from tests.web import sites
from tests.web.gateway import CHAT, Gateway, Outside, body, error_of, read
from tests.web.greedy import LAST, LIVEZ, SERVED_WITHIN_S, attacked, longest_wait_s

POST = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\n".encode()
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = b"Content-Length: 1000000000000\r\n\r\n"
BUFFERED = 1_000_000

CONFIG = """
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o-mini, base_url: "http://127.0.0.1:%(provider)d/v1", access_key: sk-openai, default: true}
limits: {%(limits)s}
"""


@pytest.fixture(scope="module")
def tight(outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A web process with low limits."""
    sizes = f"body_bytes: {BUFFERED}, buffered_bytes: {BUFFERED}"
    limits = f"send_timeout: 1s, head_timeout: 1s, waiting_requests: 8, {sizes}"
    config = CONFIG % {"provider": outside.provider.port, "limits": limits}
    with running(Pool(tmp_path_factory.mktemp("tight"), config, server.url)) as pool:
        port = free_port()
        pool.web(port, GUNICORN_CMD_ARGS="--keep-alive 2")
        with closing(Gateway(port)) as gateway:
            yield gateway


@pytest.fixture(scope="module")
def crowded(outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A web process that may have 300 open files, and so 86 connections, of which 8 are for probes."""
    folder = tmp_path_factory.mktemp("crowded")
    config = CONFIG % {"provider": outside.provider.port, "limits": "waiting_requests: 1000"}
    pool = Pool(folder, config, server.url)
    gunicorn = Path(sys.executable).with_name("gunicorn")
    command = f"ulimit -n 300; exec {gunicorn} -c python:web.server.gunicorn_conf web.wsgi:app"
    environment = {**pool.environment, "PORT": str(free_port())}
    process = Process(["sh", "-c", command], folder / "web.log", environment)
    process.port = int(environment["PORT"])  # type: ignore[attr-defined]
    with running(pool):
        pool.processes.append(process)
        wait_until(lambda: "Booting worker" in process.text(), within_s=STARTS_WITHIN_S)
        yield process


@pytest.fixture
def crowd(crowded: Process) -> Iterator[Gateway]:
    with closing(Gateway(crowded.port)) as gateway:  # type: ignore[attr-defined]
        wait_until(lambda: gateway.ask("GET", "/livez").ok)
        yield gateway


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(
    ("first", "block"),
    [
        (b"", LIVEZ * 500),
        (POST + ENDLESS, b" " * 65536),
        (LIVEZ[:-2] + ENDLESS, b" " * 65536),
        (
            b"POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"8000\r\n%s\r\n" % (b" " * 32768),
        ),
        (CHUNKED, b"8000\r\n%s\r\n" % (b" " * 32768)),
        (CHUNKED, b"1\r\n \r\n" * 10_000),
        (b"POST / HTTP/1.1\r\nHost x\r\n\r\n", b" " * 65536),
    ],
    ids=["requests", "body", "body of a GET", "chunks nobody reads", "chunks", "tiny chunks", "no HTTP"],
)
def test_one_connection_keeps_nobody_waiting(tight: Gateway, first: bytes, block: bytes) -> None:
    """It never has to wait: what it wants is there already, or thrown away."""
    with attacked(tight, first, block):
        waited_s = longest_wait_s(tight)

    assert waited_s < SERVED_WITHIN_S


@pytest.mark.parametrize("head", [POST, LIVEZ[:-2], b"POST /nothing HTTP/1.1\r\nHost: x\r\n"])
def test_a_connection_with_a_long_refused_body_is_closed(tight: Gateway, head: bytes) -> None:
    """Its client has the answer before that."""
    with tight.connected() as connection:
        connection.sendall(head + ENDLESS + b" " * 50_000)
        answer = read(connection)

    assert answer.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 200 ", b"HTTP/1.1 404 "))
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize("length", [10**12, 500_000, 60_000])
def test_a_refused_body_that_does_not_end_is_cut(tight: Gateway, length: int) -> None:
    """After a second. To be told to stop does not keep a client from holding its connection by going on."""
    with tight.connected() as connection:
        connection.sendall(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length)

        def is_cut() -> bool:
            with contextlib.suppress(ConnectionError):
                connection.sendall(b" ")
                return False
            return True

        wait_until(is_cut, what="the end of the connection")


def test_a_connection_with_a_short_refused_body_goes_on(tight: Gateway) -> None:
    sent = b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345"
    in_chunks = b"POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"

    answer = tight.raw(sent + in_chunks + LAST)

    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"404", b"404", b"200"]


def test_a_connection_that_says_nothing_is_closed(narrow: Gateway) -> None:
    """`limits.head_timeout` is half a second here; by its keep-alive alone it would stay for a minute and a half."""
    with narrow.connected() as silent:
        assert silent.recv(1) == b""


def test_a_connection_without_a_next_request_is_closed(tight: Gateway) -> None:
    """After two seconds here."""
    with tight.connected() as idle:
        idle.sendall(LIVEZ)
        assert idle.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert idle.recv(1) == b""


def test_idle_connections_make_room(crowd: Gateway, crowded: Process, stack: ExitStack) -> None:
    """Three times as many as there may be. Those that are idle longest are closed, and the log has one line."""
    connections = [stack.enter_context(crowd.connected()) for _ in range(250)]
    used = connections[-1]
    used.sendall(LIVEZ)
    assert used.recv(65536).startswith(b"HTTP/1.1 200 OK")

    assert longest_wait_s(crowd, requests=20) < SERVED_WITHIN_S
    assert crowd.chat().status_code == 200
    used.sendall(LAST)
    assert read(used).startswith(b"HTTP/1.1 200 OK")
    wait_until(lambda: len(select.select(connections, [], [], 0)[0]) > 150, what="the end of the oldest")
    assert crowded.text().count("nearly all connections are taken") == 1
    assert "Traceback" not in crowded.text()


def test_probes_are_served_when_all_others_are_busy(
    crowd: Gateway, provider: Provider, stack: ExitStack, crowded: Process
) -> None:
    provider.behave("hang")
    sent = POST + b"Content-Length: %d\r\n\r\n" % len(body()) + body()
    for _ in range(78):
        stack.enter_context(crowd.connected()).sendall(sent)
    wait_until(lambda: provider.calls >= 77)
    busy = [crowd.raw(sent) for _ in range(20)]

    probes = [crowd.raw(LIVEZ) for _ in range(20)]

    assert all(probe.startswith(b"HTTP/1.1 200 OK") for probe in probes), crowded.text()
    assert busy[-1].startswith(b"HTTP/1.1 503 ")
    assert json.loads(busy[-1].partition(b"\r\n\r\n")[2])["error"]["code"] == "too_many_connections"
    stack.close()
    provider.behave(None)
    wait_until(lambda: crowd.chat().ok, what="an answer")


def test_a_client_that_takes_nothing_is_cut(tight: Gateway, provider: Provider, stack: ExitStack) -> None:
    """Else eight of them, `limits.waiting_requests` here, would hold all places."""
    provider.behave("status", code=200, body=b"x" * 2**24, headers={"content-type": "application/octet-stream"})
    for _ in range(8):
        slow = stack.enter_context(_with_small_buffer(tight))
        slow.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body()) + body())
    wait_until(lambda: provider.calls == 8)
    provider.behave(None)

    assert wait_until(lambda: tight.chat().ok, what="a free place")


def test_what_a_cut_client_has_not_taken_is_thrown_away(tight: Gateway, provider: Provider) -> None:
    """Else the system would keep it, megabytes for each, for as long as the client does not leave."""
    provider.behave("status", code=200, body=b"x" * 2**24, headers={"content-type": "application/octet-stream"})
    with _with_small_buffer(tight) as slow:
        slow.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body()) + body())

        reset = wait_until(lambda: slow.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), what="the reset")

    assert reset == errno.ECONNRESET


def test_a_client_that_takes_a_little_is_served_to_the_end(tight: Gateway, provider: Provider) -> None:
    """Its answer takes several times as long as it may be left unread."""
    provider.behave("status", code=200, body=b"x" * 2**23, headers={"content-type": "application/octet-stream"})
    sent = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body()) + body()
    received = 0
    with _with_small_buffer(tight) as slow:
        slow.sendall(sent)
        while data := slow.recv(2**18):
            received += len(data)
            select.select([], [], [], 0.02 if received < 2**22 else 0)

    assert received > 2**23


def _with_small_buffer(gateway: Gateway) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", gateway.port))
    return connection


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\nHost: x\n\n",
        b"GET /livez HTTP/1.1\r\nHost: x\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n\n",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body()), body()),
        POST + b"Transfer-Encoding: identity, chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body()), body()),
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("before", [b"", LIVEZ], ids=["first", "second"])
def test_what_a_proxy_may_understand_in_another_way_is_refused(
    tight: Gateway, provider: Provider, before: bytes, sent: bytes
) -> None:
    answer = tight.raw(before + sent)

    head, _, said = answer.rpartition(b"\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+) ", head) == ([b"200"] if before else []) + [b"400"]
    assert json.loads(said)["error"]["type"] == "invalid_request_error"
    assert provider.calls == 0


def test_a_head_that_comes_in_pieces_is_served(tight: Gateway) -> None:
    """Also when it is cut between CR and LF."""
    with tight.connected() as connection:
        for n in range(len(LAST)):
            connection.sendall(LAST[n : n + 1])
        assert read(connection).startswith(b"HTTP/1.1 200 OK")


def test_a_request_of_http_1_0_needs_no_host(tight: Gateway) -> None:
    """Balancers probe with such requests."""
    assert tight.raw(b"GET /readyz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200 OK")


def test_bodies_are_bounded_together(tight: Gateway, provider: Provider, stack: ExitStack) -> None:
    """`limits.buffered_bytes`; what is beyond is told to come again, before it is read."""
    provider.behave("hang")
    large = body("x" * (BUFFERED * 2 // 5))
    for _ in range(2):
        stack.enter_context(tight.connected()).sendall(POST + b"Content-Length: %d\r\n\r\n" % len(large) + large)
    wait_until(lambda: provider.calls == 2)

    refused = tight.raw(POST + b"Content-Length: %d\r\n\r\n" % len(large))
    chunk = b"%x\r\n%s\r\n" % (len(large), large)
    in_chunks = tight.raw(CHUNKED + chunk + b"0\r\n\r\n")
    health = tight.ask("GET", "/livez")
    small = stack.enter_context(tight.connected())
    small.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body()) + body())
    wait_until(lambda: provider.calls == 3, what="room for a small one")
    stack.close()
    provider.behave(None)

    for answer in (refused, in_chunks):
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in answer.lower()
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "too_many_bytes_buffered"
    assert health.status_code == 200
    assert wait_until(lambda: tight.ask("POST", CHAT, large).ok, what="room again")


def test_a_small_request_is_served_however_much_is_held(tight: Gateway, provider: Provider, stack: ExitStack) -> None:
    """Else a few large bodies would have the balancer think that the process is dead.

    They fill it to the last byte: what comes with a head counts once.
    """
    all_of_it = body("x" * (BUFFERED - 1000))
    wait_until(lambda: tight.ask("POST", CHAT, all_of_it).ok, what="the end of all requests before this one")
    provider.clear()
    provider.behave("hang")
    head = POST + b"Content-Length: %d\r\n\r\n"
    room = BUFFERED - 10
    for size in (BUFFERED * 2 // 5, BUFFERED * 2 // 5, room):
        length = min(size, room - len(head) - 4)  # the length has six digits, and "%d" two
        large = body("x" * (length - len(body(""))))
        stack.enter_context(tight.connected()).sendall(head % len(large) + large)
        room -= len(head) + 4 + len(large)
    wait_until(lambda: provider.calls == 3)
    probe = tight.raw(LAST)
    stack.close()
    provider.behave(None)

    assert room == 0
    assert probe.startswith(b"HTTP/1.1 200 OK")
    assert wait_until(lambda: tight.chat().ok, what="room again")


def test_a_body_that_is_announced_and_not_sent_takes_no_room(
    tight: Gateway, provider: Provider, stack: ExitStack
) -> None:
    for _ in range(4):
        stack.enter_context(tight.connected()).sendall(POST + b"Content-Length: 900000\r\n\r\n{")

    assert tight.chat().status_code == 200
    assert provider.calls == 1
    assert error_of(tight.ask("POST", CHAT, b"[]"))["type"] == "invalid_request_error"
    assert sites.SMALL_BODY < BUFFERED
