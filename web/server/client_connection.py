"""A client's connection: how long a request may take to arrive, and how its answer goes out."""

import socket
import time
from typing import Any

import gevent
import gevent.socket
from gunicorn.http.errors import ParseException

_BLOCK = 65536  # gunicorn asks for 8 KiB at a time and accepts more: a long body then takes fewer calls
_LINGER_S = 2.0
_SLOWEST = 1024  # bytes a second: each KiB of a body that has arrived gives the body one second more


class TooSlow(ParseException):  # type: ignore[misc]
    """A request that has begun did not arrive in time."""


class Client(gevent.socket.socket):
    """A client's connection; reading from it raises TooSlow when a request that has begun stalls.

    A head has to arrive within `head_s` seconds of its first byte. A body may pause for `body_s` seconds at most. The
    whole body has `body_s` seconds, and one second more for each KiB that has arrived: otherwise a client that sends
    single bytes could stay for ever.
    """

    def __init__(self, accepted: gevent.socket.socket, head_s: float, body_s: float) -> None:
        """Take over the accepted connection, whose old object is unusable from then on."""
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self._head_s = head_s
        self._body_s = body_s
        self._answer_head: bytes | None = None
        self.asked_at = self.answered_at = 0.0
        """When the head of the request was there, and when its answer began, or 0; by the monotonic clock."""
        self.expect_head()

    def expect_head(self) -> None:
        """The next bytes are the head of a request, which may begin at any time."""
        self._end: float | None = None
        self._in_body = False

    def expect_body(self) -> None:
        """The head has arrived; the next bytes are the body."""
        self._end = time.monotonic() + self._body_s
        self._in_body = True

    def recv(self, size: int, flags: int = 0) -> bytes:
        """The next bytes; raises TooSlow."""
        if flags:
            return super().recv(size, flags)
        if self._end is not None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TooSlow
            self.settimeout(min(left, self._body_s) if self._in_body else left)
        try:
            data = super().recv(max(size, _BLOCK))
        except TimeoutError:
            raise TooSlow from None
        finally:
            if self._end is not None:
                self.settimeout(None)
        if self._in_body and self._end is not None:
            self._end += len(data) / _SLOWEST
        elif self._end is None:
            self._end = time.monotonic() + self._head_s
        return data

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

        gevent's own sendall first asks how large the send buffer is, which is one system call more.
        """
        if self._answer_head is not None:
            if not self._answer_head:
                self._answer_head = data
                return
            data, self._answer_head = self._answer_head + data, None
            self.answered_at = time.monotonic()
        sent = self.send(data, flags)
        if sent < len(data):
            super().sendall(memoryview(data)[sent:], flags)

    def linger(self) -> None:
        """Wait for a client that is still sending, so that it can read its answer.

        To close the connection at once would reset it, and the client would lose the answer.
        """
        self.shutdown(socket.SHUT_WR)
        with gevent.Timeout(_LINGER_S, False):  # type: ignore[arg-type]  # ends silently
            while super().recv(65536):
                pass
