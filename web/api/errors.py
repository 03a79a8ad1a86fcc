"""Answers every error in the shape of the client's API."""

import logging
from collections.abc import Sequence

from flask import Flask, Response, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from shared import errors
from web.dialects.by_path import dialect_of
from web.dialects.error_table import ErrorInfo, info_of
from web.ops.tracing import trace_of
from web.proxy.response import decision_headers, fallback_headers, session_headers
from web.server.protocol_errors import protocol_error

log = logging.getLogger("plano.web")


def install(app: Flask) -> None:
    """Have the app answer errors of ours, of Flask and of gunicorn, and unforeseen ones."""
    app.register_error_handler(errors.PlanoError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(ParseException, _malformed)
    app.register_error_handler(Exception, _unforeseen)


def _ours(error: errors.PlanoError) -> Response:
    if isinstance(error, errors.Overdue):
        trace_of(request.environ)  # the line has its id
        log.error("an answer was overdue at %s", request.path, exc_info=error)
    decision = getattr(error, "decision", None)
    answer = _answer(info_of(error), decision_headers(decision) if decision else [])
    answer.headers.extend(fallback_headers(getattr(error, "attempts", ())))
    if isinstance(error, errors.Denied) and request.path.startswith("/admin"):
        answer.headers["WWW-Authenticate"] = 'Bearer realm="plano"'
    if isinstance(error, errors.Unavailable | errors.TooManySessions):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def _http(error: HTTPException) -> Response:
    """What Flask itself refuses: no such path, wrong method, too large."""
    status = error.code or 500
    message = error.description or error.name
    code = None
    if isinstance(error, RequestEntityTooLarge):
        message, code = "The body is larger than limits.body_bytes allows", "request_too_large"
    elif isinstance(error, NotFound):
        message, code = f"There is nothing at {request.path}", "not_found"
    elif isinstance(error, MethodNotAllowed):
        message, code = f"{request.method} is not allowed at {request.path}", "method_not_allowed"
    kind = "invalid_request_error" if status < 500 else "server_error"  # noqa: PLR2004 - HTTP's own classes
    answer = _answer(ErrorInfo(status=status, message=message, type=kind, code=code))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return answer


def _malformed(error: ParseException) -> Response:
    """A body that is not valid HTTP, or stalls. Its head was valid, so the application had begun."""
    refusal = protocol_error(error)
    if refusal is None:
        return _unforeseen(error)
    retry = [("retry-after", str(refusal.retry_after_s))] if refusal.retry_after_s else []
    return _answer(refusal.info, retry)


def _unforeseen(error: Exception) -> Response:
    """A fault of ours: the log has the traceback, the client is told no detail."""
    trace_of(request.environ)  # the line has its id
    log.error("unforeseen %s at %s", type(error).__name__, request.path, exc_info=error)
    message = "The gateway failed; its log says where"
    return _answer(ErrorInfo(status=500, message=message, type="server_error", code="internal_error"))


def _answer(info: ErrorInfo, headers: Sequence[tuple[str, str]] = ()) -> Response:
    request_id = trace_of(request.environ).request_id
    return Response(
        dialect_of(request.path).error(info, request_id),
        info.status,
        headers=[*headers, *session_headers(request.environ), ("x-request-id", request_id)],
        content_type="application/json",
    )
