"""Packed bodies: whatever a client sends as gzip or zstd, it is unpacked or refused, and never past the limit."""

import gzip
from collections.abc import Callable
from typing import Any

from backports import zstd
from hypothesis import strategies as st
from werkzeug.exceptions import RequestEntityTooLarge

from shared.errors import BadRequest
from tests.fuzz.target import outcome, target
from web.api.reading import content

LIMIT = 4096
_PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress}
_CODINGS = st.sampled_from(sorted(_PACKERS))
_TEXTS = st.binary(max_size=200) | st.builds(lambda n: b"x" * n, st.integers(0, 3 * LIMIT))


class Sent:
    """A request's connection and body at once."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.held = 0

    def read(self, size: int) -> bytes:
        """The body."""
        return self.data[:size]

    def hold(self, size: int) -> None:
        """Count what is unpacked."""
        self.held += size


def unpacked(sent: Sent, coding: str) -> bytes | Exception:
    environ: dict[str, Any] = {"CONTENT_LENGTH": str(len(sent.data)), "HTTP_CONTENT_ENCODING": coding}
    environ |= {"wsgi.input": sent, "gunicorn.socket": sent}
    try:
        return outcome(BadRequest, content.read, environ, LIMIT)
    except RequestEntityTooLarge as refused:
        return refused


@target(st.tuples(_CODINGS, _TEXTS))
def packed_body(given: tuple[str, bytes]) -> None:
    """What was packed comes out as it was, if it is within the limit."""
    coding, text = given
    sent = Sent(_PACKERS[coding](text))

    found = unpacked(sent, coding)

    if len(text) <= LIMIT:
        assert found == text
        assert sent.held == len(text)
    else:
        assert isinstance(found, RequestEntityTooLarge)


@st.composite
def _damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """Bytes that were packed once: cut, or with something else in their midst."""
    coding = draw(_CODINGS)
    data = _PACKERS[coding](draw(_TEXTS))
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 4)) | st.just(len(data)))
    return coding, data[:start] + draw(st.binary(max_size=4)) + data[end:]


@target(st.tuples(_CODINGS, st.binary(max_size=500)) | _damaged())
def damaged_body(given: tuple[str, bytes]) -> None:
    """Whatever else is sent is refused, or has what the limit allows."""
    coding, data = given
    sent = Sent(data)

    found = unpacked(sent, coding)

    assert isinstance(found, Exception) or len(found) <= LIMIT
    assert sent.held <= LIMIT
