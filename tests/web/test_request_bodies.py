"""Bodies that say their length, read over gunicorn's own readers."""

import os
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.http import get_parser
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.unreader import IterUnreader
from hypothesis import given
from hypothesis import strategies as some

from shared.config.limits_section import Limits
from web.server import gunicorn_caches
from web.server.request_bodies import Whole
from web.server.worker import Worker

SENT = b"head\n" + bytes(range(256)) * 8 + b"the next request"
LENGTH = len(SENT) - len(b"the next request")


def body(kind: type[Body], pieces: list[int], length: int = LENGTH) -> Body:
    """Of what comes in pieces of these sizes, and all at once at last."""

    def arriving() -> Iterator[bytes]:
        rest = SENT
        for size in pieces:
            yield rest[:size]
            rest = rest[size:]
        yield rest

    return kind(LengthReader(IterUnreader(arriving()), length))


@given(
    pieces=some.lists(some.integers(1, 700), max_size=5),
    calls=some.lists(some.none() | some.integers(-1, 3000) | some.just("line"), min_size=1, max_size=5),
)
def test_it_reads_what_gunicorns_own_reads(pieces: list[int], calls: list[int | str | None]) -> None:
    ours, theirs = body(Whole, pieces), body(Body, pieces)

    for call in calls:
        found = [each.readline() if call == "line" else each.read(call) for each in (ours, theirs)]
        assert found[0] == found[1]
    assert ours.read() == theirs.read()
    assert ours.reader.unreader.read() == theirs.reader.unreader.read()


def test_the_worker_reads_a_body_that_says_its_length_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gunicorn_caches, "install", lambda _: None)  # it would stay in this process
    settings = Config()
    made = Worker(1, os.getpid(), [], None, 30, settings, None)
    made.tmp.close()
    made._limits, made._posts = Limits(), 0
    text = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\n{}"
    request = next(get_parser(settings, iter([text]), ("127.0.0.1", 1)))

    made._make_room(request, SimpleNamespace(is_spare=False, expect_rest=lambda _: None))

    assert isinstance(request.body, Whole)
    assert request.body.read() == b"{}"


def test_a_body_that_ends_early_is_short() -> None:
    ended = body(Whole, [100], length=len(SENT) + 1)

    assert (ended.read(), ended.failed) == (SENT, False)


def test_a_body_that_breaks_off_has_failed() -> None:
    def breaking() -> Iterator[bytes]:
        yield b"some"
        raise ConnectionResetError

    broken = Whole(LengthReader(IterUnreader(breaking()), 10))

    with pytest.raises(ConnectionResetError):
        broken.read()
    assert broken.failed
