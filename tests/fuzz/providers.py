"""What a provider answers: any bytes on a connection, in whatever pieces they come."""

import socket
import threading

import gevent
from hypothesis import strategies as st

from shared.errors import UpstreamFailed
from tests.fakes.scripted import scripted
from tests.fuzz.target import outcome, target
from tests.fuzz.texts import OBJECTS, ODD_TEXT, damaged, pieces
from web.dialects import chat
from web.proxy.providers import retry_after
from web.proxy.providers.upstream import Upstream
from web.proxy.response import response

NAMES = ["Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Retry-After", "Retry-After-Ms", "X"]
VALUES = st.one_of(
    st.sampled_from(["application/json", "text/event-stream", "chunked", "close", "keep-alive, X", "gzip"]),
    st.sampled_from(["0", "-1", "2", "40", "9" * 30]),
    st.sampled_from(["Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 99999 99:99:99 +9999"]),
    ODD_TEXT,
)
STATUSES = st.sampled_from(["100 Go on", "103 Early", "200 OK", "204 No", "301 Go", "429 Too", "500 Oh", "999", "2"])
LINES = st.lists(st.builds("{}: {}\r\n".format, st.sampled_from(NAMES), VALUES), max_size=5).map("".join)
CHUNKED = OBJECTS.map(lambda text: f"{len(text):x}\r\n{text}\r\n0\r\n\r\n")
BODIES = OBJECTS | OBJECTS.map("data: {}\n\n".format) | CHUNKED
ANSWERS = st.builds("HTTP/1.1 {}\r\n{}\r\n{}".format, STATUSES, LINES, BODIES)
TWICE = st.builds("{}{}".format, ANSWERS, ANSWERS)


@target(pieces(damaged(ANSWERS | TWICE)))
def provider_answers(chunks: list[bytes]) -> None:
    """Whatever a provider sends is an answer or a failure of the provider, and never waits without an end."""
    done = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        for chunk in chunks:
            connection.sendall(chunk)
        connection.shutdown(socket.SHUT_WR)
        done.wait(10)

    upstream = Upstream(5)
    with scripted(script) as server, gevent.Timeout(10):
        said = outcome(UpstreamFailed, _passed_on, upstream, server.url)
        done.set()
    upstream.close()

    assert said is not None


def _passed_on(upstream: Upstream, url: str) -> int:
    """How much of the answer a client would get."""
    answer = upstream.post(url, [], [b"{}"], provider="openai", within_s=5)
    assert 0 <= (retry_after.seconds(answer) or 0) <= retry_after.LONGEST_S
    made = response(answer, chat.reader("openai/gpt-5.2", pinned=True), [])
    try:
        return sum(map(len, made))
    finally:
        made.close()
