"""Passes event streams on, line by line, in whatever pieces they arrive."""

import errno
import logging
import time
from collections.abc import Iterator

from shared.errors import UpstreamFailed
from web.dialects.dialect import AnswerReader
from web.dialects.error_table import info_of
from web.proxy.providers.answer import Answer

log = logging.getLogger("plano.web")


PING_S = 15.0
"""After so long without a byte for it a client is sent a sign of life, if its reader has one."""


def events(answer: Answer, reader: AnswerReader, *, ping_s: float = PING_S) -> Iterator[bytes]:
    """The stream, line by line as it arrives; when it breaks off, the last event is an error."""
    lines = Lines()
    sent_at = time.monotonic()
    try:
        for chunk in answer.chunks() if reader.silence is None else answer.heard(ping_s):
            complete = b"" if chunk is None else b"".join(map(reader.line, lines.feed(chunk)))
            if not complete and reader.silence and (chunk is None or time.monotonic() - sent_at >= ping_s):
                complete = reader.silence  # the provider may have sent what says nothing to this client
            if complete:
                sent_at = time.monotonic()
                yield complete
        rest = lines.rest()
        if rest:
            yield reader.line(rest)
        last = reader.end()
        if last:
            yield last
    except UpstreamFailed as error:
        # A line that broke off is left out: it would corrupt the event that follows.
        yield reader.broken(info_of(error))


def pieces(answer: Answer) -> Iterator[bytes]:
    """Any other body as it arrives; when it breaks off, so does the client's connection: nothing else can be said."""
    try:
        yield from answer.chunks()
    except UpstreamFailed as error:
        log.warning("an answer was cut off: %s", error)
        raise ConnectionResetError(errno.ECONNRESET, str(error)) from error  # gunicorn then hangs up without a word


class Lines:
    """Cuts a stream into lines, in whatever pieces it arrives."""

    LONGEST = 4 * 1024 * 1024
    """A longer line is passed on in pieces, unread, so that no provider can fill the memory."""

    def __init__(self) -> None:
        self._tail: list[bytes] = []  # joined once, when its end has come: a line may come in very many pieces
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete, each with its end."""
        if self._tail and not self._may_end(data):
            self._keep(data)
            return []
        lines = (self.rest() + data).splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n") and len(lines[-1]) < self.LONGEST:
            self._keep(lines.pop())
        return lines

    def rest(self) -> bytes:
        """What came after the last line end."""
        rest = b"".join(self._tail)
        self._tail, self._size = [], 0
        return rest

    def _may_end(self, data: bytes) -> bool:
        """Whether there is a line to hand out: one that ends in these bytes, has ended in a CR, or is too long."""
        ended = b"\n" in data or b"\r" in data or self._tail[-1].endswith(b"\r")
        return ended or self._size + len(data) >= self.LONGEST

    def _keep(self, piece: bytes) -> None:
        self._tail.append(piece)
        self._size += len(piece)
