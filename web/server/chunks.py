"""The chunks of a body that does not say its length."""

from collections.abc import Callable, Iterator

from gunicorn.http.errors import ParseException

_TOGETHER = 32  # to read a chunk takes some 20 µs, however small it is
_MANY = 100_000
_SMALL = 64


class TinyChunks(ParseException):  # type: ignore[misc]
    """A body comes in very many chunks of a few bytes."""


def in_turns(chunks: Iterator[bytes], take_turn: Callable[[], None]) -> Iterator[bytes]:
    """The chunks; others have their turn after every few of them. Raises TinyChunks."""
    size = 0
    for n, chunk in enumerate(chunks, 1):
        size += len(chunk)
        if not n % _TOGETHER:
            take_turn()
        if n > _MANY and size < n * _SMALL:
            raise TinyChunks
        yield chunk
