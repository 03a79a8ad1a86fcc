"""Pools of connections to providers: looked up, connected and kept as a gateway needs it."""

import select
import socket
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

import gevent
import gevent.socket
from gevent import monkey
from gevent.ssl import SSLContext
from geventhttpclient.connectionpool import ConnectionPool, SSLConnectionPool

from web.proxy.providers.dns import Addresses, Names

CONNECT_TIMEOUT_S = 5.0
PROBE_S = 1.0
_POOL_SIZE = 4096  # the most at once; a connection is made when one is needed

_poll = monkey.get_original("select", "poll")


class _Connection(gevent.socket.socket):
    """A socket that remembers whether it has served a request.

    gevent's plain socket has slots and takes no further attribute; its TLS socket does, and needs no class of ours.
    """

    has_served = False


class _Tended:
    """What our pools add to geventhttpclient's: they look names up, mark used connections, and close idle ones.

    geventhttpclient takes the idle connection that was used last, and checks no other. The oldest ones would be kept
    for ever, even when the provider has closed them. Its check uses select(), which fails for a file descriptor above
    1023.
    """

    look_up: Callable[[], Addresses]
    """Where to connect to; raises socket.gaierror."""
    through_proxy = False
    """Whether a failure to connect may be the proxy's."""
    _socket_queue: Any
    _create_socket: Callable[[], gevent.socket.socket]
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

    def refuses(self) -> bool:
        """Whether a new connection is refused; one that is not made within a second is not."""
        try:
            with gevent.Timeout(PROBE_S, TimeoutError()):
                self._create_socket().close()
        except OSError as error:
            return isinstance(error, ConnectionRefusedError)
        return False

    def _resolve(self) -> Addresses:
        return self.look_up()

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


class PlainPool(_Tended, ConnectionPool):
    """Connections of plain HTTP."""


class TlsPool(_Tended, SSLConnectionPool):
    """Connections over TLS, through a proxy where there is one."""

    def _setup_proxy(self, sock: gevent.socket.socket) -> None:
        """Have the proxy connect; raises OSError, where geventhttpclient raises RuntimeError."""
        try:
            super()._setup_proxy(sock)
        except RuntimeError as error:
            raise OSError(0, str(error)) from error


def pool(
    origin: str, proxy: str | None, context: SSLContext, names: Names, *, silence_s: float
) -> PlainPool | TlsPool:
    """A pool for a provider; nothing is connected yet.

    `origin` is scheme, host and port. `context` says whose certificates are trusted.
    """
    at = urlsplit(origin)
    host, port = at.hostname or "", at.port or (443 if at.scheme == "https" else 80)
    options: dict[str, Any] = {
        "size": _POOL_SIZE,
        "connection_timeout": CONNECT_TIMEOUT_S,
        "network_timeout": silence_s,
    }
    if at.scheme != "https":
        plain = PlainPool(host, port, host, port, **options)
        plain.look_up = partial(names.addresses, host, port)
        return plain
    way = urlsplit(proxy or "")
    if proxy:
        user, password = (unquote(part) if part else None for part in (way.username, way.password))
        options |= {"use_proxy": True, "proxy_user": user, "proxy_password": password}
    next_host, next_port = (way.hostname or "", way.port or 80) if proxy else (host, port)
    tls = TlsPool(next_host, next_port, host, port, ssl_context_factory=lambda **_: context, **options)
    tls.through_proxy = bool(proxy)
    tls.look_up = partial(names.addresses, next_host, next_port)
    return tls
