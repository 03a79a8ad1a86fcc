"""gunicorn's worker, as this gateway needs it. Written against gunicorn 27.0."""

import json
import logging
import uuid
from http import HTTPStatus
from typing import Any

from gunicorn import glogging, util
from gunicorn.http import errors as refused

from web.graceful import GracefulWorker

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


class Worker(GracefulWorker):
    """What serves: ends gracefully, and words its refusals as the API does."""

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
