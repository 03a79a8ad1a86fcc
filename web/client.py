"""How long a client may take to send a request."""

import socket
import time
from typing import Any

import gevent
import gevent.socket
from gunicorn.http.errors import ParseException

_BLOCK = 65536  # gunicorn asks for 8 KiB at a time and takes more: a long conversation comes in few pieces
_LINGER_S = 2.0
_SLOWEST = 1024  # bytes a second, on average, once a body's first time-out has passed


class TooSlow(ParseException):  # type: ignore[misc]
    """A request that has begun did not arrive in time."""


class Client(gevent.socket.socket):
    """A client's connection; reading from it raises TooSlow when a request that has begun stalls.

    A head has `head_s` from its first byte on. A body may pause for `body_s`; and in all it has as long, and a second
    more for each KiB that came, so that single bytes do not hold a place for ever.
    """

    def __init__(self, accepted: gevent.socket.socket, head_s: float, body_s: float) -> None:
        """Takes the accepted connection over."""
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self._head_s = head_s
        self._body_s = body_s
        self.expect_head()

    def expect_head(self) -> None:
        """Wait for a request, which may take any time to begin."""
        self._end: float | None = None
        self._in_body = False

    def expect_body(self) -> None:
        """The head is there; what follows is its body."""
        self._end = time.monotonic() + self._body_s
        self._in_body = True

    def recv(self, size: int, flags: int = 0) -> bytes:
        """The next bytes."""
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

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of it. gevent's own way first asks how large the buffer is: a system call for every answer."""
        sent = self.send(data, flags)
        if sent < len(data):
            super().sendall(memoryview(data)[sent:], flags)

    def linger(self) -> None:
        """Let a client that is still sending read its answer: closing at once would reset the connection."""
        self.shutdown(socket.SHUT_WR)
        with gevent.Timeout(_LINGER_S, False):  # type: ignore[arg-type]  # ends silently
            while super().recv(65536):
                pass
