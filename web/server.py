"""gunicorn's worker, as this gateway needs it. Written against gunicorn 27.0."""

import json
import logging
import uuid
from http import HTTPStatus
from typing import Any, Self

import gevent
from gunicorn import glogging, util
from gunicorn.http import errors as refused
from gunicorn.workers.ggevent import GeventWorker

log = logging.getLogger("plano.web")

_STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (refused.LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG),
    (refused.LimitRequestHeaders, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    (refused.UnsupportedTransferCoding, HTTPStatus.NOT_IMPLEMENTED),
    (refused.ExpectationFailed, HTTPStatus.EXPECTATION_FAILED),
    (refused.ParseException, HTTPStatus.BAD_REQUEST),
)


class Log(glogging.Logger):  # type: ignore[misc]
    """gunicorn's own lines, in the format of all others."""

    def setup(self, cfg: Any) -> None:
        """Leave formatting to the root logger."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class _Idle(gevent.Timeout):
    """The wait for a connection's next request; known to the worker, so that a stop can end it."""

    def __init__(self, worker: "Worker") -> None:
        super().__init__(worker.cfg.keepalive, False)  # type: ignore[arg-type]  # ends silently
        self._worker = worker

    def __enter__(self) -> Self:
        self._greenlet = gevent.getcurrent()
        self._worker.idle.add(self._greenlet)
        return super().__enter__()

    def __exit__(self, *raised: Any) -> Any:  # noqa: PYI036 - passed on
        self._worker.idle.discard(self._greenlet)
        return super().__exit__(*raised)


class Worker(GeventWorker):  # type: ignore[misc]
    """A gevent worker that closes idle connections when it stops, and words its refusals as the API does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.idle: set[Any] = set()

    def timeout_ctx(self) -> _Idle:
        """How long a connection may stay open without a request."""
        return _Idle(self)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: answer what is under way, close what is idle."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._close_idle)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """A request that HTTP itself forbids never reaches the application; the answer has its shape all the same."""
        status = next((status for kind, status in _STATUS if isinstance(exc, kind)), None)
        if status is None:
            super().handle_error(req, client, addr, exc)
            return
        log.info("refused a malformed request: %s", type(exc).__name__)
        said = {"message": f"{status.phrase}: {type(exc).__name__}", "type": "invalid_request_error"}
        body = json.dumps({"error": {**said, "param": None, "code": None}}).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"X-Request-Id: {uuid.uuid4().hex}\r\n\r\n"
        )
        util.write_nonblock(client, head.encode() + body)

    def _close_idle(self) -> None:
        for greenlet in tuple(self.idle):
            greenlet.kill(refused.NoMoreData(), block=False)
