"""How a web process ends, and how it notices clients that have gone. Written against gunicorn 27.0."""

import select
import time
from functools import partial
from typing import Any, Self

import gevent
from gevent import monkey
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.ggevent import GeventWorker

from shared.errors import ShuttingDown
from web.services import EXTENSION, Services

LOOK_EVERY_S = 1.0
"""How often clients that have gone are looked for, and gunicorn is told that the process lives."""
_LAST_WORDS_S = 1.0
_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR

_poll = monkey.get_original("select", "poll")


class Idle(gevent.Timeout):
    """The wait for a connection's next request; known to the worker, so that a stop can end it."""

    def __init__(self, worker: "GracefulWorker") -> None:
        super().__init__(worker.cfg.keepalive, False)  # type: ignore[arg-type]  # ends silently
        self._worker = worker

    def __enter__(self) -> Self:
        self._greenlet = gevent.getcurrent()
        if not self._worker.alive and getattr(self._greenlet, "has_answered", False):
            raise NoMoreData  # its last answer was begun before the stop and promised to keep the connection
        self._worker.idle.add(self._greenlet)
        return super().__enter__()

    def __exit__(self, *raised: Any) -> Any:  # noqa: PYI036 - passed on
        self._worker.idle.discard(self._greenlet)
        return super().__exit__(*raised)


class _Corked:
    """A client's socket that sends an answer's head together with the first piece of its body.

    gunicorn writes them one after the other: a system call more, and a segment more, for every request.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._held: bytes | None = None
        self._open = False

    def sendall(self, data: bytes) -> None:
        if self._open:
            self._sock.sendall(data)
        elif self._held is None:
            self._held = data
        else:
            self._open = True
            self._sock.sendall(self._held + data)

    def flush(self) -> None:
        """Send a head that no body followed."""
        if not self._open and self._held is not None:
            self._open = True
            self._sock.sendall(self._held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class GracefulWorker(GeventWorker):  # type: ignore[misc]
    """A gevent worker that loses no request when it stops.

    On SIGTERM readiness fails at once, and for DRAIN_DELAY seconds it goes on taking requests, until balancers have
    noticed. Then idle connections are closed, and what is under way has GRACEFUL_TIMEOUT seconds to end by itself;
    streams that still run then are ended with an error event. A request whose client has gone is ended within a
    second.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.idle: set[Any] = set()
        self._serving: dict[Any, Any] = {}
        self._pools: list[Pool] = []
        self._stop = Event()

    def timeout_ctx(self) -> Idle:
        """How long a connection may stay open without a request."""
        return Idle(self)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answer one request, known by its client's socket meanwhile."""
        greenlet: Any = gevent.getcurrent()
        self._serving[greenlet] = sock
        try:
            corked = _Corked(sock)
            try:
                super().handle_request(listener_name, req, corked, addr)
            except StopIteration:  # the connection ends with this answer
                corked.flush()
                raise
            corked.flush()
        finally:
            del self._serving[greenlet]
            greenlet.has_answered = True

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: every answer from now on closes its connection."""
        super().handle_exit(sig, frame)
        self._services().health.drain()
        self._stop.set()

    def run(self) -> None:
        """Serve until SIGTERM, then drain."""
        servers = [self._listening(each) for each in self.sockets]
        while not self._stop.is_set():
            self.notify()
            self._end_departed()
            self._stop.wait(LOOK_EVERY_S)
        settings = self._services().settings
        self._wait(settings.drain_delay_s, until_empty=False)
        for server in servers:
            server.close()
        for greenlet in tuple(self.idle):
            greenlet.kill(NoMoreData(), block=False)
        if not self._wait(settings.graceful_timeout_s, until_empty=True):
            for greenlet in tuple(self._serving):
                greenlet.kill(ShuttingDown("The gateway is shutting down"), block=False)
            self._wait(_LAST_WORDS_S, until_empty=True)

    def _listening(self, listener: Any) -> StreamServer:
        listener.setblocking(1)
        pool = Pool(self.worker_connections)
        self._pools.append(pool)
        server = StreamServer(listener, handle=partial(self.handle, listener), spawn=pool)
        if self.cfg.workers > 1:
            server.max_accept = 1  # processes share the port: none takes more than it can serve at once
        server.start()
        return server

    def _wait(self, seconds: float, *, until_empty: bool) -> bool:
        """Let time pass, at most so much; whether every connection is closed."""
        end = time.monotonic() + seconds
        while True:
            empty = not any(len(pool) for pool in self._pools)
            if time.monotonic() >= end or (until_empty and empty):
                return empty
            self.notify()
            self._end_departed()
            gevent.sleep(0.05)

    def _end_departed(self) -> None:
        """End the requests whose clients have closed their connection: no one will read the answer."""
        serving = {sock.fileno(): greenlet for greenlet, sock in self._serving.items()}
        watch = _poll()
        for number in serving:
            if number >= 0:
                watch.register(number, _GONE)
        for number, event in watch.poll(0):
            if event & _GONE:
                serving[number].kill(block=False)

    def _services(self) -> Services:
        services: Services = self.wsgi.extensions[EXTENSION]
        return services
