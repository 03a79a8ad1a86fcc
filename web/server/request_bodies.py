"""Bodies of requests: those that say their length, and those that come in chunks."""

from collections.abc import Callable, Iterator
from typing import cast

from gunicorn.http.body import Body
from gunicorn.http.errors import ParseException

_TOGETHER = 32  # to read a chunk takes some 20 µs, however small it is
_MANY = 100_000
_SMALL = 64


class TinyChunks(ParseException):  # type: ignore[misc]
    """A body comes in very many chunks of a few bytes."""


class Whole(Body):  # type: ignore[misc]
    """A body that says its length, without the copy that gunicorn makes of all it has read: 0.1 ms of a megabyte."""

    def read(self, size: int | None = None) -> bytes:
        """The next `size` bytes, or what is left; less when the client has gone."""
        if self.buf.tell():  # a line was read, and what came with it stands there
            return cast(bytes, super().read(size))
        self.failed = True  # unless the reader returns: then nobody knows where the next request begins
        data: bytes = self.reader.read(self.getsize(size))
        self.failed = False
        return data


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
