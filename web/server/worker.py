"""gunicorn's gevent worker, extended: it drains before it ends, and it limits its clients.

Written against gunicorn 27; tests/unit/test_private_names.py says when a new version moves what is used here.
"""

import contextlib
import logging
import select
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import gevent
from gevent import monkey
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn import glogging, util
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.ggevent import GeventWorker

from shared.config.models import Limits
from shared.errors import ShuttingDown
from shared.log_fields import fields
from web.dialects import chat
from web.server.client_connection import Client
from web.server.protocol_errors import Busy, Refusal, protocol_error, refuse_doubles

log = logging.getLogger("plano.web")

LOOK_EVERY_S = 1.0
"""How often the worker ends the requests of clients that have gone, and tells gunicorn that it is alive."""
_LAST_WORDS_S = 1.0
"""How long answers that are cut off at the end of the drain may take to send their error."""
_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR

_poll = monkey.get_original("select", "poll")


class Log(glogging.Logger):  # type: ignore[misc]
    """gunicorn's own lines, in the format of all others."""

    def setup(self, cfg: Any) -> None:
        """Leave formatting to the root logger."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class Worker(GeventWorker):  # type: ignore[misc]
    """Serves requests, and loses none of them when it stops.

    On SIGTERM readiness fails at once. For `drain_delay_s` seconds the worker goes on taking requests, so that
    balancers can notice. Then it closes the port and all idle connections, and requests under way have
    `graceful_timeout_s` seconds to end by themselves. Streams that still run then are ended with an error event.

    A request whose client has gone is ended within a second.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle: set[Any] = set()
        self._serving: dict[Any, Any] = {}
        self._clients: dict[Any, Client] = {}
        self._posts = 0
        self._pools: list[Pool] = []
        self._stop = Event()

    def configure(
        self,
        limits: Limits,
        once: frozenset[str],
        *,
        drain: Callable[[], None],
        drain_delay_s: float,
        graceful_timeout_s: float,
    ) -> None:
        """Serve within these limits; headers named in `once`, in capitals, may come a single time.

        `drain` is called when the process is told to stop.
        """
        self._limits = limits
        self._once = once
        self._drain = drain
        self._drain_delay_s = drain_delay_s
        self._graceful_timeout_s = graceful_timeout_s

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection, within the limits of time for each of its requests."""
        greenlet = gevent.getcurrent()
        limited = self._clients[greenlet] = Client(client, self._limits.head_timeout_s, self._limits.body_timeout_s)
        try:
            super().handle(listener, limited, addr)
        finally:
            del self._clients[greenlet]

    def timeout_ctx(self) -> "_NextRequest":
        """The limits of the wait for a connection's next request."""
        return _NextRequest(self, self._clients[gevent.getcurrent()])

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Serve a request; raises Busy when too many POST requests are under way. Health checks are GET."""
        refuse_doubles(req.headers, self._once)
        greenlet: Any = gevent.getcurrent()
        if req.method == "POST" and self._posts >= self._limits.waiting_requests:
            raise Busy
        self._serving[greenlet] = sock
        self._posts += req.method == "POST"
        sock.begin_answer()
        try:
            super().handle_request(listener_name, req, sock, addr)
        except StopIteration:  # the connection ends with this request
            sock.end_answer()
            if req.method == "POST" and _unread(req.body.reader):
                sock.linger()
            raise
        finally:
            sock.end_answer()
            self._posts -= req.method == "POST"
            del self._serving[greenlet]
            greenlet.has_answered = True

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that is not valid HTTP. The application never sees it; the answer looks like its own."""
        refusal = protocol_error(exc)
        if refusal is None:
            super().handle_error(req, client, addr, exc)
            return
        request_id = uuid.uuid4().hex
        said = fields(error=type(exc).__name__, status=refusal.info.status, request_id=request_id)
        log.info("refused a request", extra=said)
        with contextlib.suppress(OSError):
            util.write_nonblock(client, _whole_answer(refusal, request_id))
            client.linger()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to drain, on SIGTERM: every answer from now on closes its connection."""
        super().handle_exit(sig, frame)
        self._drain()
        self._stop.set()

    def run(self) -> None:
        """Serve until SIGTERM, then drain."""
        servers = [self._listening(each) for each in self.sockets]
        while not self._stop.is_set():
            self.notify()
            self._end_departed()
            self._stop.wait(LOOK_EVERY_S)
        self._wait(self._drain_delay_s, until_empty=False)
        for server in servers:
            server.close()
        for greenlet in tuple(self._idle):
            greenlet.kill(NoMoreData(), block=False)
        if not self._wait(self._graceful_timeout_s, until_empty=True):
            for greenlet in tuple(self._serving):
                greenlet.kill(ShuttingDown("The gateway is shutting down"), block=False)
            self._wait(_LAST_WORDS_S, until_empty=True)

    def begin_idle(self, greenlet: Any) -> None:
        """Note that a connection waits for its next request; raises NoMoreData when it may have none."""
        if not self.alive and getattr(greenlet, "has_answered", False):
            raise NoMoreData  # its last answer began before the stop, and so did not announce the end
        self._idle.add(greenlet)

    def end_idle(self, greenlet: Any) -> None:
        """Note that a connection has its next request, or ends."""
        self._idle.discard(greenlet)

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
        """Wait for so many seconds, or less if it is `until_empty`; return whether every connection is closed."""
        end = time.monotonic() + seconds
        while True:
            empty = not any(len(pool) for pool in self._pools)
            if time.monotonic() >= end or (until_empty and empty):
                return empty
            self.notify()
            self._end_departed()
            gevent.sleep(0.05)

    def _end_departed(self) -> None:
        """End the requests whose clients have closed their connection: nobody will read the answers."""
        serving = {sock.fileno(): greenlet for greenlet, sock in self._serving.items()}
        watch = _poll()
        for number in serving:
            if number >= 0:
                watch.register(number, _GONE)
        for number, event in watch.poll(0):
            if event & _GONE:
                serving[number].kill(block=False)


class _NextRequest(gevent.Timeout):
    """The wait for a connection's next request; ends with `keepalive` seconds, or when the head has arrived."""

    def __init__(self, worker: Worker, client: Client) -> None:
        super().__init__(worker.cfg.keepalive, False)  # type: ignore[arg-type]  # ends silently
        self._worker = worker
        self._client = client

    def __enter__(self) -> Self:
        self._client.expect_head()
        self._greenlet = gevent.getcurrent()
        self._worker.begin_idle(self._greenlet)
        return super().__enter__()

    def __exit__(self, *raised: Any) -> Any:  # noqa: PYI036 - passed on
        self._client.expect_body()
        self._worker.end_idle(self._greenlet)
        return super().__exit__(*raised)


def _unread(reader: Any) -> bool:
    """Whether the client may still be sending this body, because it was refused before it was read."""
    return bool(getattr(reader, "length", 0) or getattr(reader, "parser", None))


def _whole_answer(refusal: Refusal, request_id: str) -> bytes:
    """A refusal as bytes on the wire."""
    body = chat.error(refusal.info)
    retry = f"Retry-After: {refusal.retry_after_s}\r\n" if refusal.retry_after_s else ""
    head = (
        f"HTTP/1.1 {refusal.info.status} {refusal.phrase}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{retry}"
        f"X-Request-Id: {request_id}\r\n\r\n"
    )
    return head.encode() + body
