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
from typing import Any

import gevent
from gevent import monkey
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn import glogging
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.workers.ggevent import GeventWorker

from shared.config.limits_section import Limits
from shared.errors import ShuttingDown
from shared.log_fields import fields
from web.dialects.by_path import dialect_of
from web.server import gunicorn_caches
from web.server.client_socket import DRAIN_S, DRAINED_BYTES, Client
from web.server.connections import PROBES, Connections, Crowded
from web.server.held_bytes import BufferedBytes
from web.server.protocol_errors import Busy, Refusal, protocol_error, refuse_ambiguous
from web.server.request_bodies import Whole, in_turns

log = logging.getLogger("plano.web")

LOOK_EVERY_S = 1.0
"""How often the worker ends the requests of clients that have gone and connections that are idle for too long, and
tells gunicorn that it is alive."""
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
        gunicorn_caches.install(self.cfg)
        self._connections = Connections(self.worker_connections)
        self._serving: dict[Any, Any] = {}
        self._posts = 0
        self._pools: list[Pool] = []
        self._stop = Event()

    def configure(
        self,
        limits: Limits,
        once: frozenset[str],
        *,
        drain: Callable[[], None],
        responded: Callable[[int], None],
        drain_delay_s: float,
        graceful_timeout_s: float,
    ) -> None:
        """Serve within these limits; headers named in `once`, in capitals, may come a single time.

        `drain` is called when the process is told to stop, `responded` with the status of each answer.
        """
        self._limits = limits
        self._buffered = BufferedBytes(limits.buffered_bytes)
        self._once = once
        self._drain = drain
        self.responded = responded
        self._drain_delay_s = drain_delay_s
        self._graceful_timeout_s = graceful_timeout_s

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection, within the limits of time for each of its requests."""
        greenlet = gevent.getcurrent()
        limited = Client(client, self._limits, self._buffered)
        self._connections.open(greenlet, limited)
        try:
            super().handle(listener, limited, addr)
        finally:
            limited.release()
            self._connections.close(greenlet)

    def timeout_ctx(self) -> "_NextRequest":
        """The limits of the wait for a connection's next request."""
        client = self._connections.of(gevent.getcurrent())
        client.turns.take()
        if client.asked_at and not self.alive:
            raise NoMoreData  # its last answer began before the stop, and so did not announce the end
        return _NextRequest(self._connections, client)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Serve a request; raises what `protocol_errors` answers when it cannot be served."""
        refuse_ambiguous(req, self._once)
        self._make_room(req, sock)
        greenlet: Any = gevent.getcurrent()
        self._serving[greenlet] = sock
        self._posts += req.method == "POST"
        sock.begin_answer()
        goes_on = False
        try:
            super().handle_request(listener_name, req, sock, addr)
            goes_on = True
        except StopIteration:  # the connection ends with this request
            pass
        finally:
            self._posts -= req.method == "POST"
            del self._serving[greenlet]
            sock.end_answer()  # which may find that the client has gone
        if not _finish(req, sock, goes_on=goes_on):
            raise StopIteration

    def _make_room(self, req: Any, sock: Any) -> None:
        """Raises Busy, Full or Crowded when there is no room for a request. Health checks are GET."""
        if sock.is_spare:
            req.force_close()
            if req.path not in PROBES:
                raise Crowded
        is_post = req.method == "POST"
        if is_post and self._posts >= self._limits.waiting_requests:
            raise Busy
        reader = req.body.reader
        length = getattr(reader, "length", None)
        if length is None:
            reader.parser = in_turns(reader.parser, sock.turns.take)
        elif length > (self._limits.body_bytes if is_post else DRAINED_BYTES):
            req.force_close()  # it will not be read
        elif length:
            sock.expect_rest(length)
            req.body = Whole(reader)

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
            client.send(
                _whole_answer(refusal, request_id, getattr(req, "path", "")), 0, 0.0
            )  # who has no room for it does not read
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
            self._connections.end_idle_for(self.cfg.keepalive)
            self._stop.wait(LOOK_EVERY_S)
        self._wait(self._drain_delay_s, until_empty=False)
        for server in servers:
            server.close()
        self._connections.end_all_idle()
        if not self._wait(self._graceful_timeout_s, until_empty=True):
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
        serving = {sock.fileno(): greenlet for greenlet, sock in self._serving.items() if not sock.is_ending}
        watch = _poll()
        for number in serving:
            if number >= 0:
                watch.register(number, _GONE)
        for number, event in watch.poll(0):
            if event & _GONE:
                serving[number].kill(block=False)


class _NextRequest:
    """The wait for a connection's next request; ends when its head has arrived."""

    def __init__(self, connections: Connections, client: Client) -> None:
        self._connections = connections
        self._client = client

    def __enter__(self) -> None:
        self._client.expect_head()
        self._connections.begin_idle(self._client)

    def __exit__(self, *raised: object) -> None:
        self._client.expect_body()
        self._connections.end_idle(self._client)


def _is_unread(body: Any) -> bool:
    """Whether the client may still be sending this body, because it was refused before it was read."""
    length = getattr(body.reader, "length", None)
    return bool(body.failed or body.reader.parser if length is None else length)


def _finish(req: Any, sock: Any, *, goes_on: bool) -> bool:
    """Read the rest of a refused body, if it is not much; return whether the connection can have a next request."""
    end = time.monotonic() + DRAIN_S
    if _is_unread(req.body) and not (goes_on and _drained(req.body)):
        sock.linger(until=end, read=0 if goes_on else DRAINED_BYTES)
        return False
    unreader = req.unreader
    if unreader.buf.tell():  # the next request has come with this one
        pipelined = unreader.take_buffered()
        sock.check_lines(pipelined)
        unreader.unread(pipelined)
    return goes_on


def _drained(body: Any) -> bool:
    """Whether what was left of a body has come, and was not much."""
    limit = gevent.Timeout(DRAIN_S, False)  # type: ignore[arg-type]  # ends silently
    with limit, contextlib.suppress(ParseException, OSError):
        return not body.failed and len(body.read(DRAINED_BYTES)) < DRAINED_BYTES
    return False


def _whole_answer(refusal: Refusal, request_id: str, path: str) -> bytes:
    """A refusal as bytes on the wire, in the shape of the path's API."""
    body = dialect_of(path).error(refusal.info, request_id)
    retry = f"Retry-After: {refusal.retry_after_s}\r\n" if refusal.retry_after_s else ""
    head = (
        f"HTTP/1.1 {refusal.info.status} {refusal.phrase}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{retry}"
        f"X-Request-Id: {request_id}\r\n\r\n"
    )
    return head.encode() + body
