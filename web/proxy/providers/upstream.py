"""Sends requests to providers over pooled connections, and reads the answers as they arrive.

The pool and the response parser in C are geventhttpclient's. Its request builder is not used, since the head of a
request is a few lines of text.
"""

import errno
import socket
import time
from collections.abc import Iterable

import gevent
from gevent.ssl import SSLError, create_default_context
from geventhttpclient.connectionpool import SSLConnectionPool
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError

from shared.errors import NotSent, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable
from shared.outgoing import DIRECT, Outgoing
from web.dialects.fields.body import Pieces
from web.proxy.providers import connections
from web.proxy.providers.answer import BLOCK, Answer, Parser
from web.proxy.providers.connections import PlainPool, TlsPool
from web.proxy.providers.dns import Names

_OURS = frozenset(
    {
        errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EACCES,
        errno.ENETDOWN, errno.ENETUNREACH,
    }
)  # fmt: skip
"""What the system says when this machine has no file, no memory, no port or no way out."""
TEND_EVERY_S = 5.0
"""How often idle connections are checked for those that providers have closed. A check is a round."""
ROUNDS_KEPT = 12
"""After so many rounds, which take a minute, idle connections are closed that nobody needed in any of them."""


class Upstream:
    """Sends requests to providers; one pool of connections for each scheme, host and port."""

    def __init__(
        self,
        silence_s: float,
        *,
        outgoing: Outgoing = DIRECT,
        ca_files: Iterable[str] = (),
        names: Names | None = None,
    ) -> None:
        """`silence_s` bounds how long a provider may be silent within its answer; `ca_files` are providers' own."""
        self._silence_s = silence_s
        self._outgoing = outgoing
        self._names = names or Names()
        usual = outgoing.ca_file or SSLConnectionPool.default_options["ca_certs"]
        self._contexts = {name: create_default_context(cafile=name or usual) for name in {None, *ca_files}}
        self._pools: dict[tuple[str, str | None], PlainPool | TlsPool] = {}
        self._rounds = 0

    def post(
        self,
        url: str,
        headers: Iterable[tuple[str, str]],
        content: Pieces,
        *,
        provider: str,
        within_s: float,
        ca_file: str | None = None,
        method: str = "POST",
    ) -> Answer:
        """The provider's answer as soon as its head is there; `content` is the body, in pieces.

        All of it may take `within_s` seconds: to connect, to send, the head, and what is read ahead of the body.
        Raises UpstreamUnreachable without a connection, UpstreamTimeout when the head is not there in time.
        """
        until = time.monotonic() + within_s
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        pool = self._pool(f"{scheme}://{host}", ca_file)
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
        at = host.rpartition("@")[2]
        length = sum(map(len, content))
        text = f"{method} /{path} HTTP/1.1\r\nHost: {at}\r\nContent-Length: {length}\r\n{lines}\r\n"
        head = text.encode("latin-1")
        first, *others = content or (b"",)
        data = (head, *content) if len(first) > BLOCK else (head + first, *others)  # what is long is not copied
        late = UpstreamTimeout(f"{provider} did not answer within {within_s:.3g} s")
        with gevent.Timeout(within_s, late):
            parser = None
            while parser is None:  # else on another connection: this one had been idle, and was closed
                parser = self._exchange(pool, data, provider)
        return Answer(parser, provider, silence_s=self._silence_s, until=until)

    def refuses(self, url: str, ca_file: str | None = None) -> bool:
        """Whether a provider that has refused a connection refuses another one, too; asks for a second at most."""
        scheme, _, rest = url.partition("://")
        return self._pool(f"{scheme}://{rest.partition('/')[0]}", ca_file).refuses()

    def close(self) -> None:
        """Close every idle connection."""
        for pool in self._pools.values():
            pool.close()

    def tend(self) -> None:
        """Do one round: close the idle connections that are dead, and in each twelfth round those not needed."""
        self._rounds += 1
        last_round = self._rounds % ROUNDS_KEPT == 0
        for pool in tuple(self._pools.values()):
            pool.tend(last_round=last_round)

    def _exchange(self, pool: PlainPool | TlsPool, data: Pieces, provider: str) -> Parser | None:
        """The head of the answer; None when the connection was an idle one that the provider has closed."""
        try:
            sock = pool.get_socket()
        except OSError as error:
            raise not_connected(error, provider, through_proxy=pool.through_proxy) from error
        idle = getattr(sock, "has_served", False)  # the provider may be closing such a connection at this moment
        try:
            sock.settimeout(None)  # `post` counts the time: piece by piece a head would have it again and again
            for piece in data:
                sent = sock.send(piece)
                if sent < len(piece):  # sendall() alone would first ask how large the send buffer is
                    sock.sendall(memoryview(piece)[sent:])
        except (ConnectionError, SSLError):
            pass  # what came before the end is read: an answer, such as that the request is too large, or nothing
        except OSError as error:
            pool.release_socket(sock)
            kind = NotSent if error.errno in _OURS else UpstreamUnreachable
            raise kind(f"{provider} broke the connection: {_reason(error)}") from error
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

    def _pool(self, origin: str, ca_file: str | None) -> PlainPool | TlsPool:
        known = self._pools.get((origin, ca_file))
        if known is None:
            known = self._pools[origin, ca_file] = connections.pool(
                origin,
                self._outgoing.proxy_for(origin),
                self._contexts[ca_file],
                self._names,
                silence_s=self._silence_s,
            )
        return known


def not_connected(error: OSError, provider: str, *, through_proxy: bool) -> UpstreamUnreachable:
    """What a failure to connect means: for the provider, or for this process alone."""
    text = f"No connection to {provider}: {_reason(error)}"
    if through_proxy or isinstance(error, socket.gaierror) or error.errno in _OURS:
        return NotSent(text)
    return UpstreamRefused(text) if isinstance(error, ConnectionRefusedError) else UpstreamUnreachable(text)


def _reason(error: Exception) -> str:
    """What the operating system says, without addresses."""
    return getattr(error, "strerror", None) or type(error).__name__
