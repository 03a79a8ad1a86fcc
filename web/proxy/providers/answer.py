"""A provider's answer: a head within limits, and a body that is read as it arrives."""

import time
from collections import deque
from collections.abc import Callable, Iterator

import gevent
import gevent.socket
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError, HTTPSocketPoolResponse

from shared.errors import UpstreamTimeout, UpstreamUnreachable

BLOCK = 65536
"""How much is read at once."""
HEAD_BYTES = 65536
"""How much may come without a byte of the body in it: a head and those of interim answers, or what follows a body."""


class Parser(HTTPSocketPoolResponse):
    """A response whose head is bounded, and whose body can be read as it comes."""

    _overhead = 0
    """How much has come since the last byte of the body."""

    def feed(self, data: str | bytes) -> None:
        """Parse what came; raises HTTPParseError when it is too much that is no body."""
        super().feed(data)
        if self._body_buffer or (self.message_complete and not self._interim()):
            self._overhead = 0
            return
        self._overhead += len(data)
        self.block_size = HEAD_BYTES - self._overhead  # of the next piece of the head
        if self.block_size <= 0:
            raise HTTPParseError(f"more than {HEAD_BYTES} bytes without a body")

    def some(self) -> bytes:
        """The next bytes of the body, as soon as there are any; empty at its end."""
        while not self._body_buffer and not self.message_complete:
            sock = self._sock
            if sock is None:
                raise HTTPConnectionClosed("connection closed.")
            data = sock.recv(BLOCK)
            self.feed(data)
            if not data and not self.message_complete:
                raise HTTPConnectionClosed("connection closed in mid-answer")
        some = bytes(self._body_buffer)
        del self._body_buffer[:]
        return some

    def should_close(self) -> bool:
        """Whether the connection is unusable after this answer. An interim answer (1xx) is not the end of it."""
        return self._interim() or bool(super().should_close())

    def _on_message_complete(self) -> None:
        """Release the connection, unless the answer is an interim one (1xx).

        If it were released then, another request would get the answer that follows.
        """
        if self._interim():
            self.message_complete = True
        else:
            super()._on_message_complete()

    def _interim(self) -> bool:
        return bool(self.get_code() < 200)  # noqa: PLR2004 - what HTTP calls informational

    def limit_silence(self, silence_s: float) -> None:
        """Set how long the provider may be silent from now on."""
        if self._sock is not None:
            self._sock.settimeout(silence_s)

    def abandon(self) -> None:
        """Give the connection up, unless the answer has been read to its end."""
        self.release()


class Answer:
    """A provider's answer, whose head has arrived and whose body may still be on its way."""

    def __init__(self, parser: Parser, provider: str, *, silence_s: float, until: float) -> None:
        """`until`, by the monotonic clock, is when `begin` and `whole` must have come to their end."""
        self._parser = parser
        self._provider = provider
        self._silence_s = silence_s
        self._until = until
        self._held: deque[bytes] = deque()  # what has been read ahead; the last is empty at the body's end
        self._passed = 0
        self.status: int = parser.status_code
        self.headers: list[tuple[str, str]] = [(name.lower(), value) for name, value in parser.items()]
        self._first = dict(reversed(self.headers))
        self.first_byte_at: float | None = None
        """When the body began to arrive, by the monotonic clock."""
        self.ended = False
        """Whether the body has been read or was given up."""
        self.on_end: Callable[[], None] | None = None
        """Called once, when the body has been read or is given up."""

    @property
    def ok(self) -> bool:
        """Whether the request was served: the answer is no error and no redirection."""
        return 200 <= self.status < 300  # noqa: PLR2004 - what HTTP calls success

    def header(self, name: str) -> str:
        """The first value of a header, whose name is in small letters; empty when there is none."""
        return self._first.get(name, "")

    def begin(self) -> None:
        """Wait for the first bytes of the body, which `chunks` then yields; raises as `chunks` does."""
        if not self._held:
            self._ahead(0)

    def whole(self, most: int) -> bytes | None:
        """The whole body; None when it has more bytes than that, and then `chunks` yields it. Raises as `chunks`."""
        if self._parser.message_complete and not self._held:  # all of it came with its head, in one block
            self.first_byte_at = time.monotonic()
            body = self._some()
            self.close()
            return body
        promised = self.header("content-length")
        if promised.isdecimal() and int(promised) > most:
            return None
        if not self._ahead(most):
            return None
        self.close()
        return b"".join(self._held)

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives; raises UpstreamUnreachable or UpstreamTimeout when it breaks off."""
        self.begin()
        self._parser.limit_silence(self._silence_s)
        while some := self._held.popleft() if self._held else self._some():
            yield some
        self.close()

    def heard(self, every_s: float) -> Iterator[bytes | None]:
        """As `chunks`, with None whenever the provider has been silent for so long."""
        self.begin()
        self._parser.limit_silence(min(every_s, self._silence_s))
        heard_at = time.monotonic()
        some: bytes | None = None
        while some != b"":
            try:
                some = self._held.popleft() if self._held else self._some()
                heard_at = time.monotonic()
            except UpstreamTimeout:
                if time.monotonic() - heard_at + every_s / 2 >= self._silence_s:
                    raise
                some = None
            if some != b"":
                yield some
        self.close()

    def close(self) -> None:
        """End the exchange: the connection is closed, unless the answer was read to its end."""
        self._parser.abandon()
        self.ended = True
        ended, self.on_end = self.on_end, None
        if ended:
            ended()

    def _ahead(self, most: int) -> bool:
        """Read until more than so many bytes are held, or the body has ended; return whether it has."""
        if self._parser.message_complete:  # nothing is left to wait for
            return self._hold(most)
        late = UpstreamTimeout(f"{self._provider} did not answer in time")
        with gevent.Timeout(max(self._until - time.monotonic(), 0), late):
            return self._hold(most)

    def _hold(self, most: int) -> bool:
        held = self._held
        size = sum(map(len, held))
        while (not held or held[-1]) and size <= most:
            held.append(self._some())
            size += len(held[-1])
            self.first_byte_at = self.first_byte_at or time.monotonic()
        return not held[-1]

    def _some(self) -> bytes:
        """The next bytes; after each block the others in this process get their turn, however fast they come."""
        if self._passed >= BLOCK:
            self._passed = 0
            gevent.sleep(0)
        try:
            some = self._parser.some()
        except gevent.socket.timeout as error:
            raise UpstreamTimeout(f"{self._provider} fell silent in mid-answer") from error
        except (OSError, HTTPParseError) as error:
            raise UpstreamUnreachable(f"{self._provider} broke off in mid-answer") from error
        self._passed += len(some)
        return some
