"""A client's connection: how long a request may take to arrive, and how its answer goes out."""

import contextlib
import errno
import fcntl
import socket
import struct
import termios
import time
from typing import Any

import gevent
import gevent.socket
from gunicorn.http.errors import InvalidHeader, ParseException

from shared.config.limits_section import Limits
from web.server.fair_turns import Turns
from web.server.held_bytes import BufferedBytes, Full

DRAINED_BYTES = 65536
"""So much of a body that is refused is read, so that its client can read the answer."""
DRAIN_S = 1.0
_SMALL = 16384  # a request of this size, such as a probe, is read however much the process holds
_BLOCK = 65536  # gunicorn asks for 8 KiB of a head and accepts more: most bodies then come with it, in one call
_SLOWEST = 1024  # bytes a second: each KiB of a body that has arrived gives the body one second more
_RESET = struct.pack("ii", 1, 0)


class TooSlow(ParseException):  # type: ignore[misc]
    """A request that has begun did not arrive in time."""


class Client(gevent.socket.socket):
    """A client's connection; reading from it raises TooSlow when a request that has begun stalls.

    A connection ends when its first request has not begun within `head_timeout_s`. A head has to arrive within
    `head_timeout_s` of its first byte. A body has `body_timeout_s`, and each KiB that arrives gives back one second
    of what is gone: otherwise a client that sends single bytes could stay for ever.
    """

    def __init__(self, accepted: gevent.socket.socket, limits: Limits, buffered: BufferedBytes) -> None:
        """Take over the accepted connection, whose old object is unusable from then on."""
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self._limits = limits
        self._buffered = buffered
        self._held = 0
        self._head = b""
        self._answer_head: bytes | None = None
        self.turns = Turns()
        self.is_spare = False
        """Whether it is one of the last, which are kept for probes."""
        self.is_ending = False
        """Whether it ends with the request that it has, or at once when it has none."""
        self.asked_at = self.answered_at = 0.0
        """When the head of the request was there, and when its answer began, or 0; by the monotonic clock."""
        self.expect_head()

    def expect_head(self) -> None:
        """The next bytes are the head of a request; only the first one has to begin soon."""
        self._end: float | None = None
        self._in_body = False
        self.release()
        if not self.asked_at:
            self.settimeout(self._limits.head_timeout_s)

    def expect_body(self) -> None:
        """The head has arrived; the next bytes are the body."""
        self._end = time.monotonic() + self._limits.body_timeout_s
        self._in_body = True

    def recv(self, size: int, flags: int = 0) -> bytes:
        """The next bytes; raises TooSlow, or Full when the process holds too many."""
        if flags:
            return super().recv(size, flags)
        data = self._recv_first(size) if self._end is None else self._recv_more(size)
        self._held += len(data)
        if self._buffered.add(len(data)) and self._held > _SMALL:
            raise Full
        if not self._in_body:
            if self._end is None:
                self._end = time.monotonic() + self._limits.head_timeout_s
            self.check_lines(data)
        return data

    def check_lines(self, data: bytes) -> None:
        """Raises InvalidHeader when a line of a head ends with LF alone, which gunicorn_h1c 0.6 takes for an end."""
        data = self._head + data if self._head else data
        end = data.find(b"\r\n\r\n")
        seen = end if end >= 0 else len(data)
        if data.count(b"\n", 0, seen) != data.count(b"\r\n", 0, seen):
            raise InvalidHeader("bare LF as line terminator")
        self._head = b"" if end >= 0 else data

    def expect_rest(self, length: int) -> None:
        """Raises Full when there is no room for a body of this length; what came with its head is counted already."""
        self._buffered.expect(length - self._held)

    def hold(self, size: int) -> None:
        """Count bytes that were unpacked of what has arrived; raises Full when the process holds too many.

        This request's are then counted no longer, so that the others find room at once, and not all of them fail.
        """
        self._held += size
        if self._buffered.add(size):
            self.release()
            raise Full

    def release(self) -> None:
        """Count what has arrived as no longer held."""
        self._buffered.release(self._held)
        self._held = 0

    def begin_answer(self) -> None:
        """Hold the answer's head back for the first piece of its body.

        gunicorn writes them one after the other, which is one system call and one segment more for every request.
        """
        self._answer_head = b""
        self.asked_at, self.answered_at = time.monotonic(), 0.0

    def end_answer(self) -> None:
        """Send a head that no body followed."""
        head, self._answer_head = self._answer_head, None
        if head:
            self.sendall(head)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of the data, after a head that was held back.

        Raises BrokenPipeError when the client takes no byte for `send_timeout_s`; the connection is then reset.
        gevent's own sendall first asks how large the send buffer is, which is one system call more.
        """
        if self._answer_head is None:
            self.turns.take()
        elif not self._answer_head:
            self._answer_head = data
            return
        else:
            data, self._answer_head = self._answer_head + data, None
            self.answered_at = time.monotonic()
        try:
            sent = self.send(data, flags, 0.0)  # type: ignore[call-arg]  # types-gevent lacks the time limit
        except BlockingIOError:
            if self.timeout == 0.0:
                raise
            sent = 0
        if sent < len(data):
            self._send_slowly(memoryview(data)[sent:], flags)

    def end(self) -> None:
        """Take no further request; one that has just arrived is served."""
        self.is_ending = True
        with contextlib.suppress(OSError):  # the client has gone
            self.shutdown(socket.SHUT_RD)

    def linger(self, *, until: float | None = None, read: int = DRAINED_BYTES) -> None:
        """Wait for a client that is still sending, so that it can read its answer; then it is told to stop.

        To close the connection at once would reset it, and the client would lose the answer.
        """
        self.release()
        self.shutdown(socket.SHUT_WR)
        left_s = DRAIN_S if until is None else until - time.monotonic()
        with gevent.Timeout(max(left_s, 0.0), False):  # type: ignore[arg-type]  # ends silently
            while read > 0:
                data = super().recv(read)
                if not data:
                    return
                read -= len(data)
            gevent.sleep(DRAIN_S)

    def _recv_first(self, size: int) -> bytes:
        """The first bytes of a request; none when a new connection remains silent."""
        try:
            data = self._recv(max(size, _BLOCK))
        except TimeoutError:
            return b""
        if self.timeout is not None:
            self.settimeout(None)
        return data

    def _recv_more(self, size: int) -> bytes:
        """The next bytes of a request that has begun."""
        self.turns.take()
        assert self._end is not None  # noqa: S101 - a request has begun
        left = self._end - time.monotonic()
        if left <= 0:
            raise TooSlow
        self.settimeout(left)
        try:
            data = self._recv(size)
        except TimeoutError:
            raise TooSlow from None
        finally:
            self.settimeout(None)
        if self._in_body:
            self._end = min(self._end + len(data) / _SLOWEST, time.monotonic() + self._limits.body_timeout_s)
        return data

    def _recv(self, size: int) -> bytes:
        try:
            return super().recv(size)
        except OSError:
            if not self.is_ending:
                raise
            return super().recv(size)  # `end` has woken whoever waits; what has arrived until then counts

    def _send_slowly(self, data: memoryview, flags: int) -> None:
        """Send data for which there was no room."""
        self.settimeout(self._limits.send_timeout_s)
        try:
            while data:
                waiting = self._waiting()
                try:
                    data = data[self.send(data, flags) :]
                except TimeoutError:
                    if self._waiting() < waiting:
                        continue
                    self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    raise BrokenPipeError(errno.EPIPE, "the client takes no byte of its answer") from None
        finally:
            self.settimeout(None)

    def _waiting(self) -> int:
        """How many bytes were sent that the client has not taken."""
        return int(struct.unpack("i", fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0])
