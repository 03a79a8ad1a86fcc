"""What a provider sends is bounded: the head in size and time, the body in what is gathered of it."""

import datetime as dt
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any

import gevent
import pytest

from shared.errors import UpstreamTimeout, UpstreamUnreachable
from tests.fakes.provider import Provider
from tests.fakes.scripted import Script, scripted
from tests.turns import turns_of_others
from tests.web.gateway import REVIEW, Gateway
from web.dialects import chat
from web.proxy.providers import retry_after
from web.proxy.providers.answer import BLOCK, HEAD_BYTES, Answer
from web.proxy.providers.upstream import Upstream
from web.proxy.response import MOST_OF_AN_ERROR, MOST_REWRITTEN, response
from web.proxy.wsgi_response import WsgiResponse

BODY = b'{"model":"gpt-5.2","messages":[{"role":"user","content":"quick facts"}]}'
LINE = b"x-filler: " + b"x" * 1000 + b"\r\n"
MEGABYTE = 1024 * 1024


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """What sends requests to providers."""
    made = Upstream(5)
    yield made
    made.close()


def post(upstream: Upstream, url: str, within_s: float = 10) -> Answer:
    with gevent.Timeout(30):
        return upstream.post(url, [], [BODY], provider="openai", within_s=within_s)


def says(*pieces: bytes) -> Script:
    """A provider that sends this, whatever it is asked."""

    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        for piece in pieces:
            connection.sendall(piece)
        connection.recv(65536)  # until the client has read it

    return script


def test_a_head_that_drips_has_one_limit_for_all_of_it(upstream: Upstream) -> None:
    """Each byte began the limit anew, so that a request could be held for as long as the provider liked."""

    def drips(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    with scripted(drips) as server:
        began = time.monotonic()
        with pytest.raises(UpstreamTimeout):
            post(upstream, server.url, within_s=0.5)

        assert time.monotonic() - began < 10


def test_a_body_that_drips_before_it_can_be_passed_on_is_within_the_same_limit(upstream: Upstream) -> None:
    def drips(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.05)

    with scripted(drips) as server, gevent.Timeout(20):
        answer = post(upstream, server.url, within_s=0.5)
        with pytest.raises(UpstreamTimeout):
            made(answer)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\n", LINE * 200, b"Content-Length: 0\r\n\r\n"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 8000, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nx: ", b"x" * 200_000, b"\r\nContent-Length: 0\r\n\r\n"),
    ],
    ids=["many lines", "interim answers", "a long line"],
)
def test_a_head_of_more_than_64_kilobytes_is_no_answer(upstream: Upstream, pieces: tuple[bytes, ...]) -> None:
    with scripted(says(*pieces)) as server, pytest.raises(UpstreamUnreachable):
        post(upstream, server.url)


def test_a_head_that_comes_in_small_pieces_is_bounded_as_a_whole(upstream: Upstream) -> None:
    """Each piece is far below the limit."""

    def dribbles(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(2 * HEAD_BYTES // len(LINE)):
            connection.sendall(LINE)
            time.sleep(0.005)
        connection.sendall(b"Content-Length: 0\r\n\r\n")
        connection.recv(65536)

    with scripted(dribbles) as server, pytest.raises(UpstreamUnreachable):
        post(upstream, server.url)


def test_a_head_just_below_the_limit_is_an_answer(upstream: Upstream) -> None:
    lines = LINE * (HEAD_BYTES // len(LINE) - 1)

    with scripted(says(b"HTTP/1.1 200 OK\r\n", lines, b"Content-Length: 2\r\n\r\nok")) as server:
        answer = post(upstream, server.url)

        assert answer.whole(10) == b"ok"
        assert len(answer.headers) == HEAD_BYTES // len(LINE)


def test_what_follows_a_body_is_bounded_too(upstream: Upstream) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"

    with scripted(says(head, *[LINE] * 2000)) as server:
        answer = post(upstream, server.url)
        with pytest.raises(UpstreamUnreachable):
            answer.whole(10)


@pytest.mark.parametrize(("status", "most"), [(b"200 OK", MOST_REWRITTEN), (b"500 Oh", MOST_OF_AN_ERROR)])
@pytest.mark.parametrize("framing", [b"Content-Length: %d" % (1 << 30), b"Transfer-Encoding: chunked"])
def test_what_is_too_long_to_be_gathered_is_passed_on_as_it_comes(
    upstream: Upstream, status: bytes, most: int, framing: bytes
) -> None:
    """500 MB took a gigabyte, and the process did nothing else for 1.6 s."""
    more = threading.Event()

    def long(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n%s\r\n\r\n" % (status, framing))
        chunk = b"%x\r\n%s\r\n" % (MEGABYTE, b" " * MEGABYTE) if b"chunked" in framing else b" " * MEGABYTE
        for _ in range(most // MEGABYTE + 1):
            connection.sendall(chunk)
        more.wait(20)
        connection.sendall(b"8\r\n the end\r\n0\r\n\r\n" if b"chunked" in framing else b" the end")

    with scripted(long) as server, gevent.Timeout(30):
        passed = made(post(upstream, server.url, within_s=20))
        pieces = iter(passed)
        first = next(pieces)
        more.set()
        received = len(first)
        while received < most + MEGABYTE:
            received += len(next(pieces))

        assert "content-length" not in passed.headers
        passed.close()


class Prompt:
    """In place of a parser: a provider whose body is always there already, so that nobody ever waits for it."""

    message_complete = False
    status_code = 200

    def __init__(self, blocks: int) -> None:
        self._left = blocks

    def items(self) -> list[tuple[str, str]]:
        return []

    def limit_silence(self, _: float) -> None:
        pass

    def abandon(self) -> None:
        pass

    def some(self) -> bytes:
        self._left -= 1
        return b"x" * BLOCK if self._left >= 0 else b""


def test_others_get_their_turn_after_each_block_however_fast_a_body_comes() -> None:
    """500 MB blocked the process for 1.6 s."""
    blocks = 100
    parser: Any = Prompt(blocks)
    answer = Answer(parser, "openai", silence_s=5, until=time.monotonic() + 5)

    with turns_of_others() as turns:
        received = sum(map(len, answer.chunks()))
        seen = turns()

    assert received == blocks * BLOCK
    assert seen >= blocks - 1


def test_a_json_answer_of_forty_megabytes_arrives_as_it_was_sent(
    web: Gateway, provider: Provider, session: str
) -> None:
    """It is too long to be rewritten; its headers say which model it was."""
    web.chat(REVIEW, session)
    said = b'{"model":"gpt-5.2","x":"' + b"x" * (40 * MEGABYTE) + b'"}'
    provider.behave("status", code=200, body=said)

    answer = web.chat(REVIEW, session)

    assert answer.status_code == 200
    assert answer.content == said
    assert answer.headers["x-plano-model"] == "openai/gpt-5.2"


def test_headers_that_speak_for_the_providers_site_or_to_proxies_are_dropped(
    web: Gateway, provider: Provider
) -> None:
    dropped = {
        "Set-Cookie": "a=1",
        "Clear-Site-Data": '"*"',
        "Alt-Svc": 'h3=":443"',
        "Strict-Transport-Security": "max-age=1",
        "X-Accel-Redirect": "/etc/passwd",
        "X-Accel-Expires": "1",
        "Connection": "keep-alive, X-Hop",
        "X-Hop": "one",
    }
    provider.behave("status", code=200, body=b"{}", headers={**dropped, "X-Theirs": "kept"})

    headers = web.chat().headers

    assert headers["x-theirs"] == "kept"
    assert [name for name in dropped if name != "Connection" and name in headers] == []


def test_what_any_of_several_connection_headers_names_is_dropped(upstream: Upstream) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nX-Hop: one\r\nConnection: x-hop\r\nX-Theirs: kept\r\n"

    with scripted(says(head + b"Content-Length: 2\r\n\r\n{}")) as server:
        headers = made(post(upstream, server.url)).headers

    assert headers["x-theirs"] == "kept"
    assert "x-hop" not in headers


HOUR_S = 3600


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 7", 7),
        ("Retry-After: 999999999999", retry_after.LONGEST_S),
        ("Retry-After-Ms: 1500", 2),
        ("Retry-After-Ms: 1500\r\nRetry-After: 7", 2),
        ("Retry-After-Ms: soon\r\nRetry-After: 7", 7),
        ("Retry-After: IN AN HOUR", HOUR_S),
        ("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", 0),
        *((f"Retry-After: {odd}", None) for odd in ("", "soon", "-1", "1.5", "1e3", "7 s", "9" * 5000)),
        ("Retry-After: Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
        ("Retry-After: 99999999999999999999999999999999999 Oct", None),
        ("Retry-After: 21 Oct 99999999999999999999 07:28:00 GMT", None),
        ("X-Nothing: 1", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_milliseconds(
    upstream: Upstream, header: str, seconds: int | None
) -> None:
    soon = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=HOUR_S), usegmt=True)
    header = header.replace("IN AN HOUR", soon)
    head = f"HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n{header}\r\n\r\n".encode()

    with scripted(says(head)) as server:
        found = retry_after.seconds(post(upstream, server.url))

    assert found == (seconds if seconds != HOUR_S else pytest.approx(HOUR_S, abs=120))


@pytest.mark.parametrize("said", ["9" * 5000, "٣", "Wed, 21 Oct 2015 99:99:99 GMT"])
def test_an_odd_retry_after_is_the_providers_answer_all_the_same(web: Gateway, provider: Provider, said: str) -> None:
    provider.behave("status", code=429, headers={"Retry-After": said.encode().decode("latin-1")})

    assert web.chat().status_code == 429


def made(answer: Answer) -> WsgiResponse:
    """What a client would get."""
    return response(answer, chat.reader("openai/gpt-5.2", pinned=True), [])


def test_a_location_that_is_no_address_is_passed_on_as_it_is(upstream: Upstream) -> None:
    """werkzeug would read it, and the client's answer was a 500."""
    head = b"HTTP/1.1 429 Slow\r\nLocation: http://Content-Type: x\r\nContent-Length: 2\r\n\r\n{}"

    with scripted(says(head)) as server:
        made = response(post(upstream, server.url), chat.reader(None, pinned=False), [])

    assert made.headers["location"] == "http://Content-Type: x"
    assert made.headers["content-length"] == "2"


def test_an_answer_without_a_body_names_no_length(upstream: Upstream) -> None:
    with scripted(says(b"HTTP/1.1 204 Nothing\r\n\r\n")) as server:
        made = response(post(upstream, server.url), chat.reader(None, pinned=False), [])

    assert made.status_code == HTTPStatus.NO_CONTENT
    assert "content-length" not in made.headers
