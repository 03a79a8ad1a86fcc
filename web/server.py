"""gunicorn's worker, as this gateway needs it. Written against gunicorn 27.0."""

import contextlib
import json
import logging
import uuid
from typing import Any, Self

import gevent
from gunicorn import glogging, util

from shared.config.values import Limits
from web.client import Client
from web.graceful import GracefulWorker, Idle
from web.refusals import Busy, Refusal, refusal, refuse_doubles

log = logging.getLogger("plano.web")


class Log(glogging.Logger):  # type: ignore[misc]
    """gunicorn's own lines, in the format of all others."""

    def setup(self, cfg: Any) -> None:
        """Leave formatting to the root logger."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class Worker(GracefulWorker):
    """What serves: ends gracefully, keeps clients within their limits, and words its refusals as the API does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients: dict[Any, Client] = {}
        self._under_way = 0
        self.limit(Limits())

    def limit(self, limits: Limits, once: frozenset[str] = frozenset()) -> None:
        """Serve within these limits; headers named in `once`, in capitals, may come a single time."""
        self._limits = limits
        self._once = once

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection; its client has so long for each request."""
        greenlet = gevent.getcurrent()
        patient = self._clients[greenlet] = Client(client, self._limits.head_timeout_s, self._limits.body_timeout_s)
        try:
            super().handle(listener, patient, addr)
        finally:
            del self._clients[greenlet]

    def timeout_ctx(self) -> "_NextRequest":
        """How long a connection may stay open without a request, and a request's head may take to arrive."""
        return _NextRequest(self, self._clients[gevent.getcurrent()])

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Serve a request; of those that ask for a model only so many at once, whereas health is always told."""
        refuse_doubles(req.headers, self._once)
        if req.method != "POST":
            super().handle_request(listener_name, req, sock, addr)
            return
        if self._under_way >= self._limits.waiting_requests:
            raise Busy
        self._under_way += 1
        try:
            super().handle_request(listener_name, req, sock, addr)
        except StopIteration:  # the connection ends with this request
            if _unread(req.body.reader):
                sock.linger()
            raise
        finally:
            self._under_way -= 1

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """A request that HTTP itself forbids never reaches the application; the answer has its shape all the same."""
        told = refusal(exc)
        if told is None:
            super().handle_error(req, client, addr, exc)
            return
        log.info("refused a request: %s", type(exc).__name__)
        with contextlib.suppress(OSError):
            util.write_nonblock(client, _worded(told))
            client.linger()


class _NextRequest(Idle):
    """The wait for a request, in whose time its client has to send the head."""

    def __init__(self, worker: Worker, client: Client) -> None:
        super().__init__(worker)
        self._client = client

    def __enter__(self) -> Self:
        self._client.expect_head()
        return super().__enter__()

    def __exit__(self, *raised: Any) -> Any:  # noqa: PYI036 - passed on
        self._client.expect_body()
        return super().__exit__(*raised)


def _unread(reader: Any) -> bool:
    """Whether a client may still be sending this body: it was refused before it was read."""
    return bool(getattr(reader, "length", 0) or getattr(reader, "parser", None))


def _worded(told: Refusal) -> bytes:
    """A refusal as a whole answer."""
    said = {"message": told.message, "type": told.type, "param": told.param, "code": told.code}
    body = json.dumps({"error": said}).encode()
    retry = f"Retry-After: {told.retry_after_s}\r\n" if told.retry_after_s else ""
    head = (
        f"HTTP/1.1 {told.status.value} {told.status.phrase}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{retry}"
        f"X-Request-Id: {uuid.uuid4().hex}\r\n\r\n"
    )
    return head.encode() + body
