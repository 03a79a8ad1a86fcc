"""Clients that take their time, or too much of what there is: they are let go, and nobody waits for them."""

import json
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.fakes.provider import Provider
from tests.harness import wait_until
from tests.web import sites
from tests.web.gateway import CHAT, Gateway, body, error_of, read

SENT = body("hi")
HEAD = (
    f"POST {CHAT} HTTP/1.1\r\nHost: x\r\n{sites.TENANT_HEADER}: acme\r\nContent-Length: {len(SENT)}\r\n\r\n".encode()
)
CHUNKED = HEAD.replace(b"Content-Length: %d" % len(SENT), b"Transfer-Encoding: chunked")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_request_that_stalls_is_given_up(narrow: Gateway, provider: Provider, stack: ExitStack) -> None:
    """In its head or in its body, however it began; meanwhile others are served, on as many connections."""
    stalled = [
        b"P",
        HEAD[:-3],
        HEAD[:-2],
        HEAD,
        HEAD + SENT[:-1],
        CHUNKED,
        CHUNKED + b"5",
        CHUNKED + b"5\r\n" + SENT[:4],
    ]
    connections = [stack.enter_context(narrow.connected()) for _ in stalled]
    for connection, sent in zip(connections, stalled, strict=True):
        connection.sendall(sent)
    meanwhile = [narrow.ask("GET", path).status_code for path in ("/livez", "/readyz", "/v1/models")]

    answers = [read(connection) for connection in connections]

    assert meanwhile == [200, 200, 200]
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_timeout"
    assert provider.calls == 0
    assert narrow.chat().status_code == 200


def test_single_bytes_do_not_hold_a_place_for_ever(narrow: Gateway, provider: Provider, stack: ExitStack) -> None:
    head, whole = (stack.enter_context(narrow.connected()) for _ in range(2))
    whole.sendall(HEAD.replace(b"Content-Length: ", b"Content-Length: 9"))

    wait_until(lambda: all([_answered(head, b"a"), _answered(whole, b" ")]), what="an end")

    for connection in (head, whole):
        assert connection.recv(65536).startswith(b"HTTP/1.1 408")
    assert provider.calls == 0


def _answered(connection: socket.socket, byte: bytes) -> bool:
    """Whether the server has said something; one more byte is sent when not."""
    if select.select([connection], [], [], 0.005)[0]:
        return True
    connection.sendall(byte)
    return False


def test_a_slow_client_is_served_and_holds_up_nobody(narrow: Gateway, stack: ExitStack) -> None:
    slow = stack.enter_context(narrow.connected())
    slow.sendall(HEAD[:-2] + b"Connection: close\r\n\r\n")

    for n in range(0, len(SENT), 20):  # a whole body has two seconds
        slow.sendall(SENT[n : n + 20])
        assert narrow.ask("GET", "/livez").status_code == 200

    assert read(slow).startswith(b"HTTP/1.1 200 OK")


def test_a_connection_may_wait_long_for_its_next_request(narrow: Gateway, stack: ExitStack) -> None:
    """The time for a head begins with its first byte; only the first request of a connection has to begin soon."""
    idle = stack.enter_context(narrow.connected())
    idle.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert idle.recv(65536).startswith(b"HTTP/1.1 200 OK")
    stalled = stack.enter_context(narrow.connected())
    stalled.sendall(b"P")

    assert read(stalled).startswith(b"HTTP/1.1 408")
    idle.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert read(idle).startswith(b"HTTP/1.1 200 OK")


def test_over_the_limit_a_request_is_told_to_come_again(
    narrow: Gateway, provider: Provider, stack: ExitStack
) -> None:
    """`limits.waiting_requests` is 8 here; health and metrics are always told."""
    provider.behave("hang")
    for _ in range(8):
        stack.enter_context(narrow.connected()).sendall(HEAD + SENT)
    wait_until(lambda: provider.calls == 8)

    refused = narrow.chat()
    health = narrow.ask("GET", "/livez")
    stack.close()

    assert (refused.status_code, health.status_code) == (503, 200)
    assert refused.headers["retry-after"] == "1"
    assert error_of(refused)["type"] == "unavailable"
    provider.behave(None)
    assert wait_until(lambda: narrow.chat().status_code == 200)
