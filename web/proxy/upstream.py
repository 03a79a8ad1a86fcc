"""Sends requests to providers over pooled connections, and reads the answers as they arrive.

The pool and the response parser in C are geventhttpclient's. Its request builder is not used, since the head of a
request is a few lines of text.
"""

import select
import socket
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import gevent
import gevent.socket
from gevent import monkey
from geventhttpclient.connectionpool import ConnectionPool, SSLConnectionPool
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError

from shared.errors import UpstreamTimeout, UpstreamUnreachable
from web.proxy.answer import BLOCK, Answer, Parser

CONNECT_TIMEOUT_S = 5.0
_POOL_SIZE = 4096  # the most at once; a connection is made when one is needed
TEND_EVERY_S = 5.0
"""How often idle connections are checked for those that providers have closed. A check is a round."""
ROUNDS_KEPT = 12
"""After so many rounds, which take a minute, idle connections are closed that nobody needed in any of them."""

_poll = monkey.get_original("select", "poll")


class _Connection(gevent.socket.socket):
    """A socket that remembers whether it has served a request.

    gevent's plain socket has slots and takes no further attribute; its TLS socket does, and needs no class of ours.
    """

    has_served = False


class _Idle:
    """What our pools add to geventhttpclient's: they mark used connections, and close idle ones.

    geventhttpclient takes the idle connection that was used last, and checks no other. The oldest ones would be kept
    for ever, even when the provider has closed them. Its check uses select(), which fails for a file descriptor above
    1023.
    """

    _socket_queue: Any
    _spare = 0
    """How many idle connections, counted from the oldest, nobody has needed since the last `last_round`."""

    def tend(self, *, last_round: bool) -> None:
        """Close the idle connections that are dead, and in the last round also those that nobody has needed."""
        idle = [self._socket_queue.get_nowait() for _ in range(self._socket_queue.qsize())]
        for place, sock in enumerate(reversed(idle)):  # oldest first, as they were put
            if (last_round and place < self._spare) or not self._is_socket_alive(sock):
                sock.close()
            else:
                self._socket_queue.put_nowait(sock)
        left = self._socket_queue.qsize()
        self._spare = left if last_round else min(self._spare, left)

    def get_socket(self) -> gevent.socket.socket:
        sock: gevent.socket.socket = super().get_socket()  # type: ignore[misc]
        self._spare = min(self._spare, self._socket_queue.qsize())
        return sock

    def return_socket(self, sock: Any) -> None:
        sock.has_served = True
        super().return_socket(sock)  # type: ignore[misc]

    def _create_tcp_socket(self, family: int, kind: int, protocol: int) -> "_Connection":
        return _Connection(family, kind, protocol)

    def after_connect(self, sock: gevent.socket.socket) -> None:
        """Switch Nagle's algorithm off: the end of a long request need not wait for an acknowledgement."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _is_socket_alive(self, sock: gevent.socket.socket | None) -> bool:
        if sock is None or sock.fileno() < 0:
            return False
        watch = _poll()
        watch.register(sock.fileno(), select.POLLIN)
        return not watch.poll(0)


class _PlainPool(_Idle, ConnectionPool):
    pass


class _TlsPool(_Idle, SSLConnectionPool):
    pass


class Upstream:
    """Sends requests to providers; one pool of connections for each scheme, host and port."""

    def __init__(self, silence_s: float) -> None:
        """`silence_s` bounds how long a provider may be silent within its answer."""
        self._silence_s = silence_s
        self._pools: dict[str, tuple[_PlainPool | _TlsPool, str]] = {}
        self._rounds = 0

    def post(
        self, url: str, headers: Iterable[tuple[str, str]], content: bytes, *, provider: str, within_s: float
    ) -> Answer:
        """The provider's answer as soon as its head is there.

        All of it may take `within_s` seconds: to connect, to send, the head, and what is read ahead of the body.
        Raises UpstreamUnreachable without a connection, UpstreamTimeout when the head is not there in time.
        """
        until = time.monotonic() + within_s
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        pool, host_header = self._pool(f"{scheme}://{host}")
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = f"POST /{path} HTTP/1.1\r\nHost: {host_header}\r\nContent-Length: {len(content)}\r\n{lines}\r\n"
        data = head.encode("latin-1") + content
        late = UpstreamTimeout(f"{provider} did not answer within {within_s:.3g} s")
        with gevent.Timeout(within_s, late):
            parser = None
            while parser is None:  # else on another connection: this one had been idle, and was closed
                parser = self._exchange(pool, data, provider)
        return Answer(parser, provider, silence_s=self._silence_s, until=until)

    def close(self) -> None:
        """Close every idle connection."""
        for pool, _ in self._pools.values():
            pool.close()

    def tend(self) -> None:
        """Do one round: close the idle connections that are dead, and in each twelfth round those not needed."""
        self._rounds += 1
        last_round = self._rounds % ROUNDS_KEPT == 0
        for pool, _ in tuple(self._pools.values()):
            pool.tend(last_round=last_round)

    def _exchange(self, pool: _PlainPool | _TlsPool, data: bytes, provider: str) -> Parser | None:
        """The head of the answer; None when the connection was an idle one that the provider has closed."""
        try:
            sock = pool.get_socket()
        except OSError as error:
            raise UpstreamUnreachable(f"No connection to {provider}: {_reason(error)}") from error
        idle = getattr(sock, "has_served", False)  # the provider may be closing such a connection at this moment
        try:
            sock.settimeout(None)  # `post` counts the time: piece by piece a head would have it again and again
            sent = sock.send(data)
            if sent < len(data):  # sendall() alone would first ask how large the send buffer is
                sock.sendall(memoryview(data)[sent:])
        except OSError as error:
            pool.release_socket(sock)
            raise UpstreamUnreachable(f"{provider} broke the connection: {_reason(error)}") from error
        except BaseException:  # the client has gone, or the process ends
            pool.release_socket(sock)
            raise
        try:
            return Parser(sock, pool, block_size=BLOCK, method="POST")
        except HTTPConnectionClosed as error:
            if idle:
                return None
            raise UpstreamUnreachable(f"{provider} closed the connection without an answer") from error
        except (OSError, HTTPParseError) as error:
            raise UpstreamUnreachable(f"{provider} sent no usable answer: {_reason(error)}") from error

    def _pool(self, origin: str) -> tuple[_PlainPool | _TlsPool, str]:
        known = self._pools.get(origin)
        if known is None:
            parts = urlsplit(origin)
            tls = parts.scheme == "https"
            host, port = parts.hostname or "", parts.port or (443 if tls else 80)
            limits: dict[str, Any] = {
                "size": _POOL_SIZE,
                "connection_timeout": CONNECT_TIMEOUT_S,
                "network_timeout": self._silence_s,
            }
            kind = _TlsPool if tls else _PlainPool
            known = self._pools[origin] = (
                kind(host, port, host, port, **limits),
                parts.netloc.rpartition("@")[2],
            )
        return known


def _reason(error: Exception) -> str:
    """What the operating system says, without addresses."""
    return getattr(error, "strerror", None) or type(error).__name__
